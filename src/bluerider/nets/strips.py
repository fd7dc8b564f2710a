"""The autoencoder's decoder in strips of rows: the same picture from a part of the memory.

Whole activations stand only between convolutions; norms, their modulation and what a convolution
reads are made strip by strip. Group norms take their statistics from all rows, so this is no
approximation: it differs from `Autoencoder.decode` by rounding alone.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.autoencoder import Autoencoder, Level, ResBlock, SpatialNorm

STRIP = 32  # rows
Rows = Callable[[int, int], Tensor]  # first and last row -> (B, C, last - first, W)


def decode_in_strips(autoencoder: Autoencoder, latent: Tensor, strip: int = STRIP) -> Tensor:
    """What `autoencoder.decode(latent)` gives, (B, C, h, w) -> (B, 3, H, W)."""
    decoder = autoencoder.decoder
    z = latent / autoencoder.config.scale
    x = decoder.mid(decoder.conv_in(autoencoder.post_quant_conv(z)), z)
    for level in decoder.up:
        x = level_in_strips(level, x, z, strip)
    return convolved(decoder.conv_out, activated(decoder.norm_out, x, z, strip), x.shape[-2], strip)


def level_in_strips(level: Level, x: Tensor, z: Tensor, strip: int) -> Tensor:
    """One resolution; attention stands at latent size only, where a picture is small."""
    for j, block in enumerate(level.res):
        x = block_in_strips(block, x, z, strip)
        if j < len(level.attn):
            x = level.attn[j](x, z)
    if level.resample is None:
        return x
    return convolved(level.resample.conv, doubled(x), 2 * x.shape[-2], strip)


def block_in_strips(block: ResBlock, x: Tensor, z: Tensor, strip: int) -> Tensor:
    """A residual block; without a convolution in its skip it overwrites x."""
    h = convolved(block.conv1, activated(block.norm1, x, z, strip), x.shape[-2], strip)
    out = x if isinstance(block.skip, nn.Identity) else None
    rows = activated(block.norm2, h, z, strip)
    return convolved(
        block.conv2, rows, x.shape[-2], strip, lambda a, b: block.skip(x[:, :, a:b]), out
    )


def convolved(
    conv: nn.Conv2d,
    rows: Rows,
    height: int,
    strip: int,
    more: Rows | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """A 3 x 3 convolution of `rows`, plus `more`, written into `out`, or into a new tensor."""
    for first, last in strips(height, strip):
        low, high = max(first - 1, 0), min(last + 1, height)
        edges = (1, 1, 1 - (first - low), 1 - (high - last))  # left, right, above, below
        made = F.conv2d(F.pad(rows(low, high), edges), conv.weight, conv.bias)
        if more is not None:
            made = made + more(first, last)
        if out is None:
            shape = (made.shape[0], made.shape[1], height, made.shape[3])
            out = made.new_empty(shape).to(memory_format=torch.channels_last)
        out[:, :, first:last] = made
    assert out is not None
    return out


def activated(norm: nn.Module, x: Tensor, z: Tensor, strip: int) -> Rows:
    """SiLU of a norm of x, for any rows."""
    plain = norm.norm if isinstance(norm, SpatialNorm) else norm
    mean, deviation = statistics(x, plain.num_groups, plain.eps, strip)
    weight = plain.weight.float() / deviation  # (B, C)
    bias = plain.bias.float() - mean * weight
    told = [layer(z) for layer in (norm.scale, norm.shift)] if plain is not norm else []
    factor = x.shape[-1] // z.shape[-1]

    def rows(first: int, last: int) -> Tensor:
        part = torch.addcmul(bias[..., None, None], x[:, :, first:last], weight[..., None, None])
        part = part.to(x.dtype)
        if told:
            scale, shift = (spread(each, factor, first, last) for each in told)
            part = torch.addcmul(shift, part, scale)
        return F.silu(part, inplace=True)

    return rows


def statistics(x: Tensor, groups: int, eps: float, strip: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of every channel's group (B, C), float32."""

    def mean_of(value: Callable[[Tensor], Tensor]) -> Tensor:
        total = torch.zeros(len(x), groups, device=x.device)
        for first, last in strips(x.shape[-2], strip):
            part = x[:, :, first:last].float().unflatten(1, (groups, -1))
            total += value(part).sum(dim=(2, 3, 4))
        return total / (x[0].numel() / groups)

    mean = mean_of(lambda part: part)
    variance = mean_of(lambda part: (part - mean[..., None, None, None]).square())
    count = x.shape[1] // groups
    deviation = (variance + eps).sqrt()
    return mean.repeat_interleave(count, 1), deviation.repeat_interleave(count, 1)


def doubled(x: Tensor) -> Rows:
    """x at twice its sides by repetition, for any rows."""
    return lambda first, last: spread(x, 2, first, last)


def spread(x: Tensor, factor: int, first: int, last: int) -> Tensor:
    """The rows of x at `factor` times its sides by repetition."""
    start = first // factor
    part = x[:, :, start : -(-last // factor)]
    part = F.interpolate(part, scale_factor=float(factor), mode="nearest")
    return part[:, :, first - start * factor : last - start * factor]


def strips(height: int, strip: int) -> Iterator[tuple[int, int]]:
    """First and last row of every strip."""
    return ((first, min(first + strip, height)) for first in range(0, height, strip))
