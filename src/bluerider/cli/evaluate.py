"""`bluerider evaluate`: how well a model paints, in numbers."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluerider.cli import values
from bluerider.cli.data import check_folder
from bluerider.cli.painting import progress_bar, say
from bluerider.errors import InputError
from bluerider.request import DEVICES, DTYPES, SAMPLERS, Request, check_choice, check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.drawings import Drawings
    from bluerider.evaluate.retrieval import Score, Share
    from bluerider.evaluate.words import Painted, Report, Word
    from bluerider.pipeline import Pipeline
    from bluerider.weights.load import ModelFiles

MAX_BATCH = 256
SAMPLE = 2**20  # bytes of a file of weights that are hashed at its beginning and at its end

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Measure how well a model paints."
)
Text = str | None


def option(help: str, metavar: str) -> Any:
    """A flag taken as text, so that every flag is read and refused in the same way."""
    return typer.Option(help=help, metavar=metavar, show_default=False)


@app.callback()
def evaluate() -> None:
    """Measure how well a model paints."""


@app.command("words")
def evaluate_words(
    model: Annotated[str, option("A name, a folder or a hub id (murnau).", "NAME")] = "murnau",
    languages: Annotated[str, option("Like en,ru, or all (en).", "LIST")] = "en",
    subset: Annotated[
        Text, option("Names a language (all in English, 100 in every other).", "N")
    ] = None,
    out: Annotated[
        Path | None,
        option("Folder for results; a second call goes on (outputs/words-NAME).", "FOLDER"),
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
) -> None:
    """Paint names and look up which drawing each picture is nearest to, at 32 x 32.

    top-1: the drawing asked for is the nearest of all; top-5: fewer than five are nearer. Drawings
    as near as the one asked for do not count against it. Writes words.json, the pictures and
    contact sheets (drawing left, picture right; green: nearest, yellow: among five, red: neither).

    bluerider evaluate words --subset 400

    bluerider evaluate words --languages all --subset 20 --out outputs/languages
    """
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
    count = values.whole("subset", subset)
    at_once = check_whole("batch", values.whole("batch", batch), 1, MAX_BATCH)
    place = settled(out, model)
    from bluerider.evaluate.words import choose_words, parse_languages

    drawings = open_drawings(data)
    if count is not None:
        check_whole("subset", count, 1, len(drawings.emoji) - len(drawings.holdout))
    words = choose_words(drawings, parse_languages(languages, drawings), count)
    from bluerider.pipeline import Pipeline

    pipe = Pipeline.load(model, device=device, dtype=dtype, prior=prior, offline=offline)
    task = Task(pipe, request.resolve(pipe.defaults), words, drawings, place, at_once)
    report = task.run({"device": device, "dtype": dtype})
    if as_json:
        typer.echo((place / "words.json").read_text("utf-8"))
    else:
        show(report)


@app.command("autoencoder")
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


@dataclass(frozen=True)
class Task:
    """An evaluation that is about to run."""

    pipe: "Pipeline"
    request: Request
    words: list["Word"]
    drawings: "Drawings"
    place: Path
    batch: int

    def run(self, machine: dict[str, str]) -> "Report":
        """Paint what the folder does not hold yet, measure, and write all there is to write."""
        from bluerider.evaluate.journal import Journal
        from bluerider.evaluate.words import measure, paint_words

        facts = {**self.settings(), **machine}
        journal = Journal(self.place, facts)
        fields = {key: value for key, value in self.request.to_json().items() if key != "prompt"}
        with progress_bar() as bar:
            painting = paint_words(self.pipe, self.words, journal, batch=self.batch, **fields)
            painted = list(self.watched(painting, bar))
        report = measure(painted, self.drawings)
        self.keep({**facts, **report.to_json()}, painted)
        return report

    def settings(self) -> dict[str, Any]:
        """What was measured, with no path of this machine in it."""
        fields = self.request.to_json()
        for name in ("prompt", "negative", "task", "n"):
            del fields[name]
        given = Path(self.request.model)
        return {
            **fields,
            "model": given.resolve().name if given.is_dir() else self.request.model,
            "weights": stamp(self.pipe.files),
            "drawings": self.drawings.digest,
        }

    def watched(
        self, painting: Iterable["Painted"], bar: Callable[[float, str], None]
    ) -> Iterator["Painted"]:
        """The same pictures, with the time left; an interrupted run says how to go on."""
        done, total = 0, len(self.words)
        try:
            for done, one in enumerate(painting, start=1):
                bar(done / total, f"{one.word.language}, {done} of {total}")
                yield one
        except KeyboardInterrupt:
            say(f"{done} of {total} are kept in {self.place}; the same command goes on from there")
            raise

    def keep(self, facts: dict[str, Any], painted: list["Painted"]) -> None:
        """Write words.json and the contact sheets, and say where."""
        from bluerider.evaluate.sheets import save_sheets
        from bluerider.files import write_whole

        text = json.dumps(facts, indent=2, ensure_ascii=False)
        write_whole(self.place / "words.json", text.encode() + b"\n")
        sheets = save_sheets(painted, self.drawings, self.place)
        say(f"{self.place / 'words.json'}, {len(sheets)} sheets in {self.place / 'sheets'}")


def settled(out: Path | None, model: str) -> Path:
    """The folder for results, which can be written; the default's parent may be missing yet."""
    place = out or Path("outputs") / f"words-{Path(model).resolve().name}"
    check_folder(place if out or place.parent.is_dir() else place.parent)
    return place


def open_drawings(data: Path | None) -> "Drawings":
    """The package's drawings, a folder of drawings, or those of a folder of an emoji set."""
    from PIL import Image

    from bluerider.evaluate import drawings

    if data is None or (data / drawings.PICTURES).is_file():
        return drawings.load_drawings(data or drawings.SHIPPED)
    from bluerider.training.emoji import load_emoji

    emoji = load_emoji(data)
    images = (Image.open(io.BytesIO(file)) for file in emoji.files)
    return drawings.crop_drawings(emoji.emoji, images, emoji.names, emoji.holdout)


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


def show(report: "Report") -> None:
    """The scores as a table on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table("words", box=None, pad_edge=False)
    for title in ("n", "top-1 %", "95 %", "top-5 %", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for language, score in report.languages.items():
        table.add_row(language, *cells(score))
    if len(report.languages) > 1:
        table.add_row(f"mean of {len(report.languages)}", *cells(report.mean))
    table.add_row("ground truth", *cells(report.truth))
    table.add_row("shuffled prompts", *cells(report.shuffled))
    Console().print(table)


def cells(score: "Score") -> list[str]:
    """A score as a row: count, then each share and its interval in per cent."""
    return [str(score.count), *share_cells(score.top1), *share_cells(score.top5)]


def share_cells(share: "Share") -> list[str]:
    """A share and its interval in per cent."""
    return [f"{100 * share.value:.1f}", f"{100 * share.low:.1f}-{100 * share.high:.1f}"]
