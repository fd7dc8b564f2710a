"""Pictures keep their proportions: a batch has one shape, and runs resume to the same bits."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from bluerider.errors import InputError
from bluerider.training.tuning import encoding, teach
from bluerider.training.tuning.lessons import Shelves, shelved
from tests.training.tuning.conftest import Train
from tests.training.tuning.test_resume import STEPS, losses, same, state

BUCKETS = ("crop=bucket", "size=192", f"steps={STEPS}")
SIDES = {"wide": (200, 100), "tall": (90, 180), "square": (100, 100), "wide2": (220, 110)}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two wide pictures, a tall one and a square one, with captions."""
    folder = tmp_path_factory.mktemp("mixed")
    for i, (name, sides) in enumerate(SIDES.items()):
        image = Image.new("RGB", sides, ("white", "khaki", "pink", "lightblue")[i])
        ImageDraw.Draw(image).ellipse((20, 20, 70, 70), fill="red")
        image.save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(name)
    return folder


def test_rows_of_several_shapes_are_found_again() -> None:
    rows = [torch.full((1, 2 + i % 2, 3), float(i)) for i in range(7)]
    made = shelved(rows)
    assert isinstance(made, Shelves)
    for chosen in ([0, 4, 2], [5, 1]):
        assert torch.equal(made[torch.tensor(chosen)], torch.stack([rows[i] for i in chosen]))


def test_rows_of_one_shape_are_one_table() -> None:
    rows = [torch.full((1, 2), float(i)) for i in range(3)]
    assert torch.equal(shelved(rows), torch.stack(rows))


def test_a_vision_tower_is_shown_the_middle() -> None:
    pictures = torch.arange(2 * 3 * 4 * 10.0).view(2, 3, 4, 10)
    assert torch.equal(encoding.middle(pictures), pictures[..., 3:7])
    assert torch.equal(encoding.middle(pictures.mT), pictures.mT[..., 3:7, :])


@pytest.mark.parametrize(("name", "inpainting"), [("kandinsky-2.2", False), ("sd-1.5", True)])
def test_a_cut_run_ends_in_the_same_bits(
    study: Train, tiny: Any, mixed: Path, tmp_path: Path, name: str, inpainting: bool
) -> None:
    given: dict[str, Any] = {"model": str(tiny(name)), "data": mixed, "part": "decoder"}
    given["inpainting"] = inpainting
    study(tmp_path / "whole", *BUCKETS, **given)
    study(tmp_path / "cut", *BUCKETS, "steps=2", **given)
    study(tmp_path / "cut", *BUCKETS, "workers=2", resume=True, **given)
    for key in ("state_dict", "optimizer_states", "bluerider"):
        assert same(state(tmp_path / "cut")[key], state(tmp_path / "whole")[key]), key
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_batches_are_wide_tall_and_square(
    study: Train, mixed: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    seen: list[tuple[int, ...]] = []
    plain = teach.DecoderLesson.ask

    def ask(self: Any, x: torch.Tensor, t: torch.Tensor, told: Any) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return plain(self, x, t, told)

    monkeypatch.setattr(teach.DecoderLesson, "ask", ask)
    study(tmp_path / "run", *BUCKETS, "steps=3", data=mixed, part=["prior", "decoder"])
    assert set(seen) == {(2, 4, 16, 32), (2, 4, 32, 16), (2, 4, 24, 24)}


def test_the_class_has_the_shape_of_the_subject(train: Train, mixed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mixed, tmp_path / "set", ignore=shutil.ignore_patterns("*.txt"))
    result = train(tmp_path / "run", *BUCKETS, "steps=3", "batch=2", pictures=folder)
    assert result.is_file()


def test_another_way_to_crop_is_refused(study: Train, mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crop: got 'fit'; accepted: centre, random, bucket"):
        study(tmp_path / "run", "crop=fit", data=mixed, part="decoder")
