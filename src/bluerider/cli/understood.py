"""What a training is about to learn from and what it will take, as tables on stdout."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bluerider.cli.painting import say
from bluerider.cli.terminal import printable

if TYPE_CHECKING:
    from bluerider.training.subjects import SubjectSet
    from bluerider.training.tuning.forecast import Forecast

LONGEST = 12  # pictures shown of a subject; the rest is counted


def show_subjects(learned: "SubjectSet", captions: Iterable[str]) -> None:
    """Every picture with its size, the size it is brought to and its caption; then warnings."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("picture", "size", "becomes", "times", "caption"):
        table.add_column(title, overflow="fold", no_wrap=title in ("size", "becomes"))
    told = iter(captions)
    for subject in learned.subjects:
        shots = subject.gathered.shots
        folder = f"{subject.gathered.place.name}/" if len(learned.subjects) > 1 else ""
        for shot, caption in list(zip(shots, told, strict=False))[:LONGEST]:
            wide, high = learned.framing.shape(shot.width, shot.height)
            table.add_row(
                printable(folder + shot.name),
                f"{shot.width}x{shot.height}",
                f"{wide}x{high}",
                str(shot.repeats),
                printable(caption),
            )
        if len(shots) > LONGEST:
            table.add_row(f"and {len(shots) - LONGEST} more", "", "", "", "")
    Console(markup=False, highlight=False).print(table)
    for warning in learned.warnings:
        say(f"warning: {printable(warning)}")


def show_memory(found: "Forecast") -> None:
    """A row for each part while it trains, what is there beside them, and what goes before."""
    from rich.console import Console
    from rich.table import Table

    from bluerider.training.memory import shown

    uses = list(dict.fromkeys(use for part in found.parts.values() for use in part.rows))
    table = Table(box=None, pad_edge=False)
    table.add_column("memory, estimated")
    for title in (*found.parts, "together"):
        table.add_column(title, justify="right", no_wrap=True)
    for use in uses:
        sizes = [part.rows.get(use, 0) for part in found.parts.values()]
        table.add_row(use, *(shown(size) if size else "" for size in sizes), shown(sum(sizes)))
    blank = [""] * len(found.parts)
    table.add_row("pictures and words, computed once", *blank, shown(found.cached))
    totals = [shown(part.total) for part in found.parts.values()]
    if found.resident:
        table.add_row("Python and its libraries", *blank, shown(found.resident))
    table.add_row("while training", *totals, shown(found.resident + found.training))
    console = Console(markup=False, highlight=False)
    console.print(table)
    names = ", ".join(f"{name} {shown(size)}" for name, size in found.freed.items())
    before = shown(found.resident + found.preparing)
    said = f"before it, up to {before}; then let go: {names or 'nothing'}"
    console.print(said, soft_wrap=True)
    own = "with Python and its libraries" if found.resident else "of the device"
    console.print(f"the most at once: {shown(found.most)} {own}", soft_wrap=True)
