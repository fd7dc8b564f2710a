"""`--sweep FIELD=A,B,C`: one or two fields of a request tried at every value, a cell each."""

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, get_args

from bluerider.checks import check_choice, flag, shown
from bluerider.cli import values
from bluerider.cli.jobs import Cell, Job
from bluerider.errors import InputError
from bluerider.request import MAX_N, NEGATIVES, Request, parse_size

if TYPE_CHECKING:
    from bluerider.prompts.alternatives import Wildcards

WORDS = ("prompt", "negative", *NEGATIVES)  # all alternatives of a text
CHOICES = ("sampler", "spacing")
COUNTED = "n"  # pictures a cell: always one


@dataclass(frozen=True)
class Axis:
    """A field and the values it is tried at, as changes of a request and as labels."""

    name: str
    changes: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]

    @property
    def shown(self) -> list[str]:
        """The labels on a sheet; words to paint speak for themselves."""
        before = "" if self.name == "prompt" else f"{flag(self.name)} "
        return [before + label for label in self.labels]


def accepted() -> dict[str, Callable[[str], dict[str, Any]]]:
    """Every field that can be swept, and how one of its values is read."""

    def reader(name: str, read: Callable[[str, str], Any]) -> Callable[[str], dict[str, Any]]:
        return lambda text: {name: read(name, text)}

    found: dict[str, Callable[[str], dict[str, Any]]] = {}
    for each in fields(Request):
        kinds = set(get_args(each.type) or (each.type,)) - {types.NoneType}
        if kinds == {int} and each.name != COUNTED:
            found[each.name] = reader(each.name, values.whole)
        elif kinds == {float}:
            found[each.name] = reader(each.name, values.number)
        elif each.name in (*CHOICES, *WORDS):
            found[each.name] = reader(each.name, values.text)
    found["guidance_interval"] = lambda text: {"guidance_interval": values.interval(text)}
    found["size"] = lambda text: dict(zip(("width", "height"), parse_size(text), strict=True))
    return found


def read_axes(
    sweeps: Sequence[str], request: Request, wildcards: "Wildcards | None"
) -> tuple[Axis, ...]:
    """The axes of a command line, the first across, the second down. Raises InputError."""
    if len(sweeps) > 2:
        raise InputError(f"got {len(sweeps)} of --sweep; one across and one down are accepted")
    axes = tuple(read_axis(sweep, request, wildcards) for sweep in sweeps)
    if len({axis.name for axis in axes}) < len(axes):
        raise InputError(f"--sweep {flag(axes[0].name)} twice; two fields make a sheet")
    count = 1
    for axis in axes:
        count *= len(axis.labels)
    if count > MAX_N:
        raise InputError(f"--sweep: {count} cells; up to {MAX_N} are accepted")
    return axes


def read_axis(sweep: str, request: Request, wildcards: "Wildcards | None") -> Axis:
    """One field and its values: "guidance=2,4,6", "prompt=red apple|green apple", or "prompt" for
    all alternatives of the words given.
    """
    name, given, text = sweep.partition("=")
    name = name.strip().replace("-", "_")
    known = accepted()
    check_choice("field to sweep", flag(name), [flag(each) for each in known])
    if name in WORDS:
        return words_axis(name, text if given else getattr(request, name) or "", wildcards)
    parts = [part.strip() for part in text.split(";" if name == "guidance_interval" else ",")]
    if not given or not text.strip():
        raise InputError(f"--sweep {shown(sweep)}: no values; such as --sweep guidance=2,4,6")
    return Axis(name, tuple(known[name](part) for part in parts), tuple(parts))


def words_axis(name: str, text: str, wildcards: "Wildcards | None") -> Axis:
    """All alternatives of a text; bars outside of braces part whole texts."""
    from bluerider.prompts.alternatives import every, is_template

    template = text if is_template(text) else f"{{{text}}}"
    found = tuple(dict.fromkeys(words.strip() for words in every(template, wildcards)))
    if len(found) < 2:
        raise InputError(
            f"--sweep {flag(name)}: one text only; such as --sweep 'prompt=a {{red|green}} apple'"
        )
    kept = {"template": text} if name == "prompt" else {}
    return Axis(name, tuple({name: words, **kept} for words in found), found)


def cells(job: Job, axes: Sequence[Axis]) -> list[Job]:
    """One job a cell, row by row; every one is checked. Raises InputError."""
    if job.request.n > 1:
        raise InputError(
            f"-n {job.request.n} with --sweep; a cell is one picture, for more: --sweep seed=1,2,3"
        )
    across, down = axes[0], axes[1] if len(axes) > 1 else Axis("", ({},), ("",))
    found: list[Job] = []
    for low in range(len(down.labels)):
        for high in range(len(across.labels)):
            changes = {**across.changes[high], **down.changes[low]}
            told = {k: v for k, v in changes.items() if k != "template"}
            cell = Cell(len(found) + 1, told)
            found.append(replace(job, request=replace(job.request, **changes), cell=cell))
    return found
