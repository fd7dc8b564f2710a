"""`bluerider convert`: a model, or a LoRA, from one published layout into another."""

from pathlib import Path
from typing import Annotated

import typer

from bluerider.errors import InputError

app = typer.Typer(add_completion=False, help="Write a model in another layout.")

LAYOUTS = (
    "diffusers (a folder), single (one file) or original (the first releases' files); "
    "of a LoRA: peft or kohya"
)
LORAS = ("peft", "kohya")


@app.command()
def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A model's name, folder, file or hub id; a LoRA.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="A new folder; a file for --layout single.")
    ],
    layout: Annotated[str, typer.Option(metavar="NAME", help=LAYOUTS)],
    clip: Annotated[
        Path | None,
        typer.Option(help="CLIP ViT-L/14, which the first files of Kandinsky 2.1 lack."),
    ] = None,
    prior: Annotated[
        str | None, typer.Option(help="Hub id or folder of the prior, where the card names none.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model of a LoRA, where the file names none.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
) -> None:
    """Write a model in another layout, its weights as they are stored, and tell what matched.

    With --layout peft or kohya, write a LoRA's file in those names.
    """
    if layout in LORAS:
        convert_lora(Path(source), target, layout, model, offline=offline)
        return
    if model is not None:
        raise InputError(f"--model goes with a LoRA and --layout {' or '.join(LORAS)}")
    from bluerider.cli.models import announce
    from bluerider.weights import convert as conversion
    from bluerider.weights.load import open_model

    conversion.check_layout(layout, target)
    files = open_model(source, prior=prior, clip=clip, offline=offline, announce=announce)
    for matched in conversion.convert(files, target, layout):
        typer.echo(matched.line)
    typer.echo(f"{files.name}: {files.family} written to {target} ({layout})")


def convert_lora(
    source: Path, target: Path, style: str, model: str | None, *, offline: bool
) -> None:
    """Write a LoRA's file in the names of `peft` or `kohya`. Raises InputError."""
    from bluerider.cli.models import announce
    from bluerider.weights.load import open_model
    from bluerider.weights.restyle import base_named, check_file, restyle

    check_file(source, target)
    named = model or base_named(source)
    if named is None:
        raise InputError(f"--model is missing: {source} does not say which model it is for")
    files = open_model(named, offline=offline, announce=announce)
    count = restyle(source, target, style, files)
    typer.echo(f"{files.name}: a LoRA of {count} layers written to {target} ({style})")
