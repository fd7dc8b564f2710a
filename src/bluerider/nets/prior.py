"""The diffusion prior: words -> image embedding (unCLIP, Ramesh et al. 2022, section 2.2)."""

import torch
from torch import Tensor, nn

from bluerider.config import PriorConfig
from bluerider.nets.clip import Layer
from bluerider.nets.layers import sinusoid, small_parameter, time_mlp


class Prior(nn.Module):
    """Causal transformer over [text tokens; text embedding; time; noisy embedding; query] -> clean
    embedding.
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.heads * config.head_dim
        self.time = time_mlp(width, width)
        self.proj_x = nn.Linear(config.embed_dim, width)
        self.proj_pooled = nn.Linear(config.embed_dim, width)
        self.proj_text = nn.Linear(config.text_dim, width)
        self.positions = small_parameter(1, config.tokens + 4, width)
        self.query = small_parameter(1, 1, width)
        self.blocks = nn.ModuleList(
            Layer(width, config.heads, 4 * width, "gelu", 1e-5) for _ in range(config.layers)
        )
        self.norm_out = nn.LayerNorm(width) if config.final_norm else nn.Identity()
        self.proj_out = nn.Linear(width, config.embed_dim)
        self.mean = nn.Parameter(torch.zeros(1, config.embed_dim))
        self.std = nn.Parameter(torch.ones(1, config.embed_dim))

    def forward(self, x: Tensor, t: Tensor, text: Tensor, pooled: Tensor, mask: Tensor) -> Tensor:
        """x (B, D) noisy, normalised embedding; t (B,); text (B, S, W), S at most `config.tokens`;
        pooled (B, D).

        `mask` (B, S) is true on real tokens. Text shorter than `config.tokens` stands for the same
        text padded:
        masked keys weigh nothing, so they are left out. Returns the normalised clean embedding (B,
        D).
        """
        tokens, visible = self.lay_out(x, t, text, pooled, mask)
        for block in self.blocks:
            tokens = block(tokens, visible)
        return self.proj_out(self.norm_out(tokens[:, -1]))

    def lay_out(
        self, x: Tensor, t: Tensor, text: Tensor, pooled: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The tokens (B, S + 4, width) that the blocks begin with, and which of them each may see
        (B, 1, S + 4, S + 4).
        """
        length = text.shape[1]
        time = self.time(sinusoid(t, self.query.shape[-1]).to(x.dtype))
        extra = torch.stack([self.proj_pooled(pooled), time, self.proj_x(x)], dim=1)
        query = self.query.expand(len(x), -1, -1)
        tokens = torch.cat([self.proj_text(text), extra, query], dim=1)
        positions = self.positions
        tokens = tokens + torch.cat([positions[:, :length], positions[:, -4:]], dim=1)
        seen = torch.cat([mask.bool(), mask.new_ones(len(x), 4).bool()], dim=1)
        causal = torch.ones(length + 4, length + 4, dtype=torch.bool, device=x.device).tril()
        return tokens, causal[None, None] & seen[:, None, None]

    def normalise(self, embedding: Tensor) -> Tensor:
        """Image embedding -> the space that is diffused."""
        return (embedding - self.mean) / self.std

    def restore(self, x: Tensor) -> Tensor:
        """Back from the diffused space to an image embedding."""
        return x * self.std + self.mean
