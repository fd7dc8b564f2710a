"""Small folders of records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bluerider.guide import library

PLACE = Path(__file__).parents[1] / "data" / "guide"

TERM = """---
id: term/{name}
title: {{en: {name}}}
summary: {{en: A word.}}
domain: [image]
reviewed: 2026-01-02
{more}claims:
  - key: one
    text: It is a word.
    source: https://example.org/words
    locator: page 1
    opened: 2026-01-02
    status: checked
---

Prose.
"""
Folder = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_guide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands read five records in place of the shipped ones, and keep nothing of the user's."""
    monkeypatch.setattr(library, "SHIPPED", PLACE)
    monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path / "home"))


@pytest.fixture
def records(tmp_path: Path) -> Folder:
    """A function that writes files, named TYPE/NAME, and returns their folder."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / "records" / name.replace("__", "/").replace("_", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".md").write_text(text, encoding="utf-8")
        return tmp_path / "records"

    return write


def term(name: str, more: str = "") -> str:
    """A term's file; `more` are further fields from line 7 on."""
    return TERM.format(name=name, more=more)
