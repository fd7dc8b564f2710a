"""Paired effects with intervals, and which of them stand out from words that mean nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.05  # false discoveries among what is called detected


@dataclass(frozen=True)
class Effect:
    """A metric's paired mean difference with its 95 % interval, d_z, and p against the placebos."""

    mean: float
    low: float
    high: float
    d: float
    p: float


def effect(gaps: Floats, placebos: Sequence[float], seed: int) -> Effect:
    """The effect of a word from its paired differences (subjects, seeds).

    The interval is a bootstrap over subjects, then over seeds within them. `placebos` are the mean
    differences of words that mean nothing, the word itself not among them.
    """
    low, high = interval(gaps, seed)
    spread = float(gaps.std(ddof=1)) if gaps.size > 1 else 0.0
    mean = float(gaps.mean())
    d = mean / spread if spread > 0 else 0.0
    return Effect(mean, low, high, d, against(mean, placebos))


def interval(gaps: Floats, seed: int) -> tuple[float, float]:
    """95 % of the means of resampled subjects, each with its seeds resampled."""
    draw = np.random.default_rng(seed)
    subjects, seeds = gaps.shape
    rows = draw.integers(0, subjects, (RESAMPLES, subjects))
    columns = draw.integers(0, seeds, (RESAMPLES, subjects, seeds))
    means = gaps[rows[:, :, None], columns].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def against(mean: float, placebos: Sequence[float]) -> float:
    """Two-sided p of a mean among the means of placebos: a t test for one more of their kind."""
    count = len(placebos)
    if count < 3:
        return 1.0
    values = np.asarray(placebos, np.float64)
    spread = float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    if spread == 0:
        return 1.0 if mean == float(values.mean()) else 0.0
    return student(abs(mean - float(values.mean())) / spread, count - 1)


def student(t: float, freedom: int) -> float:
    """Two-sided tail of Student's t: the regularised incomplete beta at n / (n + t^2)."""
    return beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log(1 - x)
    )  # fmt: skip
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    whole = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / (1 + step * d)
            c = 1 + step / c
            whole *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * whole / a


def corrected(values: Sequence[float]) -> list[float]:
    """q of every p: the share of false discoveries when all smaller are called found (Benjamini
    and Hochberg 1995).
    """
    order = sorted(range(len(values)), key=lambda i: values[i], reverse=True)
    found = [0.0] * len(values)
    least = 1.0
    for place, index in enumerate(order):
        least = min(least, values[index] * len(values) / (len(values) - place))
        found[index] = least
    return found
