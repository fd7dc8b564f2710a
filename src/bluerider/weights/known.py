"""What a model has read in training, kept beside its bluerider.json: so that it can tell when it
is asked for what it cannot know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from bluerider.errors import WeightsError
from bluerider.tokenizers import Tokenizer
from bluerider.weights.header import read_header
from bluerider.weights.store import write_whole

KNOWN = "known.safetensors"
AT_ONCE = 4096  # texts
AWAY = 0.13  # of familiarity, for a squared distance of 1; most known names are < 1 away
CLOSE = 1.0  # squared distance within which an answer to a word means a thing that was seen


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """The pairs of neighbouring tokens that stood in the texts of a training, and the codes of the
    things that were to be seen in it, with which its image embeddings begin.

    `threshold` is the familiarity under which a text is told to be strange, measured by
    `bluerider evaluate warnings`; None: nobody has measured it, and nothing is told.
    """

    pairs: Tensor  # (P,) int64, sorted: first token * vocab + second
    vocab: int
    threshold: float | None = None
    codes: Tensor | None = None  # (N, C)

    @classmethod
    def of(
        cls, texts: Sequence[str], tokenizer: Tokenizer, vocab: int, codes: Tensor | None = None
    ) -> "Known":
        """Of all texts that training reads, and of the codes (N, C) of what it shows."""
        found: set[int] = set()
        for start in range(0, len(texts), AT_ONCE):
            for row in tokenizer.rows(list(texts[start : start + AT_ONCE])):
                found.update(keys(row, vocab))
        pairs = torch.tensor(sorted(found), dtype=torch.int64)
        return cls(pairs=pairs, vocab=vocab, codes=codes)

    def familiarity(self, row: Sequence[int], answer: Tensor | None = None) -> float:
        """The share of a text's neighbouring tokens that neighboured in training, less `AWAY` times
        the squared distance of the prior's answer (D,) to it from the code of the nearest thing:
        1 at the most. `row` are the text's ids with begin and end.
        """
        share = self.share(row)
        if answer is None or self.codes is None:
            return share
        code = answer[: self.codes.shape[1]].float().cpu()
        return share - AWAY * float((self.codes - code).square().sum(dim=1).min())

    def recognised(self, answers: Tensor) -> Tensor:
        """The prior's answers (B, D), those close to the code of a thing that was seen with that
        code in place of their own.
        """
        if self.codes is None:
            return answers
        codes = self.codes.to(answers)
        width = codes.shape[1]
        far, nearest = torch.cdist(answers[:, :width], codes).square().min(dim=1)
        found = answers.clone()
        close = far < CLOSE
        found[close, :width] = codes[nearest[close]]
        return found

    def share(self, row: Sequence[int]) -> float:
        """The share, in 0..1, of a text's neighbouring tokens that neighboured in training."""
        asked = torch.tensor(list(keys(row, self.vocab)), dtype=torch.int64)
        if not len(asked) or not len(self.pairs):
            return float(not len(asked))
        at = torch.searchsorted(self.pairs, asked).clamp(max=len(self.pairs) - 1)
        return float((self.pairs[at] == asked).float().mean())

    def under(self, threshold: float | None) -> "Known":
        """The same with another threshold."""
        return replace(self, threshold=threshold)


def keys(row: Sequence[int], vocab: int) -> Iterable[int]:
    """One number for each two neighbours."""
    return (first * vocab + second for first, second in pairwise(row))


def load_known(path: Path) -> Known:
    """Read what `save_known` wrote. Raises WeightsError for a damaged file."""
    shapes = read_header(path)
    with safe_open(path, "pt") as file:
        told = file.metadata() or {}
        try:
            vocab = int(told["vocab"])
            threshold = float(told["threshold"]) if "threshold" in told else None
            if len(shapes["pairs"].shape) != 1 or vocab < 1:
                raise ValueError
            pairs = file.get_tensor("pairs").long()
            codes = file.get_tensor("codes").float() if "codes" in shapes else None
            if codes is not None and codes.ndim != 2:
                raise ValueError
        except (KeyError, ValueError):
            raise WeightsError(
                f"{path}: damaged; run: bluerider evaluate warnings --write"
            ) from None
    return Known(pairs=pairs, vocab=vocab, threshold=threshold, codes=codes)


def save_known(known: Known, path: Path) -> None:
    """Write it whole: pairs in 32 bits where they fit, codes in 16, the rest as metadata."""
    fits = known.vocab**2 <= 2**31
    told = {"vocab": str(known.vocab)}
    if known.threshold is not None:
        told["threshold"] = repr(known.threshold)
    pairs = known.pairs.to(torch.int32) if fits else known.pairs
    tensors = {"pairs": pairs.contiguous()}
    if known.codes is not None:
        tensors["codes"] = known.codes.to(torch.float16).contiguous()
    write_whole(path, save(tensors, metadata=told))
