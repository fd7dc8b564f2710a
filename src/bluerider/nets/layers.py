"""Small parts several networks share: sinusoidal times, residual blocks, resampling,
activations.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import UNetConfig


def quick_gelu(x: Tensor) -> Tensor:
    """The sigmoid approximation of GELU that the first CLIP was trained with."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "quick_gelu": quick_gelu}


def sinusoid(t: Tensor, width: int) -> Tensor:
    """Cosines, then sines, of t at `width` / 2 frequencies from 1 down to 1/10000 (GLIDE, SD); t
    (B,) -> (B, width).
    """
    half = width // 2
    scale = torch.arange(half, dtype=torch.float32, device=t.device) / half
    angles = t.float()[:, None] * torch.exp(-math.log(10000.0) * scale)  # (B, half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def tiled(x: Tensor, count: int) -> Tensor:
    """x (B, ...) over and over, up to `count`, a multiple of B; it stays channels-last."""
    return x if len(x) >= count else torch.cat([x] * (count // len(x)))


def plus(x: Tensor, layer: nn.Module, y: Tensor) -> Tensor:
    """x + layer(y), in one pass where the layer can (`nets/packed.py`)."""
    joined = getattr(layer, "joined", None)
    return x + layer(y) if joined is None else joined(y, "add", x)


def small_parameter(*shape: int) -> nn.Parameter:
    """A learned tensor that starts as normal noise of deviation 0.02, as in CLIP."""
    return nn.Parameter(nn.init.normal_(torch.empty(shape), std=0.02))


def time_mlp(width: int, out: int) -> nn.Sequential:
    """Sinusoid -> the vector every residual block sees."""
    return nn.Sequential(nn.Linear(width, out), nn.SiLU(), nn.Linear(out, out))


class Downsample(nn.Module):
    """Halve the sides with a stride-2 convolution (LDM U-Net: even padding; autoencoders: right and
    bottom only).
    """

    def __init__(self, channels: int, *, even: bool) -> None:
        super().__init__()
        self.even = even
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1 if even else 0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x if self.even else F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double the sides by repetition, then smooth with a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class ResBlock(nn.Module):
    """Two convolutions round a skip, told the time; may also resample (ADM, Dhariwal & Nichol 2021,
    appendix A).
    """

    def __init__(self, config: UNetConfig, inner: int, outer: int, resample: str = "") -> None:
        super().__init__()
        self.film = config.time == "scale_shift"
        self.resample = resample
        self.norm1 = nn.GroupNorm(config.groups, inner, eps=1e-5)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.time = nn.Linear(config.time_dim, outer * 2 if self.film else outer)
        self.norm2 = nn.GroupNorm(config.groups, outer, eps=1e-5)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x (B, inner, H, W), emb (B or fewer, time_dim) already through SiLU -> (B, outer, H',
        W').
        """
        h = F.silu(self.norm1(x))
        if self.resample == "down":
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        elif self.resample == "up":
            h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        h = self.conv1(h)
        told = tiled(self.time(emb), len(x))[:, :, None, None]
        if self.film:
            scale, shift = told.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        else:
            h = self.norm2(h + told)
        return self.skip(x) + self.conv2(F.silu(h))
