"""Rings of words that mean the same, in several languages: what a query's own words leave out."""

import csv
from collections.abc import Iterator
from pathlib import Path

from bluerider.guide.terms import fold, is_paired, stem, stopwords
from bluerider.guide.terms import words as split

PATH = Path(__file__).parent / "data" / "lexicon.csv"


def rings() -> Iterator[tuple[set[str], set[str]]]:
    """For every row: the forms it is found by, and the English terms it stands for; of a phrase,
    the words that have to be there together, parted by a blank.
    """
    with PATH.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = {form(text, name) for name, cell in row.items() for text in spelled(cell)}
            english: set[str] = set()
            for text in spelled(row["en"]):
                kept = [word for word in split(fold(text)) if word not in stopwords()["en"]]
                english.update(kept if len(kept) == 1 else ())
                english.add(" ".join(stem(word, "en") for word in kept))
            yield found - {""}, english - {""}


def spelled(cell: str | None) -> list[str]:
    """The words of a cell, which a vertical bar parts."""
    return [text.strip() for text in (cell or "").split("|")]


def form(text: str, language: str) -> str:
    """A word or phrase as a query looks it up: every word by its stem; unspaced scripts whole."""
    return " ".join(w if is_paired(w) else stem(w, language) for w in split(fold(text)))
