"""The emoji set: drawings with names in many languages, read from a prepared folder."""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import BlueriderError, InputError

Array = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class EmojiSet:
    """Drawings and names; the held-out ones are in it and listed, so that a stage can leave them out."""

    emoji: list[str]
    files: list[bytes]
    names: dict[str, dict[str, str]]  # language -> emoji -> short name
    keywords: dict[str, dict[str, list[str]]]
    holdout: tuple[str, ...]

    @cached_property
    def seen(self) -> list[int]:
        """Indices of the drawings that training may see."""
        return [i for i, e in enumerate(self.emoji) if e not in self.holdout]

    def picture(self, index: int, size: int) -> Array:
        """Drawing `index` as (size, size, 4) RGBA."""
        image = Image.open(io.BytesIO(self.files[index])).convert("RGBA")
        return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))

    def over_white(self, size: int) -> Array:
        """All drawings (N, size, size, 3) on white."""
        out = np.empty((len(self.emoji), size, size, 3), np.uint8)
        for i in range(len(self.emoji)):
            rgba = self.picture(i, size).astype(np.float32)
            alpha = rgba[..., 3:] / 255
            out[i] = np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha))
        return out


def read_table(path: Path) -> dict[str, list[Any]]:
    """A parquet file's columns; needs pyarrow, which only preparing and training do."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise BlueriderError(
            "reading the training set needs pyarrow, which is not installed; "
            "run: pip install 'bluerider[train]'"
        ) from None
    if not path.is_file():
        raise InputError(f"no {path.name} in {path.parent}; run: bluerider data emoji --help")
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


def load_emoji(folder: str | Path) -> EmojiSet:
    """Read images-256.parquet, names.parquet and holdout.json as `bluerider data emoji` writes them."""
    folder = Path(folder)
    pictures = read_table(folder / "images-256.parquet")
    table = read_table(folder / "names.parquet")
    names: dict[str, dict[str, str]] = {}
    keywords: dict[str, dict[str, list[str]]] = {}
    columns = (table["lang"], table["emoji"], table["name"], table["keywords"])
    for lang, emoji, name, words in zip(*columns, strict=True):
        names.setdefault(lang, {})[emoji] = name
        keywords.setdefault(lang, {})[emoji] = words
    holdout = tuple(json.loads((folder / "holdout.json").read_text("utf-8")))
    return EmojiSet(pictures["emoji"], pictures["image"], names, keywords, holdout)
