"""A model that has learned a subject from pictures: does it paint it, where it is told, and is the
rest as it was.

The subjects are the held-out drawings, which no training has seen; each is taught from four
pictures and then asked for in ways the pictures do not show.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import InputError
from bluerider.evaluate.choice import AskedScene
from bluerider.evaluate.crop import Array, crop_square
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.regions import SIDE
from bluerider.evaluate.retrieval import (
    RESAMPLES,
    Share,
    rank_targets,
    share_of,
    squared_errors,
)
from bluerider.evaluate.scenes import mark_all
from bluerider.evaluate.truth import Truth
from bluerider.evaluate.words import choose_words, fixed_order
from bluerider.scenes.painting import compose_scene
from bluerider.scenes.scene import Scene
from bluerider.scenes.wording import render

MARK = "[V]"
CLASS = "a toy"
SEEDS = 8  # of the subject alone, and of its class
SCENE_SEEDS = 2  # of every scene
# What the four pictures show, and what is asked for and is in none of them.
TAUGHT: tuple[dict[str, str], ...] = (
    {},
    {"background": "yellow"},
    {"background": "grey", "place": "top"},
    {"background": "green", "place": "bottom"},
)
BACKGROUNDS = ("blue", "red", "orange", "purple")
PLACES: tuple[dict[str, str], ...] = ({"size": "small"}, {"place": "left"}, {"place": "right"})
COMPANY = ("🐈", "🍎")  # well-known things that a subject is put beside
BEFORE = "before"  # the untouched model


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A subject: a held-out drawing and its name."""

    emoji: str
    name: str
    target: int

    @property
    def phrase(self) -> str:
        """How it is asked for once it is learned."""
        return f"a {MARK} {self.name}"

    @property
    def slug(self) -> str:
        """Its name as a folder's."""
        return "".join(c if c.isascii() and c.isalnum() else "-" for c in self.name)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One picture of a questionnaire; `subject` is None for what is asked of the model at large."""

    part: str  # alone, background, place, pair, class, unrelated
    variant: str  # how the subject was taught, or BEFORE
    subject: Taught | None
    prompt: str
    seed: int
    scene: Scene | None = None
    target: int = -1

    @property
    def key(self) -> tuple[str, str]:
        """What a journal keeps its picture under."""
        owner = self.subject.slug if self.subject else "all"
        said = " ".join(self.scene.said) if self.scene else str(self.target)
        company = " ".join(self.scene.things) if self.scene else ""
        return f"{self.variant}-{owner}", f"{self.part} {said} {company} seed {self.seed}"


def choose_subjects(drawings: Drawings, names: Sequence[str] = (), subset: int = 8) -> list[Taught]:
    """The subjects named, or the first held-out ones of the fixed order. Raises InputError."""
    english = drawings.names["en"]
    order = [i for i in fixed_order(drawings).tolist() if drawings.emoji[i] in drawings.holdout]
    known = {english[drawings.emoji[i]]: i for i in order if drawings.emoji[i] in english}
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        raise InputError(
            f"subjects: got {', '.join(unknown) or 'no held-out drawings'}; "
            f"accepted: {', '.join(known)}"
        )
    chosen = list(dict.fromkeys(names)) or list(known)[:subset]
    return [Taught(emoji=drawings.emoji[known[n]], name=n, target=known[n]) for n in chosen]


def teaching_pictures(subject: Taught, drawing: Array) -> list[Image.Image]:
    """The four pictures (128 px) a subject is taught from, painted from its drawing (S, S, 4)."""
    return [
        compose_scene(
            Scene(things=(subject.emoji,), **said),  # type: ignore[arg-type]
            {subject.emoji: drawing},
            SIDE,
            np.random.default_rng(number),
        )
        for number, said in enumerate(TAUGHT)
    ]


def scenes_of(subject: Taught) -> list[tuple[str, Scene]]:
    """What is asked of a subject beyond itself: backgrounds, places, pairs."""
    one = (subject.emoji,)
    made = [("background", Scene(things=one, background=colour)) for colour in BACKGROUNDS]
    made += [("place", Scene(things=one, **said)) for said in PLACES]  # type: ignore[arg-type]
    left, right = COMPANY
    made.append(("pair", Scene(things=(subject.emoji, left), relation="left_of")))
    made.append(("pair", Scene(things=(right, subject.emoji), relation="left_of")))
    return made


def questions_of(subject: Taught, variant: str, drawings: Drawings) -> list[Question]:
    """Everything a subject is asked for; the untouched model is asked without the mark."""
    phrase = subject.phrase if variant != BEFORE else f"a {subject.name}"
    names = {**drawings.names["en"], subject.emoji: phrase}
    asked = [
        Question(
            part="alone", variant=variant, subject=subject, prompt=phrase, seed=seed,
            scene=Scene(things=(subject.emoji,)),
        )
        for seed in range(SEEDS)
    ]  # fmt: skip
    for part, scene in scenes_of(subject):
        prompt = render(scene, names, "en")
        asked += [
            Question(
                part=part, variant=variant, subject=subject, prompt=prompt, seed=seed, scene=scene
            )
            for seed in range(SCENE_SEEDS)
        ]
    return asked


def drift_questions(
    subject: Taught | None, variant: str, drawings: Drawings, unrelated: int, class_: str = CLASS
) -> list[Question]:
    """The class over seeds, and names that have nothing to do with the subject."""
    asked = [
        Question(part="class", variant=variant, subject=subject, prompt=class_, seed=seed)
        for seed in range(SEEDS)
    ]
    asked += [
        Question(
            part="unrelated", variant=variant, subject=subject, prompt=word.prompt, seed=0,
            target=word.target,
        )
        for word in choose_words(drawings, ["en"], unrelated)
    ]  # fmt: skip
    return asked


Answers = Mapping[Question, Array]  # pictures (128, 128, 3)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What came of one way of teaching; shares in 0..1 with 95 % intervals.

    `drift1` and `drift5`: how much rarer unrelated names are painted right (top-1, top-5) than
    before, in 0..1. `bleed`: how much oftener the class alone is taken for the subject.
    """

    subjects: int
    alone1: Share
    alone5: Share
    background: Share  # the colour right and the subject in the top 5
    place: Share  # small, left, right: as said, and the subject in the top 5
    pair: Share  # both things on their sides
    drift1: Share
    drift5: Share
    bleed: Share

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return asdict(self)


def judge(variant: str, subjects: Sequence[Taught], answers: Answers, truth: Truth) -> Learned:
    """The measures of one way of teaching over its subjects, against the untouched model."""
    marks = {
        part: both_of(part, variant, answers, truth) for part in ("background", "place", "pair")
    }
    ranks = alone_ranks(variant, answers, truth)
    before = unrelated_ranks([None], BEFORE, answers, truth)
    owners = [None] if variant == BEFORE else subjects
    after = unrelated_ranks(owners, variant, answers, truth)
    return Learned(
        subjects=len(subjects),
        alone1=by_subject(ranks, lambda rank: rank < 1),
        alone5=by_subject(ranks, lambda rank: rank < 5),
        **{part: by_subject(found, bool) for part, found in marks.items()},
        drift1=paired(before < 1, after < 1),
        drift5=paired(before < 5, after < 5),
        bleed=bleed_of(variant, subjects, answers, truth),
    )


def asked_of(variant: str, part: str, answers: Answers) -> Iterator[tuple[Question, Array]]:
    """The questions of one part with their pictures."""
    for question, pixels in answers.items():
        if (question.variant, question.part) == (variant, part):
            yield question, pixels


def both_of(part: str, variant: str, answers: Answers, truth: Truth) -> dict[str, dict[str, Any]]:
    """Whether all is right, by what was asked and subject."""
    found = list(asked_of(variant, part, answers))
    scenes = [scene_asked(question, truth) for question, _ in found]
    marks = mark_all(scenes, [pixels for _, pixels in found], truth)
    rows: dict[str, dict[str, Any]] = {}
    for (question, _), mark in zip(found, marks, strict=True):
        assert question.subject is not None and question.scene is not None
        places = [thing == question.subject.emoji for thing in question.scene.things]
        column = f"{question.scene.said} {places} {question.seed}"
        rows.setdefault(column, {})[question.subject.name] = mark.right and mark.things
    return rows


def scene_asked(question: Question, truth: Truth) -> AskedScene:
    """A question as the measure of scenes knows it."""
    assert question.scene is not None
    targets = tuple(truth.places[thing] for thing in question.scene.things)
    return AskedScene(language="en", scene=question.scene, prompt=question.prompt, targets=targets)


def ranks_of(pictures: Sequence[Array], targets: Sequence[int], truth: Truth) -> NDArray[np.int64]:
    """The place of each picture's target among all drawings, the held-out ones with them."""
    crops = np.stack([crop_square(Image.fromarray(pixels)) for pixels in pictures])
    errors = squared_errors(crops, truth.drawings.pictures)
    return rank_targets(errors, np.array(targets, np.int64))


def alone_ranks(variant: str, answers: Answers, truth: Truth) -> dict[str, dict[str, Any]]:
    """The subject's place by seed and subject."""
    found = list(asked_of(variant, "alone", answers))
    targets = [question.subject.target for question, _ in found if question.subject]
    rows: dict[str, dict[str, Any]] = {}
    ranks = ranks_of([pixels for _, pixels in found], targets, truth)
    for (question, _), rank in zip(found, ranks.tolist(), strict=True):
        assert question.subject is not None
        rows.setdefault(str(question.seed), {})[question.subject.name] = rank
    return rows


def unrelated_ranks(
    subjects: Sequence[Taught | None], variant: str, answers: Answers, truth: Truth
) -> NDArray[np.int64]:
    """(S, P): the place of every unrelated name's drawing after each subject."""
    rows = []
    for subject in subjects:
        found = [
            (question.target, pixels)
            for question, pixels in asked_of(variant, "unrelated", answers)
            if question.subject == subject
        ]
        rows.append(ranks_of([p for _, p in found], [target for target, _ in found], truth))
    return np.stack(rows)


def bleed_of(variant: str, subjects: Sequence[Taught], answers: Answers, truth: Truth) -> Share:
    """How much oftener pictures of the class alone have the subject in their top 5 than before."""

    def taken(way: str, owner: Taught | None, subject: Taught) -> NDArray[np.bool_]:
        found = [p for q, p in asked_of(way, "class", answers) if q.subject == owner]
        return ranks_of(found, [subject.target] * len(found), truth) < 5

    before = np.concatenate([taken(BEFORE, None, subject) for subject in subjects])
    owners = [None if variant == BEFORE else subject for subject in subjects]
    rows = zip(owners, subjects, strict=True)
    after = np.concatenate([taken(variant, owner, subject) for owner, subject in rows])
    return paired(after, before[None])


def by_subject(rows: dict[str, dict[str, Any]], hit: Callable[[Any], bool]) -> Share:
    """Mean over what was asked; a subject is resampled with everything asked of it."""
    numbers: dict[str, int] = {}
    flags, things = [], []
    for row in rows.values():
        flags.append(np.array([hit(value) for value in row.values()]))
        things.append(np.array([numbers.setdefault(name, len(numbers)) for name in row]))
    return share_of(flags, things)


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Share:
    """How much oftener `first` (P,) or (1, P) holds than `second` (S, P), prompt by prompt.

    The mean difference with its percentile bootstrap over the prompts.
    """
    difference = np.asarray(first, float).reshape(1, -1) - np.asarray(second, float)
    each = difference.mean(axis=0)
    chance = np.random.default_rng(0)
    draws = chance.integers(0, len(each), (RESAMPLES, len(each)))
    low, high = np.quantile(each[draws].mean(axis=1), (0.025, 0.975))
    return Share(value=float(each.mean()), low=float(low), high=float(high))
