"""The noise of a batch: every picture draws from generators of its own seed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

PRIOR_NOISE, DECODER_NOISE = 0, 1


class Dice:
    """Standard normal noise of a batch in which every picture draws from a generator of its own.

    Drawn on the CPU, so that a seed means the same picture on every device and in every batch;
    prior and decoder draw from different generators, so that the steps of one do not move the
    noise of the other.
    """

    def __init__(self, seeds: Sequence[int], stream: int, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.generators = [torch.Generator().manual_seed(2 * seed + stream) for seed in seeds]

    def __call__(self) -> Tensor:
        """The next draw (B, *shape)."""
        return torch.stack([torch.randn(self.shape, generator=g) for g in self.generators])

    def on(self, device: torch.device) -> Callable[[], Tensor]:
        """What draws and moves to a device."""
        return lambda: self().to(device)
