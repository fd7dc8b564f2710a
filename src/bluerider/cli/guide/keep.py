"""`bluerider guide build`: the records checked, the index made."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli.guide import app
from bluerider.errors import InputError

if TYPE_CHECKING:
    from bluerider.guide.library import Library


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
