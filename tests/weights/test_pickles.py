"""Pickles: tensors come out, trainers' objects do nothing, everything else is refused by name."""

import pickle
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bluerider.errors import WeightsError
from bluerider.weights.pickles import read_pickle


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A callback class under Lightning's old name, which is gone again when the file is read."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = types.ModuleType(name)

    class ModelCheckpoint:
        def __init__(self) -> None:
            self.best = torch.ones(2)

    ModelCheckpoint.__module__, ModelCheckpoint.__qualname__ = name, "ModelCheckpoint"
    module.ModelCheckpoint = ModelCheckpoint  # type: ignore[attr-defined]
    for part in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setitem(sys.modules, name, module)
    return ModelCheckpoint


@pytest.mark.parametrize("zipped", [True, False])
def test_callbacks_of_a_trainer_are_read_as_nothing(
    tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    path = tmp_path / "vae.ckpt"
    held = {
        "callbacks": {trainer: {"best_model_score": torch.ones(1)}, "last": trainer()},
        "epoch": 3,
        "state_dict": {"x": torch.arange(4.0)},
    }
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    assert "pytorch_lightning" not in sys.modules
    assert torch.equal(read_pickle(path)["x"], torch.arange(4.0))
    assert "pytorch_lightning" not in sys.modules


def test_numbers_of_numpy_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"score": np.float64(0.5), "state_dict": {"x": torch.ones(2)}}, path)
    assert list(read_pickle(path)) == ["x"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bomb_is_refused_by_name_and_does_not_go_off(tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "x.pt", tmp_path / "mark"
    held = {"state_dict": {"x": torch.ones(2)}, "bomb": Bomb(mark)}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"asks for [\w.]*(getattr|Path|touch)") as caught:
        read_pickle(path)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    path, mark = tmp_path / "x.pkl", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(WeightsError):
        read_pickle(path)
    assert not mark.exists()


def test_a_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ViT-L-14.pt"
    torch.save({"x": torch.ones(1)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ViT-L-14/code/__torch__.py", "class X: ...")
        archive.writestr("ViT-L-14/constants.pkl", b"\x80\x02).")
    with pytest.raises(WeightsError, match="x.pt|ViT-L-14.pt"):
        read_pickle(path)


@pytest.mark.parametrize("kept", [0, 1, 10, 60, 0.5, 0.95])
def test_a_truncated_pickle_is_told_in_one_line(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"x": torch.ones(50)}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept >= 1 or not kept else kept * len(data))])
    with pytest.raises(WeightsError, match="x.ckpt") as caught:
        read_pickle(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("held", [{}, {"epoch": 3}, [1, 2], "words", {"state_dict": {}}])
def test_a_pickle_without_tensors(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="holds no weights"):
        read_pickle(tmp_path / "x.pt")


def test_a_pair_has_numbers_for_names(tmp_path: Path) -> None:
    torch.save((torch.zeros(3), torch.ones(3)), tmp_path / "stats.th")
    found = read_pickle(tmp_path / "stats.th")
    assert list(found) == ["0", "1"]
    assert torch.equal(found["1"], torch.ones(3))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
def test_tensors_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"x": torch.ones(100_000)}, path)
    found = read_pickle(path)
    assert str(path) in Path("/proc/self/maps").read_text()
    assert float(found["x"].sum()) == 100_000
