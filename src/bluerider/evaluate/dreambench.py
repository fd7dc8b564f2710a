"""The protocol of DreamBooth's paper (Ruiz et al. 2023, section 4): subjects in photographs, 25
prompts each, four pictures a prompt; DINO, CLIP-I, CLIP-T, PRES and DIV.

Figures of different encoders and programs do not compare. So there are always two more rows: the
photographs themselves, and the untouched model asked for the class.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import InputError
from bluerider.evaluate.retrieval import RESAMPLES, Share
from bluerider.images import FORMATS, open_picture

PROTOCOL = "prompts_and_classes.txt"
LIVE = ("cat", "dog")  # classes that get the prompts for live subjects
TEMPLATE = re.compile(r"^\s*['\"](.+?)['\"]\.format\(", re.MULTILINE)
CLASS_LINE = re.compile(r"^([a-z0-9_]+),([a-z ]+)$", re.MULTILINE)
MARK = "[V]"
Vectors = NDArray[np.float64]  # (N, D), each of length 1
See = Callable[[Sequence[Image.Image]], Vectors]
Read = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, kw_only=True)
class BenchSubject:
    """A subject of the set: its photographs, the word for its class, its prompts."""

    name: str
    class_word: str
    photographs: tuple[Path, ...]
    templates: tuple[str, ...]  # {0} is the identifier, {1} the class

    def prompt(self, number: int, mark: str = MARK) -> str:
        """One of its prompts; without a mark it asks for the class."""
        text = self.templates[number].format(mark, self.class_word)
        return " ".join(text.split())

    @property
    def phrase(self) -> str:
        """What it is taught as."""
        return f"a {MARK} {self.class_word}"

    @property
    def class_phrase(self) -> str:
        """What its class is called."""
        return f"a {self.class_word}"


def read_bench(folder: Path) -> list[BenchSubject]:
    """The subjects of a folder laid out as google/dreambooth's `dataset`. Raises InputError."""
    path = folder / PROTOCOL
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"{folder}: no {PROTOCOL} there that can be read; a clone of google/dreambooth's "
            "dataset folder is accepted"
        ) from None
    head, _, live = text.partition("Live Subject Prompts")
    classes, _, objects = head.partition("Object Prompts")
    prompts = {False: templates(objects), True: templates(live)}
    found = []
    for name, word in CLASS_LINE.findall(classes):
        photographs = tuple(
            path for path in sorted((folder / name).glob("*")) if path.suffix.lower() in FORMATS
        )
        if photographs:
            found.append(
                BenchSubject(
                    name=name,
                    class_word=word.strip(),
                    photographs=photographs,
                    templates=prompts[word.strip() in LIVE],
                )
            )
    if not found or not all(each.templates for each in found):
        raise InputError(f"{folder}: {PROTOCOL} names no subject with photographs and prompts")
    return found


def templates(text: str) -> tuple[str, ...]:
    """The prompts of a list in the file."""
    return tuple(TEMPLATE.findall(text))


@dataclass(frozen=True, kw_only=True)
class BenchQuestion:
    """One picture of the protocol; `number` is a prompt's place, None asks for the class alone."""

    subject: str
    tuned: bool
    number: int | None
    prompt: str
    seed: int

    @property
    def key(self) -> tuple[str, str]:
        """What a journal keeps its picture under."""
        way = "tuned" if self.tuned else "untuned"
        asked = "class" if self.number is None else f"prompt {self.number}"
        return f"{self.subject}-{way}", f"{asked} seed {self.seed}"


def bench_questions(
    subject: BenchSubject, *, tuned: bool, prompts: int, pictures: int
) -> list[BenchQuestion]:
    """The first prompts, `pictures` seeds each; of a tuned model the class alone as well."""
    mark = MARK if tuned else ""
    asked: list[int | None] = list(range(min(prompts, len(subject.templates))))
    return [
        BenchQuestion(
            subject=subject.name,
            tuned=tuned,
            number=number,
            prompt=subject.class_phrase if number is None else subject.prompt(number, mark),
            seed=seed,
        )
        for number in [*asked, *([None] if tuned else [])]
        for seed in range(pictures)
    ]


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """What pictures and words are compared by."""

    dino: See
    clip: See
    words: Read


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """Means over subjects with 95 % bootstrap intervals over them; None where it means nothing.

    pres: the class asked of the tuned model against the photographs, by DINO (lower: kept better).
    div: one minus the DINO similarity of pictures of one prompt (the paper takes LPIPS).
    """

    subjects: int
    dino: Share
    clip_i: Share
    clip_t: Share | None = None
    pres: Share | None = None
    div: Share | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return asdict(self)


def similarity(one: Vectors, other: Vectors) -> float:
    """Mean cosine of all pairs."""
    return float((one @ other.T).mean())


def among(vectors: Vectors) -> float:
    """Mean cosine of all pairs of different pictures; 1 for a single one."""
    count = len(vectors)
    whole = float((vectors @ vectors.T).sum()) - count
    return whole / (count * (count - 1)) if count > 1 else 1.0


def real_row(subjects: Sequence[BenchSubject], encoders: Encoders) -> BenchRow:
    """The photographs against each other: what a perfect copy could reach."""
    photographs = [opened(each) for each in subjects]
    return BenchRow(
        subjects=len(subjects),
        dino=mean_of([among(encoders.dino(pictures)) for pictures in photographs]),
        clip_i=mean_of([among(encoders.clip(pictures)) for pictures in photographs]),
    )


def painted_row(
    subjects: Sequence[BenchSubject],
    answers: Mapping[BenchQuestion, Image.Image],
    encoders: Encoders,
    *,
    tuned: bool,
) -> BenchRow:
    """Painted pictures against the photographs and their prompts."""
    rows = [one_subject(each, answers, encoders, tuned) for each in subjects]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return BenchRow(
        subjects=len(subjects), **{name: mean_of(column) for name, column in columns.items()}
    )


def one_subject(
    subject: BenchSubject,
    answers: Mapping[BenchQuestion, Image.Image],
    encoders: Encoders,
    tuned: bool,
) -> dict[str, float]:
    """The measures of one subject."""
    photographs = opened(subject)
    real_dino, real_clip = encoders.dino(photographs), encoders.clip(photographs)
    mine = [q for q in answers if (q.subject, q.tuned) == (subject.name, tuned)]
    asked = [q for q in mine if q.number is not None]
    dino = encoders.dino([answers[q] for q in asked])
    clip = encoders.clip([answers[q] for q in asked])
    words = encoders.words([subject.prompt(q.number or 0, "") for q in asked])
    numbers = np.array([q.number for q in asked])
    found = {
        "dino": similarity(dino, real_dino),
        "clip_i": similarity(clip, real_clip),
        "clip_t": float((clip * words).sum(axis=1).mean()),
        "div": 1 - float(np.mean([among(dino[numbers == n]) for n in np.unique(numbers)])),
    }
    alone = [answers[q] for q in mine if q.number is None]
    if alone:
        found["pres"] = similarity(encoders.dino(alone), real_dino)
    return found


def opened(subject: BenchSubject) -> list[Image.Image]:
    """The photographs, upright."""
    return [open_picture(path).image for path in subject.photographs]


def mean_of(values: Sequence[float]) -> Share:
    """A mean with its percentile bootstrap over subjects."""
    each = np.array(values)
    chance = np.random.default_rng(0)
    draws = chance.integers(0, len(each), (RESAMPLES, len(each)))
    low, high = np.quantile(each[draws].mean(axis=1), (0.025, 0.975))
    return Share(value=float(each.mean()), low=float(low), high=float(high))
