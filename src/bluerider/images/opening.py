"""Pictures read from files nobody vouches for: within limits, whole, upright."""

import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bluerider.errors import InputError

ACCEPTED = "PNG, JPEG and WebP are accepted"
KEY = "bluerider"  # of the iTXt chunk in a PNG, and of the object in an EXIF user comment
EXIF_IFD, USER_COMMENT, ASCII = 0x8769, 0x9286, b"ASCII\0\0\0"
MAX_BYTES = 64 * 2**20  # of a picture's file
MAX_PIXELS = 64_000_000  # decoded: 192 MB as RGB
MAX_REQUEST = 2**20  # characters of an embedded request


class Picture(NamedTuple):
    """An opened picture: upright RGB, and what had to be done to it that its owner should know."""

    image: Image.Image
    notes: list[str]


class Upright(NamedTuple):
    """An opened picture in its own mode, what was done to it, and which it is."""

    image: Image.Image
    notes: list[str]
    sha256: str  # of the file, or of the mode, size and pixels of a picture in memory


def open_picture(path: str | Path) -> Picture:
    """A picture from a file nobody vouches for: RGB, EXIF turned, transparency over white.

    Raises InputError for anything but a whole PNG, JPEG or WebP within the size limits.
    """
    found = open_upright(path)
    return Picture(over_white(found.image), found.notes)


def open_upright(given: str | Path | Image.Image) -> Upright:
    """The same in the file's own mode; a picture in memory is taken as it is, EXIF turned.

    Raises InputError.
    """
    if isinstance(given, Image.Image):
        pixels = f"{given.mode} {given.size}".encode() + given.tobytes()
        return Upright(ImageOps.exif_transpose(given), [], hashlib.sha256(pixels).hexdigest())
    name, data = Path(given).name, read_bytes(given)
    with _decoding(name):
        with _decoded(name, data) as image:
            frames = getattr(image, "n_frames", 1)
            image.seek(0)
            image.load()
            upright = ImageOps.exif_transpose(image)
            upright.load()
    notes = [f"{name} is animated ({frames} frames); the first was taken"] if frames > 1 else []
    return Upright(upright, notes, hashlib.sha256(data).hexdigest())


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """A picture in its own mode, its pixels not yet decoded. Raises InputError, while used too."""
    name = Path(path).name
    with _decoding(name), _decoded(name, read_bytes(path)) as image:
        yield image


def read_request(path: str | Path) -> dict[str, Any]:
    """The request stored in a picture, as plain JSON. Raises InputError when there is none."""
    name = Path(path).name
    with _decoding(name), _decoded(name, read_bytes(path)) as image:
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


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a picture's file. Raises InputError where it is missing or too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; {ACCEPTED}") from None
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{Path(path).name} is larger than {MAX_BYTES >> 20} MiB; smaller files are accepted"
        )
    return data


@contextmanager
def _decoded(name: str, data: bytes) -> Iterator[Image.Image]:
    """An image whose header was read and found within the limits; no pixel is decoded yet."""
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
