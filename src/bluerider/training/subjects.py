"""What a model is to learn: one or several subjects, each with its words and its pictures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from bluerider.errors import InputError
from bluerider.images import open_picture
from bluerider.training.framing import Framing
from bluerider.training.gathering import Gathered, Shot
from bluerider.training.order import Order

MARK = "[V]"  # stands for the identifier in what a user types
FEW = 3  # pictures; with fewer a subject is learned with its background


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A subject as its owner calls it ("a [V] robot"), what it is one of ("a robot"), pictures."""

    phrase: str
    class_phrase: str
    gathered: Gathered

    def caption(self, shot: Shot) -> str:
        """What a picture is trained under: its own caption, or the subject's phrase."""
        return shot.caption or self.phrase


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture drawn for training."""

    image: Image.Image  # RGB, at its framing's shape
    caption: str
    subject: int
    shot: Shot


@dataclass(frozen=True, kw_only=True)
class SubjectSet:
    """Subjects and how their pictures are framed and ordered.

    Sample j, counted over all processes from 0, is a function of the files, `seed` and j alone.
    With buckets, `group` samples in a row have one shape.
    """

    subjects: tuple[Subject, ...]
    framing: Framing
    seed: int
    group: int = 1

    def __post_init__(self) -> None:
        if not self.subjects:
            raise InputError("no subject to learn; give a folder of pictures")

    @cached_property
    def shots(self) -> list[tuple[int, Shot]]:
        """All pictures in order, each with the number of its subject."""
        return [(i, shot) for i, each in enumerate(self.subjects) for shot in each.gathered.shots]

    @cached_property
    def order(self) -> Order:
        """Which picture a sample shows."""
        shapes = [self.framing.shape(shot.width, shot.height) for _, shot in self.shots]
        kinds = sorted(set(shapes))
        return Order(
            [shot.repeats for _, shot in self.shots],
            seed=self.seed,
            group=self.group,
            buckets=[kinds.index(shape) for shape in shapes],
        )

    def sample(self, index: int, rng: np.random.Generator | None = None) -> Sample:
        """Sample `index`; crop and flip are drawn from `rng`, or from seed and index."""
        subject, shot = self.shots[self.order[index]]
        rng = rng or np.random.default_rng((self.seed, 1, index))
        image = self.framing.frame(open_picture(shot.path).image, rng)
        caption = self.subjects[subject].caption(shot)
        return Sample(image=image, caption=caption, subject=subject, shot=shot)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every picture's name, bytes, caption and repeats, in order, and the framing.

        Two sets with one digest give the same samples.
        """
        framing = self.framing
        rows = [
            [each.phrase, each.class_phrase]
            + [[s.name, s.sha256, s.caption, s.repeats] for s in each.gathered.shots]
            for each in self.subjects
        ]
        content = [rows, [framing.size, framing.grid, framing.crop, framing.flip], self.group]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    @cached_property
    def warnings(self) -> list[str]:
        """What the owner should know before training: skipped, few, small, unmarked pictures."""
        return [note for each in self.subjects for note in self.about(each)]

    def about(self, subject: Subject) -> list[str]:
        """The warnings of one subject."""
        gathered = subject.gathered
        found = list(gathered.notes)
        if len(gathered.shots) < FEW and MARK in subject.phrase:
            count = "one picture" if len(gathered.shots) == 1 else f"{len(gathered.shots)} pictures"
            found.append(f"{gathered.place}: {count}; 3 to 5 on different backgrounds teach better")
        for shot in gathered.shots:
            if self.framing.is_smaller(shot.width, shot.height):
                wide, high = self.framing.shape(shot.width, shot.height)
                found.append(
                    f"{shot.name} is {shot.width}x{shot.height}, smaller than {wide}x{high}; "
                    "it is enlarged"
                )
        unmarked = [s.name for s in gathered.shots if MARK not in subject.caption(s)]
        if MARK in subject.phrase and unmarked:
            more = f" and {len(unmarked) - 1} more" if len(unmarked) > 1 else ""
            found.append(
                f"the caption of {unmarked[0]}{more} has no {MARK}; it does not teach the subject"
            )
        return found


def pair(
    places: Sequence[Gathered], phrases: Sequence[str], class_phrases: Sequence[str]
) -> tuple[Subject, ...]:
    """Folders with their phrases and classes, one each. Raises InputError where counts differ."""
    if not len(places) == len(phrases) == len(class_phrases):
        raise InputError(
            f"{len(places)} folders of pictures, {len(phrases)} --subject, "
            f"{len(class_phrases)} --class; give one of each for every subject"
        )
    rows = zip(places, phrases, class_phrases, strict=True)
    return tuple(Subject(phrase=p, class_phrase=c, gathered=g) for g, p, c in rows)
