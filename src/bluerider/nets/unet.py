"""The denoising U-Net of every model of the family."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import UNetConfig
from bluerider.nets.attention import CrossAttention, JointAttention
from bluerider.nets.layers import Downsample, ResBlock, Upsample, sinusoid, tiled, time_mlp

Keys = list[tuple[Tensor, Tensor]]


class Level(nn.Module):
    """One resolution: residual blocks, attention after each where the level attends, then
    resampling.
    """

    def __init__(
        self, config: UNetConfig, inner: Iterable[int], outer: int, attends: bool, resample: str
    ) -> None:
        super().__init__()
        kind = JointAttention if config.attention == "joint" else CrossAttention
        self.res = nn.ModuleList(ResBlock(config, width, outer) for width in inner)
        self.attn = nn.ModuleList(kind(config, outer) for _ in self.res if attends)
        self.resample = resampler(config, outer, resample)

    def block(self, index: int, x: Tensor, emb: Tensor, keys: Keys) -> Tensor:
        """Residual block `index` and its attention, which takes its context keys from the front of
        `keys`.
        """
        x = self.res[index](x, emb)
        return self.attn[index](x, keys.pop(0)) if self.attn else x

    def resized(self, x: Tensor, emb: Tensor) -> Tensor:
        """x after this level's resampling."""
        if isinstance(self.resample, ResBlock):
            return self.resample(x, emb)
        return self.resample(x)


def resampler(config: UNetConfig, channels: int, resample: str) -> nn.Module | None:
    """What halves ("down") or doubles ("up") the sides at the end of a level; None for the last
    one.
    """
    if not resample:
        return None
    if config.resample == "residual":
        return ResBlock(config, channels, channels, resample)
    return Downsample(channels, even=True) if resample == "down" else Upsample(channels)


class Middle(nn.Module):
    """The coarsest point: residual, attention, residual."""

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        kind = JointAttention if config.attention == "joint" else CrossAttention
        self.res = nn.ModuleList(ResBlock(config, channels, channels) for _ in range(2))
        self.attn = nn.ModuleList([kind(config, channels)])

    def forward(self, x: Tensor, emb: Tensor, keys: Keys) -> Tensor:
        x = self.attn[0](self.res[0](x, emb), keys.pop(0))
        return self.res[1](x, emb)


class UNet(nn.Module):
    """Noisy latent, time and condition -> predicted noise (and, for Kandinsky, its variance)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, last = config.channels, len(config.channels) - 1
        self.time = time_mlp(widths[0], config.time_dim)
        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        skips = [widths[0]]
        for i, width in enumerate(widths):
            inner = [widths[max(i - 1, 0)]] + [width] * (config.depth - 1)
            resample = "down" if i < last else ""
            self.down.append(Level(config, inner, width, config.attends[i], resample))
            skips += [width] * (config.depth + (i < last))
        self.mid = Middle(config, widths[-1])
        self.up = nn.ModuleList()
        for i in reversed(range(len(widths))):
            before = [widths[min(i + 1, last)]] + [widths[i]] * config.depth
            inner = [width + skips.pop() for width in before]
            self.up.append(Level(config, inner, widths[i], config.attends[i], "up" if i else ""))
        self.norm_out = nn.GroupNorm(config.groups, widths[0], eps=1e-5)
        self.conv_out = nn.Conv2d(widths[0], config.out_channels, 3, padding=1)

    def keys(self, context: Tensor) -> Keys:
        """Every attention's keys and values of the context (B, S, D), in the order they
        are used.
        """
        levels = [*self.down, self.mid, *self.up]
        return [attn.keys(context) for level in levels for attn in level.attn]

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor | Keys, pooled: Tensor | None = None
    ) -> Tensor:
        """x (B, C, H, W), t (B,), context (B, S, D) or its `keys`, pooled (B, time_dim) -> (B, out,
        H, W).

        Context and pooled may be of kB, as for guidance: x is then taken k times over, from where
        they first make a difference, and the answer is of kB.
        """
        keys = list(context) if isinstance(context, list) else self.keys(context)
        emb = self.time(sinusoid(t, self.config.channels[0]).to(x.dtype))
        if pooled is not None:
            emb, x = tiled(emb, len(pooled)) + pooled, tiled(x, len(pooled))
        emb = F.silu(emb)
        x = self.conv_in(x)
        skips = [x]
        for level in self.down:
            for j in range(len(level.res)):
                x = level.block(j, x, emb, keys)
                skips.append(x)
            if level.resample is not None:
                x = level.resized(x, emb)
                skips.append(x)
        x = self.mid(x, emb, keys)
        for level in self.up:
            for j in range(len(level.res)):
                x = level.block(j, torch.cat([x, tiled(skips.pop(), len(x))], dim=1), emb, keys)
            if level.resample is not None:
                x = level.resized(x, emb)
        return self.conv_out(F.silu(self.norm_out(x)))
