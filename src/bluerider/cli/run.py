"""One run of `bluerider generate`: settle the place, load the model, paint, report."""

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bluerider.cli.jobs import Job
from bluerider.cli.sweeps import Axis
from bluerider.cli.swift import quick_imports

if TYPE_CHECKING:
    from rich.console import Console

    from bluerider.cli.painting import Painter, Report
    from bluerider.images import Destination
    from bluerider.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where and with what a command line paints; no part of a request."""

    out: str
    prior: str | None
    clip: str | None
    lora: tuple[str, ...]
    device: str
    dtype: str
    memory: str
    grid: bool
    as_json: bool
    offline: bool
    axes: tuple[Axis, ...] = ()  # of a sweep

    def stored(self) -> dict[str, str]:
        """What a picture keeps of it for --like to give the same bits: only what was asked for."""
        named = {"device": self.device, "dtype": self.dtype, "prior": self.prior or "auto"}
        named["clip"] = self.clip or "auto"
        named["memory"] = "auto" if self.memory == "normal" else self.memory
        return {name: value for name, value in named.items() if value != "auto"}


def execute(jobs: list[Job], run: Run, *, listed: bool) -> None:
    """Settle the place, load the model, paint, and report."""
    from rich.console import Console

    from bluerider.images import Destination

    total = sum(job.request.n for job in jobs)
    place = Destination.of(run.out, count=total)
    check_embeddable(jobs, run, place)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    # A depth model comes with a library of its own, which gets torch whole.
    imports = nullcontext() if any(job.request.depth_model for job in jobs) else quick_imports()
    with imports:
        pipe = load(jobs[0].request.model, run, console)
    jobs = [
        replace(job, request=job.request.resolve(pipe.defaults, seed=job.request.seed))
        for job in jobs
    ]
    console.print(headline(jobs, pipe.name), markup=False)
    reports = paint(pipe, jobs, run, place, console)
    tell(reports, run, listed=listed)
    seconds = sum(report.seconds for report in reports)
    console.print(f"{plural(total)} in {seconds:.1f} s", markup=False)


def check_embeddable(jobs: list[Job], run: Run, place: "Destination") -> None:
    """Raise InputError before painting when a request cannot be stored in the file's format."""
    from bluerider.images import embedding

    suffix = place.place.suffix if place.single else ".png"
    for job in jobs:
        embedding({**job.request.to_json(), **run.stored()}, suffix)


def load(model: str, run: Run, console: "Console") -> "Pipeline":
    """The pipeline; says what is fetched before it is fetched."""
    with console.status(f"loading {model}", spinner="dots"):
        from bluerider.pipeline import Pipeline

    from bluerider.cli.models import announce

    return Pipeline.load(
        model,
        device=run.device,
        dtype=run.dtype,
        memory=run.memory,
        prior=run.prior,
        clip=run.clip,
        lora=run.lora,
        offline=run.offline,
        announce=announce,
    )


def paint(
    pipe: "Pipeline", jobs: list[Job], run: Run, place: "Destination", console: "Console"
) -> "list[Report]":
    """Paint and write; after an interruption say which pictures are there."""
    from bluerider.cli.painting import Painter

    painter = Painter(pipe, place, console, run.stored())
    painter.cells = [] if run.grid or run.axes else None
    try:
        reports = painter.paint(jobs)
    except BaseException:  # Ctrl-C too
        if painter.written:
            last = painter.written[-1]
            console.print(f"{plural(len(painter.written))} written, the last: {last}", markup=False)
        raise
    if painter.cells:
        write_sheet(painter, place, console, run.axes)
    return reports


def write_sheet(
    painter: "Painter", place: "Destination", console: "Console", axes: tuple[Axis, ...]
) -> None:
    """The contact sheet beside the pictures: of a sweep its axes labelled, else its cells named
    like their files.
    """
    from bluerider.images import chart, sheet, write

    names, cells = zip(*(painter.cells or []), strict=True)
    if axes:
        across, *down = (axis.shown for axis in axes)
        page = chart(cells, across=across, down=down[0] if down else [])
    else:
        page = sheet(cells, captions=names)
    write(page, place.sheet)
    console.print(f"contact sheet: {place.sheet}", markup=False)


def tell(reports: "list[Report]", run: Run, *, listed: bool) -> None:
    """The result on stdout: paths, or JSON in plain ASCII, which survives every terminal."""
    if run.as_json:
        data = [report.to_json() for report in reports]
        sys.stdout.write(json.dumps(data if listed else data[0], indent=2) + "\n")
        return
    for report in reports:
        for image in report.images:
            sys.stdout.write(f"{image['path']}\n")


def headline(jobs: list[Job], model: str) -> str:
    """What is about to be painted, in one line; the seed first, for it may be random."""
    first = jobs[0].request
    count = sum(job.request.n for job in jobs)
    seeds = f"{first.seed}" if first.n == 1 else f"{first.seed}-{(first.seed or 0) + first.n - 1}"
    return (
        f"seed {seeds} · {model} · {plural(count)} of {first.width}x{first.height} · "
        f"{first.sampler}, {first.steps} steps"
    )


def plural(count: int) -> str:
    """A number of pictures in words."""
    return "1 picture" if count == 1 else f"{count} pictures"
