"""`bluerider dreambooth`: teach a model a subject from a few pictures."""

from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.flags import option
from bluerider.cli.tuning import (
    FILES,
    Config,
    Device,
    DryRun,
    Model,
    Offline,
    Preset,
    Resume,
    Threads,
    Wandb,
    parted,
    start,
)
from bluerider.errors import InputError

app = typer.Typer(rich_markup_mode="rich", add_completion=False, no_args_is_help=True)

SUBJECT = "The subject"
EXAMPLES = """[bold]Examples[/bold]

bluerider dreambooth photos --subject "a \\[V] robot" --class "a robot" --out robot

bluerider generate "a \\[V] robot on a blue background" --lora robot/lora.safetensors

bluerider dreambooth photos --subject "a \\[V] robot" --class "a robot" --out robot --resume
"""


@app.command(epilog=EXAMPLES)
def dreambooth(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES [KEY=VALUE]...",
            help="A folder of 3 to 5 pictures, or several for several subjects; then settings.",
        ),
    ],
    subject: Annotated[
        list[str] | None,
        option('What it is, \\[V] for its own word: "a \\[V] robot".', SUBJECT, "--subject"),
    ] = None,
    class_: Annotated[
        list[str] | None, option('What it is one of: "a robot".', SUBJECT, "--class")
    ] = None,
    class_pictures: Annotated[
        Path | None,
        option(
            "Folder of class pictures: yours, or where painted ones go.",
            SUBJECT,
            "--class-pictures",
        ),
    ] = None,
    model: Model = "murnau",
    preset: Preset = "balanced",
    config: Config = None,
    device: Device = "auto",
    threads: Threads = 0,
    offline: Offline = False,
    out: Annotated[
        Path | None, option("Run folder; what was learned is DIR/lora.safetensors.", FILES, "--out")
    ] = None,
    resume: Resume = False,
    wandb: Wandb = False,
    dry_run: DryRun = False,
) -> None:
    """Teach a model a subject from 3 to 5 pictures.

    Settings are KEY=VALUE or PART.KEY=VALUE with the parts prior, decoder, text_encoder, such as
    [bold]steps=300 prior.rate=1e-4 decoder.train=off[/bold]; docs/DREAMBOOTH.md lists them.
    """
    folders, changes = check_given(pictures, subject, class_, out)
    assert out is not None
    from bluerider.training.dreambooth import Lessons, Run

    wanted = Lessons(
        pictures=folders,
        subjects=subject or [],
        classes=class_ or [],
        out=out,
        model=model,
        preset=preset,
        config=config,
        changes=[*changes, *(["wandb=true"] if wandb else [])],
        resume=resume,
        class_pictures=class_pictures,
        device=device,
        offline=offline,
    )
    start(Run, wanted, threads, dry_run=dry_run)


def check_given(
    pictures: list[str], subject: list[str] | None, class_: list[str] | None, out: Path | None
) -> tuple[list[str], list[str]]:
    """The folders and the settings among the arguments. Raises InputError for what is missing."""
    folders, changes = parted(pictures)
    if not folders:
        raise InputError("no folder of pictures; give one: bluerider dreambooth photos ...")
    if not subject:
        raise InputError("--subject is missing; say what the pictures show: 'a [V] robot'")
    if not class_:
        raise InputError("--class is missing; say what the subject is one of: 'a robot'")
    if out is None:
        raise InputError("--out is missing; name the folder to write")
    return folders, changes
