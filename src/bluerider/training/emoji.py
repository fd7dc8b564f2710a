"""The emoji set: drawings with names in many languages, kept in a folder of three files."""

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import BlueriderError, InputError
from bluerider.files import beside
from bluerider.images import make_folder

Array = NDArray[np.uint8]
Columns = dict[str, list[Any]]

# As published (columns, read with pyarrow), or plain (read with Python alone): the same rows.
PARQUET = ("images-256.parquet", "names.parquet")
PLAIN = ("images-256.zip", "names.json.gz")
HOLDOUT = "holdout.json"
# What files that are cut or mangled raise, besides pyarrow's own OSErrors and ValueErrors.
DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class EmojiSet:
    """Drawings and names; the held-out ones are in it and listed, for a stage to leave out."""

    emoji: list[str]
    files: list[bytes]  # 256 x 256 RGBA, WebP
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


def load_emoji(folder: str | Path) -> EmojiSet:
    """Read the three files that `bluerider data emoji` writes, in either format.

    Raises InputError when one is missing, BlueriderError when one is damaged or needs pyarrow.
    """
    folder = Path(folder)
    plain = (folder / PLAIN[0]).is_file()
    paths = [folder / name for name in (*(PLAIN if plain else PARQUET), HOLDOUT)]
    for path in paths:
        if not path.is_file():
            raise InputError(f"no {path.name} in {folder}; `bluerider data emoji` prepares it")
    read_pictures, read_names = (unzip, gunzip) if plain else (read_table, read_table)
    try:
        pictures, table = read_pictures(paths[0]), read_names(paths[1])
        names, keywords = by_language(table)
        holdout = tuple(json.loads(paths[2].read_text("utf-8")))
        return EmojiSet(pictures["emoji"], pictures["image"], names, keywords, holdout)
    except DAMAGE as error:
        raise BlueriderError(
            f"{folder}: the emoji set is damaged ({type(error).__name__}); "
            "prepare it again with `bluerider data emoji`"
        ) from error


def save_emoji(emoji: EmojiSet, folder: Path, *, parquet: bool) -> list[Path]:
    """Write the three files, each whole or not at all, and drop those of the other format."""
    rows = [(lang, e, name) for lang, table in emoji.names.items() for e, name in table.items()]
    table: Columns = {
        "lang": [lang for lang, _, _ in rows],
        "emoji": [e for _, e, _ in rows],
        "name": [name for _, _, name in rows],
        "keywords": [emoji.keywords[lang].get(e, []) for lang, e, _ in rows],
    }
    hexes = [codepoints(e) for e in emoji.emoji]
    pictures: Columns = {"emoji": emoji.emoji, "codepoints": hexes, "image": emoji.files}
    english = emoji.names.get("en", {})
    holdout = json.dumps({e: english.get(e, "") for e in emoji.holdout}, ensure_ascii=False)
    ours, others = (PARQUET, PLAIN) if parquet else (PLAIN, PARQUET)
    write_pictures, write_names = (to_table, to_table) if parquet else (zipped, gzipped)
    writers = {
        ours[0]: write_pictures(pictures),
        ours[1]: write_names(table),
        HOLDOUT: lambda file: file.write(holdout.encode()),
    }
    make_folder(folder)
    try:
        for name, write in writers.items():
            with beside(folder / name) as part, part.open("wb") as file:
                write(file)
        for name in others:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise BlueriderError(f"{folder}: not written: {error.strerror or error}") from error
    return [folder / name for name in writers]


def codepoints(emoji: str) -> str:
    """Lower-case hex joined by _, as the artwork's files are named."""
    return "_".join(f"{ord(letter):x}" for letter in emoji)


def by_language(
    table: Columns,
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[str]]]]:
    """Rows of names -> language -> emoji -> name, and the same for keywords."""
    names: dict[str, dict[str, str]] = {}
    keywords: dict[str, dict[str, list[str]]] = {}
    columns = (table["lang"], table["emoji"], table["name"], table["keywords"])
    for lang, emoji, name, words in zip(*columns, strict=True):
        names.setdefault(lang, {})[emoji] = name
        keywords.setdefault(lang, {})[emoji] = words
    return names, keywords


def has_parquet(*, required: bool) -> bool:
    """Whether pyarrow is installed, which only the published format needs."""
    if find_spec("pyarrow") is not None:
        return True
    if required:
        raise BlueriderError(
            "parquet files need pyarrow, which is not installed; "
            "run: pip install 'bluerider[train]'"
        )
    return False


def read_table(path: Path) -> Columns:
    """A parquet file's columns."""
    has_parquet(required=True)
    from pyarrow import parquet

    columns: Columns = parquet.read_table(path).to_pydict()
    return columns


def to_table(columns: Columns) -> Callable[[IO[bytes]], object]:
    """What writes columns as parquet."""
    has_parquet(required=True)
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    return lambda file: parquet.write_table(table, file, compression="zstd")


def zipped(columns: Columns) -> Callable[[IO[bytes]], object]:
    """What writes pictures as <codepoints>.webp in a zip, undated: the same bytes every time."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in zip(columns["codepoints"], columns["image"], strict=True):
                archive.writestr(zipfile.ZipInfo(f"{name}.webp"), data)

    return write


def unzip(path: Path) -> Columns:
    """What `zipped` wrote."""
    with zipfile.ZipFile(path) as archive:
        stems = [name.removesuffix(".webp") for name in archive.namelist()]
        images = [archive.read(name) for name in archive.namelist()]
    emoji = ["".join(chr(int(part, 16)) for part in stem.split("_")) for stem in stems]
    return {"emoji": emoji, "codepoints": stems, "image": images}


def gzipped(columns: Columns) -> Callable[[IO[bytes]], object]:
    """What writes columns as gzipped JSON, undated."""
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    return lambda file: file.write(gzip.compress(text.encode(), 6, mtime=0))


def gunzip(path: Path) -> Columns:
    """What `gzipped` wrote."""
    columns: Columns = json.loads(gzip.decompress(path.read_bytes()))
    return columns
