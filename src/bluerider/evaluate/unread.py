"""Words that a model was not trained on: names kept out of every stage, and English names in
spellings of their own, or among other words.
"""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from bluerider.errors import InputError
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.words import OTHERS, Word, open_places
from bluerider.scenes.names import (
    SHORTEST,
    articled,
    is_kept_out,
    recased,
    slipped,
    with_article,
)
from bluerider.scenes.plural import plural

SPELLINGS: dict[str, Callable[[str, np.random.Generator], str]] = {
    "article": with_article,
    "plural": lambda name, _: plural(name),
    "case": recased,
    "typo": slipped,
}
AMONG = {  # words that no training reads and for which nothing is drawn, around a name
    "frame": (
        *("a photograph of {a}", "could you make {a}", "i would like {a}", "clipart of {a}"),
        *("a nice little scene with {a}", "high-res wallpaper of {a}"),
    ),
    "quality": (
        *("gorgeous {x}", "adorable {x}", "photorealistic {x}", "whimsical {x}"),
        *("my neighbour's {x}", "rather unusual {x}"),
    ),
    "tail": (
        *("{x}, award winning", "{x}, trending on artstation", "{x}, volumetric light"),
        *("{x} made for my son", "{x}, ultra realistic, intricate", "{x} by candlelight"),
    ),
}


def among(kind: str) -> Callable[[str, np.random.Generator], str]:
    """A name among one of the `AMONG` words of a kind."""

    def write(name: str, rng: np.random.Generator) -> str:
        text = AMONG[kind][int(rng.integers(len(AMONG[kind])))]
        return text.format(x=name, a=articled(name))

    return write


ASIDES = {kind: among(kind) for kind in AMONG}
WAYS = {"typed": SPELLINGS, "asides": ASIDES}
TRIES = 20  # draws until a spelling differs from the name


def read_names(drawings: Drawings) -> dict[str, dict[str, str]]:
    """The names that a training on these drawings reads, by language and emoji."""
    return {
        lang: {
            emoji: name
            for emoji, name in table.items()
            if emoji not in drawings.holdout and not is_kept_out(lang, emoji)
        }
        for lang, table in drawings.names.items()
    }


def kept_out_names(drawings: Drawings) -> dict[str, dict[str, str]]:
    """The names that no training reads, by language and emoji.

    A name that some language reads all the same ("taxi") is no new word and is left out.
    """
    read = {name.casefold() for table in read_names(drawings).values() for name in table.values()}
    return {
        lang: {
            emoji: name
            for emoji, name in table.items()
            if is_kept_out(lang, emoji) and name.casefold() not in read
        }
        for lang, table in drawings.names.items()
    }


def choose_spelled(drawings: Drawings, way: str, subset: int | None = None) -> list[Word]:
    """English names in each spelling of one of the `WAYS`: of each the first `subset` (100) that
    can be spelled so, in the order of all words. Raises InputError where there are no English
    names.
    """
    names = drawings.names.get("en", {})
    if not names:
        raise InputError(f"names: got {way}, which spells English names; these drawings have none")
    whose = {name.casefold(): emoji for emoji, name in names.items()}
    words = []
    for spelling in WAYS[way]:
        found = 0
        for place in open_places(drawings):
            emoji = drawings.emoji[place]
            if found == (subset or OTHERS) or emoji not in names:
                continue
            prompt = spelled(names[emoji], spelling)
            if prompt is None or whose.get(prompt.casefold(), emoji) != emoji:
                continue  # "eyes" is the plural of a name, and another name
            found += 1
            words.append(
                Word(language="en", emoji=emoji, prompt=prompt, target=place, spelling=spelling)
            )
    return words


def spelled(name: str, spelling: str) -> str | None:
    """A name spelled in one way, the same every time; None where that leaves it as it is."""
    if spelling == "typo" and len(name) < SHORTEST:
        return None
    write = (SPELLINGS | ASIDES)[spelling]
    rng = np.random.default_rng(number(f"{spelling}\n{name}"))
    drawn: Iterator[str] = (write(name, rng) for _ in range(TRIES))
    return next((text for text in drawn if text != name), None)


def number(text: str) -> int:
    """A number that a text stands for."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
