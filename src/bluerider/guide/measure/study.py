"""The measurement: every word with and without, at the same seeds, against the placebos."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bluerider.guide.measure.bench import Bench, Cell, Watch
from bluerider.guide.measure.effects import METRICS
from bluerider.guide.measure.statistics import LEVEL, Effect, corrected, effect
from bluerider.guide.measure.words import Word, subjects

Floats = NDArray[np.float64]

LIBERAL = 0.2  # p under which a word's embedding is worth pictures
SHIFT, STEADY, KEPT = "embedding-shift", "embedding-consistency", "content-kept"


@dataclass
class Finding:
    """What a word did: its effects by metric, q of each, and whether pictures were painted."""

    word: Word
    effects: dict[str, Effect] = field(default_factory=dict)
    q: dict[str, float] = field(default_factory=dict)
    painted: bool = False

    def detected(self, name: str) -> bool:
        """Whether a metric stands out from the placebos and its interval from zero."""
        found = self.effects[name]
        apart = name == STEADY or not found.low <= 0 <= found.high
        return self.q[name] <= LEVEL and apart

    @property
    def known(self) -> bool:
        """Whether the model knows the word: one effect at least is detected."""
        return any(self.detected(name) for name in self.effects)

    def right(self) -> bool | None:
        """Whether what is expected of a control was detected with its sign; None for no control."""
        if self.word.expected is None:
            return None
        name, sign = self.word.expected
        return (
            name in self.effects
            and self.detected(name)
            and (self.effects[name].mean > 0) == (sign > 0)
        )


@dataclass(frozen=True)
class Plan:
    """What is painted: words and placebos, on subjects, from seeds 0..seeds - 1."""

    words: Sequence[Word]
    placebos: Sequence[Word]
    subjects: Sequence[str]  # English names
    seeds: int

    def cells(self, word: Word | None, language: str = "en") -> list[Cell]:
        """Prompts and seeds of a word, subject by subject; None is the subject alone."""
        table = subjects(word.language if word else language)
        names = [table.get(name, name) for name in self.subjects]
        prompts = [word.prompt(name) if word else name for name in names]
        return [(prompt, seed) for prompt in prompts for seed in range(self.seeds)]

    def grid(self, values: Floats) -> Floats:
        """Rows of cells as (subjects, seeds, ...)."""
        return values.reshape(len(self.subjects), self.seeds, *values.shape[1:])

    def pictures(self) -> int:
        """Pictures in all, when every word survives."""
        languages = {word.language for word in (*self.words, *self.placebos)}
        words = len(self.words) + len(self.placebos) + len(languages)
        return words * len(self.subjects) * self.seeds


def run(bench: Bench, plan: Plan, watch: Watch) -> list[Finding]:
    """Measure all words; the placebos' findings come last. Raises Spent.

    Where the model has a prior, words whose embeddings move no further and no steadier than the
    placebos' are not painted.
    """
    findings = [Finding(word) for word in (*plan.words, *plan.placebos)]
    if bench.imagines:
        imagined(bench, plan, findings, watch)
    survivors = [
        each for each in findings if each.word.arm == "placebo" or worth(each, bench.imagines)
    ]
    painted(bench, plan, survivors, watch)
    for arm in ("word", "placebo"):
        correct([each for each in findings if each.word.arm == arm])
    return findings


def imagined(bench: Bench, plan: Plan, findings: list[Finding], watch: Watch) -> None:
    """Effects in the space of image embeddings."""
    languages = sorted({each.word.language for each in findings})
    cells = [cell for language in languages for cell in plan.cells(None, language)]
    cells += [cell for each in findings for cell in plan.cells(each.word)]
    bench.embeddings(cells, watch)
    alone = {
        language: unit(plan.grid(bench.embeddings(plan.cells(None, language), watch)))
        for language in languages
    }
    raw: dict[str, list[Floats]] = {SHIFT: [], KEPT: [], STEADY: []}
    for each in findings:
        base = alone[each.word.language]
        moved = unit(plan.grid(bench.embeddings(plan.cells(each.word), watch)))
        raw[SHIFT].append(1 - (moved * base).sum(-1))
        raw[KEPT].append(kept(moved, base) - kept(base, base))
        raw[STEADY].append(np.full((1, 1), steadiness(moved - base)))
    for name, gaps in raw.items():
        compare(findings, name, gaps)


def painted(bench: Bench, plan: Plan, findings: list[Finding], watch: Watch) -> None:
    """Effects on pictures."""
    languages = sorted({each.word.language for each in findings})
    cells = [cell for language in languages for cell in plan.cells(None, language)]
    cells += [cell for each in findings for cell in plan.cells(each.word)]
    bench.pictures(cells, watch)
    alone = {
        language: plan.grid(bench.pictures(plan.cells(None, language), watch))
        for language in languages
    }
    gaps = []
    for each in findings:
        each.painted = True
        moved = plan.grid(bench.pictures(plan.cells(each.word), watch))
        gaps.append(moved - alone[each.word.language])
    for index, name in enumerate(METRICS):
        compare(findings, name, [gap[..., index] for gap in gaps])


def compare(findings: list[Finding], name: str, gaps: list[Floats]) -> None:
    """Note a metric's effect of every word, against the placebos other than itself."""
    means = [float(gap.mean()) for gap in gaps]
    for index, each in enumerate(findings):
        others = [
            mean
            for place, mean in enumerate(means)
            if findings[place].word.arm == "placebo" and place != index
        ]
        each.effects[name] = effect(gaps[index], others, seed=index)


def correct(findings: list[Finding]) -> None:
    """q of every effect of some words together."""
    tests = [(each, name) for each in findings for name in each.effects]
    for (each, name), q in zip(
        tests, corrected([each.effects[name].p for each, name in tests]), strict=True
    ):
        each.q[name] = q


def worth(finding: Finding, imagines: bool) -> bool:
    """Whether a word is painted: its embeddings move further or steadier than placebos'."""
    if not imagines or finding.word.expected is not None:
        return True
    return any(finding.effects[name].p < LIBERAL for name in (SHIFT, STEADY, KEPT))


def unit(vectors: Floats) -> Floats:
    """Vectors of length one."""
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return found


def steadiness(moves: Floats) -> float:
    """How alike the moves (subjects, seeds, D) are from subject to subject: the mean cosine of two
    subjects' mean moves.
    """
    mean = unit(moves.mean(axis=1))
    count = len(mean)
    if count < 2:
        return 0.0
    total = float(np.square(mean.sum(axis=0)).sum()) - count
    return total / (count * (count - 1))


def kept(moved: Floats, base: Floats) -> Floats:
    """1 where an embedding (subjects, seeds, D) is nearest to its own subject's mean, else 0."""
    centres = unit(base.mean(axis=1))
    nearest = (moved @ centres.T).argmax(axis=-1)
    return (nearest == np.arange(len(base))[:, None]).astype(np.float64)


def false_alarms(findings: Sequence[Finding]) -> tuple[int, int]:
    """Placebo tests called detected after correction, and all of them."""
    tests = [
        each.detected(n) for each in findings if each.word.arm == "placebo" for n in each.effects
    ]
    return sum(tests), len(tests)


def controls_found(findings: Sequence[Finding]) -> tuple[int, int]:
    """Controls detected with the right sign, and all of them."""
    said = [each.right() for each in findings if each.word.expected]
    return sum(bool(right) for right in said), len(said)
