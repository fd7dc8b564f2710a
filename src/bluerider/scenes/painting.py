"""Scenes painted from drawings: what models train on, and the true picture they are held against.

NumPy and Pillow only; every draw comes from the generator that is handed in.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.scenes.looks import BLOCKS, look_of
from bluerider.scenes.scene import BACKGROUNDS, Scene

Array = NDArray[np.uint8]
Range = tuple[float, float]

# The longer side of a thing and its middle, as parts of the canvas; one value is drawn of a range.
ALONE: Range = (0.88, 0.98)
ON_COLOUR: Range = (0.74, 0.84)  # its background shows all around
SMALL: Range = (0.34, 0.42)
ASIDE: Range = (0.46, 0.52)  # one at the left, right, top or bottom
PAIRED: Range = (0.43, 0.48)  # one of two different ones
SHARED: Range = (0.38, 0.44)  # one of two or three alike
NEAR, FAR, MIDDLE = 0.25, 0.75, 0.5
SPOTS: dict[str, tuple[tuple[float, float], ...]] = {  # (x, y) of every thing, in order
    "left": ((NEAR, MIDDLE),),
    "right": ((FAR, MIDDLE),),
    "top": ((MIDDLE, NEAR),),
    "bottom": ((MIDDLE, FAR),),
    "and": ((NEAR, MIDDLE), (FAR, MIDDLE)),
    "left_of": ((NEAR, MIDDLE), (FAR, MIDDLE)),
    "right_of": ((FAR, MIDDLE), (NEAR, MIDDLE)),
    "above": ((MIDDLE, NEAR), (MIDDLE, FAR)),
    "below": ((MIDDLE, FAR), (MIDDLE, NEAR)),
    "two": ((NEAR, MIDDLE), (FAR, MIDDLE)),
    "three": ((MIDDLE, NEAR), (NEAR, FAR), (FAR, FAR)),
}
TRANSPARENT = 24  # of 255; fainter pixels of a drawing are no part of its box


def compose_scene(
    scene: Scene, drawings: Mapping[str, Array], size: int, rng: np.random.Generator
) -> Image.Image:
    """The scene painted from drawings (S, S, 4) RGBA of its things, as size x size px RGB."""
    canvas = Image.new("RGB", (size, size), BACKGROUNDS[scene.background or "white"])
    things = scene.things * scene.count  # a count is of one thing
    side, spots = layout(scene, rng)
    for thing, (x, y) in zip(things, spots, strict=True):
        cut = trimmed(look_of(drawings[thing], scene.look))
        scale = side * size / max(cut.size)
        shape = [max(1, round(length * scale)) for length in cut.size]
        cut = cut.resize((shape[0], shape[1]), Image.Resampling.LANCZOS)
        corner = [
            min(max(round(at * size - length / 2), 0), size - length)
            for at, length in zip((x, y), shape, strict=True)
        ]
        canvas.paste(cut.convert("RGB"), (corner[0], corner[1]), cut.getchannel("A"))
    return in_blocks(canvas) if scene.look == "pixel" else canvas


def layout(scene: Scene, rng: np.random.Generator) -> tuple[float, list[tuple[float, float]]]:
    """One side for all things, and the middle of each; parts of the canvas."""
    shared = len(scene.things) * scene.count > 1
    key = scene.said[0] if shared else scene.place
    spots = SPOTS[key] if key else ((MIDDLE, MIDDLE),)
    side = rng.uniform(*span_of(scene, shared))
    room = min(min(x, 1 - x, y, 1 - y) for x, y in spots) - side / 2  # to the canvas's edge
    loose = max(0.0, min(room / 2 if shared else room, 0.08))
    return side, [
        (x + rng.uniform(-loose, loose), y + rng.uniform(-loose, loose)) for x, y in spots
    ]


def span_of(scene: Scene, shared: bool) -> Range:
    """From what to what a thing's longer side goes."""
    if shared:
        return PAIRED if len(scene.things) > 1 else SHARED
    if scene.size == "small":
        return SMALL
    if scene.place:
        return ASIDE
    return ON_COLOUR if scene.background and not scene.size else ALONE


def trimmed(drawing: Array) -> Image.Image:
    """A drawing (S, S, 4) without its transparent margins; a blank one as it is."""
    image = Image.fromarray(drawing, "RGBA")
    box = image.getchannel("A").point(lambda value: 255 * (value > TRANSPARENT)).getbbox()
    return image.crop(box) if box else image


def in_blocks(canvas: Image.Image) -> Image.Image:
    """A picture of 16 x 16 squares of one colour each."""
    small = canvas.resize((BLOCKS, BLOCKS), Image.Resampling.BOX)
    return small.resize(canvas.size, Image.Resampling.NEAREST)
