"""Names in many languages -> pictures -> which drawing is nearest: the retrieval measure."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import InputError
from bluerider.evaluate.crop import Array, crop_square
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.journal import Journal, Key
from bluerider.evaluate.painting import Painter, paint_all
from bluerider.evaluate.retrieval import Ranks, Score, rank_targets, score, squared_errors

ORDER = "murnau"  # seeds the one order of drawings whose beginning is every language's subset
OTHERS = 100  # names of a language other than English, unless told
SMALL = 64  # px; what is kept of a picture for the contact sheets


@dataclass(frozen=True, kw_only=True)
class Word:
    """One thing to paint: a name, and the place of its drawing in the set."""

    language: str
    emoji: str
    prompt: str
    target: int

    @property
    def key(self) -> Key:
        """What a journal keeps its picture under."""
        return self.language, self.emoji


@dataclass(frozen=True, eq=False, kw_only=True)
class Painted:
    """A word's picture, small, and its crop (32, 32, 3)."""

    word: Word
    image: Image.Image
    crop: Array

    @classmethod
    def of(cls, word: Word, image: Image.Image) -> "Painted":
        """Crop a picture at its full size, then keep it small."""
        small = image.convert("RGB")
        small.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
        return cls(word=word, image=small, crop=crop_square(image))


@dataclass(frozen=True, kw_only=True)
class Report:
    """Scores by language, their mean, and the two rows that bound them."""

    languages: dict[str, Score]
    mean: Score
    truth: Score  # the drawings themselves in place of pictures
    shuffled: Score  # each picture held against another word of its language

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return {
            "languages": {name: score.to_json() for name, score in self.languages.items()},
            "mean": self.mean.to_json(),
            "ground_truth": self.truth.to_json(),
            "shuffled_prompts": self.shuffled.to_json(),
        }


def parse_languages(text: str, drawings: Drawings) -> list[str]:
    """'en,ru' or 'all' -> languages of the set, each once. Raises InputError."""
    if text.strip() == "all":
        return sorted(drawings.names, key=lambda name: (name != "en", name))
    asked = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in asked if name not in drawings.names]
    if unknown or not asked:
        given = ", ".join(unknown) or "nothing"
        raise InputError(f"languages: got {given}; accepted: all, {', '.join(drawings.names)}")
    return asked


def fixed_order(drawings: Drawings) -> Ranks:
    """All places (N,) of the set in the order from which subsets are taken: by SHA-256.

    So the order is the same with every version of NumPy, and when drawings join the set.
    """
    keys = [hashlib.sha256(f"{ORDER} {emoji}".encode()).digest() for emoji in drawings.emoji]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def choose_words(
    drawings: Drawings, languages: Sequence[str], subset: int | None = None
) -> list[Word]:
    """The names to paint: the first `subset` outside the holdout of one random order.

    None stands for all of them in English and 100 in every other language. The order is one for all
    languages and never changes: a smaller subset is the beginning of a larger one.
    """
    order = fixed_order(drawings).tolist()
    open_to_all = [i for i in order if drawings.emoji[i] not in drawings.holdout]
    words = []
    for language in languages:
        names = drawings.names[language]
        named = [i for i in open_to_all if drawings.emoji[i] in names]
        for i in named[: subset or (None if language == "en" else OTHERS)]:
            emoji = drawings.emoji[i]
            words.append(Word(language=language, emoji=emoji, prompt=names[emoji], target=i))
    return words


def paint_words(
    painter: Painter,
    words: Sequence[Word],
    journal: Journal | None = None,
    *,
    batch: int = 8,
    **fields: Any,
) -> Iterator[Painted]:
    """Every word's picture: those the journal holds first, then painted ones, kept as they come."""
    for word, image in paint_all(painter, words, journal, batch=batch, **fields):
        yield Painted.of(word, image)


def targets_of(painted: Sequence[Painted]) -> Ranks:
    """Places (P,) of the drawings asked for."""
    return np.array([one.word.target for one in painted], np.int64)


def errors_of(painted: Sequence[Painted], drawings: Drawings) -> NDArray[np.float64]:
    """Mean squared error (P, N) of every picture to every drawing."""
    return squared_errors(np.stack([one.crop for one in painted]), drawings.pictures)


def measure(painted: Sequence[Painted], drawings: Drawings) -> Report:
    """The scores of pictures, with the ground-truth and the shuffled row over the same words."""
    groups: dict[str, list[Painted]] = {}
    turn = np.argsort(fixed_order(drawings))
    for one in sorted(painted, key=lambda one: int(turn[one.word.target])):
        groups.setdefault(one.word.language, []).append(one)
    things = [targets_of(group) for group in groups.values()]
    ranks, truth, shuffled = [], [], []
    for targets, group in zip(things, groups.values(), strict=True):
        errors = errors_of(group, drawings)
        ranks.append(rank_targets(errors, targets))
        # One step along the fixed random order: every word meets the picture of another.
        shuffled.append(rank_targets(errors, np.roll(targets, 1)))
        own = squared_errors(drawings.pictures[targets], drawings.pictures)
        truth.append(rank_targets(own, targets))
    return Report(
        languages={language: score(found) for language, found in zip(groups, ranks, strict=True)},
        mean=score(*ranks, things=things),
        truth=score(*truth, things=things),
        shuffled=score(*shuffled, things=things),
    )
