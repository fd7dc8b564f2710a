"""What a request paints on: sizes, masks of the wrong size, pictures that changed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bluerider.catalog import MURNAU
from bluerider.errors import InputError
from bluerider.images import prepare, square
from bluerider.request import Request


def noisy(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8))


def resolved(**fields: object) -> Request:
    return Request(prompt="cat", **fields).resolve(MURNAU.defaults, seed=0)  # type: ignore[arg-type]


def test_the_result_is_as_large_as_the_picture() -> None:
    request = resolved(task="img2img", picture=noisy(101, 77))
    assert (request.width, request.height) == (101, 77)


def test_a_turned_photo_counts_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    noisy(40, 20).save(tmp_path / "a.jpg", exif=exif)
    request = resolved(task="img2img", picture=str(tmp_path / "a.jpg"))
    assert (request.width, request.height) == (20, 40)


def test_img2img_cuts_the_picture_to_a_size_that_is_asked_for() -> None:
    request = resolved(task="img2img", picture=noisy(300, 100), width=128, height=64)
    canvas = prepare(request)
    assert canvas.picture is not None and canvas.picture.size == (128, 64)


@pytest.mark.parametrize("task", ["inpaint", "outpaint"])
def test_a_size_beside_a_mask_is_refused(task: str) -> None:
    own = {"mask": noisy(64, 64)} if task == "inpaint" else {"left": 8}
    with pytest.raises(InputError, match="leave the size out"):
        resolved(task=task, picture=noisy(64, 64), width=128, height=128, **own)


def test_a_mask_of_another_size_is_refused_naming_both(tmp_path: Path) -> None:
    noisy(32, 16).save(tmp_path / "m.png")
    noisy(64, 48).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"m\.png is 32x16 and the picture a\.png 64x48"):
        resolved(task="inpaint", picture=str(tmp_path / "a.png"), mask=str(tmp_path / "m.png"))


def test_without_a_mask_the_pictures_own_transparency_says_where() -> None:
    picture = noisy(8, 8, "RGBA")
    canvas = prepare(resolved(task="inpaint", picture=picture))
    alpha = np.asarray(picture)[..., 3] / 255
    assert canvas.mask is not None and np.abs(canvas.mask - (1 - alpha)).max() < 1e-6
    assert (np.asarray(canvas.picture) == np.asarray(picture)[..., :3]).all()


def test_without_any_mask_inpaint_asks_for_one() -> None:
    with pytest.raises(InputError, match="needs to know where"):
        resolved(task="inpaint", picture=noisy(8, 8))


@pytest.mark.parametrize(("level", "told"), [(0, "nothing to repaint"), (255, "all of the")])
def test_a_mask_of_nothing_or_of_all_is_said(level: int, told: str) -> None:
    request = resolved(task="inpaint", picture=noisy(8, 8), mask=Image.new("L", (8, 8), level))
    canvas = prepare(request)
    assert told in canvas.notes[0] and canvas.settled == (level == 0)


def test_an_inverted_mask_repaints_the_black() -> None:
    mask = Image.new("L", (8, 8), 255)
    request = resolved(task="inpaint", picture=noisy(8, 8), mask=mask, invert_mask=True)
    assert prepare(request).settled


def test_outpainting_enlarges_exactly_and_keeps_the_picture() -> None:
    picture = noisy(20, 10)
    request = resolved(task="outpaint", picture=picture, left=3, up=5, down=1)
    canvas = prepare(request)
    assert (request.width, request.height) == (23, 16)
    assert canvas.picture is not None and canvas.mask is not None
    assert (np.asarray(canvas.picture)[5:15, 3:] == np.asarray(picture)).all()
    assert not canvas.mask[5:15, 3:].any() and canvas.mask.sum() == 23 * 16 - 20 * 10


def test_a_result_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InputError, match="sides of up to 4096"):
        resolved(task="outpaint", picture=noisy(20, 10), left=4096)
    with pytest.raises(InputError, match="would be 1x20000"):
        resolved(task="img2img", picture=noisy(1, 20000))


def test_a_picture_that_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noisy(8, 8).save(path)
    request = resolved(task="img2img", picture=str(path))
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(InputError, match=r"a\.png is not the picture it was"):
        request.resolve(MURNAU.defaults)
    with pytest.raises(InputError, match=r"a\.png changed"):
        prepare(request)


def test_a_picture_in_memory_is_known_by_its_pixels() -> None:
    first, second = (resolved(task="img2img", picture=noisy(8, 8)) for _ in range(2))
    assert first.inputs == second.inputs and first.inputs[0].sha256
    other = resolved(task="img2img", picture=Image.new("RGB", (8, 8)))
    assert other.inputs != first.inputs


@pytest.mark.parametrize("size", [(1, 20000), (20000, 1), (64, 48), (3, 3)])
def test_a_square_is_cut_from_any_picture(size: tuple[int, int]) -> None:
    assert square(Image.new("RGB", size), 32).size == (32, 32)


def test_a_square_is_the_middle() -> None:
    strip = Image.new("RGB", (96, 32), "red")
    strip.paste("blue", (32, 0, 64, 32))
    assert square(strip, 32).getcolors() == [(32 * 32, (0, 0, 255))]
