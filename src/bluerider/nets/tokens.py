"""Learned tokens (textual inversion, Gal et al. 2022): rows beside a frozen table of tokens."""

import torch
from torch import Tensor, nn


class Extended(nn.Module):
    """An embedding whose table goes on with rows of its own: id vocab + k is row k. The table stays
    as it is.
    """

    def __init__(self, base: nn.Embedding, rows: Tensor) -> None:
        super().__init__()
        self.base = base
        self.rows = nn.Parameter(rows.to(base.weight), requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (...) int64 -> (..., width)."""
        beyond = ids - self.base.num_embeddings
        known = self.base(ids.clamp(max=self.base.num_embeddings - 1))
        return torch.where(
            (beyond >= 0)[..., None], self.rows[beyond.clamp(min=0)].to(known.dtype), known
        )


def extend(tower: nn.Module, rows: Tensor) -> None:
    """Let a text tower read learned tokens, rows (K, width)."""
    tower.embed = Extended(tower.embed, rows)


def learned_rows(tower: nn.Module) -> nn.Parameter | None:
    """The rows (K, width) of a text tower's learned tokens; None where it has none."""
    return tower.embed.rows if isinstance(tower.embed, Extended) else None
