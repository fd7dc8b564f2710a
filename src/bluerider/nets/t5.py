"""The encoder of mT5 (Xue et al. 2021): words -> token states. Kandinsky 2.0's second reader."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import T5Config
from bluerider.nets.attention import split


class Norm(nn.Module):
    """Root mean square norm (Zhang & Sennrich 2019): no mean taken off, no shift."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        size = x.float().square().mean(dim=-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(size + self.eps)).to(x.dtype)


class SelfAttention(nn.Module):
    """Attention without biases, unscaled, plus a learned number for every distance."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads = config.heads
        self.q = nn.Linear(config.width, inner, bias=False)
        self.k = nn.Linear(config.width, inner, bias=False)
        self.v = nn.Linear(config.width, inner, bias=False)
        self.out = nn.Linear(inner, config.width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (split(layer(x), self.heads) for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self.out(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and a gated MLP, each after its norm."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.norm1 = Norm(config.width, config.norm_eps)
        self.attn = SelfAttention(config)
        self.norm2 = Norm(config.width, config.norm_eps)
        self.gate = nn.Linear(config.width, config.mlp, bias=False)
        self.in_ = nn.Linear(config.width, config.mlp, bias=False)
        self.out = nn.Linear(config.mlp, config.width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), bias)
        h = self.norm2(x)
        return x + self.out(F.gelu(self.gate(h), approximate="tanh") * self.in_(h))


class T5Encoder(nn.Module):
    """Token ids -> states; all layers share one table of distances."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.distances = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm_out = Norm(config.width, config.norm_eps)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, S) int64 and mask (B, S), true on real tokens -> states (B, S, width), of padding
        too.
        """
        places = torch.arange(ids.shape[1], device=ids.device)
        table = bucket(places[None] - places[:, None], self.config)  # (S, S)
        bias = self.distances(table).permute(2, 0, 1)[None]  # (1, heads, S, S)
        hidden = torch.finfo(bias.dtype).min
        bias = bias.masked_fill(~mask.bool()[:, None, None], hidden)
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm_out(x)


def bucket(distance: Tensor, config: T5Config) -> Tensor:
    """The bucket of a distance, key minus query: near ones each have their own, far ones share in
    log steps (T5, Raffel et al. 2020, section 2.1).
    """
    half = config.buckets // 2
    near = half // 2
    steps = distance.abs()
    ratio = torch.log(steps.float().clamp_min(1) / near) / math.log(config.distance / near)
    far = (near + (ratio * (half - near)).long()).clamp_max(half - 1)
    return (distance > 0).long() * half + torch.where(steps < near, steps, far)
