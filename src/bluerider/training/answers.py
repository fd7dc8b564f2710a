"""What the prior answers to the words of training pictures.

An answer lies near the code that is meant, not on it. A decoder that has seen exact codes alone
paints what lies at the place it is given, a blurred mixture; one that is told the answers too
paints what they mean.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bluerider.nets.clip import TextTower
from bluerider.tokenizers import Tokenizer
from bluerider.training.captions import Captions, cut_rows, in_groups
from bluerider.training.motifs import Motif
from bluerider.training.recall import Recall
from bluerider.training.stage import half

VERSIONS = 4  # answers to a picture, to as many texts
PART = 512  # texts that are read together


class Answerer(NamedTuple):
    """Text tower and prior at rest, and how texts become tokens."""

    text: TextTower
    recall: Recall
    tokenizer: Tokenizer
    longest: int
    dtype: torch.dtype

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> Tensor:
        """The answers (N, D) to texts, float32."""
        parts = [self.part(texts[at : at + PART]) for at in range(0, len(texts), PART)]
        return torch.cat(parts)

    def part(self, texts: list[str]) -> Tensor:
        """The answers to a few texts."""
        pad = self.tokenizer.pad
        ids, order = in_groups(cut_rows(self.tokenizer, texts, self.longest), pad)
        found = [self.group(group, group != pad).float() for group in ids]
        answers = torch.empty(len(texts), found[0].shape[1])
        answers[order] = torch.cat(found)
        return answers

    def group(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The answers to texts of about one length, in half precision."""
        words = half(self.text, self.dtype, ids)
        answer: Tensor = half(self.recall, self.dtype, words.states, words.embedding, mask).answer
        return answer


def answers_to(answerer: Answerer, captions: Captions, motifs: list[Motif], seed: int) -> Tensor:
    """Answers (N, VERSIONS, D) to the words of every drawing on white, and then of `motifs`."""
    rng = np.random.default_rng(seed)
    rows = range(len(captions.motifs.emoji))
    texts = [captions.name_of(rng, row) for row in rows for _ in range(VERSIONS)]
    texts += [captions.words_of(rng, motif) for motif in motifs for _ in range(VERSIONS)]
    return answerer(texts).unflatten(0, (-1, VERSIONS))
