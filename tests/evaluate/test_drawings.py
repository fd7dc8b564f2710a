"""The crop, the drawings' files, and the drawings in the package."""

import io

import numpy as np
import pytest
from PIL import Image

from bluerider.errors import BlueriderError, InputError
from bluerider.evaluate.crop import border_colour, bounding_box, crop_square, over_white
from bluerider.evaluate.drawings import crop_drawings, load_drawings, save_drawings
from bluerider.evaluate.retrieval import rank_targets, squared_errors


def test_bounding_box_is_what_differs_from_the_border() -> None:
    pixels = np.full((20, 30, 3), 240, np.uint8)
    pixels[4:9, 10:25] = (200, 0, 0)
    assert bounding_box(pixels) == (10, 4, 25, 9)


def test_faint_grain_is_background(noise: np.random.Generator) -> None:
    pixels = noise.integers(236, 256, (32, 32, 3)).astype(np.uint8)
    pixels[8:24, 8:24] = 0
    assert bounding_box(pixels) == (8, 8, 24, 24)


def test_an_empty_picture_is_taken_whole() -> None:
    assert bounding_box(np.full((12, 9, 3), 7, np.uint8)) == (0, 0, 9, 12)


def test_a_coloured_background_is_found_at_the_border(disc) -> None:
    pixels = np.asarray(disc("white")).copy()
    pixels[:] = (10, 20, 30)
    pixels[50, 50] = 255
    assert border_colour(pixels).tolist() == [10, 20, 30]


def test_crop_pads_to_a_square_with_white() -> None:
    image = Image.new("RGB", (100, 100), "white")
    image.paste("black", (10, 40, 90, 60))
    crop = crop_square(image)
    assert crop.shape == (32, 32, 3)
    assert crop[0].min() == 255 and crop[16].max() == 0 and crop[-1].min() == 255


def test_crop_forgets_place_and_size(disc) -> None:
    small = crop_square(disc("red", 256, (20, 30, 120, 110))).astype(int)
    large = crop_square(disc("red", 256, (40, 60, 240, 220))).astype(int)
    assert np.abs(small - large).mean() < 4


def test_transparency_is_shown_on_white() -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert over_white(image).getpixel((0, 0)) == (255, 255, 255)


def test_drawings_come_back_as_saved(drawings, tmp_path) -> None:
    save_drawings(drawings, tmp_path)
    again = load_drawings(tmp_path)
    assert again.emoji == drawings.emoji
    assert again.names == drawings.names
    assert again.holdout == drawings.holdout
    assert np.array_equal(again.pictures, drawings.pictures)
    assert again.boxes == drawings.boxes


def test_drawings_are_put_back_where_they_were(disc) -> None:
    images = [disc("red", 256, (20, 30, 120, 110)), disc("blue", 128, (40, 10, 60, 120))]
    whole = crop_drawings(("a", "b"), images, {}, ()).whole(64)
    for image, found in zip(images, whole, strict=True):
        small = np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS)).astype(int)
        assert np.abs(small - found).mean() < 3


def test_what_reaches_beyond_the_canvas_is_cut_off(disc) -> None:
    image = disc("red", 256, (200, 0, 255, 255))  # its square crop reaches beyond the right edge
    whole = crop_drawings(("a",), [image], {}, ()).whole(32)[0].astype(int)
    assert whole[:, :24].min() > 200 and whole[16, 28, 1] < 60


def test_saving_leaves_nothing_beside(drawings, tmp_path) -> None:
    paths = save_drawings(drawings, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_picture_for_every_emoji(disc) -> None:
    with pytest.raises(InputError, match="1 pictures for 2 emoji"):
        crop_drawings(("a", "b"), [disc("red")], {}, ())


def test_a_folder_without_drawings_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="bluerider data drawings"):
        load_drawings(tmp_path)


@pytest.mark.parametrize("name", ["drawings.webp", "drawings.json.xz"])
def test_a_damaged_file_is_told_in_one_line(name, drawings, tmp_path) -> None:
    save_drawings(drawings, tmp_path)
    (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(BlueriderError, match="damaged"):
        load_drawings(tmp_path)


def test_a_contact_image_of_another_size_is_refused(drawings, tmp_path) -> None:
    save_drawings(drawings, tmp_path)
    other = io.BytesIO()
    Image.new("RGB", (32, 32)).save(other, "WEBP", lossless=True)
    (tmp_path / "drawings.webp").write_bytes(other.getvalue())
    with pytest.raises(BlueriderError, match="damaged"):
        load_drawings(tmp_path)


def test_the_package_holds_the_whole_set() -> None:
    found = load_drawings()
    assert found.pictures.shape == (1650, 32, 32, 3)
    assert len(found.names) == 99 and len(found.holdout) == 24
    assert found.names["en"]["🍎"] == "red apple"
    assert found.holdout <= set(found.emoji)


def test_shipped_drawings_stand_where_they_were_drawn() -> None:
    found = load_drawings()
    assert all(0 <= a < c <= 1 and 0 <= b < d <= 1 for a, b, c, d in found.boxes)
    assert found.whole(8).shape == (1650, 8, 8, 3)


def test_shipped_drawings_find_themselves() -> None:
    found = load_drawings()
    some = np.arange(0, len(found.emoji), 10)
    ranks = rank_targets(squared_errors(found.pictures[some], found.pictures), some)
    assert (ranks < 1).mean() > 0.98
