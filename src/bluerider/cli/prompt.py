"""`bluerider prompt`: what the words of a prompt do, words that fit beside them, styles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli import values
from bluerider.cli.terminal import printable
from bluerider.errors import InputError
from bluerider.request import check_prompt, check_whole

if TYPE_CHECKING:
    from bluerider.guide.prompting import Check, Known

MOST = 9

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See what the words of a prompt do."
)
Words = Annotated[list[str], typer.Argument(metavar="WORDS", help="A prompt, in quotes.")]
Model = Annotated[str, typer.Option(help="A name, a folder or a hub id (murnau).", metavar="NAME")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.callback()
def prompt() -> None:
    """See what the words of a prompt do."""


@app.command("check")
def check(words: Words, model: Model = "murnau", as_json: Json = False) -> None:
    """What each known word is said and measured to change, conflicts, repeats, tokens used and cut.

    bluerider prompt check "an owl, rim light, low key, pastel colours"
    """
    text = " ".join(words)
    check_prompt(text)
    from bluerider.guide import prompting
    from bluerider.guide.index import Guide

    found = prompting.check(Guide(), text, model)
    read_tokens(found, text, model)
    if as_json:
        from bluerider.cli.guide.tables import give

        give(found.to_json())
        return
    show(found)


def read_tokens(found: "Check", text: str, model: str) -> None:
    """Note how many tokens the model reads and what it says of the words; no weights are read."""
    from bluerider.pipeline import Pipeline
    from bluerider.prompts.weights import parse

    pipe = Pipeline.load(model, device="cpu", dtype="float32", offline=True)
    plain = parse(text).text
    found.tokens = len(pipe.tokenizer.fast.encode(plain).ids)
    found.limit = pipe.tokenizer.length
    found.warnings = pipe.warnings(pipe.resolve(text, seed=0))


def show(found: "Check") -> None:
    """The report for people."""
    from bluerider.cli.guide.tables import table

    rows = [(k.word, "; ".join(k.said), measured(k), k.record["id"]) for k in found.known]
    table(("word", "said to change", "measured", "id"), rows, "no word of it is in the guide")
    lines = [*(f"conflict: {text}" for text in found.conflicts)]
    lines += [f"repeat: {text}" for text in found.repeats]
    lines += [f"note: {text}" for text in found.warnings]
    lines.append(f"tokens: {found.tokens} of {found.limit}")
    for line in lines:
        typer.echo(printable(line))


def measured(known: "Known") -> str:
    """What was measured of a word on the model, in a cell."""
    if known.ignored:
        return "this model does not know it"
    return "; ".join(known.measured) or "not measured"


@app.command("expand")
def expand(
    words: Words,
    count: Annotated[
        str, typer.Option("-n", "--count", help="Words added, 1-9 (3).", metavar="N")
    ] = "3",
    model: Model = "murnau",
    as_json: Json = False,
) -> None:
    """Add words of the guide that fit; the same prompt always gets the same. The prompt is on
    stdout, what was added and why on stderr.

    bluerider generate "$(bluerider prompt expand 'an owl at night')"
    """
    number = check_whole("count", values.whole("count", count), 1, MOST)
    text = " ".join(words)
    check_prompt(text)
    from bluerider.cli.painting import say
    from bluerider.guide import prompting
    from bluerider.guide.index import Guide

    found = prompting.expand(Guide(), text, number, model)
    if not found.added:
        raise InputError("the guide has no word to add in the language of this prompt")
    if as_json:
        from bluerider.cli.guide.tables import give

        added = [each.to_json() for each in found.added]
        give({"prompt": found.prompt, "expanded": found.expanded, "added": added})
        return
    typer.echo(printable(found.expanded))
    for each in found.added:
        say(printable(f"added {each.word}: {'; '.join(each.said)}  ({each.record['id']})"))


@app.command("styles")
def styles(
    thumbnails: Annotated[
        Path | None,
        typer.Option(help="Paint each style into this folder as NAME.png.", metavar="DIR"),
    ] = None,
    subject: Annotated[str, typer.Option(help="What is painted (cat).", metavar="WORDS")] = "cat",
    model: Model = "murnau",
    seed: Annotated[str, typer.Option(help="Of every picture (0).", metavar="N")] = "0",
    as_json: Json = False,
) -> None:
    """The styles that generate --style takes; painted by the current model with --thumbnails.

    bluerider prompt styles --thumbnails styles --subject "an owl"
    """
    from bluerider.cli.guide.tables import give, table
    from bluerider.guide import prompting
    from bluerider.guide.index import Guide

    guide = Guide()
    rows = [
        {"name": row["id"].split("/")[1], "title": row["title"]["en"], "goal": row["goal"],
         "settings": prompting.settings(row)}
        for row in prompting.styles(guide)
    ]  # fmt: skip
    if thumbnails is not None:
        from bluerider.cli.thumbnails import paint

        names = [row["name"] for row in rows]
        start = values.whole("seed", seed)
        for row, path in zip(rows, paint(names, subject, model, start, thumbnails), strict=True):
            row["file"] = str(path)
    if as_json:
        give(rows)
        return
    lines = [(row["name"], row["title"], row["goal"], row.get("file", "")) for row in rows]
    table(("name", "title", "goal", "picture"), lines, "the guide has no recipe for pictures")
