"""`bluerider evaluate`: how well a model paints, in numbers."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluerider.errors import InputError

if TYPE_CHECKING:
    from bluerider.evaluate.drawings import Drawings
    from bluerider.evaluate.retrieval import Score, Share
    from bluerider.evaluate.words import Painted, Report
    from bluerider.weights.load import ModelFiles

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Measure how well a model paints."
)


@app.callback()
def evaluate() -> None:
    """Measure how well a model paints."""


@app.command("words")
def evaluate_words(
    model: Annotated[str, typer.Option(help="A model's name, folder or hub id.")] = "murnau",
    data: Annotated[
        Path | None,
        typer.Option(help="Drawings made by `bluerider data drawings`; left out: the package's."),
    ] = None,
    subset: Annotated[int, typer.Option(min=1, help="How many names in English.")] = 400,
    others: Annotated[int, typer.Option(min=1, help="How many in each other language.")] = 60,
    languages: Annotated[str, typer.Option(help="Like en,ru, or all.")] = "en",
    seed: Annotated[int, typer.Option(help="Seed of every picture.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Decoder steps; the model's default.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures, sheets and JSON; goes on from there.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Pictures at a time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Paint names and look up which drawing each picture is nearest to, at 32 x 32."""
    from bluerider.request import Request

    fields = {"model": model, "seed": seed, "steps": steps}
    Request(prompt="-", **fields)  # type: ignore[arg-type]  # refuses what cannot be painted
    if out is not None and (not out.parent.is_dir() or (out.exists() and not out.is_dir())):
        raise InputError(f"--out {out}: a folder is accepted, and its parent has to exist")
    from bluerider.evaluate import words as measure
    from bluerider.evaluate.drawings import SHIPPED, load_drawings
    from bluerider.evaluate.journal import Journal
    from bluerider.pipeline import Pipeline

    drawings = load_drawings(data or SHIPPED)
    asked = measure.parse_languages(languages, drawings)
    chosen = measure.choose_words(drawings, asked, english=subset, others=others)
    pipe = Pipeline.load(model)
    run = {"model": model, "seed": seed, "steps": steps, "weights": stamp(pipe.files)}
    journal = Journal(out, run) if out else None
    painting = measure.paint_words(pipe, chosen, journal, batch=batch, **fields)
    place = {word: i for i, word in enumerate(chosen)}
    painted = sorted(watched(painting, len(chosen)), key=lambda one: place[one.word])
    report = measure.measure(painted, drawings)
    facts = run | report.to_json()
    if out:
        keep(out, facts, painted, drawings)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        show(report)


def stamp(files: "ModelFiles") -> str:
    """What changes with a model's weights: a hash of their files' names, sizes and times."""
    import hashlib

    seen = sorted({path for place in files.parts.values() for path in place.glob("*.safetensors")})
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in seen]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def watched(painting: Iterable["Painted"], total: int) -> "Iterator[Painted]":
    """The same pictures, with a bar and the time left on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("painting", total=total)
        for one in painting:
            yield one
            progress.update(task, advance=1, description=f"painting {one.word.language}")


def keep(out: Path, facts: dict[str, Any], painted: list["Painted"], drawings: "Drawings") -> None:
    """Write words.json and the contact sheets, and say where."""
    from bluerider.evaluate.drawings import write_whole
    from bluerider.evaluate.sheets import save_sheets

    write_whole(out / "words.json", json.dumps(facts, indent=2).encode())
    sheets = save_sheets(painted, drawings, out)
    typer.echo(f"{out / 'words.json'} and {len(sheets)} sheets in {out / 'sheets'}", err=True)


def show(report: "Report") -> None:
    """The scores as a table on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table("words", box=None, pad_edge=False)
    for title in ("n", "top-1 %", "95 %", "top-5 %", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for language, score in report.languages.items():
        table.add_row(language, *cells(score))
    if len(report.languages) > 1:
        table.add_row("mean", *cells(report.mean))
    table.add_row("ground truth", *cells(report.truth))
    table.add_row("shuffled prompts", *cells(report.shuffled))
    Console().print(table)


def cells(score: "Score") -> list[str]:
    """A score as a row: count, then each share and its interval in per cent."""
    return [str(score.count), *share_cells(score.top1), *share_cells(score.top5)]


def share_cells(share: "Share") -> list[str]:
    """A share and its interval in per cent."""
    return [f"{100 * share.value:.1f}", f"{100 * share.low:.1f}-{100 * share.high:.1f}"]
