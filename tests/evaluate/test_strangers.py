"""The threshold of the warning: chosen on one half, told on the other; `evaluate warnings`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import bluerider
from bluerider.cli.main import main
from bluerider.evaluate import strangers
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.strangers import (
    UNKNOWN,
    Group,
    area,
    half,
    highest,
    measure_warnings,
)
from bluerider.evaluate.unread import read_names
from bluerider.scenes.names import is_kept_out
from bluerider.weights.known import KNOWN
from bluerider.weights.load import open_model

MURNAU = Path(bluerider.__file__).parent / "embedded" / "murnau"


def test_at_most_a_twentieth_lies_under_the_threshold() -> None:
    values = np.arange(100) / 100
    assert highest(values) == 0.05
    assert highest(np.full(10, 0.7)) == 0.7


def test_area_is_the_chance_that_the_known_one_is_the_more_familiar() -> None:
    assert area(np.array([1.0, 0.5]), np.array([0.5, 0.0])) == pytest.approx(0.875)


def test_every_text_is_in_one_half() -> None:
    texts = [f"text {i}" for i in range(200)]
    both = half(texts, True), half(texts, False)
    assert sorted(both[0] + both[1]) == sorted(texts)
    assert min(map(len, both)) > 70


def test_the_threshold_lies_between_what_can_be_known_and_what_cannot() -> None:
    near = tuple(f"near {i}" for i in range(200))
    far = tuple(f"far {i}" for i in range(200))
    groups = [
        Group(name="names", texts=near, knowable=True),
        Group(name=UNKNOWN, texts=far, knowable=False),
    ]
    report = measure_warnings(
        lambda texts: [0.9 if text.startswith("near") else 0.2 for text in texts], groups
    )
    assert report.threshold == 0.9
    assert [report.groups[name].warned.value for name in ("names", UNKNOWN)] == [0.0, 1.0]
    assert report.groups["names"].auc == 1.0
    assert report.missed == ()


def test_names_that_training_reads_are_neither_held_out_nor_kept_out() -> None:
    drawings = load_drawings()
    names = read_names(drawings)
    assert not any(set(table) & drawings.holdout for table in names.values())
    assert not any(is_kept_out("ru", emoji) for emoji in names["ru"])


def test_the_strangers_speak_many_languages() -> None:
    table = json.loads(strangers.STRANGERS.read_text("utf-8"))
    texts = [text for each in table.values() for text in each]
    assert len(texts) == len(set(texts)) >= 150
    assert len(set(table) - {"nonsense", "signs", "code", "mixed"}) >= 10


def test_no_stranger_is_a_name() -> None:
    names = {name for table in load_drawings().names.values() for name in table.values()}
    assert not names & set(strangers.strangers())


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of texts, so that the command answers at once."""

    def groups(drawings: object) -> list[Group]:
        known = tuple(f"{colour} apple" for colour in ("red", "green", "red", "a red", "the green"))
        return [
            Group(name="names", texts=(*known, "cat", "owl", "rocket"), knowable=True),
            Group(name=UNKNOWN, texts=tuple(strangers.strangers()), knowable=False),
        ]

    monkeypatch.setattr(strangers, "choose_groups", groups)


def test_the_command_writes_the_threshold_it_prints(
    few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MURNAU, folder)
    assert main(["evaluate", "warnings", "--model", str(folder), "--write", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    known = open_model(folder).known()
    assert known is not None and known.threshold == found["threshold"]
    assert found["groups"][UNKNOWN]["warned"]["value"] > 0.3


def test_without_write_nothing_is_written(
    few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MURNAU, folder)
    before = (folder / KNOWN).read_bytes()
    assert main(["evaluate", "warnings", "--model", str(folder)]) == 0
    assert "unknown texts" in capsys.readouterr().out
    assert (folder / KNOWN).read_bytes() == before


def test_a_model_without_a_prior_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "warnings", "--model", "nowhere"]) == 2
    assert "no model" in capsys.readouterr().err
