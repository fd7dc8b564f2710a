"""`bluerider guide measure`: what words do to a model's pictures."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluerider.cli import values
from bluerider.cli.guide import app
from bluerider.cli.guide.look import Text, opened
from bluerider.cli.guide.tables import JSON, give, option, table
from bluerider.cli.painting import progress_bar, say
from bluerider.errors import InputError
from bluerider.request import DEVICES, DTYPES, Request, check_choice, check_whole

if TYPE_CHECKING:
    from bluerider.guide.index import Guide
    from bluerider.guide.measure.bench import Bench
    from bluerider.guide.measure.study import Finding, Plan
    from bluerider.guide.measure.words import Word

FEWEST_PLACEBOS = 4
SUBJECTS = "cat, house, fish, guitar, rocket, owl, mushroom, octopus"


@app.command("measure")
def measure(
    model: Annotated[str, option("A name, a folder or a hub id (murnau).", "NAME")] = "murnau",
    modifiers: Annotated[
        Text, option("Ids, words, phrases with {subject}, or all (all of the guide).", "LIST")
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the phrases murnau was trained on.")
    ] = False,
    languages: Annotated[str, option("Languages of the words (en).", "LIST")] = "en",
    subjects: Annotated[Text, option(f"What is painted ({SUBJECTS}).", "LIST")] = None,
    seeds: Annotated[str, option("Pictures a subject (16).", "N")] = "16",
    placebos: Annotated[Text, option("Words that mean nothing (24).", "N")] = None,
    steps: Annotated[Text, option("Steps (the model's).", "N")] = None,
    prior_steps: Annotated[Text, option("Steps of the prior (the model's).", "N")] = None,
    budget: Annotated[Text, option("Pictures painted in this call (all).", "N")] = None,
    batch: Annotated[str, option("Pictures at a time (16).", "N")] = "16",
    out: Annotated[
        Path | None, option("Folder of records to write to (your own).", "FOLDER")
    ] = None,
    pairs: Annotated[Path | None, option("A page of picture pairs.", "FILE.png")] = None,
    device: Annotated[str, option(", ".join(DEVICES) + " (auto).", "NAME")] = "auto",
    dtype: Annotated[str, option(", ".join(DTYPES) + " (auto).", "NAME")] = "auto",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Paint with and without each word from the same seeds, and tell what moved.

    What counts is what stands out from words that mean nothing, after correction for the number of
    tests. Everything made is kept: an interrupted call goes on where it was. Words whose image
    embeddings do not stand out are not painted.

    bluerider guide measure --modifiers "rim light,low key" --seeds 4

    bluerider guide measure --model murnau --controls --pairs pairs.png
    """
    check_choice("device", device, DEVICES)
    check_choice("dtype", dtype, DTYPES)
    count = check_whole("seeds", values.whole("seeds", seeds), 2, 256)
    at_once = check_whole("batch", values.whole("batch", batch), 1, 256)
    limit = values.whole("budget", budget)
    if limit is not None:
        check_whole("budget", limit, 1, 10**9)
    request = Request(
        prompt="-", model=model, seed=0,
        steps=values.whole("steps", steps), prior_steps=values.whole("prior-steps", prior_steps),
    )  # fmt: skip
    guide = opened()
    plan = planned(guide, modifiers, controls, parts(languages), subjects, count, placebos)
    bench = begun(request, device, dtype, at_once, limit)
    try:
        findings = watched(bench, plan)
        paths = kept(findings, plan, bench, out)
        if pairs is not None:
            page(findings, plan, bench, pairs)
    finally:
        bench.close()
    if as_json:
        give({"records": [str(path) for path in paths], **facts(findings)})
        return
    show(findings)
    say(f"{len(paths)} records in {paths[0].parent}" if paths else "no record")


def parts(text: str) -> list[str]:
    """Parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def planned(
    guide: "Guide", modifiers: str | None, controls: bool, languages: list[str],
    subjects: str | None, seeds: int, placebos: str | None,
) -> "Plan":  # fmt: skip
    """What is going to be painted. Raises InputError."""
    from bluerider.guide.measure import words
    from bluerider.guide.measure.study import Plan

    known = words.subject_table()
    for language in languages:
        check_choice("language", language, list(known))
    chosen: list[Word] = list(words.controls(guide, languages)) if controls else []
    if modifiers not in (None, "all"):
        chosen += words.chosen(guide, parts(modifiers), languages)
    elif modifiers == "all" or not controls:
        chosen += words.everything(guide, languages)
    names = parts(subjects) if subjects else known["en"]
    if len(names) < 2:
        raise InputError(f"subjects: got {len(names)}; at least two are needed to tell words apart")
    all_placebos = words.placebos()
    given = values.whole("placebos", placebos)
    number = len(all_placebos) if given is None else given
    check_whole("placebos", number, FEWEST_PLACEBOS, len(all_placebos))
    return Plan(chosen, all_placebos[:number], names, seeds)


def begun(request: Request, device: str, dtype: str, batch: int, budget: int | None) -> "Bench":
    """The model, ready, with what was made of it before."""
    import hashlib

    from bluerider.cli.evaluating import stamp
    from bluerider.guide.index import home
    from bluerider.guide.measure.bench import Bench
    from bluerider.pipeline import Pipeline

    pipe = Pipeline.load(request.model, device=device, dtype=dtype)
    settings = request.resolve(pipe.defaults)
    told = f"{stamp(pipe.files)} {settings.to_json()} {device} {dtype}"
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Bench(pipe, settings, home() / "measure" / f"{name}.sqlite", batch=batch, budget=budget)


def watched(bench: "Bench", plan: "Plan") -> "list[Finding]":
    """The measurement, with a bar."""
    from bluerider.guide.measure.study import run

    with progress_bar() as bar:
        return run(bench, plan, lambda done, of, what: bar(done / of, f"{what} {done} of {of}"))


def kept(findings: "list[Finding]", plan: "Plan", bench: "Bench", out: Path | None) -> list[Path]:
    """Write the records."""
    from bluerider.cli.evaluating import stamp
    from bluerider.guide.index import home
    from bluerider.guide.measure import report

    settings: dict[str, Any] = {
        "steps": bench.settings.steps,
        "prior-steps": bench.settings.prior_steps,
        "guidance": bench.settings.guidance,
        "sampler": bench.settings.sampler,
        "size": f"{bench.settings.width}x{bench.settings.height}",
    }
    today = datetime.date.today()
    made = report.records(findings, plan, bench.pipe.name, stamp(bench.pipe.files), settings, today)
    return report.save(made, out or home() / "records")


def page(findings: "list[Finding]", plan: "Plan", bench: "Bench", path: Path) -> None:
    """Paint and write the page of pairs."""
    from bluerider.guide.measure.pairs import draw
    from bluerider.images import write

    write(draw(findings, plan, bench), path)


def facts(findings: "list[Finding]") -> dict[str, Any]:
    """What a program wants to know."""
    from bluerider.guide.measure.study import controls_found, false_alarms

    found, controls = controls_found(findings)
    alarms, tests = false_alarms(findings)
    return {
        "words": [
            {"word": each.word.text, "language": each.word.language, "known": each.known,
             "right": each.right()}
            for each in findings if each.word.arm == "word"
        ],
        "controls": {"found": found, "of": controls},
        "placebo": {"detected": alarms, "of": tests},
    }  # fmt: skip


def show(findings: "list[Finding]") -> None:
    """A row a word: what moved, and how far in standard deviations of the pairs."""
    from bluerider.guide.measure.report import summary

    told = facts(findings)
    said = {True: "yes", False: "no", None: ""}
    rows = [
        (each.word.text, each.word.language, summary(each, "the model"), said[each.right()])
        for each in findings if each.word.arm == "word"
    ]  # fmt: skip
    table(("word", "language", "what it does", "as expected"), rows, "no word")
    controls, placebo = told["controls"], told["placebo"]
    if controls["of"]:
        typer.echo(f"controls as expected: {controls['found']} of {controls['of']}")
    typer.echo(f"placebo tests called detected: {placebo['detected']} of {placebo['of']}")
