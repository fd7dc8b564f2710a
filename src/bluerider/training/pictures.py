"""Training pictures: drawings on canvases of one colour, small scenes, as streams that depend on
seed and step alone.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bluerider.config import VisionConfig
from bluerider.images import to_array
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.emoji import EmojiSet
from bluerider.training.motifs import Motif, Motifs, painted
from bluerider.training.stream import Stream

CELL = 8  # pixels along a latent's cell
PICTURES = 3  # encoded for each painted latent
TRANSPOSED, RECOLOURED = 0.25, 0.3  # of batches of crops: on their side; with channels exchanged


def rgba(emoji: EmojiSet, size: int, indices: list[int]) -> NDArray[np.uint8]:
    """The chosen drawings (N, size, size, 4)."""
    return np.stack([emoji.picture(i, size) for i in indices])


def framed(drawings: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """Drawings (N, S, S, 4) with `margin` clear pixels on each side, so that crops shift them."""
    return np.pad(drawings, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def compose(drawings: Tensor, colours: Tensor) -> Tensor:
    """RGBA uint8 (B, S, S, 4) over colours (B, 3) in 0..255 -> pictures (B, 3, S, S) in [-1, 1]."""
    x = drawings.float()
    alpha = x[..., 3:] / 255
    picture = x[..., :3] * alpha + colours[:, None, None].float() * (1 - alpha)
    return picture.movedim(-1, 1) / 127.5 - 1


def normalised(pictures: Tensor, config: VisionConfig) -> Tensor:
    """Pictures in [-1, 1], any size -> what the vision tower expects."""
    if pictures.shape[-1] != config.size:
        pictures = F.interpolate(
            pictures, size=(config.size, config.size), mode="bicubic", antialias=True
        )
    mean, std = (torch.tensor(v)[:, None, None] for v in (config.mean, config.std))
    return ((pictures.clamp(-1, 1) + 1) / 2 - mean) / std


def on_white(drawings: NDArray[np.uint8]) -> Tensor:
    """Drawings (N, S, S, 4) on white (N, 3, S, S), in [-1, 1]."""
    return compose(torch.from_numpy(drawings), torch.full((len(drawings), 3), 255))


class Renditions(NamedTuple):
    """Latents as they are painted, and the pictures that were to be painted."""

    latents: Tensor  # (N, C, h, w)
    pictures: Tensor  # (N, 3, CELL * h, CELL * w) uint8


class Views(NamedTuple):
    """What the autoencoder is shown: pictures in [-1, 1], and a part of some renditions."""

    picture: Tensor  # (B, 3, crop, crop)
    painted: Tensor  # (P, C, crop / CELL, crop / CELL)
    wanted: Tensor  # (P, 3, crop, crop)


class Crops(Stream[Views]):
    """Batches for the autoencoder: flips and turns, random backgrounds, random crops; and for
    every `PICTURES` of them one rendition more.
    """

    def __init__(
        self,
        drawings: NDArray[np.uint8],
        *,
        batch: int,
        crop: int,
        seed: int,
        renditions: Renditions | None = None,
    ) -> None:
        self.drawings, self.size, self.crop = torch.from_numpy(drawings), batch, crop
        self.seed, self.renditions = seed, renditions

    def draw(self, rng: np.random.Generator) -> Views:
        return Views(self.pictures(rng), *self.rendered(rng))

    def pictures(self, rng: np.random.Generator) -> Tensor:
        """Crops of drawings on colours."""
        chosen = rng.integers(len(self.drawings), size=self.size)
        colours = rng.integers(0, 256, (self.size, 3))
        colours[rng.random(self.size) < 0.6] = 255
        pictures = compose(self.drawings[chosen], torch.from_numpy(colours))
        if rng.random() < 0.5:
            pictures = pictures.flip(-1)
        if rng.random() < TRANSPOSED:
            pictures = pictures.transpose(-1, -2)
        if rng.random() < RECOLOURED:
            pictures = pictures[:, torch.from_numpy(rng.permutation(3))]
        top, left = rng.integers(0, pictures.shape[-1] - self.crop + 1, 2)
        crops = pictures[..., top : top + self.crop, left : left + self.crop]
        # Channels first: a group norm's backward in bfloat16 is many times slower channels last.
        return crops.contiguous()

    def rendered(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Crops, by whole cells, of latents as painted and of the pictures they were to become."""
        shown, side = self.renditions, self.crop // CELL
        if shown is None:
            return torch.empty(0, 1, side, side), torch.empty(0, 3, self.crop, self.crop)
        chosen = rng.integers(len(shown.latents), size=max(1, self.size // PICTURES))
        top, left = rng.integers(0, shown.latents.shape[-1] - side + 1, 2)
        latents = shown.latents[chosen, :, top : top + side, left : left + side]
        top, left = CELL * top, CELL * left
        wanted = shown.pictures[chosen, :, top : top + self.crop, left : left + self.crop]
        return latents.contiguous(), wanted.float().contiguous() / 127.5 - 1


class Seen(NamedTuple):
    """Pictures and what they show: rows of drawings, a second one (NONE without), traits."""

    picture: Tensor  # (B, 3, size, size) in [-1, 1]
    first: Tensor  # (B,)
    second: Tensor  # (B,)
    traits: Tensor  # (B, TRAITS)


class Blend(NamedTuple):
    """Pictures of two drawings laid over each other on white."""

    picture: Tensor  # (B, 3, size, size) in [-1, 1]
    rows: Tensor  # (B, 2) the drawings
    share: Tensor  # (B,) of the second one, in 0..1


class Sights:
    """Draws pictures: drawings on white, and small scenes of them (a part, `scenes`)."""

    def __init__(self, emoji: EmojiSet, size: int, *, batch: int, scenes: float) -> None:
        names = [emoji.emoji[i] for i in emoji.seen]
        self.drawings = rgba(emoji, size, emoji.seen)
        self.named = dict(zip(names, self.drawings, strict=True))
        self.motifs, self.size, self.batch, self.scenes = Motifs(names), size, batch, scenes

    def draw(self, rng: np.random.Generator) -> Seen:
        """A batch of both kinds, scenes first."""
        count = int(rng.binomial(self.batch, self.scenes))
        motifs = [self.motifs.draw(rng) for _ in range(count)]
        rows = torch.from_numpy(rng.integers(len(self.drawings), size=self.batch - count))
        plain = on_white(self.drawings[rows.numpy()])
        scenes = self.paint(motifs)
        return Seen(
            torch.cat([scenes.picture, plain]),
            torch.cat([scenes.first, rows]),
            torch.cat([scenes.second, torch.full_like(rows, NONE)]),
            torch.cat([scenes.traits, torch.zeros(len(rows), TRAITS)]),
        )

    def paint(self, motifs: list[Motif]) -> Seen:
        """The motifs as pictures."""
        size = self.size
        pictures = torch.empty(len(motifs), 3, size, size)
        traits = torch.empty(len(motifs), TRAITS)
        for i, motif in enumerate(motifs):
            array = to_array(painted(motif, self.named, size))
            pictures[i] = torch.from_numpy(array).movedim(-1, 0)
            traits[i] = torch.from_numpy(motif.traits)
        first = torch.tensor([motif.first for motif in motifs], dtype=torch.int64)
        second = torch.tensor([motif.second for motif in motifs], dtype=torch.int64)
        return Seen(pictures, first, second, traits)

    def blend(self, rng: np.random.Generator, count: int) -> Blend:
        """Two drawings each, half of the time evenly."""
        rows = rng.integers(len(self.drawings), size=(count, 2))
        drawn = rng.uniform(0.25, 0.75, count).astype(np.float32)
        share = torch.from_numpy(np.where(rng.random(count) < 0.5, np.float32(0.5), drawn))
        one, other = (on_white(self.drawings[rows[:, i]]) for i in (0, 1))
        picture = torch.lerp(one, other, share[:, None, None, None])
        return Blend(picture, torch.from_numpy(rows), share)
