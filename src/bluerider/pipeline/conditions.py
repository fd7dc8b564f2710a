"""What the decoder is told: a batch's words -> the inputs of its conditioner, family by family.

Tokenizers, text towers and the prior of a family, and what to say of words that do not fit, live
behind `Reader`; the decoder's loop only hands the inputs on.
"""

from collections.abc import Generator
from typing import Protocol

import torch
from torch import Tensor

from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.embeddings import embed
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.prior import imagine
from bluerider.pipeline.strangeness import strangeness
from bluerider.pipeline.words import doubts

PAINTED = ("prompt", "add")  # flags of words that are painted, not kept away from
Inputs = tuple[Tensor, ...]  # of the conditioner; rows are [uncond; cond], 2B in all


class Reader(Protocol):
    """One family's way from words to the conditioner."""

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """Tells the steps it takes; returns what the conditioner is called with."""

    def warnings(self, name: str, text: str) -> list[str]:
        """What does not fit in a text, which `name` says the role of."""


class Kandinsky22:
    """The decoder is told an image embedding alone, which the prior imagines from the words."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """Embeddings (2B, D): of nothing in particular or the negative words, then of the words."""
        cond = yield from embed(self.parts, batch)
        uncond = self.parts.zero.expand(len(batch), -1)
        negatives = batch.decoder_negatives
        if any(negative.strip() for negative in negatives):
            nothing = [""] * len(batch)
            told = imagine(self.parts, negatives, nothing, batch.seeds, batch.settings)
            painted = yield from told
            blank = torch.tensor([not n.strip() for n in negatives], device=uncond.device)
            uncond = torch.where(blank[:, None], uncond, painted)
        return (torch.cat([uncond, cond]).to(self.parts.dtype),)

    def warnings(self, name: str, text: str) -> list[str]:
        """The words of a text that the text tower does not read, weights read otherwise, and
        whether it is far from all that was read in training.
        """
        found = doubts(self.parts.tokenizer, name, text)
        return found + strangeness(self.parts, text) if name in PAINTED else found
