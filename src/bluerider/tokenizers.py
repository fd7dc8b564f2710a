"""Texts -> token ids, behind one call, for every text encoder of the family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from bluerider.errors import WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Fast


class Tokens(NamedTuple):
    """Ids (B, S) int64, and a mask (B, S) that is true on real tokens."""

    ids: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Tokenizer:
    """A `tokenizer.json` with the length its model takes; begin and end tokens are the file's
    business.
    """

    fast: "Fast"
    length: int
    pad: int
    learned: Mapping[int, int] = field(default_factory=dict)  # ids of words added -> those of rows

    @classmethod
    def load(cls, file: str | Path, *, length: int, pad: int) -> "Tokenizer":
        """Read a `tokenizer.json`; WeightsError where it is missing or damaged."""
        from tokenizers import Tokenizer as Fast

        try:
            fast = Fast.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            raise WeightsError(f"{file} is not a readable tokenizer.json: {error}") from None
        fast.no_padding()
        fast.no_truncation()
        return cls(fast, length, pad)

    def with_words(self, words: Sequence[str], first: int) -> "Tokenizer":
        """The same with more words, each one token: `first`, `first` + 1 ... The file's own words
        are read as before.
        """
        from tokenizers import AddedToken
        from tokenizers import Tokenizer as Fast

        fast = Fast.from_str(self.fast.to_str())
        fast.add_tokens([AddedToken(word, normalized=False, single_word=True) for word in words])
        found = [fast.token_to_id(word) for word in words]
        learned = {at: first + i for i, at in enumerate(found) if at is not None}
        return Tokenizer(fast, self.length, self.pad, learned)

    def rows(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text with begin and end, cut to the length with the end kept."""
        known = self.learned
        rows = [[known.get(i, i) for i in e.ids] for e in self.fast.encode_batch(texts)]
        return [r if len(r) <= self.length else [*r[: self.length - 1], r[-1]] for r in rows]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each id of a row stands in the text, as (start, end) in letters; begin and end
        nowhere.
        """
        found: list[tuple[int, int]] = self.fast.encode(text).offsets
        return found if len(found) <= self.length else [*found[: self.length - 1], found[-1]]

    def __call__(self, texts: list[str], *, full: bool = True) -> Tokens:
        """Padded to the model's length, or, where not `full`, to the longest text."""
        rows = self.rows(texts)
        width = self.length if full else max(map(len, rows))
        ids = torch.full((len(rows), width), self.pad, dtype=torch.int64)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = True
        return Tokens(ids, mask)

    def fit(self, text: str) -> tuple[str, list[str]]:
        """The part of the text that the model sees, and the words that are cut, the word cut in two
        among them.
        """
        encoding = self.fast.encode(text)
        if len(encoding.ids) <= self.length:
            return text, []
        kept = [span for span in encoding.offsets[: self.length - 1] if span[1] > span[0]]
        end = kept[-1][1] if kept else 0
        while (
            end > 0 and end < len(text) and not text[end].isspace() and not text[end - 1].isspace()
        ):
            end -= 1
        return text[:end].rstrip() or text[: kept[-1][1] if kept else 0], text[end:].split()
