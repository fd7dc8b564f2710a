"""The image embedding as a code of what a picture looks like: which things, where, on what.

A decoder can only paint what the embedding holds, so the code is made to hold it: the principal
components of a small picture of each thing (Turk & Pentland 1991), and the traits of the scene.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.scenes.scene import BACKGROUNDS, COUNTS, LOOKS, Scene

SIDE = 32  # pixels of the small pictures
TRAITS = 16  # numbers that say where, how large, how many, on what, in which look
EMPTY = TRAITS - 1  # the trait of a picture with nothing in it
USUAL = 0.93  # side of a thing alone, as a part of the canvas
NONE = -1  # in place of a second thing
CODE, SCENE = 0.05, 2.0  # weights of the squared errors of codes and of traits
SECOND = 3.0  # weight of the choice of a second thing, which few texts have
NOTHING_WHITE = np.array(BACKGROUNDS["white"], np.float32)


class Appearance(nn.Module):
    """Codes (N, first) of N drawings: numbers of a scene's first thing, of which the first `second`
    tell another beside it. A module, so that the codes go where a stage goes.

    Component i has the deviation sqrt(sigma_i / sigma_0): the square root keeps small differences
    between look-alikes from drowning.
    """

    codes: Tensor  # (N, first)

    def __init__(self, codes: Tensor, second: int) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)
        self.second = second

    @classmethod
    def fit(cls, small: Tensor, width: int) -> "Appearance":
        """From pictures (N, 3, 32, 32) in [-1, 1] of things on white, for embeddings of `width`."""
        rest = width - TRAITS
        second = rest // 3
        first = rest - second
        x = small.flatten(1).double()
        x = x - x.mean(dim=0)
        _, sizes, axes = torch.linalg.svd(x, full_matrices=False)
        axes = axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
        keep = min(first, int((sizes > 1e-6 * sizes[0]).sum()))
        scale = (len(x) ** 0.5) / (sizes[:keep] * sizes[0]).sqrt()
        codes = torch.zeros(len(x), first, dtype=torch.float64)
        codes[:, :keep] = x @ axes[:keep].T * scale
        return cls(codes.float(), second)

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return self.codes.shape[1] + self.second + TRAITS

    def parts(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, width) -> the first thing's code, the second's, the traits."""
        first, second, traits = embedding.split([self.codes.shape[1], self.second, TRAITS], dim=-1)
        return first, second, traits

    def embed(self, first: Tensor, second: Tensor, traits: Tensor) -> Tensor:
        """Rows of drawings (B,) and of second things (B,), NONE without one, and traits
        (B, TRAITS) -> embeddings (B, width).
        """
        there = (second != NONE)[:, None]
        beside = self.codes[second.clamp(min=0), : self.second] * there
        return torch.cat([self.codes[first], beside, traits], dim=1)

    def between(self, rows: Tensor, share: Tensor) -> Tensor:
        """The embeddings (B, width) of two drawings each, rows (B, 2), laid over each other, with a
        `share` (B,) of the second: codes are linear in the picture, so they lie between both.
        """
        code = torch.lerp(self.codes[rows[:, 0]], self.codes[rows[:, 1]], share[:, None])
        return F.pad(code, (0, self.second + TRAITS))

    def nothing(self) -> Tensor:
        """The embedding (1, width) of the picture that shows nothing in particular."""
        embedding = self.codes.new_zeros(1, self.width)
        embedding[0, -TRAITS + EMPTY] = 1.0
        return embedding

    def far(self, code: Tensor, to: Tensor) -> Tensor:
        """Squared distances (B, N) of codes (B, d) to the first d numbers of each in `to`."""
        to = to[:, : code.shape[1]]
        return code.square().sum(1, keepdim=True) - 2 * code @ to.T + to.square().sum(1)

    def chosen(
        self, embedding: Tensor, first: Tensor, second: Tensor, sharpness: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How badly the first and second thing (B,) are told from all drawings by their codes'
        distance (cross-entropy, the second's times `SECOND`, mean over all), and whether the first
        (B,) is the nearest.
        """
        code, beside, _ = self.parts(embedding)
        logits = -sharpness * self.far(code, self.codes)
        there = first != NONE
        missed = F.cross_entropy(logits[there], first[there])
        both = second != NONE
        if both.any():
            others = -sharpness * self.far(beside[both], self.codes)
            missed = missed + SECOND * both.float().mean() * F.cross_entropy(others, second[both])
        return missed, (logits.argmax(dim=1) == first)[there]

    def apart(self, embedding: Tensor, wanted: Tensor) -> Tensor:
        """Squared error of codes and traits, weighted, mean over the batch."""
        squares = [part.square().sum(dim=1).mean() for part in self.parts(embedding - wanted)]
        return CODE * (squares[0] + squares[1]) + SCENE * squares[2]


def traits_of(scene: Scene, side: float, spots: list[tuple[float, float]]) -> NDArray[np.float32]:
    """The traits (TRAITS,) of a scene with things of this side at these middles, as parts of the
    canvas; all zero for one thing that fills a white one.
    """
    found = np.zeros(TRAITS, np.float32)
    colour = np.array(BACKGROUNDS[scene.background or "white"], np.float32)
    found[0:3] = (colour - NOTHING_WHITE) / 255
    found[3] = 2 * (side - USUAL)
    if len(scene.things) == 2:
        found[4] = 1.0
        found[5:7] = 2 * np.array(spots[0]) - 1
        found[7:9] = 2 * np.array(spots[1]) - 1
    elif scene.count == 1:
        found[5:7] = 2 * np.array(spots[0]) - 1
    else:
        found[9 + list(COUNTS).index(scene.count)] = 1.0
    if scene.look:
        found[11 + LOOKS.index(scene.look)] = 1.0
    return found
