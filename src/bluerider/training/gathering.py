"""A user's pictures found on disk, each opened once, with its caption and a hash of its bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bluerider.errors import InputError
from bluerider.images import FORMATS, digest, open_picture
from bluerider.training.sidecars import BESIDE, TABLES, caption_beside, read_table, table_in

REPEATED = re.compile(r"([1-9][0-9]{0,3})_(.+)")  # kohya's folders: repeats, then the words


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture to learn from; its size is that of the upright picture."""

    path: Path
    name: str  # where it lies in what was given, with /
    sha256: str
    width: int
    height: int
    caption: str | None = None
    repeats: int = 1  # how often a pass over the pictures shows it


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The pictures of a place in order of their names, and what its owner should know of it."""

    place: Path
    shots: tuple[Shot, ...]
    notes: tuple[str, ...]


class Wanted(NamedTuple):
    """A file that may be a picture, and what is known of it before it is opened."""

    path: Path
    name: str
    caption: str | None
    repeats: int


def gather(place: str | Path) -> Gathered:
    """The pictures of a folder, or of a .csv or .jsonl table of pictures and captions.

    A folder may hold captions beside its pictures, metadata.jsonl or metadata.csv, and folders
    named as kohya's: `10_a sks dog` shows its pictures ten times and captions them. Hidden files,
    other files and damaged pictures are left out and noted. Raises InputError where no picture is
    left.
    """
    place = Path(place)
    notes: list[str] = []
    if place.is_file() and place.suffix.lower() not in FORMATS:
        wanted = list(from_table(place))
    elif place.is_dir():
        wanted = list(from_folder(place, notes))
    else:
        given = "a picture" if place.is_file() else "no such folder"
        raise InputError(
            f"{place}: {given}; a folder of pictures, a .csv or a .jsonl of captions is accepted"
        )
    shots = [shot for each in wanted if (shot := look_at(each, notes))]
    if not shots:
        why = f" ({notes[0]})" if notes else ""
        raise InputError(f"{place}: no pictures there{why}; put 3 to 5 PNG, JPEG or WebP files in")
    return Gathered(place=place, shots=tuple(shots), notes=(*notes, *doubles(shots)))


def look_at(wanted: Wanted, notes: list[str]) -> Shot | None:
    """Open a picture; one that cannot be read is noted and left out."""
    try:
        picture = open_picture(wanted.path)
        sha256 = digest(wanted.path)
    except InputError as error:
        notes.append(f"skipped: {error}")
        return None
    notes.extend(picture.notes)
    return Shot(
        path=wanted.path,
        name=wanted.name,
        sha256=sha256,
        width=picture.image.width,
        height=picture.image.height,
        caption=wanted.caption,
        repeats=wanted.repeats,
    )


def from_folder(folder: Path, notes: list[str]) -> Iterator[Wanted]:
    """What a folder offers: its own pictures, and those of folders named as kohya's."""
    inner = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    yield from from_one(folder, "", None, 1, notes)
    for each in inner:
        found = REPEATED.fullmatch(each.name)
        if found:
            prefix = f"{each.name}/"
            yield from from_one(each, prefix, found[2].replace("_", " "), int(found[1]), notes)
        else:
            notes.append(f"skipped: folder {each.name}; only folders named 10_words are read")


def from_one(
    folder: Path, prefix: str, words: str | None, repeats: int, notes: list[str]
) -> Iterator[Wanted]:
    """The pictures of one folder with their captions: its table's, those beside, its own words."""
    table = table_in(folder)
    told = {picture: text for picture, text in read_table(table)} if table else {}
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        if path.suffix.lower() in FORMATS and path.name[0] != ".":
            caption = told.pop(path.name, None) or caption_beside(path) or words
            yield Wanted(path, prefix + path.name, caption, repeats)
        elif path.name not in TABLES and path.suffix.lower() not in BESIDE:
            kind = "hidden" if path.name[0] == "." else "no PNG, JPEG or WebP"
            notes.append(f"skipped: {prefix}{path.name} is {kind}")
    for name in told:
        inside = (folder / name).resolve()
        if inside.is_relative_to(folder.resolve()) and inside.is_file():
            yield Wanted(inside, prefix + name, told[name] or words, repeats)
        else:
            notes.append(
                f"skipped: {prefix}{name}, which the table of captions names, is not there"
            )


def from_table(table: Path) -> Iterator[Wanted]:
    """The pictures that a table names, from the folder it lies in."""
    for name, caption in read_table(table):
        path = table.parent / name
        yield Wanted(path, name, caption or caption_beside(path), 1)


def doubles(shots: list[Shot]) -> list[str]:
    """A note for every picture that is there twice."""
    first: dict[str, str] = {}
    notes = []
    for shot in shots:
        if shot.sha256 in first:
            notes.append(f"{shot.name} is the same file as {first[shot.sha256]}")
        first.setdefault(shot.sha256, shot.name)
    return notes
