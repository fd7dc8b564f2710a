"""The drawings as parts of scenes: cut out of their white, in a look, as the crops to compare with.

Only 32 x 32 pictures ship in the package, so a true scene made of them is soft; its crops, which
are what is measured, are as sharp as the drawings'.
"""

from functools import cache

import numpy as np
from PIL import Image

from bluerider.evaluate.crop import Array, crop_square
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.regions import SIDE, filled
from bluerider.scenes.looks import look_of
from bluerider.scenes.painting import compose_scene, in_blocks
from bluerider.scenes.scene import Scene

WHITE = 246  # of 255, in every channel: lighter pixels that reach the edge are no part of a drawing
LAYOUT = 0  # seed of a true scene's layout
FULL = 112  # px of SIDE: a drawing in the look `pixel`, whose squares depend on its size


def cut_out(drawing: Array) -> Array:
    """A drawing on white (32, 32, 3) as RGBA (128, 128, 4): its surroundings transparent."""
    things = filled(drawing.min(axis=2) < WHITE)
    cut = Image.fromarray(np.dstack([drawing, np.where(things, 255, 0).astype(np.uint8)]), "RGBA")
    return np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


class Truth:
    """Cut-out drawings and, for every look, the crops of all drawings in it."""

    def __init__(self, drawings: Drawings) -> None:
        self.drawings = drawings
        self.places = {emoji: place for place, emoji in enumerate(drawings.emoji)}
        self.crops = cache(self._crops)

    def cut(self, place: int) -> Array:
        """One drawing cut out."""
        return cut_out(self.drawings.pictures[place])

    def picture(self, scene: Scene) -> Array:
        """The scene as it should look, (128, 128, 3)."""
        cut = {thing: self.cut(self.places[thing]) for thing in scene.things}
        return np.asarray(compose_scene(scene, cut, SIDE, np.random.default_rng(LAYOUT)))

    def _crops(self, look: str | None) -> Array:
        """(N, 32, 32, 3): the drawings themselves, or as they look in a look."""
        if look is None:
            return self.drawings.pictures
        count = len(self.drawings.emoji)
        return np.stack([self._looked(place, look) for place in range(count)])

    def _looked(self, place: int, look: str) -> Array:
        drawn = look_of(self.cut(place), look)
        image = Image.fromarray(drawn, "RGBA")
        if look != "pixel":
            white = Image.new("RGBA", image.size, "white")
            return crop_square(Image.alpha_composite(white, image))
        canvas = Image.new("RGB", (SIDE, SIDE), "white")
        large = image.resize((FULL, FULL), Image.Resampling.LANCZOS)
        corner = (SIDE - FULL) // 2
        canvas.paste(large.convert("RGB"), (corner, corner), large.getchannel("A"))
        return crop_square(in_blocks(canvas))
