"""`bluerider guide search`, `show`, `list`, `modifiers`, `compare`, `claim`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli import values
from bluerider.cli.guide import app
from bluerider.cli.guide.tables import (
    JSON,
    MARKS,
    claim_lines,
    give,
    option,
    page,
    printable_lines,
    table,
)
from bluerider.cli.painting import say
from bluerider.errors import InputError
from bluerider.guide.vocabulary import ASPECTS, DIRECTIONS, TYPES
from bluerider.request import check_choice, check_number, check_whole

if TYPE_CHECKING:
    from bluerider.guide.index import Guide

MOST = 1000  # hits
NOTHING = "nothing found; try other words, or bluerider guide list TYPE"
Type = Annotated[str, typer.Argument(metavar="TYPE", help=", ".join(TYPES) + ".")]
Text = str | None


def opened() -> "Guide":
    """The guide, its index built when there is none."""
    import sys

    from bluerider.guide.index import Guide

    return Guide(announce=say if sys.stderr.isatty() else None)


@app.command("search")
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="In any language.")],
    kind: Annotated[Text, option("Only this type.", "TYPE")] = None,
    limit: Annotated[str, option("Hits shown (10).", "N")] = "10",
    semantic: Annotated[
        Path | None, option("Rank by this sentence-transformers model too.", "FOLDER")
    ] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Find records by words in any language, typos forgiven.

    bluerider guide search rim light

    bluerider guide search "как усилить контровой свет"
    """
    count = check_whole("limit", values.whole("limit", limit), 1, MOST)
    kinds = kinds_of(kind)
    from bluerider.guide.search import search

    guide, text = opened(), " ".join(words)
    near = None
    if semantic is not None:
        from bluerider.guide import semantic as vectors

        near = vectors.similar(guide, text, semantic, vectors.encoder(semantic))
    answer = search(guide, text, count, kinds, near)
    if as_json:
        give(answer.to_json())
        return
    for wrong, right in answer.corrected.items():
        say(f"read {wrong} as {right}")
    rows = [(hit.id, hit.title, hit.summary) for hit in answer.hits]
    table(("id", "title", "summary"), rows, NOTHING)


def kinds_of(text: str | None) -> tuple[str, ...]:
    """Types from "a,b", none for a flag that was not given. Raises InputError."""
    kinds = tuple(part.strip() for part in text.split(",")) if text else ()
    for kind in kinds:
        check_choice("type", kind, TYPES)
    return kinds


@app.command("show")
def show(
    record: Annotated[str, typer.Argument(metavar="ID", help="Like model/kandinsky-2-2.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print a record: what it is, what is claimed of it and by whom, what it is linked to."""
    guide = opened()
    row = guide.record(record)
    edges = guide.edges(row["id"])
    if as_json:
        linked = [{"rel": rel, "to": to, "note": note} for rel, to, note in edges]
        give({**row, "links": linked})
        return
    names = [to for rel, to, _ in edges if rel == "measured-by" and to.startswith("measurement/")]
    typer.echo(page(row, edges, [guide.record(name) for name in names]))


@app.command("list")
def list_records(
    kind: Type,
    where: Annotated[Text, option("A condition on fields.", "EXPR")] = None,
    sort: Annotated[Text, option("A field; -date is newest first.", "FIELD")] = None,
    effect: Annotated[Text, option("Modifiers said to do this: contrast:up.", "ASPECT:WAY")] = None,
    uses: Annotated[Text, option("What uses this record.", "ID")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the records of a type, those that meet a condition where one is given.

    bluerider guide list model --where 'open_weights and "inpaint" in supports' --sort -date

    bluerider guide list product --where 'state == "closed"'

    bluerider guide list prompt-modifier --effect contrast:up

    bluerider guide list pattern --uses technique/bm25
    """
    check_choice("type", kind, TYPES)
    wanted = effect_of(effect, kind) if effect is not None else None
    from bluerider.guide.views import listed

    rows = listed(opened(), kind, where, sort, wanted, uses)
    if as_json:
        give(rows)
        return
    cells = [(row["id"], row["title"]["en"], row["date"] or "", row["status"]) for row in rows]
    table(("id", "title", "date", "status"), cells, f"no {kind} meets that")


def effect_of(text: str, kind: str) -> tuple[str, str]:
    """An aspect and a direction from "contrast:up". Raises InputError."""
    if kind != "prompt-modifier":
        raise InputError(f"effect: a {kind} has none; bluerider guide list prompt-modifier")
    aspect, _, direction = text.partition(":")
    check_choice("effect", aspect, ASPECTS)
    check_choice(f"effect {aspect}:", direction, DIRECTIONS)
    return aspect, direction


@app.command("modifiers")
def modifiers(
    aspect: Annotated[Text, option(", ".join(ASPECTS) + ".", "NAME")] = None,
    direction: Annotated[Text, option(", ".join(DIRECTIONS) + ".", "NAME")] = None,
    max_content_shift: Annotated[
        Text, option("Only words measured to spoil at most this share of subjects, 0-1.", "SHARE")
    ] = None,
    model: Annotated[str, option("Measured on this model (murnau).", "NAME")] = "murnau",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Words that are said to change an aspect of a picture, and who says so.

    bluerider guide modifiers --aspect contrast --direction up

    bluerider guide modifiers --aspect brightness --max-content-shift 0.1
    """
    shift = values.number("max-content-shift", max_content_shift)
    if shift is not None:
        check_number("max-content-shift", shift, 0.0, 1.0)
    for name, given, known in (
        ("aspect", aspect, ASPECTS),
        ("direction", direction, DIRECTIONS),
    ):
        if given is not None:
            check_choice(name, given, known)
    from bluerider.guide.views import modifiers as said

    found = list(said(opened(), aspect, direction, shift, model))
    if as_json:
        give(
            [
                {"id": each["record"]["id"], "text": each["record"]["text"], **each["effect"],
                 "said": each["claim"]}
                for each in found
            ]
        )  # fmt: skip
        return
    rows = [
        (
            ", ".join(each["record"]["text"].get("en", [each["record"]["title"]["en"]])),
            each["effect"]["aspect"],
            each["effect"]["toward"] or each["effect"]["direction"],
            each["claim"]["text"],
            each["claim"]["status"],
        )
        for each in found
    ]
    table(("word", "aspect", "direction", "what is said", "status"), rows, "no word is said to")


@app.command("compare")
def compare(
    records: Annotated[list[str], typer.Argument(metavar="A B ...", help="Ids or names.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Two or more records side by side.

    bluerider guide compare kandinsky-2-1 kandinsky-2-2
    """
    if len(records) < 2:
        raise InputError(f"compare: got {len(records)} record; at least two are compared")
    from bluerider.guide.views import compared

    rows, fields = compared(opened(), records)
    if as_json:
        give({"records": [row["id"] for row in rows], "fields": dict(fields)})
        return
    heads = ("", *(row["title"]["en"] for row in rows))
    table(heads, [(name.replace("_", " "), *cells) for name, cells in fields], "")


@app.command("claim")
def claim(
    name: Annotated[str, typer.Argument(metavar="ID", help="Like model/kandinsky-2-2#controlnet.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """One claim: who says so, where, when it was opened, and when it wants another look."""
    guide = opened()
    found, record = guide.claim(name)
    source = found["source"]
    address = source if source.startswith("http") else guide.record(source)["url"]
    if as_json:
        give({**found, "record": record["id"], "address": address, "due": record["due"]})
        return
    lines = [*claim_lines(found), f"      address: {address}", f"      next look: {record['due']}"]
    typer.echo(printable_lines("\n".join([f"{record['title']['en']}  ({record['id']})", *lines])))


@app.command("ask")
def ask(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help="In any language.")],
    llm: Annotated[Text, option("Let this OpenAI-compatible service write.", "URL")] = None,
    llm_model: Annotated[str, option("The service's model (default).", "NAME")] = "default",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Answer a question with claims of the guide, quoted with their sources.

    --llm lets a language model write from those claims only; the key for it, where it wants one, is
    taken from BLUERIDER_LLM_KEY. Nothing is sent anywhere without --llm.

    bluerider guide ask "what helps against prompt injection?"

    bluerider guide ask "what helps against prompt injection?" --llm http://localhost:8000/v1
    """
    from bluerider.guide import ask as answers

    reply = answers.ask(opened(), " ".join(question))
    if llm:
        reply = answers.write(reply, llm, llm_model)
    if as_json:
        give(reply.to_json())
        return
    if not reply.holds:
        typer.echo(f"{answers.NOTHING}{'; nearest to it:' if reply.quotes else ''}")
    if reply.written:
        typer.echo(printable_lines(reply.written) + "\n")
    for doubt in reply.doubts:
        say(f"beware: {printable_lines(doubt)}")
    for number, quote in enumerate(reply.quotes, start=1):
        typer.echo(printable_lines(f"[{number}] {quote.title}: {answers.told(quote.claim)}"))
        place = f", {quote.claim['locator']}" if quote.claim["locator"] else ""
        status = MARKS.get(quote.claim["status"], quote.claim["status"])
        line = f"    {status}; {quote.address}{place}  ({quote.claim['id']})"
        typer.echo(printable_lines(line))
