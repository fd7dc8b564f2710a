"""Attention over pixels and context: the joint kind of Kandinsky, the transformer block of Stable
Diffusion.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import UNetConfig
from bluerider.nets.layers import plus, tiled

TILE = 16  # keys that the CPU's matrix units take together


def split(x: Tensor, heads: int) -> Tensor:
    """(B, N, heads * d) -> (B, heads, N, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention of split heads, joined again: (B, heads, N, d) -> (B, N, heads * d)."""
    if mask is None and gains(q, k):
        k, v, mask = rounded_up(k, v)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def gains(q: Tensor, k: Tensor) -> bool:
    """Whether many queries meet few keys whose number keeps torch from the CPU's matrix units."""
    halves = q.is_cpu and q.dtype == torch.bfloat16
    return halves and q.shape[2] >= 256 and k.shape[2] < 256 and k.shape[2] % TILE > 0


def rounded_up(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values up to the next whole tile, and the mask (1, tiles) that leaves the new ones
    out.
    """
    count = k.shape[2]
    more = (0, 0, 0, -count % TILE)
    mask = torch.arange(count + more[-1]) < count
    return F.pad(k, more), F.pad(v, more), mask[None]


class Attention(nn.Module):
    """Attention of x over itself or over a context of another width."""

    def __init__(
        self, width: int, heads: int, inner: int, *, context: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, inner, bias=bias)
        self.k = nn.Linear(context or width, inner, bias=bias)
        self.v = nn.Linear(context or width, inner, bias=bias)
        self.out = nn.Linear(inner, width)

    def keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a context, which do not change from step to step."""
        return split(self.k(context), self.heads), split(self.v(context), self.heads)

    def forward(
        self, x: Tensor, keys: tuple[Tensor, Tensor] | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return self.out(self.looked_up(x, keys, mask))

    def looked_up(
        self, x: Tensor, keys: tuple[Tensor, Tensor] | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """What x (B, N, width) finds, before the last layer: (B, N, inner)."""
        k, v = self.keys(x) if keys is None else keys
        return attend(split(self.q(x), self.heads), k, v, mask)


class JointAttention(nn.Module):
    """Pixels attend to [context; pixels] in one softmax (GLIDE, Nichol et al. 2021, section 4;
    Kandinsky 2).
    """

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        self.heads = count_heads(config, channels)
        self.norm = nn.GroupNorm(config.groups, channels, eps=1e-5)
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.context_k = nn.Linear(config.context_dim, channels)
        self.context_v = nn.Linear(config.context_dim, channels)
        self.out = nn.Linear(channels, channels)

    def keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the context, which do not change from step to step."""
        return (
            split(self.context_k(context), self.heads),
            split(self.context_v(context), self.heads),
        )

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        x = tiled(x, len(keys[0]))
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, H * W, C)
        q, k, v = (split(layer(pixels), self.heads) for layer in (self.q, self.k, self.v))
        k, v = torch.cat([keys[0], k], dim=2), torch.cat([keys[1], v], dim=2)
        y = self.out(attend(q, k, v))
        return x + y.transpose(1, 2).reshape(x.shape)


def count_heads(config: UNetConfig, channels: int) -> int:
    """Heads at a level: a fixed number (SD 1.x) or as many as fit the fixed width (Kandinsky)."""
    if config.heads is not None:
        return config.heads
    return channels // (config.head_dim or channels)


class GatedMLP(nn.Module):
    """GEGLU (Shazeer 2020): half of the inner values, gated by GELU of the other half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ = nn.Linear(width, width * 8)
        self.out = nn.Linear(width * 4, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gated(x))

    def gated(self, x: Tensor) -> Tensor:
        """The gated inner values of x (..., width), (..., 4 * width)."""
        value, gate = self.in_(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class Block(nn.Module):
    """Self-attention, attention to the context, gated MLP (LDM, Rombach et al. 2022,
    appendix E).
    """

    def __init__(self, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads, width, bias=False)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, width, context=context, bias=False)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = GatedMLP(width)

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        x = plus(x, self.attn1.out, self.attn1.looked_up(self.norm1(x)))
        x = tiled(x, len(keys[0]))
        x = plus(x, self.attn2.out, self.attn2.looked_up(self.norm2(x), keys))
        return plus(x, self.mlp.out, self.mlp.gated(self.norm3(x)))


class CrossAttention(nn.Module):
    """Stable Diffusion's spatial transformer, of one block."""

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        heads = count_heads(config, channels)
        self.norm = nn.GroupNorm(config.groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.blocks = nn.ModuleList([Block(channels, heads, config.context_dim)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the context, which do not change from step to step."""
        return self.blocks[0].attn2.keys(context)

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        h = self.proj_in(self.norm(x))
        y = self.blocks[0](h.flatten(2).transpose(1, 2), keys)  # (B, H * W, C)
        y = y.transpose(1, 2).unflatten(2, x.shape[2:])
        return tiled(x, len(y)) + self.proj_out(y)
