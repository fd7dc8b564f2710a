"""`bluerider guide path`, `threats`, `graph`, `timeline`, `changes`, `stale`."""

import datetime
import re
from typing import Annotated

import typer

from bluerider.cli import values
from bluerider.cli.guide import app
from bluerider.cli.guide.look import Text, kinds_of, opened
from bluerider.cli.guide.tables import JSON, give, option, table
from bluerider.errors import InputError
from bluerider.guide.vocabulary import COMPONENTS, LEVELS, SOURCE_STYLES
from bluerider.request import check_choice, check_number, check_whole, flag, shown

MAX_HOURS = 10_000.0


@app.command("path")
def path(
    goal: Annotated[str, typer.Argument(metavar="GOAL", help="An id, or words.")],
    style: Annotated[Text, option(", ".join(SOURCE_STYLES) + ".", "NAME")] = None,
    level: Annotated[Text, option(", ".join(LEVELS) + ".", "NAME")] = None,
    hours: Annotated[Text, option("At most this many (no limit).", "X")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What to read to learn something, what it requires first.

    bluerider guide path rag --style hands-on --level beginner --hours 6
    """
    if style is not None:
        check_choice("style", style, SOURCE_STYLES)
    if level is not None:
        check_choice("level", level, LEVELS)
    limit = values.number("hours", hours)
    if limit is not None:
        check_number("hours", limit, 0.0, MAX_HOURS)
    from bluerider.guide import views

    target, steps = views.path(opened(), goal, style, level, limit)
    if as_json:
        rows = [
            {"id": s.source["id"], "teaches": s.teaches, "hours": s.hours, "url": s.source["url"]}
            for s in steps
        ]
        give({"goal": target["id"], "steps": rows, "hours": sum(s.hours for s in steps)})
        return
    cells = [
        (n, s.source["title"]["en"], s.teaches, ", ".join(s.source["style"]),
         s.source["level"] or "", f"{s.hours:g}", s.source["url"])
        for n, s in enumerate(steps, start=1)
    ]  # fmt: skip
    typer.echo(f"to learn {target['title']['en']} ({target['id']}):")
    heads = ("", "read", "teaches", "style", "level", "hours", "address")
    table(heads, cells, "the guide knows no source for it; try without --level or --hours")


@app.command("threats")
def threats(
    pattern: Annotated[Text, option("What is built: an id, or words.", "NAME")] = None,
    has: Annotated[Text, option("What it has: " + ", ".join(COMPONENTS) + ".", "LIST")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Which risks apply to what you build, and what helps.

    bluerider guide threats --pattern rag --has tools,external-documents
    """
    parts = [part.strip() for part in has.split(",")] if has else []
    for part in parts:
        check_choice("has", part, COMPONENTS)
    if not pattern and not parts:
        raise InputError("threats: say what is built (--pattern rag) or has (--has tools)")
    from bluerider.guide import views

    found = views.threats(opened(), pattern, parts)
    if as_json:
        give(
            [
                {"risk": t.risk["id"], "why": t.why, "owasp": t.risk["owasp"],
                 "atlas": t.risk["atlas"], "mitigations": [m["id"] for m in t.mitigations]}
                for t in found
            ]
        )  # fmt: skip
        return
    rows = [
        (t.risk["title"]["en"], ", ".join((*t.risk["owasp"], *t.risk["atlas"])), "; ".join(t.why),
         "; ".join(f"{m['title']['en']} ({m['kind']})" for m in t.mitigations) or "none known here")
        for t in found
    ]  # fmt: skip
    table(("risk", "in catalogues", "why", "what helps"), rows, "no risk of the guide needs that")


@app.command("graph")
def graph(
    record: Annotated[str, typer.Argument(metavar="ID", help="An id, or a name.")],
    rel: Annotated[Text, option("Follow this relation alone.", "NAME")] = None,
    depth: Annotated[str, option("Links followed (1).", "N")] = "1",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What a record leads to, link by link.

    bluerider guide graph risk/prompt-injection --rel mitigated-by --depth 2
    """
    from bluerider.guide import views

    steps = check_whole("depth", values.whole("depth", depth), 1, views.MAX_DEPTH)
    guide = opened()
    name = guide.record(record)["id"]
    found = list(views.graph(guide, name, rel, steps))
    titles = guide.titles()
    if as_json:
        give([{"depth": level, "rel": each, "id": target} for level, each, target in found])
        return
    typer.echo(f"{titles[name]}  ({name})")
    for level, each, target in found:
        typer.echo(f"{'  ' * level}{each}: {titles[target]}  ({target})")
    if not found:
        typer.echo("  no such link")


@app.command("timeline")
def timeline(
    since: Annotated[str, option("From this date (the first).", "DATE")] = "0000",
    until: Annotated[str, option("To this date (the last).", "DATE")] = "9999",
    kind: Annotated[Text, typer.Option("--type", help="Only these.", metavar="TYPES")] = "event",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What happened, in order.

    bluerider guide timeline --since 2022-01 --until 2022-12 --type event,model
    """
    from bluerider.guide import views

    kinds = () if kind == "all" else kinds_of(kind)
    rows = views.timeline(opened(), date("since", since), date("until", until), kinds)
    if as_json:
        give([{"date": r["date"], "id": r["id"], "title": r["title"]["en"]} for r in rows])
        return
    cells = [(r["date"], r["title"]["en"], r["summary"]["en"], r["id"]) for r in rows]
    table(("date", "what", "summary", "id"), cells, "nothing dated lies between those days")


@app.command("changes")
def changes(
    since: Annotated[Text, option("From this day (90 days ago).", "DATE")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What is new since a day: things by their date, claims by the date they hold from."""
    from bluerider.guide import views

    first = datetime.date.today() - datetime.timedelta(90)
    found = views.changes(opened(), date("since", since or first.isoformat()))
    if as_json:
        give([{"date": day, "id": name, "text": text} for day, name, text in found])
        return
    table(("date", "id", "what"), found, "nothing in the guide is newer")


@app.command("stale")
def stale(
    days: Annotated[str, option("Also what is due within so many days (0).", "N")] = "0",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Records that want another look, the longest due first."""
    ahead = check_whole("days", values.whole("days", days), 0, 100_000)
    from bluerider.guide import views

    rows = views.stale(opened(), datetime.date.today(), ahead)
    if as_json:
        give([{"id": r["id"], "due": r["due"], "reviewed": r["reviewed"]} for r in rows])
        return
    cells = [(r["due"], r["reviewed"], r["id"]) for r in rows]
    table(("due", "last look", "id"), cells, "nothing is due")


def date(name: str, text: str) -> str:
    """A year, month or day as text. Raises InputError."""
    if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", text, re.ASCII):
        raise InputError(f"{flag(name)}: got {shown(text)}; 2023, 2023-07 or 2023-07-12")
    return text
