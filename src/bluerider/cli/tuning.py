"""What the commands that tune a model share: their flags, and a run from the table of what was
understood to the result's path.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli.flags import model_names, option

if TYPE_CHECKING:
    from bluerider.training.tuning.run import Run

MODEL, FILES = "The model and its training", "Files"

Model = Annotated[
    str,
    option(
        "A name of `bluerider models list`, a folder, or a hub id (murnau).",
        MODEL,
        "--model",
        autocompletion=model_names,
    ),
]
Preset = Annotated[
    str, option("quick, balanced, best, 8gb, 16gb or 24gb (balanced).", MODEL, "--preset")
]
Config = Annotated[Path | None, option("YAML of settings, over the preset's.", MODEL, "--config")]
Device = Annotated[str, option("auto, cpu, cuda, mps (auto).", MODEL, "--device")]
Threads = Annotated[int, option("CPU threads; 0 takes all cores.", MODEL, "--threads")]
Offline = Annotated[bool, option("Never use the network.", MODEL, "--offline")]
Resume = Annotated[bool, option("Go on from the newest checkpoint in --out.", FILES, "--resume")]
Wandb = Annotated[bool, option("Also log to Weights & Biases.", FILES, "--wandb")]
DryRun = Annotated[
    bool, option("Show what was understood and the memory it will take; stop.", FILES, "--dry-run")
]


def parted(given: list[str]) -> tuple[list[str], list[str]]:
    """Places and KEY=VALUE apart."""
    places = [one for one in given if "=" not in one or Path(one).exists()]
    return places, [one for one in given if one not in places]


def start(kind: "type[Run]", wanted: object, threads: int, *, dry_run: bool) -> None:
    """Show what was understood, then train; the result's path goes to stdout."""
    import torch

    from bluerider.cli.painting import progress_bar, say
    from bluerider.cli.understood import show_memory, show_subjects

    if threads:
        torch.set_num_threads(threads)
    with progress_bar() as advance:
        run = kind(wanted, say, advance)  # type: ignore[arg-type]
    if run.first:
        show_subjects(run.learned, run.shown())
        show_memory(run.forecast())
        say(f"{run.word}what trains of {run.files.name}: {', '.join(run.plan.trained)}")
    if dry_run:
        return
    with progress_bar() as advance:
        run.advance = advance
        result = run.run()
    if run.first:
        typer.echo(result)
