"""Records -> one SQLite file that answers searches; made whole beside its place, then renamed."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bluerider import files
from bluerider.errors import BlueriderError, InputError
from bluerider.guide import lexicon, library
from bluerider.guide.terms import is_paired, key, terms
from bluerider.guide.vocabulary import ASIDE, RELS

VERSION = 3  # of the tables below and of what `terms` makes; a change rebuilds every index
TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE records (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, type TEXT, title TEXT, summary TEXT,
    date TEXT, due TEXT, trust REAL, json TEXT
);
CREATE TABLE claims (id TEXT PRIMARY KEY, record INTEGER, place INTEGER) WITHOUT ROWID;
CREATE TABLE edges (
    origin TEXT, rel TEXT, target TEXT, note TEXT, PRIMARY KEY (origin, rel, target)
) WITHOUT ROWID;
CREATE TABLE names (
    name TEXT, record INTEGER, weight REAL, shown TEXT, PRIMARY KEY (name, record)
) WITHOUT ROWID;
CREATE TABLE vocabulary (term TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID;
CREATE TABLE deletions (
    left TEXT, term TEXT, PRIMARY KEY (left, term)
) WITHOUT ROWID;
CREATE TABLE lexicon (form TEXT, concept INTEGER, PRIMARY KEY (form, concept)) WITHOUT ROWID;
CREATE TABLE concepts (concept INTEGER, term TEXT, PRIMARY KEY (concept, term)) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(
    title, aliases, keywords, summary, facets, claims, body, content='', tokenize='ascii'
);
CREATE VIRTUAL TABLE asides USING fts5(
    title, aliases, keywords, summary, facets, claims, body, content='', tokenize='ascii'
);
"""
TYPO_LENGTH = 4  # shorter words are not corrected
Row = dict[str, Any]


def build(path: Path, folders: Sequence[Path], signature: str) -> None:
    """Write the index of some folders. Raises InputError naming the first mistake of a record."""
    rows = read(folders)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.beside(path) as part:
            with sqlite3.connect(part) as connection:
                fill(connection, rows, signature)
            connection.close()
    except sqlite3.Error as error:
        raise BlueriderError(f"{path}: the guide's index cannot be written ({error})") from None


def in_memory(folders: Sequence[Path], signature: str) -> sqlite3.Connection:
    """The same index, kept nowhere. Raises InputError."""
    connection = sqlite3.connect(":memory:")
    fill(connection, read(folders), signature)
    return connection


def read(folders: Sequence[Path]) -> list[Row]:
    """The records of some folders as plain values. Raises InputError."""
    found = library.load(folders)
    if found.errors:
        raise InputError(
            f"{found.errors[0]}; bluerider guide build --check shows all {len(found.errors)}"
        )
    return [{**entry.plain(), "due": entry.due().isoformat()} for entry in found.entries.values()]


def fill(connection: sqlite3.Connection, rows: Iterable[Row], signature: str) -> None:
    """Make and fill all tables; records get the smaller numbers, the more they are
    linked to and the more of them is checked: that is who stands first in a tie.
    """
    connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + TABLES)
    rows = list(rows)
    edges = set(edges_of(rows))
    aside = {row["id"] for row in rows if row["type"] in ASIDE}
    degree = Counter(target for origin, _, target, _ in edges if origin not in aside)
    rows.sort(key=lambda row: (row["id"] in aside, -degree[row["id"]], -trust(row), row["id"]))
    counts: Counter[str] = Counter()
    for number, row in enumerate(rows, start=1):
        add(connection, number, row, counts)
    connection.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?, ?)", sorted(edges))
    connection.executemany("INSERT INTO vocabulary VALUES (?, ?)", sorted(counts.items()))
    connection.executemany(
        "INSERT OR IGNORE INTO deletions VALUES (?, ?)",
        sorted((left, term) for term in counts if correctable(term) for left in deletions(term)),
    )
    for concept, (forms, english) in enumerate(lexicon.rings()):
        pairs = [(form, concept) for form in sorted(forms)]
        connection.executemany("INSERT OR IGNORE INTO lexicon VALUES (?, ?)", pairs)
        named = [(concept, term) for term in sorted(english) if set(term.split()) <= counts.keys()]
        connection.executemany("INSERT OR IGNORE INTO concepts VALUES (?, ?)", named)
    for table in ("texts", "asides"):
        connection.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")
    asked = str(len(rows) - len(aside))
    facts = {"signature": signature, "records": str(len(rows)), "asked": asked}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())


def add(connection: sqlite3.Connection, number: int, row: Row, counts: Counter[str]) -> None:
    """Write one record into the tables and count its terms."""
    claims = row["claims"]
    facts = (row["title"]["en"], row["summary"]["en"], row["date"], row["due"], trust(row))
    connection.execute(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, row["id"], row["type"], *facts, json.dumps(row, ensure_ascii=False)),
    )
    places = [(claim["id"], number, place) for place, claim in enumerate(claims)]
    connection.executemany("INSERT INTO claims VALUES (?, ?, ?)", places)
    names = [(name, number, weight, shown) for name, (weight, shown) in names_of(row).items()]
    connection.executemany("INSERT INTO names VALUES (?, ?, ?, ?)", names)
    columns = [list(column) for column in columns_of(row)]
    is_aside = row["type"] in ASIDE
    if not is_aside:
        counts.update({term for column in columns for term in column})
    texts = [" ".join(column) for column in columns]
    table = "asides" if is_aside else "texts"
    connection.execute(
        f"INSERT INTO {table}"
        "(rowid, title, aliases, keywords, summary, facets, claims, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, *texts),
    )


def trust(row: Row) -> float:
    """The share of a record's claims that somebody checked; 1 where there is none."""
    checked = sum(claim["status"] == "checked" for claim in row["claims"])
    return float((checked + 1) / (len(row["claims"]) + 1))


def edges_of(rows: Iterable[Row]) -> Iterator[tuple[str, str, str, str | None]]:
    """Every link and its inverse."""
    for row in rows:
        for link in row["links"]:
            yield row["id"], link["rel"], link["to"], link["note"]
            yield link["to"], RELS[link["rel"]].inverse, row["id"], link["note"]


def names_of(row: Row) -> dict[str, tuple[float, str]]:
    """What a record is called, as it is looked up: weight and spelling."""
    found: dict[str, tuple[float, str]] = {}
    if row["type"] == "measurement":  # it goes by its word's name, which is the word's
        return found
    given = [(text, 1.0) for text in (*row["title"].values(), row["id"].split("/")[1])]
    for table in (row.get("text", {}), row["aliases"]):
        given += [(text, 0.9) for texts in table.values() for text in texts]
    for text, weight in given:
        if (name := key(text)) and found.get(name, (0.0, ""))[0] < weight:
            found[name] = (weight, text)
    return found


def columns_of(row: Row) -> Iterator[Iterator[str]]:
    """The terms of each column of the full-text table."""
    yield (t for language, text in row["title"].items() for t in terms(text, language))
    for tables in ((row["aliases"], row.get("text", {})), (row["keywords"],)):
        yield (
            t
            for table in tables
            for language, texts in table.items()
            for text in texts
            for t in terms(text, language)
        )
    yield (t for language, text in row["summary"].items() for t in terms(text, language))
    yield terms(" ".join(facets_of(row)), "en")
    yield (t for claim in row["claims"] for t in terms(claim["text"], "en"))
    yield terms(" ".join((row["body"], *prose_of(row))), "en")


def facets_of(row: Row) -> Iterator[str]:
    """Short words a record is filed under."""
    yield row["type"]
    for name in ("domain", "tags", "supports", "needs", "owasp", "atlas", "topics", "editors"):
        yield from row.get(name, ())
    for name in ("category", "kind", "layer", "level", "family", "maker", "license"):
        if row.get(name):
            yield str(row[name])
    for effect in row.get("effects", ()):
        yield f"{effect['aspect']} {effect['toward'] or effect['direction']}"


def prose_of(row: Row) -> Iterator[str]:
    """Longer text in fields of one type."""
    for name in (
        "problem", "how", "cost", "solution", "when", "when_not", "impact", "residual", "task",
        "metric", "goal", "template",
    ):  # fmt: skip
        if row.get(name):
            yield row[name]
    for name in ("failure_modes", "known_issues", "parts", "metrics", "authors", "actors"):
        yield from (text for text in row.get(name, ()) if isinstance(text, str))


def correctable(term: str) -> bool:
    """Whether a misspelling is corrected to this term."""
    return len(term) >= TYPO_LENGTH and not is_paired(term) and not any(map(str.isdigit, term))


def deletions(term: str) -> set[str]:
    """The term, and the term without any one of its letters."""
    return {term, *(term[:i] + term[i + 1 :] for i in range(len(term)))}


def sign(folders: Sequence[Path]) -> str:
    """What identifies the state of some folders: names, sizes, times, and this code's version."""
    state = hashlib.sha256(str(VERSION).encode())
    for path in (*library.files(folders), lexicon.PATH):
        stat = path.stat()
        state.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "replace"))
    return state.hexdigest()


def sign_places(folders: Sequence[Path]) -> str:
    """What identifies some folders, whatever lies in them."""
    return hashlib.sha256("\0".join(map(str, folders)).encode("utf-8", "replace")).hexdigest()[:12]
