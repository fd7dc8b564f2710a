"""`bluerider train`: make a model from a recipe, stage by stage."""

from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.data import check_folder
from bluerider.request import check_choice

ALONE = ("image", "text", "autoencoder", "prior")  # networks that can be exported by themselves
STAGES = (
    "tokenizer",
    "autoencoder",
    "image",
    "words",
    "recall",
    "rehearse",
    "decoder",
    "export",
)

app = typer.Typer(no_args_is_help=True, add_completion=False)


def say(text: str) -> None:
    """Progress belongs on stderr."""
    typer.echo(text, err=True)


@app.command()
def train(
    stage: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}, in this order.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    data: Annotated[Path, typer.Option(help="Folder made by `bluerider data emoji`.")] = Path(
        "data"
    ),
    out: Annotated[Path, typer.Option(help="Run folder; a second call resumes.")] = Path(
        "runs/murnau"
    ),
    config: Annotated[
        Path | None, typer.Option(help="Recipe (YAML); murnau's if left out.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Model folder whose weights a stage starts from.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where `export` writes the model folder.")] = None,
    only: Annotated[
        str | None,
        typer.Option(help=f"With `export`: one network alone, {', '.join(ALONE)}."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes all cores.")] = 0,
) -> None:
    """Train one stage of a model of Kandinsky 2.2's kind, or write the finished one.

    Every stage logs to OUT/STAGE/log, keeps a checkpoint, and goes on where it stopped
    when called again.

    Examples:

      bluerider train autoencoder --data emoji --out runs/mine steps=3000

      bluerider train export --out runs/mine --to my-model

      bluerider train export --only image --out runs/apart --to apart
    """
    from bluerider.errors import InputError

    if only is not None:
        check_choice("only", only, ALONE)
        if stage != "export":
            raise InputError(f"--only: goes with export, got stage {stage}")
    if stage not in STAGES:
        raise InputError(f"stage: got {stage!r}; choose from {', '.join(STAGES)}")
    if device not in ("auto", "cpu", "gpu"):
        raise InputError(f"device: got {device!r}; choose from auto, cpu, gpu")
    from bluerider.training.recipe import Recipe
    from bluerider.training.stages import export, export_net, run_stage
    from bluerider.training.workshop import Workshop

    recipe = Recipe.load(config)
    shop = Workshop(recipe, out, data, init, device, say)
    if threads:
        import torch

        torch.set_num_threads(threads)
    if only is not None:
        place = to or out / only
        check_folder(place)
        export_net(shop, only, place)
        say(f"wrote {place}")
        return
    if stage == "export":
        export(shop, to or out / recipe.name)
        say(f"wrote {to or out / recipe.name}")
        return
    shop.recipe = recipe.changed(stage, changes or [])
    run_stage(shop, stage, say)
