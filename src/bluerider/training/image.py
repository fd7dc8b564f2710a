"""Stage `image`: pictures call up the code of what they show."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.config import VisionConfig
from bluerider.nets.clip import VisionTower
from bluerider.training.appearance import NONE, Appearance
from bluerider.training.pictures import Sights, normalised
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

CHOICE = 0.3  # weight of the choice of a drawing, beside the squared errors


class Shown(NamedTuple):
    """Pictures, and what the tower has to say of them."""

    picture: Tensor  # (B, 3, size, size), normalised for the vision tower
    embedding: Tensor  # (B, width)
    drawing: Tensor  # (B,) row of the first thing; NONE in blends and the empty picture


class Eyes(nn.Module):
    """A vision tower, and how sharply it chooses among the drawings."""

    def __init__(self, vision: VisionTower) -> None:
        super().__init__()
        self.vision = vision
        self.sharpness = nn.Parameter(torch.zeros(()))  # logarithm

    def forward(self, picture: Tensor) -> Tensor:
        """Embeddings (B, D) of pictures."""
        embedding: Tensor = self.vision(picture)
        return embedding


class ImageStage(Stage):
    """A picture has to give the appearance code of what it shows.

    The code's distances to all drawings are the contrast: every look-alike is among the negatives
    of every step, however small the batch (as with fixed proxies, Movshovitz-Attias et al. 2017).
    """

    def __init__(self, vision: VisionTower, settings: Settings, appearance: Appearance) -> None:
        super().__init__(Eyes(vision), settings)
        self.appearance = Appearance(appearance.codes, appearance.second)

    def training_step(self, batch: Shown, index: int) -> Tensor:
        seen = half(self.net, self.dtype_, batch.picture.to(self.dtype_)).float()
        sharpness = self.net.sharpness.exp().clamp(max=50.0)
        nobody = torch.full_like(batch.drawing, NONE)
        choice, known = self.appearance.chosen(seen, batch.drawing, nobody, sharpness)
        look = self.appearance.apart(seen, batch.embedding)
        self.log_dict({"choice": choice, "known": known.float().mean(), "look": look})
        return CHOICE * choice + look


class Showings(Stream[Shown]):
    """Batches for the `image` stage: drawings and scenes, `blends` of two drawings, and the empty
    picture.
    """

    def __init__(
        self,
        sights: Sights,
        appearance: Appearance,
        vision: VisionConfig,
        *,
        blends: int,
        seed: int,
    ) -> None:
        self.sights, self.appearance, self.vision = sights, appearance, vision
        self.blends, self.seed = blends, seed

    def draw(self, rng: np.random.Generator) -> Shown:
        seen, blend = self.sights.draw(rng), self.sights.blend(rng, self.blends)
        pictures = normalised(torch.cat([seen.picture, blend.picture]), self.vision)
        codes = self.appearance
        shown = codes.embed(seen.first, seen.second, seen.traits)
        between = codes.between(blend.rows, blend.share)
        return Shown(
            torch.cat([pictures, torch.zeros_like(pictures[:1])]),
            torch.cat([shown, between, codes.nothing()]),
            torch.cat([seen.first, torch.full((self.blends + 1,), NONE)]),
        )
