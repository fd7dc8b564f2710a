"""`bluerider finetune`: train the prior or the decoder of a model on captioned pictures."""

from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.flags import option
from bluerider.cli.tuning import (
    FILES,
    MODEL,
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

EXAMPLES = """[bold]Examples[/bold]

bluerider finetune pictures --part decoder --out style

bluerider generate "a cat" --lora style/lora.safetensors

bluerider finetune set.csv --part decoder --train full --freeze resblocks --out tuned

bluerider finetune pictures --part decoder --inpainting --out painter
"""


@app.command(epilog=EXAMPLES)
def finetune(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA [KEY=VALUE]...",
            help="A folder of pictures with captions, or a .csv or .jsonl of both; then settings.",
        ),
    ],
    part: Annotated[
        list[str] | None,
        option("What trains: prior, decoder or text_encoder; may be repeated.", MODEL, "--part"),
    ] = None,
    train: Annotated[
        str, option("How: lora, attention or full (lora).", MODEL, "--train")
    ] = "lora",
    freeze: Annotated[
        list[str] | None,
        option(
            "What of the decoder does not: resblocks or attention; may be repeated.",
            MODEL,
            "--freeze",
        ),
    ] = None,
    inpainting: Annotated[
        bool, option("The decoder learns to repaint under random masks.", MODEL, "--inpainting")
    ] = False,
    model: Model = "murnau",
    preset: Preset = "balanced",
    config: Config = None,
    device: Device = "auto",
    threads: Threads = 0,
    offline: Offline = False,
    out: Annotated[
        Path | None,
        option("Run folder; the result is in it: lora.safetensors, or model/.", FILES, "--out"),
    ] = None,
    resume: Resume = False,
    wandb: Wandb = False,
    dry_run: DryRun = False,
) -> None:
    """Train the prior or the decoder of a model on captioned pictures.

    Captions stand in NAME.txt beside each picture, in a metadata.jsonl or .csv. Settings are
    KEY=VALUE or PART.KEY=VALUE, such as [bold]steps=300 decoder.rate=1e-4[/bold];
    docs/FINETUNE.md lists them.
    """
    places, changes = parted(data)
    if len(places) != 1:
        given = f"{len(places)} places" if places else "no data"
        raise InputError(f"{given}; one folder or table is accepted: bluerider finetune DATA ...")
    if out is None:
        raise InputError("--out is missing; name the folder to write")
    from bluerider.training.finetune import Run, Studies

    wanted = Studies(
        data=places[0],
        parts=part or (),
        train=train,
        freeze=freeze or (),
        inpainting=inpainting,
        out=out,
        model=model,
        preset=preset,
        config=config,
        changes=[*changes, *(["wandb=true"] if wandb else [])],
        resume=resume,
        device=device,
        offline=offline,
    )
    start(Run, wanted, threads, dry_run=dry_run)
