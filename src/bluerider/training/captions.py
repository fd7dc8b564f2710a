"""Names in many languages as captions, and pictures to go with them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bluerider.config import VisionConfig
from bluerider.tokenizers import Tokenizer
from bluerider.training.clip import Pairs
from bluerider.training.emoji import EmojiSet
from bluerider.training.pictures import compose
from bluerider.training.stream import Stream

# languages with the most readers are drawn more often; the rest share what is left evenly
WIDESPREAD = tuple("zh hi es fr ar bn pt ru ur id de ja sw mr te tr ta vi ko".split())


def language_weights(languages: list[str]) -> NDArray[np.float64]:
    """English 25 %, nineteen widespread languages 60 %, the others the rest."""
    weights = np.full(len(languages), 0.15 / max(1, len(languages) - 20))
    for i, lang in enumerate(languages):
        if lang == "en":
            weights[i] = 0.25
        elif lang in WIDESPREAD:
            weights[i] = 0.60 / len(WIDESPREAD)
    return weights / weights.sum()


class Captions:
    """Token ids of every (language, drawing) name, ready to be drawn."""

    def __init__(self, emoji: EmojiSet, tokenizer: Tokenizer, longest: int = 18) -> None:
        self.languages = sorted(emoji.names)
        self.weights = language_weights(self.languages)
        self.rows: list[list[list[int] | None]] = []
        for lang in self.languages:
            names = emoji.names[lang]
            texts = [names.get(emoji.emoji[i], "") for i in emoji.seen]
            rows = tokenizer.rows(texts)
            cut = [r if len(r) <= longest else [*r[: longest - 1], r[-1]] for r in rows]
            self.rows.append([r if t else None for r, t in zip(cut, texts, strict=True)])
        self.pad = tokenizer.pad
        self.empty = tokenizer.rows([""])[0]  # begin and end alone

    def draw(self, rng: np.random.Generator, chosen: NDArray[np.int64], each: int) -> Tensor:
        """Ids (len(chosen) * each, S): `each` names of every chosen drawing, languages
        by weight.
        """
        english = self.languages.index("en")
        rows = []
        for index in np.repeat(chosen, each):
            lang = rng.choice(len(self.languages), p=self.weights)
            rows.append(self.rows[lang][index] or self.rows[english][index] or self.empty)
        return pad(rows, self.pad)


def pad(rows: list[list[int]], value: int) -> Tensor:
    """Rows of ids, made one tensor."""
    width = max(map(len, rows))
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def normalised(pictures: Tensor, config: VisionConfig) -> Tensor:
    """Pictures in [-1, 1], any size -> what the vision tower expects."""
    if pictures.shape[-1] != config.size:
        pictures = F.interpolate(
            pictures, size=(config.size, config.size), mode="bicubic", antialias=True
        )
    mean, std = (torch.tensor(v)[:, None, None] for v in (config.mean, config.std))
    return ((pictures.clamp(-1, 1) + 1) / 2 - mean) / std


class Named(Stream[Pairs]):
    """Batches for the `clip` stage."""

    def __init__(
        self,
        drawings: NDArray[np.uint8],
        captions: Captions,
        vision: VisionConfig,
        *,
        batch: int,
        each: int,
        seed: int,
    ) -> None:
        self.drawings, self.captions, self.vision = torch.from_numpy(drawings), captions, vision
        self.size, self.each, self.seed = batch, each, seed

    def draw(self, rng: np.random.Generator) -> Pairs:
        chosen = rng.choice(len(self.drawings), size=self.size, replace=False)
        colours = rng.integers(0, 256, (self.size, 3))
        colours[rng.random(self.size) < 0.7] = 255
        pictures = compose(self.drawings[chosen], torch.from_numpy(colours))
        ids = self.captions.draw(rng, chosen, self.each)
        return Pairs(
            normalised(pictures, self.vision),
            F.avg_pool2d(pictures, pictures.shape[-1] // 32).flatten(1),
            torch.from_numpy(chosen),
            ids,
            torch.arange(self.size).repeat_interleave(self.each),
        )
