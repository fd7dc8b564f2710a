"""A stage's batches as a function of seed and step alone, so that a resumed run sees the same."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np
from torch.utils.data import IterableDataset

Batch = TypeVar("Batch")


class Stream(ABC, Generic[Batch]):
    """What a stage is trained on; `seed` starts the draws of every step."""

    seed: int

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch."""

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self.draw(np.random.default_rng((self.seed, step)))


class Feed(IterableDataset[Batch]):
    """A stream from the step that `reached` names when the loop begins, which is after resuming."""

    def __init__(self, stream: Stream[Batch], reached: Callable[[], int]) -> None:
        self.stream, self.reached = stream, reached

    def __iter__(self) -> Iterator[Batch]:
        step = self.reached()
        while True:
            yield self.stream.batch(step)
            step += 1
