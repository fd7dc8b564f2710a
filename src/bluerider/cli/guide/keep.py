"""`bluerider guide build`, `add`, `check-links`, `export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli.guide import app
from bluerider.cli.guide.look import Type, opened
from bluerider.cli.guide.tables import JSON, give, table
from bluerider.cli.painting import progress_bar
from bluerider.errors import InputError
from bluerider.request import check_choice

if TYPE_CHECKING:
    from bluerider.guide.library import Library

FORMATS = ("jsonl", "sqlite", "csv", "md", "llms-txt", "site")


@app.command("build")
def build(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder of TYPE/NAME.md; left out: the guide's own."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; nothing is written.")] = False,
) -> None:
    """Check every record, say what is wrong with file and line, and make the index of the rest.

    bluerider guide build --check

    bluerider guide build --check my-records
    """
    import datetime

    from bluerider.guide import library

    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a folder of TYPE/NAME.md files is accepted")
    place = folder or library.SHIPPED
    found = library.load([place], today=datetime.date.today())
    for problem in found.problems:
        typer.echo(str(problem))
    typer.echo(census(found))
    if found.errors:
        raise InputError(
            f"{len(found.errors)} errors in the records of {place}; the all are named above"
        )


def census(found: "Library") -> str:
    """How many records and claims of each type, and how many of the claims are checked."""
    from bluerider.guide.vocabulary import TYPES

    lines = [f"{'type':<22}{'records':>8}{'claims':>8}{'checked':>9}"]
    total = [0, 0, 0]
    for kind in TYPES:
        plain = [entry.plain() for entry in found.entries.values() if entry.type == kind]
        claims = [claim for record in plain for claim in record["claims"]]
        row = [len(plain), len(claims), sum(claim["status"] == "checked" for claim in claims)]
        total = [a + b for a, b in zip(total, row, strict=True)]
        if plain:
            lines.append(f"{kind:<22}{row[0]:>8}{row[1]:>8}{row[2]:>9}")
    return "\n".join([*lines, f"{'all':<22}{total[0]:>8}{total[1]:>8}{total[2]:>9}"])


@app.command("add")
def add(kind: Type) -> None:
    """Write a record of your own, asked field by field; search finds it from then on.

    bluerider guide add source
    """
    import datetime
    import sys

    from bluerider.guide import authoring

    def ask(name: str, accepted: str) -> str:
        sys.stderr.write(f"{name} ({accepted}): ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise InputError(f"add: the answers end before {name}; nothing is written")
        return line.strip()

    typer.echo(str(authoring.add(kind, ask, opened(), datetime.date.today())))


@app.command("check-links")
def check_links(
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network; show what was seen last.")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Ask every address of the guide whether it still answers, and remember what came."""
    import datetime
    from collections import Counter

    from bluerider.guide import links
    from bluerider.guide.index import home

    guide, memory = opened(), home() / "links.json"
    if offline:
        found = links.remembered(guide, memory)
    else:
        with progress_bar() as bar:
            today = datetime.date.today().isoformat()
            found = links.check(
                guide, memory, today, lambda done, of: bar(done / of, f"address {done} of {of}")
            )
    if as_json:
        give(list(links.to_json(found)))
        return
    bad = [link for link in found if link.state == "dead"]
    rows = [(link.detail, link.url, ", ".join(link.used_by)) for link in bad]
    table(("answer", "address", "used by"), rows, "no address is known to be dead")
    counts = Counter(link.state for link in found)
    typer.echo(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))


@app.command("export")
def export(
    form: Annotated[str, typer.Option("--format", help=", ".join(FORMATS) + ".", metavar="NAME")],
    out: Annotated[
        Path | None,
        typer.Option(help="A file, or for md and site a folder (guide.NAME).", metavar="PATH"),
    ] = None,
) -> None:
    """Write the guide for other tools, or as a site that works from disk.

    bluerider guide export --format site --out guide-site

    bluerider guide export --format llms-txt --out llms.txt
    """
    check_choice("format", form, FORMATS)
    place = out or Path(f"guide.{form}" if form not in ("md", "site") else f"guide-{form}")
    if not place.absolute().parent.is_dir():
        raise InputError(f"{place}: the folder {place.parent} does not exist; make it first")
    from bluerider.guide.export import export

    written = export(opened(), form, place)
    typer.echo(f"{place}: {len(written)} file{'s' if len(written) > 1 else ''}")
