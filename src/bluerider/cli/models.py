"""`bluerider models`: which models there are, what they are, fetching them and checking their
files.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bluerider.catalog import Model
    from bluerider.weights.hub import Announcement

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, show, fetch and verify models."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Variant = Annotated[
    str | None, typer.Option(help="Stored precision to prefer where it is published, e.g. fp16.")
]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models one can name."""
    from bluerider.catalog import MODELS

    rows = [row(model) for model in MODELS.values()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    longest = {"name": max(map(len, MODELS)), "tasks": 17}
    for title in ("name", "tasks", "parameters", "here", "licence"):
        table.add_column(title, no_wrap=True, min_width=longest.get(title, 10))
    for entry in rows:
        here = amount(entry["bytes"], "B") if entry["bytes"] else "no"
        table.add_row(
            entry["id"],
            ", ".join(entry["tasks"]),
            amount(entry["parameters"]),
            here,
            entry["licence"],
        )
    Console().print(table)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A name of `bluerider models list`.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a model: its networks, where it is published, its defaults."""
    from dataclasses import asdict

    from bluerider.catalog import find

    model = find(name)
    facts = row(model) | {
        "title": model.title,
        "hub": asdict(model.hub) if model.hub else None,
        "defaults": asdict(model.defaults),
        "networks": asdict(model.shapes) if model.shapes else None,
        "folders": [str(path) for path in folders(model)],
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            typer.echo(f"{key}:")
            for inner, content in value.items():
                typer.echo(f"  {inner}: {plain(content)}")
        else:
            typer.echo(f"{key}: {plain(value)}")


@app.command("fetch")
def fetch_model(
    name: Annotated[str, typer.Argument(help="A name of `bluerider models list`, or a hub id.")],
    prior: Annotated[
        str | None, typer.Option(help="Hub id or folder of the prior, where the card names none.")
    ] = None,
    variant: Variant = None,
) -> None:
    """Fetch a model from the hub, once, and check every file against the hash announced for it."""
    from bluerider.weights.load import open_model

    files = open_model(name, prior=prior, variant=variant, announce=announce)
    typer.echo(f"{files.name}: ready in {files.sources['unet'].place.parent}")


@app.command("verify")
def verify_model(
    path: Annotated[str, typer.Argument(help="A model folder, a hub id, or a model's name.")],
    variant: Variant = None,
) -> None:
    """Recompute the hashes of a model's files and read every weight; exit 1 when something is
    wrong.
    """
    from bluerider.errors import WeightsError
    from bluerider.weights.verify import verify

    verdict = verify(path, variant)
    if verdict.complaints:
        raise WeightsError(f"{path}: {'; '.join(verdict.complaints)}")
    hashed = f"{verdict.hashed} hashes hold" if verdict.hashed else "no hashes were recorded"
    typer.echo(f"{path}: {verdict.files} files read, {hashed}, every weight is finite")


def announce(news: "Announcement") -> None:
    """Tell what is about to be fetched, on stderr."""
    typer.echo(
        f"fetching {news.repo} at {news.commit[:12]}: {news.files} files, "
        f"{amount(news.bytes, 'B')}, licence {news.licence}",
        err=True,
    )


def row(model: "Model") -> dict[str, Any]:
    """A model as `models list --json` gives it; parameters and bytes are null where nobody has said
    them.
    """
    from bluerider.weights.header import count_parameters

    weights = [path for place in folders(model) for path in stored(place, model)]
    parameters = model.parameters
    if parameters is None and weights:
        parameters = count_parameters(weights)
    return {
        "id": model.name,
        "family": model.family,
        "tasks": list(model.tasks),
        "layouts": list(model.layouts),
        "licence": model.licence,
        "parameters": parameters,
        "bytes": sum(path.stat().st_size for path in weights) or None,
        "source": model.source,
    }


def stored(folder: Path, model: "Model") -> list[Path]:
    """The files of weights in a folder of a model."""
    if model.hub and model.hub.files:
        files = (folder / name for name in model.hub.files)
        return [path for path in files if path.suffix in (".pt", ".ckpt", ".bin")]
    return sorted(folder.glob("*/*.safetensors" if model.hub else "*/*/*.safetensors"))


def folders(model: "Model") -> list[Path]:
    """Where a model's files lie on this machine, if they do."""
    if model.hub is None:
        inside = Path(__file__).parents[1] / "embedded" / model.name
        return [inside] if (inside / "decoder").is_dir() else []
    from bluerider.weights.store import find_manifest

    repos = [repo for repo in (model.hub.decoder, model.hub.prior) if repo]
    manifests = [find_manifest(repo, model.hub.tag) for repo in repos]
    return [Path(found.root) for found in manifests if found and found.is_there()]


def amount(number: int | None, unit: str = "") -> str:
    """A large number with its prefix, decimal: 1.25 G."""
    if number is None:
        return "unknown"
    for size, prefix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.2f} {prefix}{unit}"
    return f"{number} {unit}".strip()


def plain(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(content)}" for key, content in value.items())
    return f"{value:,}" if type(value) is int and value > 9999 else str(value)
