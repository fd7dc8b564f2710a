"""`bluerider dreambooth`: teach a model a subject from a few pictures."""

from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.generate import model_names, option
from bluerider.errors import InputError

app = typer.Typer(rich_markup_mode="rich", add_completion=False, no_args_is_help=True)

SUBJECT, MODEL, FILES = "The subject", "The model and its training", "Files"
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
    model: Annotated[
        str,
        option(
            "A name of `bluerider models list`, a folder, or a hub id (murnau).",
            MODEL,
            "--model",
            autocompletion=model_names,
        ),
    ] = "murnau",
    preset: Annotated[
        str, option("quick, balanced, best, 8gb, 16gb or 24gb (balanced).", MODEL, "--preset")
    ] = "balanced",
    config: Annotated[
        Path | None, option("YAML of settings, over the preset's.", MODEL, "--config")
    ] = None,
    device: Annotated[str, option("auto, cpu, cuda, mps (auto).", MODEL, "--device")] = "auto",
    threads: Annotated[int, option("CPU threads; 0 takes all cores.", MODEL, "--threads")] = 0,
    offline: Annotated[bool, option("Never use the network.", MODEL, "--offline")] = False,
    out: Annotated[
        Path | None, option("Run folder; what was learned is DIR/lora.safetensors.", FILES, "--out")
    ] = None,
    resume: Annotated[
        bool, option("Go on from the newest checkpoint in --out.", FILES, "--resume")
    ] = False,
    wandb: Annotated[bool, option("Also log to Weights & Biases.", FILES, "--wandb")] = False,
    dry_run: Annotated[
        bool, option("Show what was understood of the pictures; stop.", FILES, "--dry-run")
    ] = False,
) -> None:
    """Teach a model a subject from 3 to 5 pictures.

    Settings are KEY=VALUE or PART.KEY=VALUE with the parts prior, decoder, text_encoder, such as
    [bold]steps=300 prior.rate=1e-4 decoder.train=off[/bold]; docs/DREAMBOOTH.md lists them.
    """
    folders, changes = check_given(pictures, subject, class_, out)
    assert out is not None
    from bluerider.training.dreambooth import Lessons

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
    start(wanted, threads, dry_run=dry_run)


def check_given(
    pictures: list[str], subject: list[str] | None, class_: list[str] | None, out: Path | None
) -> tuple[list[str], list[str]]:
    """The folders and the settings among the arguments. Raises InputError for what is missing."""
    folders = [one for one in pictures if "=" not in one or Path(one).exists()]
    changes = [one for one in pictures if one not in folders]
    if not folders:
        raise InputError("no folder of pictures; give one: bluerider dreambooth photos ...")
    if not subject:
        raise InputError("--subject is missing; say what the pictures show: 'a [V] robot'")
    if not class_:
        raise InputError("--class is missing; say what the subject is one of: 'a robot'")
    if out is None:
        raise InputError("--out is missing; name the folder to write")
    return folders, changes


def start(wanted: object, threads: int, *, dry_run: bool) -> None:
    """Show what was understood, then train; the result's path goes to stdout."""
    import torch

    from bluerider.cli.painting import progress_bar, say
    from bluerider.cli.understood import show_subjects
    from bluerider.training.dreambooth import Run

    if threads:
        torch.set_num_threads(threads)
    with progress_bar() as advance:
        run = Run(wanted, say, advance)  # type: ignore[arg-type]
    if run.first:
        show_subjects(run.learned)
        words, parts = ", ".join(run.words), ", ".join(run.plan.trained)
        say(f"[V] is {words}; of {run.files.name} train: {parts}")
    if dry_run:
        return
    with progress_bar() as advance:
        run.advance = advance
        result = run.run()
    if run.first:
        typer.echo(result)
