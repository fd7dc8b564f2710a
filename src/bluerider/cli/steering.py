"""Flags that steer the words, and the jobs that come of templates and sweeps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from bluerider.cli.flags import FILES, PICTURE, option
from bluerider.cli.jobs import Job
from bluerider.cli.sweeps import Axis, cells, read_axes
from bluerider.errors import InputError
from bluerider.request import Request

if TYPE_CHECKING:
    from bluerider.prompts.alternatives import Wildcards

NegativePrior = Annotated[
    str | None,
    option("The same for the prior alone.", PICTURE, "--negative-prior", metavar="WORDS"),
]
NegativeDecoder = Annotated[
    str | None,
    option("The same for the decoder alone.", PICTURE, "--negative-decoder", metavar="WORDS"),
]
WildcardFolder = Annotated[
    str | None,
    option(
        "Folder of NAME.txt; a line of it for __NAME__ in the words.",
        PICTURE,
        "--wildcards",
        metavar="DIR",
    ),
]
Sweep = Annotated[
    list[str] | None,
    option(
        "Try a field at several values: guidance=2,4,6, or prompt for all its {a|b}. Twice for a "
        "sheet across and down.",
        FILES,
        "--sweep",
        metavar="FIELD=A,B",
    ),
]


def spread(
    jobs: list[Job],
    wildcards: str | None,
    sweeps: Sequence[str] | None,
    stored: Mapping[str, Any],
) -> tuple[list[Job], tuple[Axis, ...], bool]:
    """The jobs with their alternatives chosen, the axes of a sweep, and whether one job may have
    become several. Words that are `stored` in a picture stand as they are. Raises InputError.
    """
    folder = wildcard_folder(wildcards)
    axes: tuple[Axis, ...] = ()
    if sweeps:
        if len(jobs) > 1 or jobs[0].line is not None:
            raise InputError("got --sweep and --prompts; one of the two is accepted")
        axes = read_axes(sweeps, jobs[0].request, folder)
        jobs = cells(jobs[0], axes)
    found = [(job, templates(job.request, stored)) for job in jobs]
    made = [each for job, texts in found for each in chosen(job, texts, folder, stored)]
    return made, axes, bool(axes) or any(texts for _, texts in found)


def wildcard_folder(path: str | None) -> "Wildcards | None":
    """The folder of wildcards, where one was given. Raises InputError for none there."""
    from bluerider.prompts.alternatives import Wildcards

    if path is not None and not Path(path).is_dir():
        raise InputError(f"--wildcards {path}: there is no such folder")
    return None if path is None else Wildcards(Path(path))


def templates(request: Request, stored: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a request that have something to choose."""
    from bluerider.prompts.alternatives import is_template

    known = {**stored, **mixed(stored.get("add", ()))}
    added = mixed([each.to_json() for each in request.add])
    texts = {name: text for name, text in {**request.words, **added}.items() if text}
    return {k: text for k, text in texts.items() if text != known.get(k) and is_template(text)}


def mixed(add: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The words of a mix by the name of their place."""
    return {f"add {i}": each["words"] for i, each in enumerate(add) if "words" in each}


def chosen(
    job: Job, texts: Mapping[str, str], folder: "Wildcards | None", stored: Mapping[str, Any]
) -> list[Job]:
    """A job for each picture, its words chosen by its own seed; the job itself where there is
    nothing to choose.
    """
    from bluerider.prompts.alternatives import choose

    if not texts:
        outdated = job.request.template and job.request.template == stored.get("template")
        if outdated and job.request.prompt != stored.get("prompt"):
            return [replace(job, request=replace(job.request, template=""))]
        return [job]
    found = []
    for index in range(job.request.n):
        one = job.request.at(index)
        seed = one.seed or 0
        changes: dict[str, Any] = {k: choose(t, seed, folder, role=k) for k, t in texts.items()}
        changes["add"] = tuple(
            replace(each, words=changes.pop(f"add {i}", each.words))
            for i, each in enumerate(one.add)
        )
        if "prompt" in texts:
            changes["template"] = texts["prompt"]
        found.append(replace(job, request=replace(one, **changes)))
    return found
