"""Pictures opened from anywhere, laid out, and written whole with their request."""

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from bluerider import images
from bluerider.errors import BlueriderError, InputError
from bluerider.images import (
    Destination,
    digest,
    encode,
    fit,
    from_array,
    open_picture,
    read_request,
    save_pictures,
    sheet,
    thumbnail,
    to_array,
    write,
)

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
REQUEST = {"prompt": 'красное "яблоко" 🍎\n', "seed": 7, "n": 1, "guidance_interval": [0.0, 1.0]}


def noisy(width: int = 24, height: int = 16) -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def png(width: int, height: int, data: bytes = b"", bits: int = 1, kind: int = 0) -> bytes:
    """A PNG file written by hand, so that its header may lie."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def pixel(path: Path, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    image, notes = open_picture(path)
    assert (image.mode, notes) == ("RGB", [])
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_the_three_formats_open(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (40, 30), RED).save(path, kind)
    image, notes = open_picture(path)
    assert (image.size, image.mode, notes) == ((40, 30), "RGB", [])
    assert np.abs(np.asarray(image).astype(int) - RED).max() <= 4


def test_the_name_does_not_decide_the_format(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "a.jpg", "PNG")
    assert pixel(tmp_path / "a.jpg") == RED


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "PDF", "EPS"])
def test_other_formats_are_refused_by_their_contents(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png", kind)
    with pytest.raises(InputError, match="PNG, JPEG and WebP are accepted"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"\x80\x04pickle", b"\xff\xd8"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["nothing.png", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="PNG, JPEG and WebP are accepted"):
        open_picture(tmp_path / name)


@pytest.mark.parametrize("side", [9400, 65535, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    (tmp_path / "a.png").write_bytes(png(side, side))
    with pytest.raises(InputError, match="64,000,000 pixels are accepted"):
        open_picture(tmp_path / "a.png")


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        open_picture(tmp_path / "a.png")


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.floats(0, 0.95))
def test_a_picture_cut_short_is_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, part: float
) -> None:
    buffer = io.BytesIO()
    noisy(64, 64).save(buffer, kind)
    path = tmp_path_factory.mktemp("cut") / "a.png"
    path.write_bytes(buffer.getvalue()[: int(part * len(buffer.getvalue()))])
    with pytest.raises(InputError):
        open_picture(path)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
def test_a_damaged_picture_opens_or_is_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    buffer = io.BytesIO(encode(noisy(), {"JPEG": ".jpg"}.get(kind, f".{kind.lower()}"), REQUEST))
    contents = bytearray(buffer.getvalue())
    for at in data.draw(st.lists(st.integers(0, len(contents) - 1), min_size=1, max_size=6)):
        contents[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("bad") / "a.png"
    path.write_bytes(contents)
    for read in (open_picture, read_request):
        try:
            read(path)
        except InputError as error:
            assert "\n" not in str(error)


def test_exif_turns_the_picture_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 2), BLUE)
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    upright, _ = open_picture(tmp_path / "a.png")
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == RED


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (255, 255, 255)
    assert pixel(tmp_path / "a.png", (1, 0)) == (127, 127, 127)


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert pixel(tmp_path / "a.png") == (255, 255, 255)
    assert pixel(tmp_path / "a.png", (1, 0)) == GREEN


def test_grey_with_alpha(tmp_path: Path) -> None:
    Image.new("LA", (1, 1), (0, 51)).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (204, 204, 204)


@pytest.mark.parametrize(("level", "shown"), [(0, 0), (257, 1), (32896, 128), (65535, 255)])
def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path, level: int, shown: int) -> None:
    Image.fromarray(np.full((2, 2), level, dtype=np.uint16)).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (shown,) * 3


def test_sixteen_bits_in_colour(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">HHH", 65535, 32896, 0)
    (tmp_path / "a.png").write_bytes(png(1, 1, row, bits=16, kind=2))
    assert pixel(tmp_path / "a.png") == (255, 128, 0)


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(np.subtract(pixel(tmp_path / "a.jpg"), RED)).max() <= 4


def test_one_bit(tmp_path: Path) -> None:
    Image.new("1", (3, 3), 1).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(
        tmp_path / "a.png", kind, save_all=True, append_images=frames[1:], duration=40, **options
    )
    image, notes = open_picture(tmp_path / "a.png")
    assert image.getpixel((4, 4)) == RED
    assert notes == ["a.png is animated (3 frames); the first was taken"]


def test_fit_crops_the_middle_or_pads_with_white() -> None:
    image = Image.new("RGB", (90, 30), RED)
    image.paste(GREEN, (30, 0, 60, 30))
    cropped, padded = fit(image, 10, 10), fit(image, 90, 90, crop=False)
    assert (cropped.size, padded.size) == ((10, 10), (90, 90))
    assert cropped.getpixel((5, 5)) == GREEN
    assert padded.getpixel((45, 2)) == (255, 255, 255)
    assert padded.getpixel((2, 45)) == RED


def test_a_picture_is_an_array_and_back_without_loss() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    array = to_array(Image.fromarray(levels))
    assert (array.dtype, array.min(), array.max()) == (np.float32, -1.0, 1.0)
    assert np.array_equal(np.asarray(from_array(array)), levels)


def test_an_array_outside_the_range_is_clipped() -> None:
    assert from_array(np.full((1, 1, 3), 7.0)).getpixel((0, 0)) == (255, 255, 255)


def test_nan_is_not_painted() -> None:
    with pytest.raises(BlueriderError, match="NaN"):
        from_array(np.full((1, 1, 3), np.nan))


@pytest.mark.parametrize(
    ("count", "across", "size"), [(1, None, (72, 72)), (4, None, (140, 140)), (5, 5, (344, 72))]
)
def test_a_sheet_holds_every_picture(count: int, across: int | None, size: tuple[int, int]) -> None:
    colours = [(20 * index, 0, 0) for index in range(count)]
    page = sheet([Image.new("RGB", (64, 64), colour) for colour in colours], across=across)
    assert page.size == size
    assert {tuple(found) for found in np.asarray(page).reshape(-1, 3).tolist()} == {
        (255, 255, 255),
        *colours,
    }


def test_captions_make_room_under_the_cells_and_are_drawn() -> None:
    cells = [Image.new("RGB", (100, 50), "white")] * 2
    plain, named = sheet(cells), sheet(cells, captions=["red apple", "x" * 500])
    assert named.height > plain.height
    assert np.asarray(plain).min() == 255
    assert np.asarray(named).min() < 64


def test_a_sheet_of_many_large_pictures_stays_small() -> None:
    page = sheet([Image.new("RGB", (2048, 1024))] * 16)
    assert max(page.size) <= images.MAX_SHEET + 100
    assert thumbnail(Image.new("RGB", (64, 64)), 16).size == (64, 64)


def test_a_sheet_of_nothing_and_captions_of_another_number_are_refused() -> None:
    with pytest.raises(InputError, match="no pictures"):
        sheet([])
    with pytest.raises(InputError, match="2 captions for 1 pictures"):
        sheet([noisy()], captions=["a", "b"])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.PNG"])
def test_a_request_comes_back_from_the_file(tmp_path: Path, name: str) -> None:
    write(noisy(), tmp_path / name, request=REQUEST)
    assert read_request(tmp_path / name) == REQUEST


def test_a_png_keeps_every_pixel_and_its_request_readable(tmp_path: Path) -> None:
    write(noisy(), tmp_path / "a.png", request=REQUEST)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(noisy()))
    assert b"iTXtbluerider\0" in (tmp_path / "a.png").read_bytes()


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    assert write(noisy(), tmp_path / "a.webp") == digest(tmp_path / "a.webp")


def test_a_request_too_long_for_exif_is_refused() -> None:
    with pytest.raises(InputError, match=r"too long to be stored in a \.jpg file; use \.png"):
        encode(noisy(), ".jpg", {"prompt": "я" * 20_000})


def test_a_text_bomb_is_refused(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(images.KEY, "x" * 2_000_000, zip=True)
    noisy().save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(InputError):
        read_request(tmp_path / "a.png")


def test_another_suffix_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write a \.gif file; \.png, \.jpg"):
        write(noisy(), tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fault: BaseException
) -> None:
    (tmp_path / "a.png").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(os, call, fail)
    with pytest.raises((BlueriderError, KeyboardInterrupt)) as caught:
        write(noisy(), tmp_path / "a.png")
    assert not isinstance(caught.value, InputError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "a.png").symlink_to(tmp_path / "there" / "b.png")
    write(noisy(), tmp_path / "a.png", request=REQUEST)
    assert (tmp_path / "a.png").is_symlink()
    assert read_request(tmp_path / "there" / "b.png") == REQUEST


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write(noisy(), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_trying_a_place_leaves_nothing_behind(tmp_path: Path) -> None:
    for name in ("new", "a.png"):
        Destination.of(tmp_path / name, count=1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_worlds_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def touch(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(BlueriderError, match="No space left on device") as caught:
        Destination.of(tmp_path / "a.png", count=1)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("name", "single"),
    [("a.png", True), ("a.JPG", True), ("a.webp", True), ("a.gif", False), ("a", False)],
)
def test_the_name_decides_between_file_and_folder(tmp_path: Path, name: str, single: bool) -> None:
    assert Destination.of(tmp_path / name, count=1).single is single


def test_a_trailing_slash_makes_a_folder_of_any_name(tmp_path: Path) -> None:
    place = Destination.of(f"{tmp_path}/a.png/", count=2)
    assert place.path(7) == tmp_path / "a.png" / "7.png"
    assert place.path(7, line=3) == tmp_path / "a.png" / "3-7.png"


@pytest.mark.parametrize(("given", "name"), [(".", "b-grid.png"), ("..", "a-grid.png")])
def test_the_sheet_of_a_folder_named_by_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, name: str
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert Destination.of(given, count=2).sheet.name == name


def test_pictures_of_a_result_are_saved_by_seed(tmp_path: Path) -> None:
    paths = save_pictures([noisy()] * 2, [3, 4], [REQUEST, REQUEST], tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["out/3.png", "out/4.png"]
    with pytest.raises(InputError, match="one file for 2 pictures"):
        save_pictures([noisy()] * 2, [3, 4], [REQUEST, REQUEST], tmp_path / "a.png")
