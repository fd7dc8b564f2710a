"""Retrieval: which drawing is nearest to a picture, and how sure a share of hits is."""

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
    """Place (P,) of the drawing asked for, 0 = nearest; of equal drawings the earlier is first."""
    own = errors[np.arange(len(errors)), targets][:, None]
    earlier = np.arange(errors.shape[1]) < targets[:, None]
    nearer = (errors < own) | ((errors == own) & earlier)
    return np.asarray(nearer.sum(axis=1), np.int64)


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


def share_of(groups: list[NDArray[np.bool_]]) -> Share:
    """Mean over groups of their shares of hits; prompts are resampled inside each group."""
    chance = np.random.default_rng(0)
    total = np.zeros(RESAMPLES)
    for hits in groups:
        total += chance.binomial(len(hits), hits.mean(), RESAMPLES) / len(hits)
    low, high = np.quantile(total / len(groups), (0.025, 0.975))
    value = float(np.mean([hits.mean() for hits in groups]))
    return Share(value=value, low=float(low), high=float(high))


def score(*groups: Ranks) -> Score:
    """The score of one group of ranks, or the mean score over several, each counting the same."""
    return Score(
        count=sum(map(len, groups)),
        top1=share_of([ranks < 1 for ranks in groups]),
        top5=share_of([ranks < 5 for ranks in groups]),
    )
