"""Which requests a command line asks for: its words, a file of prompts, or a picture to repeat."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bluerider.checks import flag, shown, suggestion
from bluerider.editing import UNNAMED
from bluerider.errors import InputError
from bluerider.request import NEGATIVES, Request

MAX_FILE = 64 * 2**20  # bytes of a file of prompts
MAX_LINES = 100_000
JSON_LINES = (".jsonl", ".ndjson")
ELSEWHERE = ("device", "dtype", "prior", "clip", "memory")  # in a picture, not in a request


class Cell(NamedTuple):
    """A place on the sheet of a sweep, counted from 1, and the fields that are tried there."""

    number: int
    fields: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request, and the line of a file or the cell of a sweep that it comes from."""

    request: Request
    line: int | None = None
    cell: Cell | None = None

    @property
    def number(self) -> int | None:
        """What its files' names begin with."""
        return self.cell.number if self.cell else self.line

    @property
    def where(self) -> str:
        """How a message about it begins."""
        if self.cell:
            return ", ".join(f"{flag(k)} {v}" for k, v in self.cell.fields.items()) + ": "
        return "" if self.line is None else f"line {self.line}: "


def read_jobs(path: str, fields: Mapping[str, Any]) -> list[Job]:
    """One job a line that is not blank; `fields` are the flags, which a JSON line may override.

    Raises InputError naming the line.
    """
    name = "the standard input" if path == "-" else path
    lines = read_lines(path, name)
    structured = path.lower().endswith(JSON_LINES) or is_object(next(iter(lines.values())))
    jobs = []
    for number, text in lines.items():
        try:
            own = json_line(text) if structured else {"prompt": text}
            jobs.append(Job(request=Request.from_json({**fields, **own}), line=number))
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from None
    models = {job.request.model for job in jobs}
    if len(models) > 1:
        raise InputError(f"{name}: got the models {', '.join(sorted(models))}; one a run")
    return jobs


def read_lines(path: str, name: str) -> dict[int, str]:
    """The lines of a text file that are not blank, by number from 1."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_FILE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"--prompts {name}: {error.strerror}; a text file is accepted") from None
    except UnicodeDecodeError:
        raise InputError(f"--prompts {name}: it is no text; UTF-8 is accepted") from None
    found = {i: line.strip() for i, line in enumerate(text.split("\n"), start=1) if line.strip()}
    if not found:
        raise InputError(f"--prompts {name}: it is empty; one prompt a line is accepted")
    if len(data) > MAX_FILE or len(found) > MAX_LINES:
        raise InputError(f"--prompts {name}: it is too long; up to {MAX_LINES:,} lines go in")
    return found


def is_object(text: str) -> bool:
    """Whether a line is a JSON object."""
    try:
        return text.startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def json_line(text: str) -> dict[str, Any]:
    """The object in a line of JSONL. Raises InputError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"got {shown(text)}; a JSON object of request fields") from None
    if not isinstance(found, dict):
        raise InputError(f"got {shown(text)}; a JSON object of request fields")
    return found


def recall(path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What a picture was painted from: the request's fields, and device, dtype, prior where given.

    Raises InputError when an input picture it names is missing or is another one by now.
    """
    from bluerider.images import read_request

    stored = read_request(path)
    places = find_inputs(Path(path), stored.pop("inputs", []))
    machine = {name: stored.pop(name) for name in ELSEWHERE if name in stored}
    if not all(isinstance(value, str) for value in machine.values()):
        raise damaged(path)
    fields = Request.from_json(stored).to_json()
    for holder in (fields, *fields.get("add", ())):
        for name in ("picture", "mask"):
            if name in holder:
                if holder[name] not in places:
                    raise damaged(path)
                holder[name] = places[holder[name]]
    for name in NEGATIVES:  # so that another --negative reaches them
        if fields[name] == fields["negative"]:
            del fields[name]
    return fields, machine


def damaged(path: str | Path) -> InputError:
    """What to say of a request that nothing of ours wrote."""
    return InputError(f"{path}: the request stored in it is damaged; it cannot be repeated")


def find_inputs(picture: Path, inputs: object) -> dict[str, str]:
    """Where each input picture is, here or beside the picture, with the SHA-256 it had then.

    Raises InputError.
    """
    from bluerider.images import digest

    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise damaged(picture)
    places: dict[str, str] = {}
    for one in inputs:
        name, expected = Path(str(one.get("name"))).name, one.get("sha256")
        if name == UNNAMED:
            raise InputError(f"{picture} was made from {name}, no file; it cannot be repeated")
        found = [p for p in (Path(name), picture.parent / name) if p.is_file()]
        if not found:
            raise InputError(f"{picture} was made from {name}, which is not here; put it beside it")
        same = [place for place in found if digest(place) == expected]
        if not same:
            raise InputError(
                f"{picture} was made from another {name} than {found[0]}; restore that"
            )
        places[name] = str(same[0])
    return places


def find_loras(path: str, loras: list[dict[str, Any]]) -> list[str]:
    """The LoRA files a picture was painted with, here or beside it, as FILE:SCALE.

    Raises InputError when one is missing or is another one by now.
    """
    places = find_inputs(Path(path), loras)
    return [f"{places[Path(str(one['name'])).name]}:{one.get('scale', 1.0)}" for one in loras]


def check_places(jobs: list[Job], loras: tuple[str, ...]) -> None:
    """Raise InputError for a prompt with `[V]` where no LoRA is given to say what it is."""
    from bluerider.prompts.identifiers import filled

    for job in jobs:
        if not loras:
            filled(job.request.prompt, [])
            filled(job.request.negative, [])
            for each in job.request.add:
                filled(each.words or "", [])


def check_model(name: str) -> None:
    """Raise InputError for a model that is neither in the catalog, nor a folder, nor a hub id."""
    from bluerider.catalog import MODELS

    if name in MODELS or "/" in name or Path(name).exists():
        return
    raise InputError(
        f"unknown model {shown(name)}{suggestion(name, list(MODELS))}; accepted: "
        f"{', '.join(MODELS)}, a model's folder or file, or a hub id such as owner/name"
    )
