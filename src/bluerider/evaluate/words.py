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
    spelling: str = ""  # how an English name was changed; none: as it is

    @property
    def row(self) -> str:
        """Where it counts: its spelling or, without one, its language."""
        return self.spelling or self.language

    @property
    def key(self) -> Key:
        """What a journal keeps its picture under."""
        return self.row, self.emoji


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
    """Scores by language (or spelling), their mean, and the two rows that bound them."""

    rows: dict[str, Score]
    mean: Score
    truth: Score  # the drawings themselves in place of pictures
    shuffled: Score  # each picture held against another word of its row

    @property
    def lowest(self) -> str:
        """The row with the lowest top-1, the first of several."""
        return min(self.rows, key=lambda name: self.rows[name].top1.value)

    @property
    def under_half(self) -> list[str]:
        """Rows whose top-1 is under 50 %."""
        return [name for name, score in self.rows.items() if score.top1.value < 0.5]

    def to_json(self, of: str = "languages") -> dict[str, Any]:
        """A plain table; `of` says what the rows are."""
        return {
            of: {name: score.to_json() for name, score in self.rows.items()},
            "mean": self.mean.to_json(),
            "lowest": self.lowest,
            "under_half": self.under_half,
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


def open_places(drawings: Drawings) -> list[int]:
    """The places outside the holdout, in that order."""
    order = fixed_order(drawings).tolist()
    return [i for i in order if drawings.emoji[i] not in drawings.holdout]


def choose_words(
    drawings: Drawings, languages: Sequence[str], subset: int | None = None
) -> list[Word]:
    """The names to paint: the first `subset` outside the holdout of one random order.

    None stands for all of them in English and 100 in every other language. The order is one for all
    languages and never changes: a smaller subset is the beginning of a larger one.
    """
    places = open_places(drawings)
    words = []
    for language in languages:
        names = drawings.names[language]
        named = [i for i in places if drawings.emoji[i] in names]
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
        groups.setdefault(one.word.row, []).append(one)
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
        rows={name: score(found) for name, found in zip(groups, ranks, strict=True)},
        mean=score(*ranks, things=things),
        truth=score(*truth, things=things),
        shuffled=score(*shuffled, things=things),
    )
