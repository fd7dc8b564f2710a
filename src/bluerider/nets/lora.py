"""Low-rank layers (LoRA, Hu et al. 2021): small learned corrections of frozen layers."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

Layer = nn.Linear | nn.Conv2d


class Factors(NamedTuple):
    """A correction of one layer: weight + alpha / rank * up @ down (eq. 3 and section 4.1)."""

    down: Tensor  # (rank, in) or, of a convolution, (rank, in, k, k)
    up: Tensor  # (out, rank) or (out, rank, 1, 1)
    alpha: float

    @property
    def rank(self) -> int:
        """Rows of `down`."""
        return len(self.down)

    def delta(self) -> Tensor:
        """What is added to the layer's weight at scale 1, in its shape, float32."""
        down, up = self.down.float(), self.up.float().flatten(1)
        return (self.alpha / self.rank * up @ down.flatten(1)).unflatten(1, down.shape[1:])


class LowRank(nn.Module):
    """A frozen layer and its trainable correction, which is zero at first."""

    def __init__(
        self, base: Layer, rank: int, alpha: float, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.base, self.alpha, self.scale = base, alpha, alpha / rank
        weight = base.weight
        down = torch.empty(rank, *weight.shape[1:], dtype=torch.float32)
        nn.init.kaiming_uniform_(down, a=5**0.5, generator=generator)
        up = torch.zeros(weight.shape[0], rank, *[1] * (weight.ndim - 2), dtype=torch.float32)
        self.down = nn.Parameter(down.to(weight.device))
        self.up = nn.Parameter(up.to(weight.device))

    @property
    def factors(self) -> Factors:
        """The correction as it stands."""
        return Factors(self.down.detach(), self.up.detach(), self.alpha)

    def forward(self, x: Tensor) -> Tensor:
        base, down, up = self.base, self.down.to(x.dtype), self.up.to(x.dtype)
        if isinstance(base, nn.Linear):
            return base(x) + self.scale * nn.functional.linear(nn.functional.linear(x, down), up)
        inner = nn.functional.conv2d(x, down, None, base.stride, base.padding)
        return base(x) + self.scale * nn.functional.conv2d(inner, up)


def inject(
    net: nn.Module,
    names: Iterable[str],
    rank: int,
    alpha: float,
    generator: torch.Generator | None = None,
) -> dict[str, LowRank]:
    """Put corrections round the layers of these names, in order; returns them by name.

    Down factors start uniform (Kaiming), drawn from `generator`, up factors at zero, so that the
    network computes what it did. A rank above a layer's smaller side is cut to it.
    """
    made = {}
    for name in names:
        layer = net.get_submodule(name)
        assert isinstance(layer, Layer)
        narrow = min(rank, layer.weight.shape[0], layer.weight[0].numel())
        made[name] = LowRank(layer, narrow, alpha * narrow / rank, generator)
        replace_module(net, name, made[name])
    return made


def replace_module(net: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of another."""
    parent, _, leaf = name.rpartition(".")
    setattr(net.get_submodule(parent), leaf, module)


def layers(net: nn.Module, wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Names of the layers that can be corrected: linear ones and 1x1 and 3x3 convolutions."""
    return [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear)
        or (isinstance(module, nn.Conv2d) and module.kernel_size in ((1, 1), (3, 3)))
        if wanted(name)
    ]


def merge(net: nn.Module, name: str, factors: Factors, scale: float) -> None:
    """Add a correction to a layer's weight, summed in float32 and rounded once."""
    layer = net.get_submodule(name)
    assert isinstance(layer, Layer)
    delta = scale * factors.delta().to(layer.weight.device)
    merged = (layer.weight.float() + delta).to(layer.weight.dtype)
    layer.weight = nn.Parameter(merged, requires_grad=False)
