"""Painting from the command line: a bar with time left, every picture written as it comes."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.cli.jobs import Cell, Job
from bluerider.cli.terminal import printable
from bluerider.request import Progress, Request, Result

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import Console
    from rich.progress import Progress as Bars

    from bluerider.images import Destination
    from bluerider.pipeline import Pipeline

AT_ONCE = 8  # pictures painted before they are written; an interruption keeps those before


@dataclass(kw_only=True)
class Report:
    """What came of one request, as `--json` tells it."""

    request: Request
    images: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    cell: Cell | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, the keys in the order they are promised."""
        return {
            **({"cell": self.cell.fields} if self.cell else {}),
            "request": self.request.to_json(),
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "warnings": self.warnings,
        }


class Painter:
    """Paints jobs and writes their pictures; knows the terminal, not the maths."""

    def __init__(
        self, pipe: "Pipeline", place: "Destination", console: "Console", stored: Mapping[str, str]
    ) -> None:
        self.pipe = pipe
        self.place = place
        self.console = console
        self.stored = stored  # what a picture keeps beside its request
        self.written: list[Path] = []
        self.said: set[str] = set()
        self.cells: list[tuple[str, Image]] | None = None  # of the contact sheet, when one is asked

    def paint(self, jobs: Sequence[Job]) -> list[Report]:
        """Paint and write every job; `written` grows as pictures are whole."""
        reports = [Report(request=job.request, cell=job.cell) for job in jobs]
        total = sum(job.request.n for job in jobs)
        with bar(self.console) as bars:
            single = len(jobs) == 1
            results = self._chunks(jobs[0].request, bars) if single else self._lines(jobs, bars)
            for index, result in results:
                reports[index].seconds += result.seconds
                self._write(result, jobs[index].number, reports[index], total)
                for warning in result.warnings:
                    self._warn(warning, reports[index], jobs[index].where)
        return reports

    def _chunks(self, request: Request, bars: "Bars") -> Iterator[tuple[int, Result]]:
        """One request, a few pictures at a time, with every step on the bar."""
        task = bars.add_task("reading the words", total=None)
        for start in range(0, request.n, AT_ONCE):
            count = min(AT_ONCE, request.n - start)
            assert request.seed is not None
            part = replace(request, seed=request.seed + start, n=count)
            for event in self.pipe.stream(part):
                done = (start + share(event, request)) / request.n
                bars.update(
                    task, total=1.0, completed=done, description=label(event, request, start)
                )
                if event.result is not None:
                    yield 0, event.result

    def _lines(self, jobs: Sequence[Job], bars: "Bars") -> Iterator[tuple[int, Result]]:
        """Many requests, batched across lines by the pipeline; the bar counts pictures."""
        total = sum(job.request.n for job in jobs)
        task = bars.add_task(f"painting {total} pictures", total=total)
        for index, result in enumerate(self.pipe.generate_many([job.request for job in jobs])):
            yield index, result
            bars.update(task, advance=len(result.images))

    def _write(self, result: Result, number: int | None, report: Report, total: int) -> None:
        """Write the pictures of a result, each with the request that paints it alone."""
        from bluerider.images import thumbnail, write

        for index, (image, seed) in enumerate(zip(result.images, result.seeds, strict=True)):
            path = self.place.path(seed, number)
            own: Mapping[str, Any] = {**result.request.at(index).to_json(), **self.stored}
            digest = write(image, path, request=own)
            report.images.append(
                {
                    "path": str(path),
                    "seed": seed,
                    "width": image.width,
                    "height": image.height,
                    "sha256": digest,
                }
            )
            if self.cells is not None:
                self.cells.append((path.stem, thumbnail(image, total)))
            self.written.append(path)

    def _warn(self, warning: str, report: Report, where: str) -> None:
        """Say a warning once."""
        if warning not in report.warnings:
            report.warnings.append(warning)
            text = printable(f"bluerider: warning: {where}{warning}")
            if text not in self.said:
                self.said.add(text)
                self.console.print(text, style="yellow", markup=False)


def share(event: Progress, request: Request) -> float:
    """How many pictures' worth of work an event of a stream stands for."""
    prior, decoder = request.prior_steps or 0, request.steps or 1
    before = {"text": 0, "prior": 0, "decoder": prior, "pixels": prior + decoder}
    size = {"text": 0, "prior": prior, "decoder": decoder, "pixels": 1}
    within = before[event.stage] + size[event.stage] * event.step / max(event.steps, 1)
    return event.first + event.count * within / (prior + decoder + 1)


def label(event: Progress, request: Request, start: int) -> str:
    """What the bar says of an event."""
    first, last = start + event.first + 1, start + event.first + event.count
    which = f"{first}" if first == last else f"{first}-{last}"
    picture = "" if request.n == 1 else f"picture {which} of {request.n}, "
    return f"{picture}{event.stage} {event.step}/{event.steps}"


@contextmanager
def bar(console: "Console") -> Iterator["Bars"]:
    """A bar with the time left on stderr; nothing where stderr is no terminal."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,  # stdout may be a pipe while stderr is the terminal
        disable=not console.is_terminal,
    ) as bars:
        yield bars


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """The same bar for any work: called with a fraction done and a word."""
    from rich.console import Console

    with bar(Console(stderr=True)) as bars:
        task = bars.add_task("starting", total=1.0)
        yield lambda done, word: bars.update(task, completed=done, description=word)


def say(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
