"""CLIP's two towers (Radford et al. 2021): words -> token states and an embedding, picture -> an
embedding.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bluerider.config import TextConfig, VisionConfig
from bluerider.nets.attention import Attention
from bluerider.nets.layers import ACTIVATIONS, small_parameter


class MLP(nn.Module):
    """Two linear layers round an activation."""

    def __init__(self, width: int, inner: int, activation: str) -> None:
        super().__init__()
        self.in_ = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.activation(self.in_(x)))


class Layer(nn.Module):
    """Attention and MLP, each after its norm."""

    def __init__(self, width: int, heads: int, mlp: int, activation: str, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, width)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, mlp, activation)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), mask=mask)
        return x + self.mlp(self.norm2(x))


def make_layers(config: TextConfig | VisionConfig) -> nn.ModuleList:
    """The transformer that both towers are made of."""
    return nn.ModuleList(
        Layer(config.width, config.heads, config.mlp, config.activation, config.norm_eps)
        for _ in range(config.layers)
    )


class Words(NamedTuple):
    """What a text tower says of its tokens."""

    states: Tensor  # (B, S, width), after the final norm
    embedding: Tensor | None  # (B, embed_dim)
    early: Tensor  # (B, S, width), before the last layer


class TextTower(nn.Module):
    """Causal transformer; the embedding is read at the first end-of-text token."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.positions = nn.Embedding(config.tokens, config.width)
        self.layers = make_layers(config)
        self.norm_out = nn.LayerNorm(config.width, eps=config.norm_eps)
        if config.embed_dim is not None:
            self.proj = nn.Linear(config.width, config.embed_dim, bias=False)

    def forward(self, ids: Tensor) -> Words:
        """ids (B, S) int64, S at most `config.tokens` -> states, embedding, early states."""
        length = ids.shape[1]
        x = self.embed(ids) + self.positions.weight[:length]
        causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        early = x
        for layer in self.layers:
            early, x = x, layer(x, causal)
        states = self.norm_out(x)
        if self.config.embed_dim is None:
            return Words(states, None, early)
        last = (ids == self.config.eos).int().argmax(dim=1)
        embedding = self.proj(states[torch.arange(len(ids), device=ids.device), last])
        return Words(states, embedding, early)


class VisionTower(nn.Module):
    """A picture cut into patches; the embedding is read at the class token."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        patches = (config.size // config.patch) ** 2
        self.cls = small_parameter(config.width)
        self.patch = nn.Conv2d(3, config.width, config.patch, stride=config.patch, bias=False)
        self.positions = nn.Embedding(patches + 1, config.width)
        self.norm_in = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.layers = make_layers(config)
        self.norm_out = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.proj = nn.Linear(config.width, config.embed_dim, bias=False)

    def forward(self, picture: Tensor) -> Tensor:
        """picture (B, 3, size, size), normalised with the config's mean and std -> (B,
        embed_dim).
        """
        patches = self.patch(picture).flatten(2).transpose(1, 2)  # (B, patches, width)
        cls = self.cls.expand(len(picture), 1, -1)
        x = self.norm_in(torch.cat([cls, patches], dim=1) + self.positions.weight)
        for layer in self.layers:
            x = layer(x)
        return self.proj(self.norm_out(x[:, 0]))
