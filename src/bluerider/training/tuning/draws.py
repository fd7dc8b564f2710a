"""What every sample is trained with, as a function of seed and sample number alone.

Nothing is drawn from a generator that lives on, so there is no state to save: a run that is taken
up again at step n sees what it would have seen, whatever the workers, and so do more processes
with the same batch together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from bluerider.training.masks import random_mask

HALVES = ("subject", "class")


class Draw(NamedTuple):
    """One part's micro-batch: rows of the subject first, then as many of the class, or none."""

    row: Tensor  # (N,) int64, into the part's tables
    t: Tensor  # (N,) int64
    noise: Tensor  # (N, ...)
    blur: Tensor | None  # (N, ...): noise of a Gaussian latent's own spread
    drop: Tensor  # (N, 2) bool: words left out, image left out
    mask: Tensor | None = None  # (N, 1, h, w): 1 where an inpainting network repaints


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a part draws from. Sample j of a half takes the row `rows[half][order[half][j]]`."""

    part: int  # keeps the draws of parts apart
    batch: int  # samples of the subject a micro-batch and process
    order: tuple[Sequence[int], ...]  # of the halves there are; endless
    rows: tuple[Sequence[Sequence[int]], ...]  # a picture's rows: one for every cached variant
    shape: tuple[int, ...]
    levels: int
    drop: tuple[float, float]
    blurs: bool = False
    masks: bool = False
    shapes: Sequence[tuple[int, ...]] = ()  # of each row, where they are of several

    def draw(self, seed: int, first: int) -> Draw:
        """The micro-batch whose samples are `first`, `first` + 1, ... of either half; all of it
        has the shape of its first sample.
        """
        shape = self.shape
        if self.shapes:
            shape = self.shapes[self.rows[0][self.order[0][first]][0]]
        made = [
            self.sample(seed, half, first + i, shape)
            for half in range(len(self.rows))
            for i in range(self.batch)
        ]
        row, t, noise, blur, drop, mask = zip(*made, strict=True)
        return Draw(
            torch.tensor(row),
            torch.tensor(t),
            torch.from_numpy(np.stack(noise)),
            torch.from_numpy(np.stack(blur)) if self.blurs else None,
            torch.from_numpy(np.stack(drop)),
            torch.from_numpy(np.stack(mask)[:, None]) if self.masks else None,
        )

    def sample(
        self, seed: int, half: int, index: int, shape: tuple[int, ...]
    ) -> tuple[int, int, np.ndarray, np.ndarray | None, np.ndarray, np.ndarray | None]:
        """Row, time, noise, spread, drops and mask of one sample."""
        rng = np.random.default_rng((seed, self.part, half, index))
        variants = self.rows[half][self.order[half][index]]
        if self.shapes:
            variants = [row for row in variants if self.shapes[row] == shape]
        row = variants[int(rng.integers(len(variants)))]
        t = int(rng.integers(self.levels))
        drop = rng.random(2) < np.array(self.drop)
        noise = rng.standard_normal(shape, np.float32)
        blur = rng.standard_normal(shape, np.float32) if self.blurs else None
        mask = random_mask(rng, *shape[1:]) if self.masks else None
        return row, t, noise, blur, drop, mask


Micro = dict[str, Draw]


class Draws(IterableDataset[Micro]):
    """The micro-batches of process `rank` of `world`, from micro-batch `first` on."""

    def __init__(
        self, sources: dict[str, Source], *, seed: int, rank: int, world: int, first: int
    ) -> None:
        self.sources, self.seed, self.first = sources, seed, first
        self.rank, self.world = rank, world

    def micro(self, index: int) -> Micro:
        """Micro-batch `index` of this process."""
        place = index * self.world + self.rank
        return {
            name: source.draw(self.seed, place * source.batch)
            for name, source in self.sources.items()
        }

    def __iter__(self) -> Iterator[Micro]:
        worker = get_worker_info()
        place, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        index = self.first + place
        while True:
            yield self.micro(index)
            index += stride
