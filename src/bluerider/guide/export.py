"""The guide in the forms of others: JSON lines, SQLite, CSV, Markdown, llms.txt."""

import csv
import io
import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bluerider.errors import InputError
from bluerider.files import beside, write_whole
from bluerider.guide.index import Guide
from bluerider.guide.vocabulary import TYPES

Row = dict[str, Any]
CLAIM_FIELDS = (
    "id", "text", "value", "unit", "as_of", "status", "confidence", "source", "locator", "opened",
)  # fmt: skip

TABLES = """
CREATE TABLE records (
    id TEXT PRIMARY KEY, type TEXT, title TEXT, summary TEXT, date TEXT, due TEXT, json TEXT
);
CREATE TABLE claims (
    id TEXT PRIMARY KEY, record TEXT, text TEXT, value, unit TEXT, as_of TEXT, status TEXT,
    confidence TEXT, source TEXT, locator TEXT, opened TEXT
);
CREATE TABLE edges (origin TEXT, rel TEXT, target TEXT, note TEXT);
"""


def export(guide: Guide, form: str, out: Path) -> list[Path]:
    """Write the guide in a form and return what was written. Raises InputError or OSError."""
    if form in FOLDERS:
        if out.exists() and not (out.is_dir() and is_ours(out)):
            raise InputError(f"{out}: is there already; a new folder is accepted")
        return list(FOLDERS[form](guide, out))
    if out.is_dir():
        raise InputError(f"{out}: got a folder; a file is accepted for {form}")
    if form == "sqlite":
        return [sqlite_file(guide, out)]
    write_whole(out, FILES[form](guide).encode("utf-8"))
    return [out]


def is_ours(folder: Path) -> bool:
    """Whether a folder is empty or holds an earlier export."""
    return not any(folder.iterdir()) or (folder / ".bluerider-guide").exists()


def jsonl(guide: Guide) -> str:
    """One record a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in guide.records())


def table(guide: Guide) -> str:
    """One claim a line, with its record; records without claims have a line of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["record", "type", "title", "summary", *CLAIM_FIELDS])
    for row in guide.records():
        head = [row["id"], row["type"], row["title"]["en"], row["summary"]["en"]]
        for claim in row["claims"] or [{}]:
            cells = [*head, *(claim.get(name) for name in CLAIM_FIELDS)]
            writer.writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()


def safe_cell(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


def sqlite_file(guide: Guide, out: Path) -> Path:
    """Plain tables: records, claims, names, edges."""
    with beside(out) as part:
        with sqlite3.connect(part) as made:
            made.executescript(TABLES)
            for row in guide.records():
                facts = (row["id"], row["type"], row["title"]["en"], row["summary"]["en"])
                text = json.dumps(row, ensure_ascii=False)
                made.execute(
                    "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*facts, row["date"], row["due"], text),
                )
                for claim in row["claims"]:
                    cells = [claim[name] for name in CLAIM_FIELDS]
                    made.execute(
                        f"INSERT INTO claims VALUES (?, ?{', ?' * len(cells[1:])})",
                        (cells[0], row["id"], *cells[1:]),
                    )
                edges = [(row["id"], *edge) for edge in guide.edges(row["id"])]
                made.executemany("INSERT INTO edges VALUES (?, ?, ?, ?)", edges)
        made.close()
    return out


def markdown(guide: Guide, out: Path) -> Iterator[Path]:
    """A page a record, and a first page that leads to all."""
    titles = guide.titles()
    yield from folder(
        out,
        {
            "README.md": index_page(guide, "{id}.md"),
            **{f"{row['id']}.md": page(row, guide, titles) for row in guide.records()},
        },
    )


def folder(out: Path, files: dict[str, str]) -> Iterator[Path]:
    """Write a folder's files beside its place, then give it its name; yields what it holds."""
    part = out.with_name(f".{secrets.token_hex(8)}.part")
    try:
        for name, text in {**files, ".bluerider-guide": ""}.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    yield from (out / name for name in files)


def page(row: Row, guide: Guide, titles: dict[str, str]) -> str:
    """A record as Markdown."""
    lines = [f"# {row['title']['en']}", "", row["summary"]["en"], "", row["body"], ""]
    if row["claims"]:
        lines += ["## Claims", ""]
    for claim in row["claims"]:
        lines += [f"- {claim_line(claim)}"]
    edges = guide.edges(row["id"])
    if edges:
        lines += ["", "## Links", ""]
    lines += [f"- {rel}: [{titles[to]}](../{to}.md)" for rel, to, _ in edges]
    return "\n".join(lines).strip() + "\n"


def claim_line(claim: Row) -> str:
    """A claim as a line of Markdown."""
    value = "" if claim["value"] is None else f" ({claim['value']} {claim['unit'] or ''})"
    held = f", as of {claim['as_of']}" if claim["as_of"] else ""
    source = claim["source"]
    link = f"[source]({source})" if source.startswith("http") else f"[source](../{source}.md)"
    place = f", {claim['locator']}" if claim["locator"] else ""
    return f"{claim['text']}{value.replace(' )', ')')} ({claim['status']}{held}; {link}{place})"


def index_page(guide: Guide, form: str) -> str:
    """Titles by type, linked."""
    lines = ["# Field guide", ""]
    by_type: dict[str, list[Row]] = {kind: [] for kind in TYPES}
    for row in guide.records():
        by_type[row["type"]].append(row)
    for kind, rows in by_type.items():
        if rows:
            lines += [f"## {kind}", ""]
            lines += [f"- [{row['title']['en']}]({form.format(**row)})" for row in rows] + [""]
    return "\n".join(lines)


def llms_txt(guide: Guide) -> str:
    """One file in the form of llmstxt.org: a title, a quoted summary, lists of links by heading."""
    lines = [
        "# bluerider field guide",
        "",
        "> What prompt words change, which model does what, which risks apply and what to read,"
        " as claims with sources.",
        "",
    ]
    for kind in TYPES:
        rows = list(guide.records(kind))
        if rows:
            lines += [f"## {kind}", "", *map(llms_line, rows), ""]
    return "\n".join(lines)


def llms_line(row: Row) -> str:
    """A record as a line: where to read, what it says."""
    address = row["url"] or next((c["source"] for c in row["claims"] if "://" in c["source"]), "")
    link = f"[{row['title']['en']}]({address})" if address else row["title"]["en"]
    said = " ".join(claim["text"] for claim in row["claims"] if claim["status"] == "checked")
    return f"- {link}: {row['summary']['en']} {said}".rstrip()


def site(guide: Guide, out: Path) -> Iterable[Path]:
    """A static site with its own search."""
    from bluerider.guide.site import site_files

    return folder(out, site_files(guide))


FILES: dict[str, Callable[[Guide], str]] = {"jsonl": jsonl, "csv": table, "llms-txt": llms_txt}
FOLDERS: dict[str, Callable[[Guide, Path], Iterable[Path]]] = {"md": markdown, "site": site}
