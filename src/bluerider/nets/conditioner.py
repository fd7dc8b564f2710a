"""Embeddings -> what the U-Net sees: context tokens and a vector added to the time embedding."""

from typing import NamedTuple

from torch import Tensor, nn

from bluerider.config import ConditionerConfig

HINT_WIDTHS = (3, 16, 16, 32, 32, 96, 96, 256, 4)
HINT_HALVINGS = (2, 4, 6)


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

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.count = config.tokens
        self.linear = nn.Linear(config.image_dim, config.tokens * config.context_dim)
        self.norm = nn.LayerNorm(config.context_dim)

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


class ImageConditioner(nn.Module):
    """Kandinsky 2.2: the decoder is told an image embedding alone, and a depth picture where it was
    made for one.
    """

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = ImageTokens(config)
        self.pooled = NormedLinear(config.image_dim, config.time_dim)
        if config.hint:
            self.hint = hint_encoder()

    def forward(self, embedding: Tensor) -> Condition:
        """embedding (B, image_dim) -> context (B, tokens, context_dim) and pooled (B, time_dim)."""
        return Condition(self.tokens(embedding), self.pooled(embedding))
