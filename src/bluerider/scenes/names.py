"""Names of things: which are kept out of training, and how people write them."""

import hashlib
from typing import TYPE_CHECKING

from bluerider.scenes.plural import plural

if TYPE_CHECKING:
    import numpy as np

HELD_OUT = 10  # one name in so many is kept out of every stage
SLIPS = 0.16  # of names in training, more than people make: they are learned last
ENGLISH_SLIPS = 0.45  # of English ones, which are learned first
SHORTEST = 3  # letters of a name in which a slip can be made
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def is_kept_out(language: str, emoji: str) -> bool:
    """Whether this language's name of this emoji is among the tenth that no stage reads."""
    hashed = hashlib.sha256(f"name\n{language}\n{emoji}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") % HELD_OUT == 0


def typed(
    name: str, rng: "np.random.Generator", *, english: bool, slips: float | None = None
) -> str:
    """A name as people type it: another case now and then, a slip in a part `slips` of all; in
    English an article or a plural.
    """
    if slips is None:
        slips = ENGLISH_SLIPS if english else SLIPS
    luck = rng.random()
    if english and luck < 0.12:
        return with_article(name, rng)
    if english and luck < 0.18:
        return plural(name)
    if 0.18 <= luck < 0.26:
        return recased(name, rng)
    if 0.26 <= luck < 0.26 + slips and len(name) >= SHORTEST:
        return slipped(name, rng)
    return name


def with_article(name: str, rng: "np.random.Generator") -> str:
    """An English name after "the", "a" or "an"."""
    return f"the {name}" if rng.random() < 0.3 else articled(name)


def articled(name: str) -> str:
    """An English name after "a" or "an", by its first letter."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def recased(name: str, rng: "np.random.Generator") -> str:
    """A name with its first letter, all letters or each word's first letter made large."""
    return [name.capitalize(), name.upper(), name.title()][int(rng.integers(3))]


def slipped(text: str, rng: "np.random.Generator") -> str:
    """One slip in three letters or more: a letter left out, doubled, changed, or two swapped."""
    at = int(rng.integers(1, len(text) - 1))
    before, letter, after = text[:at], text[at], text[at + 1 :]
    kind = int(rng.integers(4))
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter * 2 + after
    if kind == 2 and letter.lower() in LETTERS:
        return before + LETTERS[int(rng.integers(26))] + after
    return before + after[:1] + letter + after[1:]
