"""`[V]` becomes the word of the LoRA it stands for, and is refused without one."""

import pytest

from bluerider.errors import InputError
from bluerider.prompts.identifiers import filled, has_place


@pytest.mark.parametrize(
    ("prompt", "words", "expected"),
    [
        ("a [V] robot", ["zqx"], "a zqx robot"),
        ("[V1] beside [V2]", ["zqx", "wfk"], "zqx beside wfk"),
        ("[V] and [V1]", ["zqx"], "zqx and zqx"),
        ("a robot", ["zqx"], "a robot"),
        ("[v] [W] [V0] [Va]", [], "[v] [W] [V0] [Va]"),
    ],
)
def test_places_are_filled(prompt: str, words: list[str], expected: str) -> None:
    assert filled(prompt, words) == expected


@pytest.mark.parametrize(
    ("prompt", "words", "said"),
    [
        ("a [V] robot", [], "no --lora"),
        ("a [V] robot", ["a", "b"], r"\[V1\] to \[V2\]"),
        ("a [V3] robot", ["a", "b"], "--lora gives 2 subjects"),
        ("a [V2] robot", ["a"], "--lora gives 1 subject$"),
        ("a [V] robot", [None], "does not name its identifier"),
    ],
)
def test_a_place_without_a_word_is_refused(prompt: str, words: list[str | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        filled(prompt, words)


def test_a_place_is_seen() -> None:
    assert has_place("a [V2] robot") and not has_place("a [V robot]")
