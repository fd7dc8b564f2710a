"""What every evaluation shares: the flags it paints with, its folder, time left, results whole."""

import inspect
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bluerider.cli import values
from bluerider.cli.data import check_folder
from bluerider.cli.painting import progress_bar, say
from bluerider.request import DEVICES, DTYPES, SAMPLERS, Request, check_choice, check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.drawings import Drawings
    from bluerider.evaluate.retrieval import Share
    from bluerider.pipeline import Pipeline
    from bluerider.weights.load import ModelFiles

MAX_BATCH = 256
SAMPLE = 2**20  # bytes of a file of weights that are hashed at its beginning and at its end
Text = str | None
Painted = TypeVar("Painted")


def option(help: str, metavar: str) -> Any:
    """A flag taken as text, so that every flag is read and refused in the same way."""
    return typer.Option(help=help, metavar=metavar, show_default=False)


def flags(
    *,
    model: Annotated[str, option("A name, a folder or a hub id (murnau).", "NAME")] = "murnau",
    out: Annotated[
        Path | None,
        option("Folder for results; a second call goes on (outputs/WHAT-NAME).", "FOLDER"),
    ] = None,
    data: Annotated[
        Path | None,
        option("Folder made by `bluerider data` in place of the package's drawings.", "FOLDER"),
    ] = None,
    seed: Annotated[str, option("Every picture is painted from this seed (0).", "N")] = "0",
    steps: Annotated[Text, option("Steps (the model's).", "N")] = None,
    guidance: Annotated[Text, option("Guidance (the model's).", "X")] = None,
    prior_steps: Annotated[Text, option("Steps of the prior (the model's).", "N")] = None,
    prior_guidance: Annotated[Text, option("Guidance of the prior (the model's).", "X")] = None,
    sampler: Annotated[Text, option(", ".join(SAMPLERS) + ".", "NAME")] = None,
    batch: Annotated[str, option("Pictures at a time (8).", "N")] = "8",
    prior: Annotated[Text, option("The prior, where the model names none.", "NAME")] = None,
    device: Annotated[str, option(", ".join(DEVICES) + " (auto).", "NAME")] = "auto",
    dtype: Annotated[str, option(", ".join(DTYPES) + " (auto).", "NAME")] = "auto",
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> "Asking":
    """The flags of every evaluation, read. Raises InputError."""
    check_choice("device", device, DEVICES)
    check_choice("dtype", dtype, DTYPES)
    request = Request(
        prompt="-",
        model=model,
        seed=values.whole("seed", seed),
        steps=values.whole("steps", steps),
        guidance=values.number("guidance", guidance),
        prior_steps=values.whole("prior-steps", prior_steps),
        prior_guidance=values.number("prior-guidance", prior_guidance),
        sampler=sampler,
    )
    at_once = check_whole("batch", values.whole("batch", batch), 1, MAX_BATCH)
    return Asking(
        request=request,
        out=out,
        data=data,
        batch=at_once,
        prior=prior,
        device=device,
        dtype=dtype,
        offline=offline,
        as_json=as_json,
    )


def evaluation(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes the flags of every evaluation beside its own, as an `Asking` first."""
    shared = inspect.signature(flags).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    def run(**given: Any) -> None:
        asking = flags(**{name: given.pop(name) for name in shared})
        command(asking, **given)

    together = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    together += shared.values()
    first = [each for each in together if each.name == "model"]
    together = first + [each for each in together if each.name != "model"]
    run.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in together}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the shared flags say."""

    request: Request
    out: Path | None
    data: Path | None
    batch: int
    prior: str | None
    device: str
    dtype: str
    offline: bool
    as_json: bool

    def place(self, what: str) -> Path:
        """The folder for results, which can be written; the default's parent may be missing yet."""
        place = self.out or Path("outputs") / f"{what}-{Path(self.request.model).resolve().name}"
        check_folder(place if self.out or place.parent.is_dir() else place.parent)
        return place

    @cached_property
    def drawings(self) -> "Drawings":
        """What pictures are compared with."""
        return drawings_at(self.data)

    def pipeline(self) -> "Pipeline":
        """The model that is measured."""
        from bluerider.pipeline import Pipeline

        return Pipeline.load(
            self.request.model,
            device=self.device,
            dtype=self.dtype,
            prior=self.prior,
            offline=self.offline,
        )

    def facts(self, pipe: "Pipeline", request: Request) -> dict[str, Any]:
        """What is measured with what, with no path of this machine in it."""
        fields = request.to_json()
        for name in ("prompt", "negative", "task", "n"):
            del fields[name]
        given = Path(request.model)
        return {
            **fields,
            "model": given.resolve().name if given.is_dir() else request.model,
            "weights": stamp(pipe.files),
            "drawings": self.drawings.digest,
            "device": self.device,
            "dtype": self.dtype,
        }


def drawings_at(data: Path | None) -> "Drawings":
    """The package's drawings, a folder of drawings, or those of a folder of an emoji set."""
    from PIL import Image

    from bluerider.evaluate import drawings

    if data is None or (data / drawings.PICTURES).is_file():
        return drawings.load_drawings(data or drawings.SHIPPED)
    from bluerider.training.emoji import load_emoji

    emoji = load_emoji(data)
    images = (Image.open(io.BytesIO(file)) for file in emoji.files)
    return drawings.crop_drawings(emoji.emoji, images, emoji.names, emoji.holdout)


def fields_of(request: Request) -> dict[str, Any]:
    """The fields that every request of an evaluation has."""
    return {key: value for key, value in request.to_json().items() if key != "prompt"}


def watched(
    painting: Iterable[Painted], total: int, place: Path, label: str | Callable[[Painted], str]
) -> Iterator[Painted]:
    """The same pictures, with the time left; an interrupted run says how to go on."""
    done = 0
    with progress_bar() as bar:
        try:
            for done, one in enumerate(painting, start=1):
                told = label if isinstance(label, str) else label(one)
                bar(done / total, f"{told}, {done} of {total}")
                yield one
        except KeyboardInterrupt:
            say(f"{done} of {total} are kept in {place}; the same command goes on from there")
            raise


def keep(place: Path, name: str, facts: dict[str, Any], sheets: Sequence[Path]) -> None:
    """Write <name>.json whole, and say where it and the contact sheets are."""
    from bluerider.files import write_whole

    text = json.dumps(facts, indent=2, ensure_ascii=False)
    write_whole(place / f"{name}.json", text.encode() + b"\n")
    told = f", {len(sheets)} sheets in {place / 'sheets'}" if sheets else ""
    say(f"{place / f'{name}.json'}{told}")


def stamp(files: "ModelFiles") -> str:
    """What changes with a model's weights, the same on every machine.

    A hash of every file's name, size, beginning and end.
    """
    import hashlib

    hashed = hashlib.sha256()
    for part in sorted(files.parts):
        for path in sorted(files.parts[part].glob("*.safetensors")):
            size = path.stat().st_size
            hashed.update(f"{part} {path.name} {size}".encode())
            with path.open("rb") as file:
                hashed.update(file.read(SAMPLE))
                file.seek(max(0, size - SAMPLE))
                hashed.update(file.read(SAMPLE))
    return hashed.hexdigest()[:16]


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout, its figures to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def share_cells(share: "Share") -> list[str]:
    """A share and its interval in per cent."""
    return [f"{100 * share.value:.1f}", f"{100 * share.low:.1f}-{100 * share.high:.1f}"]
