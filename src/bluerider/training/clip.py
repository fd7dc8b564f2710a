"""Stage `clip`: words and pictures meet in the code of what pictures look like."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import VisionConfig
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, Appearance
from bluerider.training.captions import Captions, cut_rows, in_groups, normalised
from bluerider.training.pictures import Sights
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

SMALL = 0.02  # deviation of positions and tokens, at first
CODE, SCENE = 0.05, 2.0  # weights of the squared errors of codes and of traits
SECOND = 3.0  # weight of the choice of a second thing, which few texts have


class Met(NamedTuple):
    """Texts and pictures, and what each shows."""

    ids: list[Tensor]  # (T, S) in groups by length
    first: Tensor  # (T,) row of the drawing a text names
    second: Tensor  # (T,) of a second one, NONE without
    traits: Tensor  # (T, TRAITS)
    picture: Tensor  # (P, 3, size, size), normalised for the vision tower; none: it rests
    embedding: Tensor  # (P, width), what the vision tower has to say of them
    drawing: Tensor  # (P,) row of the first thing; NONE in blends and the empty picture


class Towers(nn.Module):
    """Both towers, and how sharply each chooses among the drawings."""

    def __init__(self, text: TextTower, vision: VisionTower) -> None:
        super().__init__()
        self.text, self.vision = text, vision
        self.sharpness = nn.Parameter(torch.zeros(2))  # of text, of vision; logarithms

    def forward(self, picture: Tensor, *ids: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (P, D) of pictures and (T, D) of texts."""
        words = torch.cat([self.text(group).embedding for group in ids])
        seen = self.vision(picture) if len(picture) else words.new_zeros(0, words.shape[1])
        return seen, words


def start_small(*towers: TextTower | VisionTower) -> None:
    """Positions and tokens begin small (as CLIP's do), so that they do not drown the patches."""
    for tower in towers:
        nn.init.normal_(tower.positions.weight, std=SMALL)
        if isinstance(tower, TextTower):
            nn.init.normal_(tower.embed.weight, std=SMALL)


def chosen(
    appearance: Appearance, embedding: Tensor, first: Tensor, second: Tensor, sharpness: Tensor
) -> tuple[Tensor, Tensor]:
    """How badly the first and second thing (B,) are told from all drawings by their codes' distance
    (cross-entropy, the second's times `SECOND`, mean over all), and whether the first (B,) is the
    nearest.
    """
    code, beside, _ = appearance.parts(embedding)
    logits = -sharpness * appearance.far(code, appearance.codes)
    there = first != NONE
    missed = F.cross_entropy(logits[there], first[there])
    both = second != NONE
    if both.any():
        others = -sharpness * appearance.far(beside[both], appearance.codes)
        missed = missed + SECOND * both.float().mean() * F.cross_entropy(others, second[both])
    return missed, (logits.argmax(dim=1) == first)[there]


def apart(appearance: Appearance, embedding: Tensor, wanted: Tensor) -> Tensor:
    """Squared error of codes and traits, weighted, mean over the batch."""
    squares = [part.square().sum(dim=1).mean() for part in appearance.parts(embedding - wanted)]
    return CODE * (squares[0] + squares[1]) + SCENE * squares[2]


class ClipStage(Stage):
    """Texts and pictures both have to give the appearance code of what they name or show.

    The code's distances to all drawings are the contrast: every look-alike is among the negatives
    of every step, however small the batch (as with fixed proxies, Movshovitz-Attias et al. 2017).
    """

    def __init__(
        self, text: TextTower, vision: VisionTower, settings: Settings, appearance: Appearance
    ) -> None:
        super().__init__(Towers(text, vision), settings)
        self.appearance = Appearance(appearance.codes, appearance.second)

    def training_step(self, batch: Met, index: int) -> Tensor:
        picture = batch.picture.to(self.dtype_)
        seen, words = half(self.net, self.dtype_, picture, *batch.ids)
        seen, words = seen.float(), words.float()
        read_sharply, see_sharply = self.net.sharpness.exp().clamp(max=50.0)
        wanted = self.appearance.embed(batch.first, batch.second, batch.traits)
        find, right = chosen(self.appearance, words, batch.first, batch.second, read_sharply)
        read = apart(self.appearance, words, wanted)
        self.log_dict({"find": find, "right": right.float().mean(), "read": read})
        if not len(seen):
            return find + read
        nobody = torch.full_like(batch.drawing, NONE)
        name, known = chosen(self.appearance, seen, batch.drawing, nobody, see_sharply)
        look = apart(self.appearance, seen, batch.embedding)
        self.log_dict({"name": name, "known": known.float().mean(), "look": look})
        return find + read + 0.3 * name + look


class Meetings(Stream[Met]):
    """Batches for the `clip` stage: texts, and pictures, `blends` of two drawings and the empty one
    among them.
    """

    def __init__(
        self,
        captions: Captions,
        tokenizer: Tokenizer,
        sights: Sights,
        appearance: Appearance,
        vision: VisionConfig,
        *,
        texts: int,
        blends: int,
        longest: int,
        seed: int,
    ) -> None:
        self.captions, self.tokenizer, self.sights = captions, tokenizer, sights
        self.blends = blends
        self.vision, self.appearance = vision, appearance
        self.texts, self.longest, self.seed = texts, longest, seed

    def draw(self, rng: np.random.Generator) -> Met:
        told = self.captions.draw(rng, self.texts)
        rows = cut_rows(self.tokenizer, told.texts, self.longest)
        ids, order = in_groups(rows, self.tokenizer.pad)
        first, second, traits = (each[order] for each in told[1:4])
        return Met(ids, first, second, traits, *self.look(rng))

    def look(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, their embeddings and drawings; none of any if a batch has none to show."""
        size, nothing = self.vision.size, self.appearance.nothing()
        if not self.sights.batch:
            return torch.zeros(0, 3, size, size), nothing[:0], torch.zeros(0, dtype=torch.int64)
        seen, blend = self.sights.draw(rng), self.sights.blend(rng, self.blends)
        pictures = torch.cat([seen.picture, blend.picture])
        codes = self.appearance
        shown = codes.embed(seen.first, seen.second, seen.traits)
        between = codes.between(blend.rows, blend.share)
        nobody = torch.full((self.blends + 1,), NONE)
        return (
            torch.cat([normalised(pictures, self.vision), torch.zeros(1, 3, size, size)]),
            torch.cat([shown, between, nothing]),
            torch.cat([seen.first, nobody]),
        )
