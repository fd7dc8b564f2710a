"""`bluerider dreambooth sweep`: runs of a grid, each kept; what is there is not made again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bluerider.cli.main import main
from bluerider.errors import BlueriderError
from bluerider.training.tuning.keeper import Stopped
from tests.training.tuning.conftest import QUICK

Sweep = Callable[..., int]
BOTH = ("rate=1e-3,1e-2", "steps=1")


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluerider.evaluate.tuned.SEEDS", 3)


@pytest.fixture
def sweep(tiny: Any, pictures: Path) -> Sweep:
    """The command on the tiny model, with settings."""

    def run(out: Path, *settings: str, model: str = "kandinsky-2.2", flags: Any = ()) -> int:
        told = [s for s in QUICK if "rate" not in s]
        words = ["--subject", "a [V] disc", "--class", "a disc", "--out", str(out)]
        place = ["--model", str(tiny(model)), "--device", "cpu"]
        chosen = [*told, *settings]
        last = {one.partition("=")[0]: one for one in chosen}
        return main(["dreambooth", "sweep", str(pictures), *last.values(), *words, *place, *flags])

    return run


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "out"


@pytest.fixture
def done(sweep: Sweep, kept: Path) -> Path:
    """A finished sweep of two rates, made once."""
    if not kept.exists():
        assert sweep(kept, *BOTH) == 0
    return kept


def told(out: Path) -> Any:
    return json.loads((out / "sweep.json").read_text("utf-8"))


def test_every_point_leaves_its_run(done: Path) -> None:
    runs = {path.parent.name for path in (done / "runs").glob("*/lora.safetensors")}
    assert runs == {"rate-1e-3", "rate-1e-2"}


def test_runs_are_ranked_by_what_was_gained_less_what_was_lost(done: Path) -> None:
    found = told(done)
    scores = [run["score"] for run in found["runs"]]
    assert scores == sorted(scores, reverse=True)
    for run in found["runs"]:
        m = run["measures"]
        lost = max(0, m["drift"]) + max(0, m["bleed"])
        assert run["score"] == pytest.approx((m["alone"] + m["background"]) / 2 - lost)
    assert {run["settings"]["rate"] for run in found["runs"]} == {"1e-3", "1e-2"}
    assert found["settings"] and found["subject"] == "a [V] disc"


def test_a_word_that_learns_alone_is_compared_too(sweep: Sweep, tmp_path: Path) -> None:
    settings = ("identifier=new", "identifier_rate=1e-3,1e-2", "prior.train=word", "steps=1")
    assert sweep(tmp_path / "out", *settings) == 0
    assert len(list((tmp_path / "out").rglob("lora.safetensors"))) == 2


def test_one_sheet_shows_all_runs(done: Path) -> None:
    with Image.open(done / "sweep.png") as image:
        assert image.width > 7 * 48 and image.height > 3 * 48


def test_a_key_of_parts_is_set_for_each(done: Path) -> None:
    import yaml

    plan = yaml.safe_load((done / "runs" / "rate-1e-3" / "config.yaml").read_text())
    assert plan["prior"]["rate"] == plan["decoder"]["rate"] == 1e-3


def test_a_larger_grid_keeps_what_is_there(
    done: Path, sweep: Sweep, capsys: Any, monkeypatch: Any
) -> None:
    from bluerider.training.dreambooth import Run

    trained: list[str] = []
    plain = Run.run
    monkeypatch.setattr(
        Run, "run", lambda self: trained.append(self.wanted.out.name) or plain(self)
    )
    before = (done / "runs" / "rate-1e-3" / "lora.safetensors").read_bytes()
    assert sweep(done, "rate=1e-3,1e-2,5e-3", "steps=1", flags=("--json",)) == 0
    assert trained == ["rate-5e-3"]
    assert (done / "runs" / "rate-1e-3" / "lora.safetensors").read_bytes() == before
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3


def test_a_sweep_that_was_stopped_goes_on_to_the_same_result(
    sweep: Sweep, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    from bluerider.training.tuning import keeper

    settings = ("rate=1e-3,1e-2", "steps=3")
    plain = keeper.Keeper.on_train_batch_end

    def stopping(self: Any, trainer: Any, *args: Any) -> None:
        self.asked = self.asked or trainer.global_step == 2
        plain(self, trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(keeper.Keeper, "on_train_batch_end", stopping)
        assert sweep(tmp_path / "cut", *settings) == Stopped.exit_code
    assert "the same command goes on" in capsys.readouterr().err
    assert not list((tmp_path / "cut").rglob("*.safetensors"))
    assert sweep(tmp_path / "cut", *settings) == 0
    assert sweep(tmp_path / "whole", *settings) == 0
    ours, theirs = (told(tmp_path / name)["runs"] for name in ("cut", "whole"))
    assert ours == theirs


def test_a_run_that_fails_is_told_and_passed_over(
    sweep: Sweep, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    from bluerider.training.tuning import tuner

    plain = tuner.Tuner.told

    def broken(self: Any) -> Any:
        if self.plan.prior.rate == 1e-2:
            raise BlueriderError("step 1: the loss is nan")
        return plain(self)

    monkeypatch.setattr(tuner.Tuner, "told", broken)
    assert sweep(tmp_path / "out", *BOTH) == 0
    *_, last = told(tmp_path / "out")["runs"]
    assert last["settings"] == {"rate": "1e-2"} and "nan" in last["failed"]
    assert last["score"] is None
    assert "failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("steps=1",), "nothing to try"),
        (("rate=1e-3,1e-3",), "given once"),
        (("rate=1e-3,",), "KEY=VALUE,VALUE"),
        (("rate=1e-3,0.001",), "the same run"),
        (("rnk=1,2",), "unknown setting rnk"),
        (("rank=0,1",), "rank: got 0"),
        (("seed=1,2,3,4,5,6,7,8,9", "steps=1,2,3,4,5,6,7,8"), "72 runs"),
        (("decoder.train=lora,full",), "compares LoRAs"),
    ],
)
def test_mistakes_are_told_before_anything_trains(
    sweep: Sweep, tmp_path: Path, capsys: Any, settings: tuple[str, ...], said: str
) -> None:
    assert sweep(tmp_path / "out", *settings) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_subject_in_the_same_folder_is_refused(
    done: Path, sweep: Sweep, capsys: Any
) -> None:
    assert sweep(done, *BOTH, flags=("--subject", "a [V] ball")) == 2
    capsys.readouterr()
    assert sweep(done, *BOTH, "decay=0.02") == 2
    assert "choose another --out" in capsys.readouterr().err


def test_a_model_without_a_vision_tower_asks_for_one(
    sweep: Sweep, tiny: Any, tmp_path: Path, capsys: Any
) -> None:
    settings = ("steps=1", "rank=1,2", "prior.train=off")
    assert sweep(tmp_path / "out", *settings, model="sd-1.5") == 2
    assert "--encoder is missing" in capsys.readouterr().err
    encoder = tiny("kandinsky-2.2") / "prior" / "image_encoder"
    flags = ("--encoder", str(encoder))
    assert sweep(tmp_path / "out", *settings, model="sd-1.5", flags=flags) == 0
    assert len(told(tmp_path / "out")["runs"]) == 2


def test_a_subject_that_is_a_held_out_drawing_is_found_by_name_and_look() -> None:
    from bluerider.evaluate.drawings import load_drawings
    from bluerider.evaluate.personal import choose_subjects, teaching_pictures
    from bluerider.evaluate.truth import cut_out
    from bluerider.evaluate.tuned import drawn_subject

    drawings = load_drawings()
    (teapot,) = choose_subjects(drawings, ["teapot"])
    shown = teaching_pictures(teapot, cut_out(drawings.pictures[teapot.target]))
    assert drawn_subject("a [V] teapot", shown, drawings) == teapot
    assert drawn_subject("a [V] robot", shown, drawings) is None
    assert drawn_subject("a [V] kite", shown, drawings) is None  # the name of another drawing


def test_a_drawing_is_judged_by_retrieval_and_what_was_lost() -> None:
    from bluerider.evaluate.drawings import load_drawings
    from bluerider.evaluate.personal import BEFORE, choose_subjects
    from bluerider.evaluate.truth import Truth
    from bluerider.evaluate.tuned import ByDrawings
    from bluerider.scenes.scene import Scene

    drawings = load_drawings()
    (teapot,) = choose_subjects(drawings, ["teapot"])
    truth = Truth(drawings)
    judge = ByDrawings(teapot, "a toy", drawings, unrelated=3)

    def answers(variant: str, forgot: bool) -> dict[Any, Image.Image]:
        own = Image.fromarray(truth.picture(Scene(things=(teapot.emoji,))))
        found = {}
        for one in judge.asked(variant):
            right = truth.picture(one.scene) if one.scene else drawings.pictures[max(one.target, 0)]
            found[one] = own if forgot and not one.scene else Image.fromarray(right)
        return found

    before = answers(BEFORE, forgot=False)
    good, bad = (
        judge.measure(name, before | answers(name, forgot))
        for name, forgot in (("good", False), ("bad", True))
    )
    assert good["top1"] == good["background"] == 1 and good["drift"] == 0
    assert bad["top1"] == 1 and bad["drift"] == bad["bleed"] == 1
    assert judge.score(good) == 1 and judge.score(bad) == -1


def test_a_sheet_has_the_same_columns_for_every_run() -> None:
    from bluerider.evaluate.drawings import load_drawings
    from bluerider.evaluate.personal import BEFORE, choose_subjects
    from bluerider.evaluate.tuned import ByDrawings, label

    drawings = load_drawings()
    (kite,) = choose_subjects(drawings, ["kite"])
    judge = ByDrawings(kite, "a toy", drawings, unrelated=2)
    heads = [label(one) for one in judge.shown("run")]
    assert heads == [label(one) for one in judge.shown(BEFORE)]
    assert heads == ["alone 0", "alone 1", "alone 2", "on blue", "on red", "class 0", "class 1"]
