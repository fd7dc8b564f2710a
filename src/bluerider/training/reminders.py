"""What stages `recall` and `rehearse` read: captions, and texts that nobody wrote, and what each
means.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE
from bluerider.training.captions import Captions, Told, cut_rows, in_groups
from bluerider.training.glosses import Glosses
from bluerider.training.merges import Merges
from bluerider.training.stream import Stream

SILENT = 50  # one text in so many is empty


class Reminder(NamedTuple):
    """Texts, and what each means."""

    ids: list[Tensor]  # (B, S) in groups by length
    first: Tensor  # (B,) row of the drawing; NONE where there are no words
    second: Tensor  # (B,) of a second one, NONE without
    traits: Tensor  # (B, TRAITS)
    ends: Tensor  # (B, 2) the last tokens of both names; 0 where that is not known
    aims: Tensor  # (B, W) what the text means
    sure: Tensor  # (B,) whether somebody said so


class Reminders(Stream[Reminder]):
    """Batches for the `recall` stage: captions, and a part `glossed` of glosses, in more languages
    than captions alike; one text in fifty is empty and means nothing at all. A part
    `undone` of the tokenizer's merges is undone, in most texts.
    """

    def __init__(
        self,
        captions: Captions,
        glosses: Glosses,
        tokenizer: Tokenizer,
        *,
        glossed: float,
        batch: int,
        longest: int,
        seed: int,
        undone: float = 0.0,
    ) -> None:
        self.captions, self.glosses, self.tokenizer = captions, glosses, tokenizer
        self.glossed = glossed
        self.size, self.longest, self.seed = batch, longest, seed
        self.merges = Merges(tokenizer, undone) if undone else None
        odds = captions.weights**0.5
        self.odds = odds / odds.sum()

    def draw(self, rng: np.random.Generator) -> Reminder:
        count = int(rng.binomial(self.size, self.glossed))
        said = self.captions.draw(rng, self.size - count)
        unsaid, aims = self.glosses.draw(rng, count, self.odds)
        told = Told(
            said.texts + unsaid.texts, *map(torch.cat, zip(said[1:], unsaid[1:], strict=True))
        )
        aims = torch.cat([self.glosses.meanings[said.first], aims])
        sure = torch.arange(self.size) < self.size - count
        silent = rng.random(self.size) < 1 / SILENT
        texts = ["" if mute else text for mute, text in zip(silent, told.texts, strict=True)]
        rows, ends = self.cut(texts, told.ends, rng)
        ids, order = in_groups(rows, self.tokenizer.pad)
        nobody = torch.from_numpy(silent)
        first, second = (torch.where(nobody, NONE, row) for row in told[1:3])
        parts = (first, second, told.traits, ends, aims, sure)
        return Reminder(ids, *(each[order] for each in parts))

    def cut(
        self, texts: list[str], ends: Tensor, rng: np.random.Generator
    ) -> tuple[list[list[int]], Tensor]:
        """Ids of texts, and the last tokens (B, 2) of names that end after so many letters."""
        rows = cut_rows(self.tokenizer, texts, self.longest)
        last = [
            [last_token(self.tokenizer, text, end, len(row) - 1) for end in both]
            for text, row, both in zip(texts, rows, ends.tolist(), strict=True)
        ]
        if self.merges is not None:
            both = zip(rows, last, strict=True)
            found = [self.merges.undone(row, at, self.longest, rng) for row, at in both]
            rows, last = [row for row, _ in found], [at for _, at in found]
        return rows, torch.tensor(last)


def last_token(tokenizer: Tokenizer, text: str, end: int, stop: int) -> int:
    """The token, before `stop`, in which the first `end` letters of a text end; 0 without one."""
    if not (text and end):
        return 0
    spans = tokenizer.offsets(text)[:stop]
    found = [i for i, (start, after) in enumerate(spans) if start < end <= after]
    return found[-1] if found else 0
