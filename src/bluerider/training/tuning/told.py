"""What a network is told of each sample: cached once, or computed in the step by a text tower that
learns.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Values = tuple[Tensor, ...]


BATCH = 64


class Cached(nn.Module):
    """Tables of tensors, which entry each row has (None: its own), and what stands in for a row
    that is left out.
    """

    def __init__(
        self, rows: Values, nothing: Values, drop: int, entries: Tensor | None = None
    ) -> None:
        super().__init__()
        self.count, self.drop = len(rows), drop
        self.register_buffer("entries", entries, persistent=False)
        for i, (table, blank) in enumerate(zip(rows, nothing, strict=True)):
            self.register_buffer(f"rows{i}", table, persistent=False)
            self.register_buffer(f"nothing{i}", blank, persistent=False)

    def forward(self, row: Tensor, drop: Tensor) -> Values:
        """The values (N, ...) of rows (N,), those of `drop` (N, 2) in our column left out."""
        row = row if self.entries is None else self.entries[row]
        found = []
        for i in range(self.count):
            table, blank = getattr(self, f"rows{i}"), getattr(self, f"nothing{i}")
            left_out = drop[:, self.drop].view(-1, *[1] * (table.ndim - 1))
            found.append(torch.where(left_out, blank, table[row]))
        return tuple(found)


class Live(nn.Module):
    """Image embeddings: of the first `count` rows what a prior that answers at once makes of their
    words as it stands, of the others their own; `nothing` where the image is left out.

    No gradient goes back: the decoder learns to paint what it is told, not to be told otherwise.
    """

    def __init__(
        self,
        spoken: nn.Module,
        answer: Callable[[Values], Tensor],
        rows: Tensor,
        nothing: Tensor,
        count: int,
    ) -> None:
        super().__init__()
        self.spoken, self.answer, self.count = spoken, answer, count
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("nothing", nothing, persistent=False)

    @torch.no_grad()
    def forward(self, row: Tensor, drop: Tensor) -> Values:
        """The embedding (N, D) of each row; column 1 of `drop` (N, 2) says what is left out."""
        found = self.rows[row]
        first = row < self.count
        if first.any():
            words = self.spoken(row[first], torch.zeros_like(drop[first]))
            found[first] = self.answer(words).to(found)
        return (torch.where(drop[:, 1:], self.nothing, found),)


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
        pieces = zip(self.ids.split(BATCH), self.mask.split(BATCH), strict=True)
        made = [self.read(self.tower, ids, mask) for ids, mask in pieces]
        tables = tuple(torch.cat(each).clone() for each in zip(*made, strict=True))
        return Cached(tables, tuple(t[:1].clone() for t in tables), drop=0, entries=self.captions)
