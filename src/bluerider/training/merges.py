"""Merges of a tokenizer undone at random, so that pieces of every length are learned.

A word that was not read is cut into pieces that were seldom met, for whole words took theirs. With
some merges undone (the other way round from BPE-dropout, Provilkov et al. 2020, which leaves them
out from below), a text is met in many cuts, and the pieces that words have in common are learned.
"""

import json

import numpy as np

from bluerider.tokenizers import Tokenizer

CUT = 0.6  # of texts, in which merges are undone at all


class Merges:
    """Which two pieces every longer one was merged of; in the part `CUT` of all texts each merge is
    undone with odds `share`.
    """

    def __init__(self, tokenizer: Tokenizer, share: float) -> None:
        model = json.loads(tokenizer.fast.to_str())["model"]
        at: dict[str, int] = model["vocab"]
        self.share = share
        self.parts: dict[int, tuple[int, int]] = {}
        for left, right in model.get("merges", []):
            self.parts.setdefault(at[left + right], (at[left], at[right]))

    def undone(
        self, row: list[int], ends: list[int], longest: int, rng: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        """Ids of a text with merges undone, and where the tokens at `ends` (0: nowhere) end now;
        as they were where more than `longest` would come of it.
        """
        if rng.random() >= CUT:
            return row, ends
        cut = [self.undo(token, rng) for token in row]
        if sum(map(len, cut)) > longest:
            return row, ends
        last = np.cumsum([len(pieces) for pieces in cut]) - 1
        return [p for pieces in cut for p in pieces], [int(last[e]) if e else 0 for e in ends]

    def undo(self, token: int, rng: np.random.Generator) -> list[int]:
        """A piece, or those it was merged of, each undone alike."""
        if token not in self.parts or rng.random() >= self.share:
            return [token]
        return [piece for part in self.parts[token] for piece in self.undo(part, rng)]
