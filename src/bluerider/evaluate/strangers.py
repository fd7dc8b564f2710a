"""When a model should say that it does not know a text: familiarity measured on texts it can know
and on texts that it cannot, and the threshold between them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bluerider.evaluate.choice import choose_lines, choose_scenes
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.retrieval import Share, share_of
from bluerider.evaluate.truth import Truth
from bluerider.evaluate.unread import ASIDES, number, read_names, spelled
from bluerider.evaluate.words import fixed_order
from bluerider.scenes.names import is_kept_out, typed
from bluerider.scenes.scene import KINDS
from bluerider.scenes.wording import languages

STRANGERS = Path(__file__).parent / "data" / "strangers.json"
WRONGLY = 0.05  # of the texts of a kind that the model can know, at most so many are warned
MISTYPED = 0.08  # of names, in the text "as people type them"
STEPS = tuple(number / 20 for number in range(10, 21))  # thresholds of the table
NAMES, SCENES = 20, 6  # names a language, scenes of a kind in it, unless told
TYPED = "scenes as people type them"
KEPT_OUT, UNKNOWN = "English names kept out", "unknown texts"
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Texts of one kind; where they are `knowable`, few of them may be warned."""

    name: str
    texts: tuple[str, ...]
    knowable: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """Of one group, on the half that chose nothing: how many, the share warned, and how often a
    text of it is more familiar than an unknown one (area under the ROC curve).
    """

    count: int
    warned: Share
    auc: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """The threshold, what it does, and what others would do."""

    threshold: float
    groups: dict[str, Line]
    curve: dict[float, dict[str, float]]  # threshold -> group -> share warned
    missed: tuple[str, ...]  # unknown texts that are not warned

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return {**asdict(self), "curve": {f"{t:g}": row for t, row in self.curve.items()}}


def choose_groups(drawings: Drawings, names: int = NAMES, scenes: int = SCENES) -> list[Group]:
    """Texts that a model can know, names that it was spared, and texts that no drawing shows."""
    read = replace(drawings, names=read_names(drawings))
    english = read.names.get("en", {})
    order = [drawings.emoji[i] for i in fixed_order(drawings)]
    others = [
        table[emoji]
        for lang, table in sorted(read.names.items())
        if lang != "en"
        for emoji in [emoji for emoji in order if emoji in table][:names]
    ]
    spared = {e: n for e, n in drawings.names.get("en", {}).items() if e not in drawings.holdout}
    tongues = [lang for lang in languages() if read.names.get(lang)]
    groups = [
        ("English names", english.values(), True),
        ("English names as typed", map(as_typed, english.values()), True),
        ("names in other languages", others, True),
        ("English scenes", said(read, ["en"], 4 * scenes), True),
        ("scenes in other languages", said(read, tongues[1:], scenes), True),
        (TYPED, [one.prompt for one in choose_lines(read, list(KINDS), tongues)], False),
        ("English names among words not read", among_others(english.values()), False),
        (KEPT_OUT, (n for e, n in spared.items() if is_kept_out("en", e)), False),
        (UNKNOWN, strangers(), False),
    ]
    made = [Group(name=name, texts=tuple(texts), knowable=can) for name, texts, can in groups]
    return [group for group in made if all(half(group.texts, first) for first in (True, False))]


def said(drawings: Drawings, tongues: list[str], count: int) -> list[str]:
    """Scenes of every kind, of combinations that no training has seen, in words."""
    kinds = [kind for kind in KINDS if kind != "thing"]
    return [
        one.prompt for one in choose_scenes(drawings, Truth(drawings), kinds, tongues, subset=count)
    ]


def as_typed(name: str) -> str:
    """An English name as somebody may type it, the same every time."""
    rng = np.random.default_rng(number(f"typed\n{name}"))
    return typed(name, rng, english=True, slips=MISTYPED)


def among_others(names: Iterable[str]) -> Iterator[str]:
    """English names among words for which nothing is drawn, and which training does not read."""
    kinds = tuple(ASIDES)
    for turn, name in enumerate(names):
        text = spelled(name, kinds[turn % len(kinds)])
        if text is not None:
            yield text


def strangers() -> Iterator[str]:
    """The shipped texts about what no drawing shows, in many languages and in none."""
    table: dict[str, list[str]] = json.loads(STRANGERS.read_text("utf-8"))
    for texts in table.values():
        yield from texts


def half(texts: Sequence[str], first: bool) -> list[str]:
    """Every text once, of the half that the threshold is chosen on (`first`) or of the other."""
    return [text for text in dict.fromkeys(texts) if (number(f"half\n{text}") % 2 == 0) == first]


def measure_warnings(
    familiarity: Callable[[Sequence[str]], Sequence[float]], groups: Sequence[Group]
) -> Report:
    """Choose the threshold on one half of the texts and tell what it does on the other.

    It is the highest at which of no knowable group more than a twentieth is warned.
    """

    def found(first: bool) -> dict[str, Values]:
        return {group.name: np.array(familiarity(half(group.texts, first))) for group in groups}

    choosing, telling = found(True), found(False)
    threshold = min(highest(choosing[group.name]) for group in groups if group.knowable)
    unknown = telling[UNKNOWN]
    lines = {
        name: Line(count=len(values), warned=warned(values, threshold), auc=area(values, unknown))
        for name, values in telling.items()
    }
    curve = {
        step: {name: float((values < step).mean()) for name, values in telling.items()}
        for step in sorted({*STEPS, threshold})
    }
    texts = next(half(group.texts, False) for group in groups if group.name == UNKNOWN)
    missed = [text for text, value in zip(texts, unknown, strict=True) if value >= threshold]
    return Report(threshold=threshold, groups=lines, curve=curve, missed=tuple(missed))


def highest(values: Values) -> float:
    """The highest threshold under which at most `WRONGLY` of the values lie."""
    return float(np.sort(values)[int(WRONGLY * len(values))])


def warned(values: Values, threshold: float) -> Share:
    """The share of texts that are warned."""
    return share_of([values < threshold], [np.arange(len(values))])


def area(known: Values, unknown: Values) -> float:
    """How often a value of `known` is above one of `unknown`; ties count half (Mann & Whitney)."""
    above, same = known[:, None] > unknown, known[:, None] == unknown
    return float((above + same / 2).mean())
