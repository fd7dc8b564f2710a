"""Weights & Biases is told what metrics.csv holds; its own module is stood in for."""

import csv
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bluerider.errors import BlueriderError, InputError
from tests.training.tuning.conftest import Train


class Fake(ModuleType):
    """wandb as far as it is used: what it was told."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.__spec__ = ModuleSpec("wandb", None)
        self.begun: dict[str, Any] = {}
        self.logged: list[tuple[dict[str, Any], int]] = []
        self.finished = 0

    def init(self, **given: Any) -> "Fake":
        self.begun = given
        return self

    def log(self, told: dict[str, Any], step: int) -> None:
        self.logged.append((told, step))

    def finish(self) -> None:
        self.finished += 1

    def Image(self, image: Any) -> tuple[str, Any]:  # noqa: N802
        return ("picture", image.size)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_it_is_told_every_step_and_the_pictures(train: Train, tmp_path: Path, wandb: Fake) -> None:
    out = tmp_path / "run"
    train(out, "steps=2", "wandb=true", "samples=1", "sample_every=2")
    assert (wandb.begun["dir"], wandb.begun["config"]["steps"]) == (str(out), 2)
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    numbers = [(told, step) for told, step in wandb.logged if "loss" in told]
    assert [step for _, step in numbers] == [1, 2] and wandb.finished == 1
    for (told, _), row in zip(numbers, rows, strict=True):
        assert {name: str(value) for name, value in told.items()} == {
            name: value for name, value in row.items() if name != "step" and name in told
        }
    pictures = [told for told, step in wandb.logged if "loss" not in told and step == 2]
    assert [value for told in pictures for value in told.values()] == [("picture", (64, 64))] * 3


def test_one_that_does_not_start_is_told(
    train: Train, tmp_path: Path, wandb: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(**given: Any) -> None:
        raise RuntimeError("no key")

    monkeypatch.setattr(wandb, "init", failing)
    with pytest.raises(BlueriderError, match="wandb did not start: no key"):
        train(tmp_path / "run", "steps=1", "wandb=true")


def test_one_that_is_missing_is_told_before_anything_begins(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluerider.training.tuning.tuner.find_spec", lambda name: None)
    with pytest.raises(InputError, match="wandb is not installed; pip install wandb, or wandb=fal"):
        train(tmp_path / "run", "steps=1", "wandb=true")
    assert not (tmp_path / "run").exists()
