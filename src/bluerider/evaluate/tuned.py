"""Runs that learned the same subject, compared: is it there, is the rest as it was.

By the drawings, where the subject is one of them; otherwise by how alike a vision tower finds the
pictures.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.personal import (
    BACKGROUNDS,
    BEFORE,
    SEEDS,
    Question,
    Taught,
    choose_subjects,
    drift_questions,
    judge,
    questions_of,
    ranks_of,
)
from bluerider.evaluate.regions import seen
from bluerider.evaluate.truth import Truth
from bluerider.prompts.identifiers import PLACE

ARTICLE = re.compile(r"^(an?|the)\s+", re.IGNORECASE)
NEAR = 5  # nearest drawings among which a subject's own pictures have to find it
See = Callable[[Sequence[Image.Image]], NDArray[np.float64]]
Answers = Mapping[Any, Image.Image]
ON_SHEET = (("alone", 3), ("background", 2), ("class", 2))  # pictures of a run, by part


class Judge(ABC):
    """What is asked of every run, and what its pictures are worth.

    `measure` gives shares and likenesses in -1..1 by name; `score` is what runs are ranked by: what
    was learned, less what was lost (`drift`) and what the class took over (`bleed`).
    """

    name: str
    gained: tuple[str, ...]

    @abstractmethod
    def asked(self, variant: str) -> list[Any]:
        """The questions to a run, or to the untouched model (`BEFORE`)."""

    @abstractmethod
    def measure(self, variant: str, answers: Answers) -> dict[str, float]:
        """The measures of one variant; `answers` hold the untouched model's too."""

    def score(self, measures: Mapping[str, float]) -> float:
        """One number of a run's measures, higher is better."""
        gained = sum(measures[name] for name in self.gained) / len(self.gained)
        return gained - sum(max(0.0, measures[name]) for name in ("drift", "bleed"))

    def shown(self, variant: str) -> list[Any]:
        """The questions whose pictures stand on a sheet, in its columns' order."""
        asked = self.asked(variant)
        found = []
        for part, count in ON_SHEET:
            found += [one for one in asked if one.part == part and one.seed == 0][:count]
            more = [one for one in asked if one.part == part and one.seed > 0]
            found += more[: count - sum(one.part == part for one in found)]
        return found


class ByDrawings(Judge):
    """A subject that is a held-out drawing: retrieval, backgrounds, unrelated names."""

    name = "drawings"
    gained = ("top1", "top5", "background")

    def __init__(self, subject: Taught, class_: str, drawings: Drawings, unrelated: int) -> None:
        self.subject, self.class_, self.unrelated = subject, class_, unrelated
        self.truth = Truth(drawings)

    def asked(self, variant: str) -> list[Question]:
        drawings = self.truth.drawings
        owner = None if variant == BEFORE else self.subject
        return [
            *questions_of(self.subject, variant, drawings),
            *drift_questions(owner, variant, drawings, self.unrelated, self.class_),
        ]

    def measure(self, variant: str, answers: Answers) -> dict[str, float]:
        pixels = {question: seen(image) for question, image in answers.items()}
        found = judge(variant, [self.subject], pixels, self.truth)
        return {
            "top1": found.alone1.value,
            "top5": found.alone5.value,
            "background": found.background.value,
            "place": found.place.value,
            "pair": found.pair.value,
            "drift": found.drift1.value,
            "bleed": found.bleed.value,
        }


@dataclass(frozen=True, kw_only=True)
class Look:
    """One picture that is compared by its look."""

    part: str  # alone, background, class
    variant: str
    subject: str
    seed: int
    background: str = ""

    @property
    def prompt(self) -> str:
        """What is asked for."""
        return (
            f"{self.subject} on a {self.background} background" if self.background else self.subject
        )

    @property
    def key(self) -> tuple[str, str]:
        """What a journal keeps its picture under."""
        return self.variant, f"{self.part} {self.background} seed {self.seed}"


class ByLikeness(Judge):
    """Any subject: cosines of a vision tower between what is painted and its photographs.

    drift: one minus the likeness of a class picture to that of the untouched model from the same
    seed; bleed: how much more the class pictures are like the photographs than before.
    """

    name = "likeness"
    gained = ("alone", "background")

    def __init__(
        self, phrase: str, class_: str, photographs: Sequence[Image.Image], see: See
    ) -> None:
        self.phrase, self.class_, self.see = phrase, class_, see
        self.photographs = see(photographs)

    def asked(self, variant: str) -> list[Look]:
        subject = self.class_ if variant == BEFORE else self.phrase
        rows = [("alone", subject, seed, "") for seed in range(SEEDS)]
        rows += [("background", subject, 0, colour) for colour in BACKGROUNDS]
        rows += [("class", self.class_, seed, "") for seed in range(SEEDS)]
        return [
            Look(part=part, variant=variant, subject=said, seed=seed, background=colour)
            for part, said, seed, colour in rows
        ]

    def measure(self, variant: str, answers: Answers) -> dict[str, float]:
        alone, background, after = (self.vectors(variant, part, answers) for part in PARTS)
        before = self.vectors(BEFORE, "class", answers)
        return {
            "alone": self.like(alone),
            "background": self.like(background),
            "drift": 1 - float((before * after).sum(axis=1).mean()),
            "bleed": self.like(after) - self.like(before),
        }

    def vectors(self, variant: str, part: str, answers: Answers) -> NDArray[np.float64]:
        """What the tower sees in a variant's pictures of one part (N, D), in order."""
        return self.see([answers[one] for one in self.asked(variant) if one.part == part])

    def like(self, vectors: NDArray[np.float64]) -> float:
        """Mean cosine to the photographs."""
        return float((vectors @ self.photographs.T).mean())


PARTS = ("alone", "background", "class")


def drawn_subject(
    phrase: str, photographs: Sequence[Image.Image], drawings: Drawings
) -> Taught | None:
    """The held-out drawing that a subject is, by its name and by what its pictures show; or None.

    "a [V] teapot" is the teapot where half its pictures or more have it among the five nearest.
    """
    name = ARTICLE.sub("", " ".join(PLACE.sub(" ", phrase).split()))
    english = drawings.names.get("en", {})
    if name not in {english.get(emoji) for emoji in drawings.holdout}:
        return None
    (subject,) = choose_subjects(drawings, [name])
    pictures = [seen(image) for image in photographs]
    ranks = ranks_of(pictures, [subject.target] * len(pictures), Truth(drawings))
    return subject if (ranks < NEAR).mean() >= 0.5 else None


def label(asked: Question | Look) -> str:
    """What stands over a picture's column on a sheet."""
    if asked.part != "background":
        return f"{asked.part} {asked.seed}"
    colour = asked.background if isinstance(asked, Look) else asked.scene and asked.scene.background
    return f"on {colour}"
