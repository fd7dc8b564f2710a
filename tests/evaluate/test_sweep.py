"""Names painted at many settings."""

import json
import sys
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest

from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.evaluate.drawings import save_drawings
from bluerider.evaluate.sweep import parse_axes, points


def test_axes_are_read_with_their_kinds() -> None:
    found = parse_axes(["guidance=1,2.5", "prior-steps=3", "sampler=ddim,unipc"])
    assert found == {"guidance": [1.0, 2.5], "prior_steps": [3], "sampler": ["ddim", "unipc"]}


def test_each_field_is_varied_on_its_own_unless_all_are_combined() -> None:
    axes = {"steps": [1, 2], "sampler": ["ddim", "unipc"]}
    assert points(axes, full=False) == [
        {"steps": 1}, {"steps": 2}, {"sampler": "ddim"}, {"sampler": "unipc"},
    ]  # fmt: skip
    assert len(points(axes, full=True)) == 4


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "nothing to vary"),
        (["guidance"], "FIELD=VALUE"),
        (["guidence=1"], "did you mean 'guidance'"),
        (["steps=1.5"], "a whole number"),
        (["steps=0"], "1 to 1000"),
        (["sampler=magic"], "magic"),
        (["guidance_interval=0.5"], "two parts of the steps"),
        (["guidance_interval=0,x"], "a number"),
    ],
)
def test_what_cannot_be_varied_is_refused(texts, said) -> None:
    with pytest.raises(InputError, match=said):
        parse_axes(texts)


@pytest.fixture
def pipeline(painter, monkeypatch, tmp_path):
    """A pipeline that is right with enough steps only."""

    class Short(painter):
        files, defaults = SimpleNamespace(parts={}), MURNAU.defaults
        requests: list = []

        def generate_many(self, requests, *, batch):
            self.requests += requests
            self.wrong = [r.prompt for r in requests if r.steps < 5]
            return super().generate_many(requests, batch=batch)

    made = Short()
    module = ModuleType("bluerider.pipeline")
    module.Pipeline = SimpleNamespace(load=lambda *args, **options: made)
    monkeypatch.setitem(sys.modules, "bluerider.pipeline", module)
    monkeypatch.chdir(tmp_path)
    return made


def test_the_command_finds_what_serves_best(pipeline, drawings, tmp_path, capsys) -> None:
    save_drawings(drawings, tmp_path / "few")
    command = ["evaluate", "sweep", "steps=2,5", "sampler=ddim", "--subset", "4", "--data", "few"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["settings"]
    assert [one["changes"] for one in found] == [{"steps": 2}, {"steps": 5}, {"sampler": "ddim"}]
    assert [one["score"]["top1"]["value"] for one in found] == [0.0, 1.0, 1.0]
    place = tmp_path / "outputs" / "sweep-murnau"
    for name in ("steps", "sampler"):
        ElementTree.fromstring((place / f"{name}.svg").read_text("utf-8"))
    painted = len(pipeline.requests)
    assert main(command) == 0
    assert len(pipeline.requests) == painted == 12
    assert "steps=5" in capsys.readouterr().out


def test_scenes_are_swept_by_what_is_right_in_them(pipeline, drawings, tmp_path, capsys) -> None:
    save_drawings(drawings, tmp_path / "few")
    command = ["evaluate", "sweep", "guidance_interval=0,1;0,0.9", "--kinds", "thing"]
    command += ["--subset", "2", "--data", "few"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["settings"]
    assert [one["changes"] for one in found] == [
        {"guidance_interval": [0.0, 1.0]}, {"guidance_interval": [0.0, 0.9]},
    ]  # fmt: skip
    assert all(one["score"]["count"] == 2 for one in found)
    assert {r.guidance_interval for r in pipeline.requests} == {(0.0, 1.0), (0.0, 0.9)}
    painted = len(pipeline.requests)
    assert main(command) == 0
    assert len(pipeline.requests) == painted
    shown = capsys.readouterr().out
    assert "guidance_interval=0,0.9" in shown and "said %" in shown


def test_kinds_that_are_none_are_refused(pipeline, drawings, tmp_path, capsys) -> None:
    save_drawings(drawings, tmp_path / "few")
    command = ["evaluate", "sweep", "steps=1", "--kinds", "beside", "--data", "few"]
    assert main(command) == 2
    assert "beside" in capsys.readouterr().err
