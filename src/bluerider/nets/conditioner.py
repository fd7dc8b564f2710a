"""Embeddings -> what the U-Net sees: context tokens and a vector added to the time embedding."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bluerider.config import ConditionerConfig
from bluerider.nets.attention import attend, split

HINT_WIDTHS = (3, 16, 16, 32, 32, 96, 96, 256, 4)
HINT_HALVINGS = (2, 4, 6)
POOLING_HEADS = 8


class Condition(NamedTuple):
    """What a U-Net is told besides the time."""

    context: Tensor  # (B, S, context_dim)
    pooled: Tensor | None  # (B, time_dim)


def hint_encoder() -> nn.Sequential:
    """A picture (B, 3, H, W) in [0, 1] -> 4 channels at latent size (Kandinsky 2.2 depth)."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(HINT_WIDTHS[:-1], HINT_WIDTHS[1:], strict=True)):
        stride = 2 if i in HINT_HALVINGS else 1
        layers += [nn.Conv2d(a, b, 3, padding=1, stride=stride), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class ImageTokens(nn.Module):
    """An image embedding spread over context tokens."""

    def __init__(self, config: ConditionerConfig, *, normed: bool) -> None:
        super().__init__()
        self.count = config.tokens
        self.linear = nn.Linear(config.image_dim, config.tokens * config.context_dim)
        self.norm = nn.LayerNorm(config.context_dim) if normed else nn.Identity()

    def forward(self, embedding: Tensor) -> Tensor:
        return self.norm(self.linear(embedding).unflatten(-1, (self.count, -1)))


class NormedLinear(nn.Module):
    """A linear layer and a norm."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inner, outer)
        self.norm = nn.LayerNorm(outer)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


class AttentionPooling(nn.Module):
    """Token states -> one vector: what the first token gathers from all, padding among them."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.q = nn.Linear(inner, inner)
        self.k = nn.Linear(inner, inner)
        self.v = nn.Linear(inner, inner)
        self.out = nn.Linear(inner, outer)

    def forward(self, states: Tensor) -> Tensor:
        """states (B, S, inner) -> (B, outer)."""
        q, k, v = self.q(states[:, :1]), self.k(states), self.v(states)
        return self.out(attend(*(split(x, POOLING_HEADS) for x in (q, k, v)))[:, 0])


class NormedPooling(nn.Module):
    """Attention pooling and a norm."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.attention = AttentionPooling(inner, outer)
        self.norm = nn.LayerNorm(outer)

    def forward(self, states: Tensor) -> Tensor:
        return self.norm(self.attention(states))


class ImageConditioner(nn.Module):
    """Kandinsky 2.2: the decoder is told an image embedding alone, and a depth picture where it was
    made for one.
    """

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = ImageTokens(config, normed=True)
        self.pooled = NormedLinear(config.image_dim, config.time_dim)
        if config.hint:
            self.hint = hint_encoder()

    def forward(self, embedding: Tensor) -> Condition:
        """embedding (B, image_dim) -> context (B, tokens, context_dim) and pooled (B, time_dim)."""
        return Condition(self.tokens(embedding), self.pooled(embedding))


class TextImageConditioner(nn.Module):
    """Kandinsky 2.1: an image embedding, and the words once more through XLM-R."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = ImageTokens(config, normed=False)
        self.text = nn.Linear(config.text_dim, config.context_dim)
        self.attends = config.pooling == "attention"
        if self.attends:
            self.pooled: nn.Module = NormedPooling(config.text_dim, config.time_dim)
        else:
            self.pooled = NormedLinear(config.pooled_dim, config.time_dim)
        self.image = nn.Linear(config.image_dim, config.time_dim)

    def forward(self, embedding: Tensor, states: Tensor, pooled: Tensor) -> Condition:
        """embedding (B, image_dim), states (B, S, text_dim), pooled (B, pooled_dim) -> context
        (B, tokens + S, context_dim) and pooled (B, time_dim).
        """
        context = torch.cat([self.tokens(embedding), self.text(states)], dim=1)
        words = self.pooled(states if self.attends else pooled)
        return Condition(context, words + self.image(embedding))


class TextsConditioner(nn.Module):
    """Kandinsky 2.0: the words through two encoders, XLM-R and mT5, side by side."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        self.text = nn.Linear(config.text_dim, config.context_dim)
        self.text2 = nn.Linear(config.text_dim2, config.context_dim)
        self.norm = nn.LayerNorm(config.context_dim)
        self.pooled = NormedLinear(config.pooled_dim, config.time_dim)
        self.pooled2 = NormedPooling(config.text_dim2, config.time_dim)

    def forward(
        self, states: Tensor, pooled: Tensor, states2: Tensor, weights: Tensor | None = None
    ) -> Condition:
        """states (B, S, text_dim), pooled (B, pooled_dim), states2 (B, S2, text_dim2) and how much
        each of their tokens counts, weights (B, S + S2), all 1 unless given -> context
        (B, S + S2, context_dim) and pooled (B, time_dim).
        """
        context = self.norm(torch.cat([self.text(states), self.text2(states2)], dim=1))
        if weights is not None:  # behind the norm, which would take them back
            context = context * weights.to(context)[:, :, None]
        return Condition(context, self.pooled(pooled) + self.pooled2(states2))


class PlainConditioner(nn.Module):
    """Stable Diffusion 1.x: the states of CLIP's text tower are the context, as they are."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, states: Tensor) -> Condition:
        """states (B, S, context_dim) -> the same as context, and nothing for the time."""
        return Condition(states, None)


CONDITIONERS: dict[str, type[nn.Module]] = {
    "image": ImageConditioner,
    "text_image": TextImageConditioner,
    "texts": TextsConditioner,
    "none": PlainConditioner,
}


def make_conditioner(config: ConditionerConfig) -> nn.Module:
    """The conditioner of a family."""
    return CONDITIONERS[config.kind](config)
