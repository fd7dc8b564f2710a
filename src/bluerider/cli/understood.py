"""What a training is about to learn from and what it will take, as tables on stdout."""

from typing import TYPE_CHECKING

from bluerider.cli.painting import say
from bluerider.cli.terminal import printable

if TYPE_CHECKING:
    from bluerider.training.memory import Estimate
    from bluerider.training.subjects import SubjectSet

LONGEST = 12  # pictures shown of a subject; the rest is counted


def show_subjects(learned: "SubjectSet") -> None:
    """Every picture with its size, the size it is brought to and its caption; then warnings."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("picture", "size", "becomes", "times", "caption"):
        table.add_column(title, overflow="fold", no_wrap=title in ("size", "becomes"))
    for subject in learned.subjects:
        shots = subject.gathered.shots
        folder = f"{subject.gathered.place.name}/" if len(learned.subjects) > 1 else ""
        for shot in shots[:LONGEST]:
            wide, high = learned.framing.shape(shot.width, shot.height)
            table.add_row(
                printable(folder + shot.name),
                f"{shot.width}x{shot.height}",
                f"{wide}x{high}",
                str(shot.repeats),
                printable(subject.caption(shot)),
            )
        if len(shots) > LONGEST:
            table.add_row(f"and {len(shots) - LONGEST} more", "", "", "", "")
    Console(markup=False, highlight=False).print(table)
    for warning in learned.warnings:
        say(f"warning: {printable(warning)}")


def show_memory(found: "Estimate") -> None:
    """An estimate by what the memory is for."""
    from rich.console import Console
    from rich.table import Table

    from bluerider.training.memory import shown

    table = Table(box=None, pad_edge=False)
    table.add_column("memory")
    table.add_column("estimated", justify="right", no_wrap=True)
    for name, size in found.rows.items():
        table.add_row(name, shown(size))
    table.add_row("together", shown(found.total))
    Console(markup=False, highlight=False).print(table)
