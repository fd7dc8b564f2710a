"""What a network is told of each sample: cached once, or computed in the step by a text tower that
learns.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Values = tuple[Tensor, ...]


class Cached(nn.Module):
    """Rows of tensors, and what stands in for a row that is left out."""

    def __init__(self, rows: Values, nothing: Values, drop: int) -> None:
        super().__init__()
        self.count, self.drop = len(rows), drop
        for i, (table, blank) in enumerate(zip(rows, nothing, strict=True)):
            self.register_buffer(f"rows{i}", table, persistent=False)
            self.register_buffer(f"nothing{i}", blank, persistent=False)

    def forward(self, row: Tensor, drop: Tensor) -> Values:
        """The values (N, ...) of rows (N,), those of `drop` (N, 2) in our column left out."""
        found = []
        for i in range(self.count):
            table, blank = getattr(self, f"rows{i}"), getattr(self, f"nothing{i}")
            left_out = drop[:, self.drop].view(-1, *[1] * (table.ndim - 1))
            found.append(torch.where(left_out, blank, table[row]))
        return tuple(found)


class Spoken(nn.Module):
    """Captions read by a text tower in the step, each different one once.

    `read` is (tower, ids, mask) -> values. Caption 0 is the empty one; row i has caption
    `captions[i]`.
    """

    def __init__(
        self,
        tower: nn.Module,
        read: Callable[[nn.Module, Tensor, Tensor], Values],
        ids: Tensor,
        mask: Tensor,
        captions: Sequence[int],
    ) -> None:
        super().__init__()
        self.tower, self.read = tower, read
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("captions", torch.tensor(captions), persistent=False)

    def forward(self, row: Tensor, drop: Tensor) -> Values:
        """The values (N, ...) of the rows' captions."""
        caption = torch.where(drop[:, 0], 0, self.captions[row])
        used, place = caption.unique(return_inverse=True)
        return tuple(v[place] for v in self.read(self.tower, self.ids[used], self.mask[used]))

    @torch.no_grad()
    def cached(self) -> Cached:
        """The same with the tower's work done once, for a tower that does not learn."""
        values = self.read(self.tower, self.ids, self.mask)
        rows = tuple(v[self.captions.to(v.device)].clone() for v in values)
        return Cached(rows, tuple(v[:1].clone() for v in values), drop=0)


def read_clip(tower: nn.Module, ids: Tensor, mask: Tensor) -> Values:
    """A CLIP text tower: token states, embedding and mask, as the prior is told."""
    states, embedding = tower(ids)
    return states, embedding, mask
