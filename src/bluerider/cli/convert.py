"""`bluerider convert`: a model from one published layout into another."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, help="Write a model in another layout.")

LAYOUTS = "diffusers (a folder), single (one file) or original (the first releases' files)"


@app.command()
def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A model's name, folder, file or hub id.")
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
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
) -> None:
    """Write a model in another layout, its weights as they are stored, and tell what matched."""
    from bluerider.cli.models import announce
    from bluerider.weights import convert as conversion
    from bluerider.weights.load import open_model

    conversion.check_layout(layout, target)
    files = open_model(source, prior=prior, clip=clip, offline=offline, announce=announce)
    for matched in conversion.convert(files, target, layout):
        typer.echo(matched.line)
    typer.echo(f"{files.name}: {files.family} written to {target} ({layout})")
