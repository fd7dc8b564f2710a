"""The guide as it is asked: an index opened, built when there is none, rebuilt when records moved
or the file is damaged.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bluerider.errors import BlueriderError, InputError
from bluerider.guide import build, library
from bluerider.guide.build import Row
from bluerider.guide.terms import key
from bluerider.guide.vocabulary import TYPES
from bluerider.request import check_choice, shown, suggestion


def home() -> Path:
    """The guide's folder among what bluerider keeps."""
    from bluerider.weights.store import home

    return home() / "guide"


def folders() -> list[Path]:
    """Where records are read: the shipped ones, and the user's own."""
    own = home() / "records"
    return [library.SHIPPED, *([own] if own.is_dir() else [])]


class Guide:
    """All records, looked up; every answer is plain values."""

    def __init__(
        self,
        places: Sequence[Path] | None = None,
        cache: Path | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        self.announce = announce
        self.places = list(places) if places is not None else folders()
        self.signature = build.sign(self.places)
        cache = cache or home()
        self.path = cache / f"index-{build.sign_places(self.places)}.sqlite"
        self.connection = self._open()

    def _open(self) -> sqlite3.Connection:
        """A connection to a fresh index. Raises InputError or BlueriderError."""
        if not fresh(self.path, self.signature):
            if self.announce:
                self.announce("reading the guide's records; once, and whenever they change")
            try:
                build.build(self.path, self.places, self.signature)
            except OSError:  # the cache cannot be written; the answer is the same
                return build.in_memory(self.places, self.signature)
        return connect(self.path)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a query; a damaged index is rebuilt once. Raises BlueriderError."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError:
            self.connection.close()
            self.path.unlink(missing_ok=True)
            self.connection = self._open()
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise BlueriderError(f"the guide's index cannot be read ({error})") from None

    def close(self) -> None:
        """Let the file go."""
        self.connection.close()

    def record(self, name: str) -> Row:
        """A record by its id, or by any of its names when only one has it. Raises InputError."""
        found = self.ask("SELECT json FROM records WHERE id = ?", (name.strip(),))
        if not found:
            found = self.ask(
                "SELECT json FROM records JOIN names ON record = number WHERE name = ?",
                (key(name[:200]),),
            )
        if not found:
            raise InputError(f"no record {shown(name)}{suggestion(name, self.ids())}")
        if len(found) > 1:
            ids = sorted(json.loads(text)["id"] for (text,) in found)
            raise InputError(f"{shown(name)} names several records: {', '.join(ids)}; give the id")
        return dict(json.loads(found[0][0]))

    def ids(self) -> list[str]:
        """The ids of all records."""
        return [name for (name,) in self.ask("SELECT id FROM records ORDER BY id")]

    def records(self, kind: str | None = None) -> Iterator[Row]:
        """All records of a type, or all, by id. Raises InputError for an unknown type."""
        if kind is not None:
            check_choice("type", kind, TYPES)
        sql = "SELECT json FROM records WHERE type = ? OR ? ORDER BY id"
        for (text,) in self.ask(sql, (kind, kind is None)):
            yield dict(json.loads(text))

    def claim(self, name: str) -> tuple[Row, Row]:
        """A claim by RECORD#KEY, and its record. Raises InputError."""
        found = self.ask(
            "SELECT json, place FROM claims JOIN records ON record = number WHERE claims.id = ?",
            (name.strip(),),
        )
        if not found:
            owner, _, _ = name.partition("#")
            known = [claim["id"] for claim in self.record(owner)["claims"]]
            raise InputError(f"no claim {shown(name)}; accepted: {', '.join(known) or 'none'}")
        record = dict(json.loads(found[0][0]))
        return record["claims"][found[0][1]], record

    def edges(self, name: str) -> list[tuple[str, str, str | None]]:
        """What a record is linked to: relation, id, note; inverses included."""
        sql = "SELECT rel, target, note FROM edges WHERE origin = ? ORDER BY rel, target"
        return [tuple(row) for row in self.ask(sql, (name,))]

    def titles(self) -> dict[str, str]:
        """The English title of every record, by id."""
        return dict(self.ask("SELECT id, title FROM records"))


def connect(path: Path) -> sqlite3.Connection:
    """A reader; the file is replaced as a whole or not at all, so no lock is needed."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def fresh(path: Path, signature: str) -> bool:
    """Whether an index is there, whole enough to say what it was made from, and made from that."""
    if not path.is_file():
        return False
    try:
        connection = connect(path)
        try:
            sql = "SELECT value FROM meta WHERE name = 'signature'"
            return bool(connection.execute(sql).fetchone() == (signature,))
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False
