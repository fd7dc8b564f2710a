"""The drawings that pictures are compared with, at 32 x 32, and their names, as shipped."""

import hashlib
import io
import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from bluerider.errors import BlueriderError, InputError
from bluerider.evaluate.crop import SIZE, Array, Box, box_of, crop_square, put_back
from bluerider.files import write_whole

SHIPPED = Path(__file__).parent / "data"
COLUMNS = 42
CANVAS = 256  # boxes are stored in parts of so many
PICTURES, TABLE = "drawings.webp", "drawings.json.xz"


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawings:
    """N drawings after the measure's crop, where each was on its canvas, and their short names;
    `holdout` was in no training.
    """

    emoji: tuple[str, ...]
    pictures: Array  # (N, 32, 32, 3)
    boxes: tuple[Box, ...]  # of each thing, as parts of a square canvas
    names: dict[str, dict[str, str]]  # language -> emoji -> short name
    holdout: frozenset[str]

    @cached_property
    def digest(self) -> str:
        """Changes with the drawings and their names."""
        hashed = hashlib.sha256(self.pictures.tobytes())
        hashed.update(repr((self.emoji, sorted(self.holdout), self.boxes)).encode())
        hashed.update(json.dumps(self.names, sort_keys=True).encode())
        return hashed.hexdigest()[:16]

    def whole(self, size: int) -> Array:
        """All as they were drawn, (N, size, size, 3), as sharp as the crops are."""
        crops = zip(self.pictures, self.boxes, strict=True)
        return np.stack([put_back(crop, box, size) for crop, box in crops])


def crop_drawings(
    emoji: Sequence[str],
    images: Iterable[Image.Image],
    names: Mapping[str, Mapping[str, str]],
    holdout: Iterable[str],
) -> Drawings:
    """The drawings of full-size pictures, one for each emoji, in order."""
    crops = [(crop_square(image), stored(box_of(image))) for image in images]
    if len(crops) != len(emoji):
        raise InputError(f"drawings: got {len(crops)} pictures for {len(emoji)} emoji")
    return Drawings(
        emoji=tuple(emoji),
        pictures=np.stack([crop for crop, _ in crops]),
        boxes=tuple(box for _, box in crops),
        names={lang: dict(table) for lang, table in names.items()},
        holdout=frozenset(holdout),
    )


def stored(box: Sequence[float]) -> Box:
    """A box as it comes back from a table: in whole parts of `CANVAS`."""
    left, top, right, bottom = (round(each * CANVAS) / CANVAS for each in box)
    return left, top, right, bottom


def save_drawings(drawings: Drawings, folder: Path) -> list[Path]:
    """Write the pictures (a lossless contact image) and the table (xz JSON) whole into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    lossless = {"lossless": True, "method": 2}
    Image.fromarray(join(drawings.pictures)).save(picture, "WEBP", **lossless)
    names = {
        lang: [table.get(emoji) for emoji in drawings.emoji]
        for lang, table in sorted(drawings.names.items())
    }
    holdout = sorted(drawings.holdout)
    boxes = [[round(each * CANVAS) for each in box] for box in drawings.boxes]
    table = {"size": SIZE, "emoji": drawings.emoji, "holdout": holdout, "names": names}
    table |= {"canvas": CANVAS, "boxes": boxes}
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    contents = {PICTURES: picture.getvalue(), TABLE: lzma.compress(text, preset=9)}
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def load_drawings(folder: Path = SHIPPED) -> Drawings:
    """Read what `save_drawings` wrote. Raises InputError (missing), BlueriderError (damaged)."""
    if not (folder / PICTURES).is_file() or not (folder / TABLE).is_file():
        raise InputError(
            f"{folder}: no {PICTURES} and {TABLE} there; run: bluerider data drawings --help"
        )
    try:
        table = json.loads(lzma.decompress((folder / TABLE).read_bytes()))
        emoji = tuple(table["emoji"])
        with Image.open(folder / PICTURES) as image:
            pictures = split(np.asarray(image.convert("RGB")), len(emoji))
        boxes = tuple(
            stored([each / CANVAS for each in box])
            for _, box in zip(emoji, table["boxes"], strict=True)
        )
        names = {
            lang: {e: name for e, name in zip(emoji, column, strict=True) if name}
            for lang, column in table["names"].items()
        }
        holdout = frozenset(table["holdout"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, lzma.LZMAError) as error:
        raise BlueriderError(
            f"{folder}: the drawings there are damaged ({type(error).__name__}); "
            "write them again with: bluerider data drawings"
        ) from None
    return Drawings(emoji=emoji, pictures=pictures, boxes=boxes, names=names, holdout=holdout)


def join(pictures: Array) -> Array:
    """(N, 32, 32, 3) -> one picture, rows of 42 drawings, the last row filled with white."""
    rows = -(-len(pictures) // COLUMNS)
    cells = np.full((rows * COLUMNS, SIZE, SIZE, 3), 255, np.uint8)
    cells[: len(pictures)] = pictures
    grid = cells.reshape(rows, COLUMNS, SIZE, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * SIZE, COLUMNS * SIZE, 3)


def split(picture: Array, count: int) -> Array:
    """The inverse of `join`: (count, 32, 32, 3)."""
    rows = -(-count // COLUMNS)
    if picture.shape != (rows * SIZE, COLUMNS * SIZE, 3):
        raise ValueError(f"contact image of shape {picture.shape} for {count} drawings")
    grid = picture.reshape(rows, SIZE, COLUMNS, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, SIZE, SIZE, 3)[:count].copy()
