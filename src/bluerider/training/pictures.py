"""Training pictures: drawings placed on canvases of one colour, as a stream that depends on seed
and step alone.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bluerider.training.emoji import EmojiSet
from bluerider.training.stream import Stream


def rgba(emoji: EmojiSet, size: int, indices: list[int]) -> NDArray[np.uint8]:
    """The chosen drawings (N, size, size, 4)."""
    return np.stack([emoji.picture(i, size) for i in indices])


def compose(drawings: Tensor, colours: Tensor) -> Tensor:
    """RGBA uint8 (B, S, S, 4) over colours (B, 3) in 0..255 -> pictures (B, 3, S, S) in [-1, 1]."""
    x = drawings.float()
    alpha = x[..., 3:] / 255
    picture = x[..., :3] * alpha + colours[:, None, None].float() * (1 - alpha)
    return picture.movedim(-1, 1) / 127.5 - 1


class Crops(Stream[Tensor]):
    """Batches (B, 3, crop, crop) in [-1, 1] for the autoencoder: flips, random backgrounds, random
    crops.
    """

    def __init__(self, drawings: NDArray[np.uint8], *, batch: int, crop: int, seed: int) -> None:
        self.drawings, self.size, self.crop = torch.from_numpy(drawings), batch, crop
        self.seed = seed

    def draw(self, rng: np.random.Generator) -> Tensor:
        chosen = rng.integers(len(self.drawings), size=self.size)
        colours = rng.integers(0, 256, (self.size, 3))
        colours[rng.random(self.size) < 0.6] = 255
        pictures = compose(self.drawings[chosen], torch.from_numpy(colours))
        if rng.random() < 0.5:
            pictures = pictures.flip(-1)
        top, left = rng.integers(0, pictures.shape[-1] - self.crop + 1, 2)
        return pictures[..., top : top + self.crop, left : left + self.crop]
