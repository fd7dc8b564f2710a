"""Captions of a user's pictures: beside each in a text file, or in a table for the whole folder."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bluerider.errors import InputError

BESIDE = (".txt", ".caption")  # of a picture's name, the first that is there
TABLES = ("metadata.jsonl", "metadata.csv")  # of a folder, the first that is there
# Columns as the Hugging Face image folder, Kandinsky-2's trainers and others name them.
PICTURE_COLUMNS = ("file_name", "image_name", "path", "paths", "image", "file")
CAPTION_COLUMNS = ("text", "caption", "prompt", "captions")
MAX_TABLE = 64 * 2**20  # bytes


def caption_beside(picture: Path) -> str | None:
    """The text in `name.txt` or `name.caption`, as one line; None where there is none.

    Raises InputError for a file that is no text.
    """
    for suffix in BESIDE:
        path = picture.with_suffix(suffix)
        if path.is_file():
            return one_line(read_text(path)) or None
    return None


def table_in(folder: Path) -> Path | None:
    """A folder's own table of captions."""
    return next((folder / name for name in TABLES if (folder / name).is_file()), None)


def read_table(path: Path) -> list[tuple[str, str | None]]:
    """(picture, caption) of every row of a .csv or .jsonl file, in order. Raises InputError."""
    readers: dict[str, Callable[[str, Path], Iterator[tuple[int, Mapping[str, object]]]]] = {
        ".csv": csv_rows,
        ".jsonl": json_rows,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: a table of captions ends in .csv or .jsonl")
    found = []
    for line, row in reader(read_text(path), path):
        picture = first_of(row, PICTURE_COLUMNS)
        if not picture:
            raise InputError(
                f"{path.name}, line {line}: names no picture; "
                f"one of these is accepted: {', '.join(PICTURE_COLUMNS)}"
            )
        found.append((picture, one_line(first_of(row, CAPTION_COLUMNS) or "") or None))
    return found


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Rows of a table whose first line names its columns."""
    reader = csv.DictReader(io.StringIO(text))
    try:
        for row in reader:
            yield reader.line_num, {str(key).strip(): value for key, value in row.items()}
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: no CSV ({error})") from None


def json_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """One JSON object a line."""
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            found = json.loads(row)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{path.name}, line {line}: no JSON object; one a line is accepted")
        yield line, found


def first_of(row: Mapping[str, object], columns: tuple[str, ...]) -> str | None:
    """The first column that holds text."""
    return next((value for c in columns if isinstance(value := row.get(c), str) and value), None)


def read_text(path: Path) -> str:
    """A UTF-8 text file. Raises InputError."""
    try:
        if path.stat().st_size > MAX_TABLE:
            raise InputError(f"{path} is larger than {MAX_TABLE >> 20} MiB")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; a text file is accepted") from None
    except UnicodeDecodeError:
        raise InputError(f"{path.name}: no UTF-8 text; save it as UTF-8") from None


def one_line(text: str) -> str:
    """Text without line breaks and doubled blanks."""
    return " ".join(text.split())
