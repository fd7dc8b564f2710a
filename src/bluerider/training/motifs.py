"""Scenes for training: one thing or two, drawn by kind, none of the combinations that are held
out.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.scenes.painting import compose_scene, layout
from bluerider.scenes.scene import KINDS, Scene, is_held_out
from bluerider.training.appearance import NONE, traits_of

# How often each kind is drawn: most what is asked for most, and pairs and looks, which are learned
# last; `spot`: a place on a coloured background.
SHARES = {
    "background": 0.16,
    "spot": 0.05,
    "size": 0.04,
    "place": 0.09,
    "and": 0.14,
    "relation": 0.30,
    "count": 0.07,
    "look": 0.15,
}
BESIDE = ("left_of", "right_of", None)  # side by side, not one above the other
COLOURED = 0.3  # of pairs, counts and looks, on a coloured background


class Motif(NamedTuple):
    """A scene, its things as rows of the drawings (the left or upper one first, whatever the words
    say first; NONE without a second), its traits, and the seed of its painting.
    """

    scene: Scene
    first: int
    second: int
    traits: NDArray[np.float32]
    seed: int


class Motifs:
    """Draws scenes of the drawings that training may see."""

    def __init__(self, emoji: Sequence[str]) -> None:
        self.emoji = emoji
        self.kinds = list(SHARES)
        self.weights = np.array(list(SHARES.values())) / sum(SHARES.values())

    def draw(self, rng: np.random.Generator, allowed: NDArray[np.int64] | None = None) -> Motif:
        """One scene; `allowed` are the rows its things may be."""
        rows = np.arange(len(self.emoji)) if allowed is None else allowed
        while True:
            first, second = (int(row) for row in rng.choice(rows, 2))
            kind = self.kinds[rng.choice(len(self.kinds), p=self.weights)]
            if kind in ("and", "relation") and first == second:
                continue
            scene = self.scene(rng, kind, first, second)
            if not is_held_out(scene):
                break
        seed = int(rng.integers(2**31))
        side, spots = layout(scene, np.random.default_rng(seed))
        if len(scene.things) == 1:
            return Motif(scene, first, NONE, traits_of(scene, side, spots), seed)
        if spots[0] > spots[1] if scene.relation in BESIDE else spots[0][1] > spots[1][1]:
            first, second, spots = second, first, spots[::-1]
        return Motif(scene, first, second, traits_of(scene, side, spots), seed)

    def scene(self, rng: np.random.Generator, kind: str, first: int, second: int) -> Scene:
        """A scene of a kind; what it says beside is drawn."""
        fields = {}
        if kind in ("background", "spot") or rng.random() < COLOURED and kind != "size":
            fields["background"] = pick(rng, KINDS["background"])
        things: tuple[str, ...] = (self.emoji[first],)
        if kind in ("and", "relation"):
            things = (self.emoji[first], self.emoji[second])
        if kind in ("size", "place", "relation", "look"):
            fields[kind] = pick(rng, KINDS[kind])
        if kind == "spot":
            fields["place"] = pick(rng, KINDS["place"])
        count = int(rng.integers(2, 4)) if kind == "count" else 1
        return Scene(things=things, count=count, **fields)


def pick(rng: np.random.Generator, values: Sequence[str]) -> str:
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def painted(motif: Motif, drawings: Mapping[str, NDArray[np.uint8]], size: int) -> Image.Image:
    """The motif's picture, size x size px, with the layout its traits tell."""
    return compose_scene(motif.scene, drawings, size, np.random.default_rng(motif.seed))
