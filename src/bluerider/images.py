"""Pictures as files and arrays: opened safely, fitted, laid out, written whole with their request.

Pillow and NumPy only; nothing here knows a network.
"""

import errno
import hashlib
import io
import json
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import (
    Image,
    ImageDraw,
    ImageFont,
    ImageOps,
    PngImagePlugin,
    UnidentifiedImageError,
)

from bluerider.errors import BlueriderError, InputError
from bluerider.files import write_whole

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
ACCEPTED = "PNG, JPEG and WebP are accepted"
KEY = "bluerider"  # of the iTXt chunk in a PNG, and of the object in an EXIF user comment
EXIF_IFD, USER_COMMENT, ASCII = 0x8769, 0x9286, b"ASCII\0\0\0"
MAX_BYTES = 64 * 2**20  # of a picture's file
MAX_PIXELS = 64_000_000  # decoded: 192 MB as RGB
MAX_REQUEST = 2**20  # characters of an embedded request
MAX_EXIF = 60_000  # bytes; a JPEG segment holds 65,533
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
MAX_SHEET = 4096  # pixels a side of a contact sheet


class Picture(NamedTuple):
    """An opened picture: upright RGB, and what had to be done to it that its owner should know."""

    image: Image.Image
    notes: list[str]


def open_picture(path: str | Path) -> Picture:
    """A picture from a file nobody vouches for: RGB, EXIF turned, transparency over white.

    Raises InputError for anything but a whole PNG, JPEG or WebP within the size limits.
    """
    name = Path(path).name
    with _decoding(name):
        with _opened(path) as image:
            frames = getattr(image, "n_frames", 1)
            image.seek(0)
            image.load()
            upright = ImageOps.exif_transpose(image)
            rgb = over_white(upright)
    notes = [f"{name} is animated ({frames} frames); the first was taken"] if frames > 1 else []
    return Picture(rgb, notes)


def read_request(path: str | Path) -> dict[str, Any]:
    """The request stored in a picture, as plain JSON. Raises InputError when there is none."""
    name = Path(path).name
    with _decoding(name), _opened(path) as image:
        text = _stored(image)
    if not text:
        raise InputError(
            f"{name} holds no request of bluerider; was it painted or saved elsewhere?"
        )
    try:
        found = json.loads(text) if len(text) <= MAX_REQUEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{name}: the request stored in it is damaged; it cannot be repeated")
    return found


def digest(path: str | Path) -> str:
    """The SHA-256 of a file in hex. Raises InputError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; an existing file is accepted") from None


def fit(image: Image.Image, width: int, height: int, *, crop: bool = True) -> Image.Image:
    """The picture at width x height px, proportions kept: cropped at the centre or padded white."""
    size = (width, height)
    if crop:
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color="white")


def to_array(image: Image.Image) -> NDArray[np.float32]:
    """RGB in -1..1, shape (height, width, 3)."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 127.5 - 1.0


def from_array(array: NDArray[Any]) -> Image.Image:
    """A picture from (height, width, 3) in -1..1; values outside are clipped.

    Raises BlueriderError when a value is no number: the weights or the precision failed.
    """
    if not np.isfinite(array).all():
        raise BlueriderError("the picture came out as NaN; try --dtype float32, or other weights")
    scaled = np.rint((np.clip(array, -1.0, 1.0).astype(np.float32) + 1.0) * 127.5)
    return Image.fromarray(scaled.astype(np.uint8), "RGB")


def columns(count: int) -> int:
    """How many columns make a sheet of `count` pictures about square."""
    return max(1, ceil(sqrt(count)))


def thumbnail(image: Image.Image, count: int) -> Image.Image:
    """The picture no larger than a cell of a sheet of `count` pictures."""
    small = image.copy()
    cell = MAX_SHEET // columns(count)
    small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    return small


def sheet(
    images: Sequence[Image.Image],
    *,
    captions: Sequence[str] | None = None,
    across: int | None = None,
    gap: int = 4,
) -> Image.Image:
    """A contact sheet on white, row by row, about square unless `across` names its columns.

    Raises InputError for no pictures or captions that do not match them.
    """
    if not images:
        raise InputError("a contact sheet of no pictures; at least one is accepted")
    if captions is not None and len(captions) != len(images):
        raise InputError(f"{len(captions)} captions for {len(images)} pictures; one each")
    cells = [thumbnail(image, len(images)) for image in images]
    width, height = (max(cell.size[axis] for cell in cells) for axis in (0, 1))
    band = max(12, width // 10) if captions else 0
    across = across or columns(len(cells))
    down = -(-len(cells) // across)
    size = (gap + across * (width + gap), gap + down * (height + band + gap))
    page = Image.new("RGB", size, "white")
    for index, cell in enumerate(cells):
        x = gap + index % across * (width + gap)
        y = gap + index // across * (height + band + gap)
        page.paste(cell, (x + (width - cell.width) // 2, y + (height - cell.height) // 2))
        if captions:
            _caption(page, captions[index], (x, y + height), width, band)
    return page


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where pictures go: one file, or a folder of <seed>.png."""

    place: Path
    single: bool

    @classmethod
    def of(cls, path: str | Path, *, count: int) -> "Destination":
        """Settle and try the place before anything is painted; leaves nothing behind.

        Raises InputError: a missing or unwritable parent folder, one file for several pictures.
        """
        if not str(path).strip():
            raise InputError(f"-o {str(path)!r}: name a file or a folder, such as outputs")
        place = Path(path)
        single = place.suffix.lower() in FORMATS and not str(path).endswith(("/", os.sep))
        try:
            cls._check(place, single, count)
            _try_writing(place.parent if single or not place.exists() else place)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FAULTS:
                raise BlueriderError(f"-o {place}: {error.strerror}; make room first") from None
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"-o {place}: {reason}; name a place that can be written") from None
        return cls(place=place, single=single)

    @staticmethod
    def _check(place: Path, single: bool, count: int) -> None:
        if single and count > 1:
            raise InputError(
                f"-o {place}: one file for {count} pictures; name a folder, such as {place.stem}/"
            )
        if single and place.is_dir():
            raise InputError(f"-o {place}: that is a folder; name a file, or another folder")
        if not single and place.exists() and not place.is_dir():
            raise InputError(
                f"-o {place}: that is a file; a folder, or a name ending in .png, .jpg or .webp"
            )
        if not place.parent.is_dir():
            raise InputError(f"-o {place}: there is no folder {place.parent}; make it first")

    def path(self, seed: int, line: int | None = None) -> Path:
        """The file of one picture; `line` is its line in a file of prompts."""
        if self.single:
            return self.place
        return self.place / (f"{seed}.png" if line is None else f"{line}-{seed}.png")

    @property
    def sheet(self) -> Path:
        """The contact sheet beside the file or beside the folder."""
        if self.single:
            return self.place.with_name(f"{self.place.stem}-grid{self.place.suffix}")
        folder = self.place if self.place.name not in ("", "..") else self.place.resolve()
        return folder.with_name(f"{folder.name or 'pictures'}-grid.png")


def save_pictures(
    images: Sequence[Image.Image],
    seeds: Sequence[int],
    requests: Sequence[Mapping[str, Any]],
    path: Path,
) -> list[Path]:
    """Write pictures with their requests inside, to one file or a folder of <seed>.png."""
    place = Destination.of(path, count=len(images))
    paths = [place.path(seed) for seed in seeds]
    for image, target, request in zip(images, paths, requests, strict=True):
        write(image, target, request=request)
    return paths


def write(image: Image.Image, path: Path, *, request: Mapping[str, Any] | None = None) -> str:
    """Write a picture whole or not at all, its request inside; returns the file's SHA-256.

    The folder is made when its parent exists. Raises BlueriderError when the disk fails: the old
    file, if there was one, stays as it was.
    """
    data = encode(image, path.suffix, request)
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise BlueriderError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed there"
        ) from None
    return hashlib.sha256(data).hexdigest()


def encode(image: Image.Image, suffix: str, request: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a .png, .jpg or .webp file. Raises InputError for another suffix."""
    kind = FORMATS.get(suffix.lower())
    if kind is None:
        raise InputError(f"cannot write a {suffix or 'nameless'} file; {', '.join(FORMATS)} can be")
    options: dict[str, Any] = {} if kind == "PNG" else {"quality": 95}
    if kind == "JPEG":
        options["subsampling"] = 0  # full colour resolution; drawings show the loss
    if request is not None:
        options |= embedding(request, suffix)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def embedding(request: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """Pillow's save options that put a request into a file; no path of this machine goes in.

    Raises InputError when it is too long for the format's metadata.
    """
    data = dict(request)
    for name in ("model", "prior"):
        if os.path.exists(str(data.get(name) or "")):
            data[name] = Path(str(data[name])).resolve().name
    if suffix.lower() == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt(KEY, json.dumps(data, ensure_ascii=False))
        return {"pnginfo": info}
    comment = ASCII + json.dumps({KEY: data}).encode("ascii")
    if len(comment) > MAX_EXIF:
        raise InputError(f"the prompt is too long to be stored in a {suffix} file; use .png")
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = comment
    return {"exif": exif.tobytes()}


def _stored(image: Image.Image) -> str | None:
    """The JSON text of the request a picture carries."""
    if image.format == "PNG":
        found = image.info.get(KEY)
        return str(found) if found else None
    comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(ASCII):
        return None
    whole = json.loads(comment[len(ASCII) :])
    return json.dumps(whole[KEY]) if isinstance(whole, dict) and KEY in whole else None


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image whose header was read and found within the limits; no pixel is decoded yet."""
    name = Path(path).name
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {ACCEPTED}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES >> 20} MiB; smaller files are accepted")
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InputError(
                f"{name} is {image.width}x{image.height}; up to {MAX_PIXELS:,} pixels are accepted"
            )
        yield image


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a foreign or damaged file into one InputError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except InputError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise InputError(f"{name}: up to {MAX_PIXELS:,} pixels are accepted") from None
        except UnidentifiedImageError:
            raise InputError(f"{name} is no picture that can be read; {ACCEPTED}") from None
        except Exception:  # Pillow raises nearly anything on a damaged file
            raise InputError(f"{name} is damaged or cut short; a whole picture is needed") from None


def over_white(image: Image.Image) -> Image.Image:
    """Any mode as RGB: 16 bits scaled to 8, transparency laid over white."""
    if image.mode.startswith("I"):
        levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _caption(page: Image.Image, text: str, at: tuple[int, int], width: int, band: int) -> None:
    """One line under a cell, cut with an ellipsis where it is too long."""
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=band * 0.7)
    line = " ".join(text.split())
    while line and draw.textlength(line, font=font) > width:
        line = line[:-2].rstrip() + "…" if len(line) > 2 else ""
    draw.text((at[0] + width / 2, at[1] + band / 2), line, fill="black", font=font, anchor="mm")


def _try_writing(folder: Path) -> None:
    """Make and remove an empty file, the only test of a folder that read-only disks pass too."""
    probe = folder / f".{secrets.token_hex(8)}.part"
    try:
        probe.touch(exist_ok=False)
    finally:
        probe.unlink(missing_ok=True)


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """A picture in its own mode, its pixels not yet decoded. Raises InputError, while used too."""
    with _decoding(Path(path).name), _opened(path) as image:
        yield image


def make_folder(path: Path) -> None:
    """Make one folder whose parent exists. Raises BlueriderError."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise BlueriderError(f"{path}: no folder made: {error.strerror or error}") from error
