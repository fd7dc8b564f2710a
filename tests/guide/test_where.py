"""Conditions are read by a grammar of their own and never run."""

from typing import Any

import pytest

from bluerider.errors import InputError
from bluerider.guide.where import parse

ROW: dict[str, Any] = {
    "open_weights": True,
    "supports": ["inpaint", "lora"],
    "text_languages": ["en", "ru"],
    "vram_gb": {"fp16": 12.0},
    "date": "2023-07-12",
    "state": "live",
    "params": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('open_weights and "inpaint" in supports and "ru" in text_languages', True),
        ("vram_gb.fp16 <= 12", True),
        ("vram_gb.fp16 < 12", False),
        ("vram_gb.int8 < 12", False),
        ("date >= 2023-07", True),
        ("date < 2023-07-12", False),
        ('state in ["closed", "live"]', True),
        ('"depth" not in supports', True),
        ("not open_weights or state == 'live'", True),
        ("not (open_weights and state == 'live')", False),
        ("params > 1e9", False),
        ("params == null", True),
        ("nothing == 3", False),
        ("state < 3", False),
        ("open_weights = true", True),
        ('"int8" in vram_gb', False),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:
    assert parse(text)(ROW) is expected


@pytest.mark.parametrize(
    "text",
    ["", "and", "a ==", "(a", "a)", "a b", "[1", "a not b", "__import__('os')", "a; b", "a + 1",
     "lambda: 1", "a['b']", "(" * 200 + "a" + ")" * 200, "x" * 3000],
)  # fmt: skip
def test_what_is_no_condition_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="^where: "):
        parse(text)
