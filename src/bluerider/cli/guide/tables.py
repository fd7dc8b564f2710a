"""What the guide's commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from bluerider.cli.terminal import printable

JSON = typer.Option("--json", help="Print JSON on stdout.")
MARKS = {"checked": "checked", "recalled": "recalled, not checked"}


def option(help: str, metavar: str) -> Any:
    """A flag taken as text."""
    return typer.Option(help=help, metavar=metavar, show_default=False)


def give(data: Any) -> None:
    """JSON on stdout."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table as wide as the terminal, or one sentence where there is nothing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        typer.echo(empty)
        return
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(str(cell))) for cell in row))
    Console().print(made)


def page(
    row: dict[str, Any],
    edges: Sequence[tuple[str, str, str | None]],
    measured: Sequence[dict[str, Any]] = (),
) -> str:
    """A record as text: what it is, its fields, what it claims, what it is linked to, and beside
    what a word is said to change what it was measured to.
    """
    from bluerider.guide.views import plain

    lines = [f"{row['title']['en']}  ({row['id']})", "", row["summary"]["en"], ""]
    left_out = ("id", "type", "title", "summary", "body", "claims", "links", "effects", "metrics")
    for name, value in row.items():
        if name not in left_out and (text := plain(value)):
            lines.append(f"{name.replace('_', ' ')}: {text}")
    for effect in row.get("effects", ()):
        toward = f" {effect['toward']}" if effect["toward"] else ""
        said = f"{effect['aspect']} {effect['direction']}{toward}"
        lines.append(f"said to change: {said}  [{effect['claim']}]")
    for each in (*measured, *([row] if row.get("metrics") and "known" in row else ())):
        lines += measured_lines(each)
    if row["body"]:
        lines += ["", row["body"]]
    if row["claims"]:
        lines += ["", "claims:"]
        lines += [line for claim in row["claims"] for line in claim_lines(claim)]
    if edges:
        lines += ["", "links:"]
        lines += [f"  {rel} {target}{f' ({note})' if note else ''}" for rel, target, note in edges]
    return "\n".join(line if line == "" else printable_lines(line) for line in lines)


def measured_lines(row: dict[str, Any]) -> list[str]:
    """A measurement: on which model, how many pictures, what stood out."""
    pictures = f"{row['subjects']} subjects x {row['seeds']} seeds"
    head = f"measured on {row['model']} ({row['word']}, {row['language']}, {pictures}):"
    if not row["known"]:
        return [f"{head} this model does not know it"]
    moved = [metric for metric in row["metrics"] if metric["detected"]]
    form = "    {name} {effect:+.3g} (95 %: {low:.3g} to {high:.3g}), d {d:.2f}"
    return [head, *(form.format(**metric) for metric in moved)]


def claim_lines(claim: dict[str, Any]) -> list[str]:
    """A claim: its words, then how sure, where it stands and since when."""
    value = "" if claim["value"] is None else f" = {claim['value']} {claim['unit'] or ''}".rstrip()
    held = f", as of {claim['as_of']}" if claim["as_of"] else ""
    opened = f", opened {claim['opened']}" if claim["opened"] else ""
    status = MARKS.get(claim["status"], claim["status"])
    place = f", {claim['locator']}" if claim["locator"] else ""
    return [
        f"  [{claim['key']}] {claim['text']}{value}",
        f"      {status}{held}{opened}; {claim['source']}{place}",
    ]


def printable_lines(text: str) -> str:
    """Text of several lines that steers no terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))
