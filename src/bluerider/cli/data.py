"""`bluerider data`: prepare what models train on and are measured with."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli.painting import progress_bar, say
from bluerider.errors import BlueriderError, InputError
from bluerider.request import check_choice

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("auto", "parquet", "plain")

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Prepare data to train on and measure with."
)


@app.command("emoji")
def make_emoji(
    png: Annotated[Path, typer.Option(help="Clone of googlefonts/noto-emoji.")],
    cldr: Annotated[Path, typer.Option(help="Clone of unicode-org/cldr-json.")],
    out: Annotated[Path, typer.Option(help="Folder to write; its parent has to exist.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="parquet (needs pyarrow), plain (zip and JSON, needs nothing), or auto: "
            "parquet where pyarrow is installed.",
        ),
    ] = "auto",
) -> None:
    """Make the emoji set from public clones: drawings, names in about 99 languages, the held-out.

    git clone --depth 1 https://github.com/googlefonts/noto-emoji

    git clone --depth 1 https://github.com/unicode-org/cldr-json

    bluerider data emoji --png noto-emoji --cldr cldr-json --out emoji
    """
    check_choice("format", form, FORMATS)
    for name, folder in (("--png", png), ("--cldr", cldr)):
        if not folder.is_dir():
            raise InputError(f"{name} {folder}: no such folder; a clone is accepted")
    check_folder(out)
    from bluerider.training.artwork import prepare
    from bluerider.training.emoji import has_parquet, save_emoji

    parquet = has_parquet(required=form == "parquet") and form != "plain"
    with progress_bar() as bar:
        made = prepare(png, cldr, bar)
    for path in save_emoji(made, out, parquet=parquet):
        typer.echo(str(path))
    say(
        f"{len(made.emoji)} drawings, {len(made.names)} languages, "
        f"{len(made.holdout)} drawings held out"
    )


@app.command("drawings")
def make_drawings(
    data: Annotated[Path, typer.Option(help="Folder made by `bluerider data emoji`.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; left out: the one in the package.")
    ] = None,
) -> None:
    """Make the 32 x 32 drawings and names that `bluerider evaluate words` compares with."""
    from bluerider.evaluate import drawings
    from bluerider.training.emoji import load_emoji

    place = out or drawings.SHIPPED
    check_folder(place)
    emoji = load_emoji(data)
    with progress_bar() as bar:
        images = decoded(emoji.files, bar)
        made = drawings.crop_drawings(emoji.emoji, images, emoji.names, emoji.holdout)
    for path in drawings.save_drawings(made, place):
        typer.echo(str(path))


def decoded(files: Sequence[bytes], bar: Callable[[float, str], None]) -> Iterator["Image"]:
    """The drawings of an emoji set as pictures, moving the bar."""
    import io

    from PIL import Image

    for index, data in enumerate(files, start=1):
        yield Image.open(io.BytesIO(data))
        bar(index / len(files), f"drawing {index} of {len(files)}")


def check_folder(path: Path) -> None:
    """Whether a folder can be written, before any work is done. Raises Input- or BlueriderError."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: got a file; a folder is accepted")
    if not os.access(path if path.is_dir() else path.parent, os.W_OK | os.X_OK):
        raise BlueriderError(f"{path}: not writable; choose another place with --out")
