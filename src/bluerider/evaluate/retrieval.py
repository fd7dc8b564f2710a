"""Retrieval: which drawing is nearest to a picture, and how sure a share of hits is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]

RESAMPLES = 2000


def squared_errors(pictures: NDArray[np.uint8], drawings: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean squared error (P, N) of pictures (P, ...) to drawings (N, ...), in bytes squared.

    One matrix product; sums of squared bytes are whole numbers that float64 holds exactly, so
    identical drawings tie exactly.
    """
    a = pictures.reshape(len(pictures), -1).astype(np.float64)
    b = drawings.reshape(len(drawings), -1).astype(np.float64)
    sums = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    return np.asarray(sums / a.shape[1])


def rank_targets(errors: NDArray[np.float64], targets: Ranks) -> Ranks:
    """Place (P,) of the drawing asked for: how many drawings are strictly nearer; 0 = nearest.

    Ties are shared, so that of identical drawings each counts as found when one of them is painted.
    """
    own = errors[np.arange(len(errors)), targets][:, None]
    return np.asarray((errors < own).sum(axis=1), np.int64)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of hits in 0..1 with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """How often the drawing asked for was the nearest, or among the five nearest, of `count`."""

    count: int
    top1: Share
    top5: Share

    def to_json(self) -> dict[str, object]:
        """A plain table."""
        return asdict(self)


def score(*groups: Ranks, things: Sequence[Ranks] | None = None) -> Score:
    """The score of one group of ranks, or the mean score over several, each counting the same.

    `things` names what each rank is of. Groups may share things (one drawing asked for in many
    languages); a thing is resampled in all of them at once, for its ranks are not independent.
    """
    if things is None:
        ends = np.cumsum([len(ranks) for ranks in groups])
        things = [np.arange(end - len(ranks), end) for ranks, end in zip(groups, ends, strict=True)]
    shares = (share_of([ranks < limit for ranks in groups], things) for limit in (1, 5))
    top1, top5 = shares
    return Score(count=sum(map(len, groups)), top1=top1, top5=top5)


def share_of(groups: Sequence[NDArray[np.bool_]], things: Sequence[Ranks]) -> Share:
    """Mean over groups of their shares of hits, with its percentile bootstrap over things."""
    names, places = np.unique(np.concatenate(things), return_inverse=True)
    hits, asked = np.zeros((2, len(names), len(groups)))
    start = 0
    for column, group in enumerate(groups):
        rows = places[start : start + len(group)]
        hits[rows, column], asked[rows, column] = group, 1
        start += len(group)
    values = hits.sum(0) / asked.sum(0)
    chance = np.random.default_rng(0)
    draws = chance.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    counts = draws @ asked
    # A draw that misses all of a small group says nothing of it: its own share stands in.
    resampled = np.where(counts > 0, draws @ hits / np.maximum(counts, 1), values)
    low, high = np.quantile(resampled.mean(1), (0.025, 0.975))
    return Share(value=float(values.mean()), low=float(low), high=float(high))
