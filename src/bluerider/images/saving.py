"""Pictures written whole or not at all, each with its request inside."""

import errno
import hashlib
import io
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from bluerider.errors import BlueriderError, InputError
from bluerider.files import write_whole
from bluerider.images.opening import ASCII, EXIF_IFD, KEY, USER_COMMENT

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MAX_EXIF = 60_000  # bytes; a JPEG segment holds 65,533
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


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


def named(data: Mapping[str, Any], key: str) -> dict[str, str]:
    """The last part of the path under a key, for a file or folder that is there."""
    path = str(data.get(key) or "")
    return {key: Path(path).resolve().name} if os.path.exists(path) else {}


def embedding(request: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """Pillow's save options that put a request into a file; no path of this machine goes in.

    Raises InputError when it is too long for the format's metadata.
    """
    data = dict(request)
    for name in ("model", "prior", "clip", "depth_model", "picture", "mask"):
        data |= named(data, name)
    if "add" in data:
        data["add"] = [{**each, **named(each, "picture")} for each in data["add"]]
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


def make_folder(path: Path) -> None:
    """Make one folder whose parent exists. Raises BlueriderError."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise BlueriderError(f"{path}: no folder made: {error.strerror or error}") from error


def _try_writing(folder: Path) -> None:
    """Make and remove an empty file, the only test of a folder that read-only disks pass too."""
    probe = folder / f".{secrets.token_hex(8)}.part"
    try:
        probe.touch(exist_ok=False)
    finally:
        probe.unlink(missing_ok=True)
