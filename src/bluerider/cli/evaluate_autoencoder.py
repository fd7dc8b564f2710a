"""`bluerider evaluate autoencoder`: what an autoencoder gives back."""

import io
import json
from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.evaluating import option, stamp
from bluerider.errors import InputError


def evaluate_autoencoder(
    data: Annotated[Path, typer.Option(help="Folder made by `bluerider data emoji`.")],
    model: Annotated[str, option("A name, a folder or a hub id (murnau).", "NAME")] = "murnau",
    out: Annotated[Path | None, option("A picture: drawings above, results below.", "FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Put the drawings that no training stage has seen through the autoencoder; PSNR in dB.

    bluerider evaluate autoencoder --data emoji --out autoencoder.png
    """
    from PIL import Image

    from bluerider.training.emoji import load_emoji

    emoji = load_emoji(data)
    unseen = sorted(set(range(len(emoji.emoji))) - set(emoji.seen))
    if not unseen:
        raise InputError(f"{data}: its holdout.json holds no drawing out; nothing to measure")
    from bluerider.evaluate.autoencoder import reconstruct, summary
    from bluerider.images import sheet, write
    from bluerider.pipeline import Pipeline

    pipe = Pipeline.load(model, device="cpu", dtype="float32")
    given = (Image.open(io.BytesIO(emoji.files[index])) for index in unseen)
    found = list(reconstruct(pipe.autoencoder, given, pipe.defaults.width))
    if out is not None:
        cells = [one.picture for one in found] + [one.back for one in found]
        write(sheet(cells, across=len(found)), out)
    facts = {"model": model, "weights": stamp(pipe.files), **summary(found)}
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    told = "mean of {count} held-out drawings {mean:.2f} dB, lowest {lowest:.2f} dB"
    typer.echo((told + ", of their pooled error {pooled:.2f} dB").format(**facts))
