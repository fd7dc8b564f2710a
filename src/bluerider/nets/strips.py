"""The autoencoder in strips of rows: the same latent and picture from a part of the memory.

Whole activations stand between convolutions alone, in a `Map` that the caller provides and that may
lie outside of the memory; norms, their modulation, what a convolution reads and what attends are
made strip by strip. Group norms take their statistics from all rows, so this is no approximation:
it differs from `Autoencoder.encode` and `decode` by rounding alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.attention import attend, split
from bluerider.nets.autoencoder import Autoencoder, Level, PixelAttention, ResBlock, SpatialNorm
from bluerider.nets.norms import GroupNorm, moments

PIXELS = 2**15  # of a strip: 32 rows of 1024
Rows = Callable[[int, int], Tensor]  # first and last row -> (B, C, last - first, W)
Shape = tuple[int, int, int, int]  # B, C, H, W


class Map(Protocol):
    """A whole activation (B, C, H, W), written and read by rows."""

    shape: Shape

    def read(self, first: int, last: int) -> Tensor:
        """The rows first..last - 1 (B, C, last - first, W)."""

    def write(self, first: int, rows: Tensor) -> None:
        """Put rows in their place, from row `first` on."""

    def free(self) -> None:
        """It is not needed any more."""


class Held:
    """A map in memory, where `like` is and of its type."""

    def __init__(self, shape: Shape, like: Tensor) -> None:
        self.shape = shape
        self.data = like.new_empty(shape).to(memory_format=torch.channels_last)

    @classmethod
    def of(cls, tensor: Tensor) -> "Held":
        """A tensor (B, C, H, W) as a map, not copied."""
        held = cls((1, 1, 1, 1), tensor)
        held.shape, held.data = (*tensor.shape,), tensor
        return held

    def read(self, first: int, last: int) -> Tensor:
        """A view of the rows."""
        return self.data[:, :, first:last]

    def write(self, first: int, rows: Tensor) -> None:
        """Copy the rows to their place."""
        self.data[:, :, first : first + rows.shape[2]] = rows

    def free(self) -> None:
        """Let the memory go."""
        self.data = self.data[:0]


Keep = Callable[[Shape, Tensor], Map]  # a new map of that shape, of the type of a tensor


@dataclass(frozen=True)
class Strips:
    """How an autoencoder is walked: where whole activations stand, and how large a strip is."""

    keep: Keep = Held
    pixels: int = PIXELS

    def decode(self, autoencoder: Autoencoder, latent: Tensor) -> Tensor:
        """What `autoencoder.decode(latent)` gives, (B, C, h, w) -> (B, 3, H, W)."""
        decoder = autoencoder.decoder
        z = latent / autoencoder.config.scale
        start = Held.of(autoencoder.post_quant_conv(z))
        x = self.convolved(decoder.conv_in, start.read, start.shape)
        for level in [decoder.mid, *decoder.up]:
            x = self.level(level, x, z)
        return self.last(decoder.conv_out, decoder.norm_out, x, z)

    def encode(self, autoencoder: Autoencoder, picture: Tensor) -> Tensor:
        """What `autoencoder.encode(picture)` gives, (B, 3, H, W) -> (B, C, h, w); the picture may
        be of a wider type than the weights.
        """
        encoder = autoencoder.encoder
        dtype = encoder.conv_in.weight.dtype
        shape: Shape = (*picture.shape,)
        x = self.convolved(encoder.conv_in, lambda a, b: picture[:, :, a:b].to(dtype), shape)
        for level in [*encoder.down, encoder.mid]:
            x = self.level(level, x, None)
        moments = self.last(encoder.conv_out, encoder.norm_out, x, None)
        mean, _ = autoencoder.posterior(autoencoder.quant_conv(moments))
        return mean * autoencoder.config.scale

    def last(self, conv: nn.Conv2d, norm: nn.Module, x: Map, z: Tensor | None) -> Tensor:
        """The norm and the convolution at the end, whose result is small and held."""
        rows = self.activated(norm, x, z)
        made = Strips(Held, self.pixels).convolved(conv, rows, x.shape)
        x.free()
        assert isinstance(made, Held)
        return made.data

    def level(self, level: Level, x: Map, z: Tensor | None) -> Map:
        """One resolution and the step to the next."""
        for j, block in enumerate(level.res):
            x = self.block(block, x, z)
            if j < len(level.attn):
                self.attention(level.attn[j], x, z)
        if level.resample is None:
            return x
        conv = level.resample.conv
        batch, channels, height, width = x.shape
        if conv.stride[0] == 2:
            made = self.convolved(conv, x.read, x.shape)
        else:
            made = self.convolved(conv, doubled(x), (batch, channels, 2 * height, 2 * width))
        x.free()
        return made

    def block(self, block: ResBlock, x: Map, z: Tensor | None) -> Map:
        """A residual block; without a convolution in its skip it overwrites x."""
        h = self.convolved(block.conv1, self.activated(block.norm1, x, z), x.shape)
        rows = self.activated(block.norm2, h, z)
        plain = isinstance(block.skip, nn.Identity)
        made = self.convolved(
            block.conv2, rows, h.shape, lambda a, b: block.skip(x.read(a, b)), x if plain else None
        )
        for each in (h,) if plain else (h, x):
            each.free()
        return made

    def attention(self, attn: PixelAttention, x: Map, z: Tensor | None) -> None:
        """Attention written over x. Keys and values stand whole: they are of the coarsest
        resolution.
        """
        rows = self.normed(attn.norm, x, z)
        parts = [self.pixels_of(rows(a, b)) for a, b in self.strips(x.shape)]
        k, v = (torch.cat([layer(part) for part in parts], dim=1) for layer in (attn.k, attn.v))
        del parts
        keys = split(k, 1), split(v, 1)
        for first, last in self.strips(x.shape):
            q = attn.q(self.pixels_of(rows(first, last)))
            y = attn.out(attend(split(q, 1), *keys))
            old = x.read(first, last)
            x.write(first, old + y.transpose(1, 2).reshape(old.shape))

    @staticmethod
    def pixels_of(rows: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H * W, C)."""
        return rows.flatten(2).transpose(1, 2)

    def convolved(
        self,
        conv: nn.Conv2d,
        rows: Rows,
        shape: Shape,
        more: Rows | None = None,
        out: Map | None = None,
    ) -> Map:
        """A 3 x 3 convolution of `rows`, all of them of `shape`, plus `more`, written into `out`,
        or into a new map. One of stride 2 looks to the right and below alone (`Downsample`).
        """
        batch, _, height, width = shape
        stride = conv.stride[0]
        before = 1 if stride == 1 else 0
        size: Shape = (batch, conv.out_channels, height // stride, width // stride)
        made = self.keep(size, conv.weight) if out is None else out
        for first, last in self.strips(size):
            start, end = first * stride - before, (last - 1) * stride + 3 - before
            low, high = max(start, 0), min(end, height)
            edges = (before, 1, low - start, end - high)  # left, right, above, below
            part = F.conv2d(F.pad(rows(low, high), edges), conv.weight, conv.bias, stride)
            made.write(first, part if more is None else part + more(first, last))
        return made

    def activated(self, norm: nn.Module, x: Map, z: Tensor | None) -> Rows:
        """SiLU of a norm of x, for any rows."""
        rows = self.normed(norm, x, z)
        return lambda first, last: F.silu(rows(first, last), inplace=True)

    def normed(self, norm: nn.Module, x: Map, z: Tensor | None) -> Rows:
        """A norm of x, for any rows."""
        plain = norm.norm if isinstance(norm, SpatialNorm) else norm
        assert isinstance(plain, GroupNorm)
        weight, bias = plain.affine_of(*self.moments(x))  # (B, C)

        def rows(first: int, last: int) -> Tensor:
            part = x.read(first, last)
            dtype = part.dtype
            part = torch.addcmul(bias[..., None, None], part, weight[..., None, None]).to(dtype)
            if not isinstance(norm, SpatialNorm):
                return part
            assert z is not None
            factor = x.shape[-1] // z.shape[-1]
            told = repeated(lambda a, b: z[:, :, a:b], factor, norm.scale, norm.shift)
            scale, shift = told(first, last).chunk(2, dim=1)
            return torch.addcmul(shift, part, scale)

        return rows

    def moments(self, x: Map) -> tuple[Tensor, Tensor]:
        """Mean and variance of every channel (B, C), in float32 or wider.

        Those of the strips are put together as they come (Chan, Golub & LeVeque 1983).
        """
        count, mean, scatter = 0, torch.zeros(()), torch.zeros(())
        for first, last in self.strips(x.shape):
            size = (last - first) * x.shape[3]
            centre, variance = moments(x.read(first, last))
            if not count:
                mean, scatter = torch.zeros_like(centre), torch.zeros_like(centre)
            shift, total = centre - mean, count + size
            scatter = scatter + variance * size + shift.square() * (count * size / total)
            mean, count = mean + shift * (size / total), total
        return mean, scatter / count

    def strips(self, shape: Shape) -> Iterator[tuple[int, int]]:
        """First and last row of every strip."""
        height, width = shape[2:]
        strip = max(self.pixels // width, 1)
        return ((first, min(first + strip, height)) for first in range(0, height, strip))


def doubled(x: Map) -> Rows:
    """x at twice its sides by repetition, for any rows."""
    return repeated(x.read, 2)


def repeated(rows: Rows, factor: int, *layers: nn.Module) -> Rows:
    """Rows at `factor` times their sides by repetition, through each of the layers side by side."""

    def made(first: int, last: int) -> Tensor:
        start = first // factor
        part = rows(start, -(-last // factor))
        if layers:
            part = torch.cat([layer(part) for layer in layers], dim=1)
        part = F.interpolate(part, scale_factor=float(factor), mode="nearest")
        return part[:, :, first - start * factor : last - start * factor]

    return made
