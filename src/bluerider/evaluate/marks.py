"""Whether a picture shows what a scene says, kind by kind.

Pictures are looked at in 128 x 128. What stands out is what differs from the border's colour by
more than 24 levels in some channel, specks of under 12 px left out.

- background: the border's median colour is nearest, of the twelve, to the one asked for.
- size: the longer side of the box around what stands out is under 0.55 of the picture (small), or
  over 0.75 (big).
- place: its centre of mass lies at least 0.08 of the picture to the side asked for, and further to
  that side than to any other.
- count: it hangs together in as many pieces, gaps of 2 px closed, pieces of under a fifth of the
  largest left out.
- look: black and white: mean difference between channels under 30 levels; silhouette: that, and
  four fifths of its shape are dark; outline: that, and over half of its shape is white, a fiftieth
  dark; pixel: 0.24 or more of all changes between neighbours lie on the lines of a 16 x 16 grid,
  where an eighth is chance (drawings not in this look reach 0.2, two in a hundred 0.26).
- two things: the picture is cut in two, and each part's crop has the thing asked for there among
  the five nearest drawings; for `and`, either cut and either order will do. It is cut in the
  middle, or, where a thing reaches over it, where the least stands out within 16 px of it.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from bluerider.evaluate.crop import Array, border_colour, crop_square
from bluerider.evaluate.regions import (
    filled,
    longer_side,
    middle,
    on_white,
    pieces,
    standing_out,
    wider,
)
from bluerider.scenes.looks import BLOCKS, LUMA
from bluerider.scenes.scene import BACKGROUNDS, COUNTS, Scene

SMALL, BIG = 0.55, 0.75  # parts of the picture's side
ASIDE = 0.08  # part of the picture's side
PART = 0.2  # of the largest piece
OFF_MIDDLE = 0.125  # part of the picture's side; so far from its middle two things may be parted
COLOURLESS, DARK, INKED, PALE = 30.0, 90.0, 150.0, 200.0  # levels of 255
SQUARES = 0.24
Glimpse = tuple[Array, int]  # a crop, and which of the scene's things it should show


def background_of(pixels: Array) -> str:
    """The name of the nearest of the twelve colours to the border's, in RGB."""
    colour = border_colour(pixels).astype(float)
    return min(BACKGROUNDS, key=lambda name: float(np.square(colour - BACKGROUNDS[name]).sum()))


def has_background(pixels: Array, asked: str) -> bool:
    return background_of(pixels) == asked


def has_size(pixels: Array, asked: str) -> bool:
    side = longer_side(standing_out(pixels))
    return 0 < side < SMALL if asked == "small" else side > BIG


def has_place(pixels: Array, asked: str) -> bool:
    x, y = middle(standing_out(pixels))
    aside = {"left": 0.5 - x, "right": x - 0.5, "top": 0.5 - y, "bottom": y - 0.5}
    return aside[asked] >= ASIDE and aside[asked] == max(aside.values())


def has_count(pixels: Array, asked: str) -> bool:
    areas = np.bincount(pieces(wider(standing_out(pixels))).ravel())[1:]
    found = int((areas >= PART * areas.max()).sum()) if len(areas) else 0
    return COUNTS.get(found) == asked


def has_look(pixels: Array, asked: str) -> bool:
    shape = filled(standing_out(pixels))
    if not shape.any():
        return False
    if asked == "pixel":
        return on_grid(pixels) >= SQUARES
    inside = pixels[shape].astype(float)
    levels = inside @ LUMA
    fits = {
        "silhouette": (levels < DARK).mean() >= 0.8,
        "outline": (levels > PALE).mean() >= 0.55 and (levels < INKED).mean() >= 0.02,
    }
    return bool(np.ptp(inside, axis=1).mean() < COLOURLESS and fits.get(asked, True))


def on_grid(pixels: Array) -> float:
    """The share of all changes between neighbours that lies on the lines of a 16 x 16 grid."""
    levels = pixels.astype(float).mean(axis=2)
    changes = [np.abs(np.diff(levels, axis=axis)).sum(axis=1 - axis) for axis in (0, 1)]
    step = len(levels) // BLOCKS
    lines = sum(float(each[step - 1 :: step].sum()) for each in changes)
    return lines / max(1.0, sum(float(each.sum()) for each in changes))


CHECKS: dict[str, Callable[[Array, str], bool]] = {
    "background": has_background,
    "size": has_size,
    "place": has_place,
    "count": has_count,
    "look": has_look,
}


def shows(scene: Scene, pixels: Array) -> bool:
    """Whether all is there that a scene says beside its things, in a picture (128, 128, 3)."""
    said = {
        "background": scene.background,
        "size": scene.size,
        "place": scene.place,
        "count": COUNTS.get(scene.count),
        "look": scene.look,
    }
    return all(CHECKS[kind](pixels, asked) for kind, asked in said.items() if asked)


def glimpses(scene: Scene, pixels: Array) -> Iterator[list[Glimpse]]:
    """Ways to look for a scene's things; in one of them every crop has to show its thing."""
    picture = on_white(pixels) if scene.background else pixels
    if len(scene.things) == 1:
        yield [(crop_square(Image.fromarray(alone(picture, scene.count))), 0)]
        return
    x, y = parting(picture, 0), parting(picture, 1)
    left, right = (crop_square(Image.fromarray(p)) for p in (picture[:, :x], picture[:, x:]))
    upper, lower = (crop_square(Image.fromarray(p)) for p in (picture[:y], picture[y:]))
    ways: dict[str, list[Glimpse]] = {
        "left_of": [(left, 0), (right, 1)],
        "right_of": [(left, 1), (right, 0)],
        "above": [(upper, 0), (lower, 1)],
        "below": [(upper, 1), (lower, 0)],
    }
    yield from ([ways[scene.relation]] if scene.relation else ways.values())


def parting(picture: Array, axis: int) -> int:
    """Where to cut between two things side by side (axis 0) or one over the other (1): the line
    nearest to the middle of those that the least stands out beside.
    """
    lines = standing_out(picture).sum(axis=axis)
    beside = lines[:-1] + lines[1:]  # of a cut before pixel i, at i - 1
    half = len(lines) // 2
    reach = round(OFF_MIDDLE * len(lines))
    cuts = range(half - reach, half + reach + 1)
    return min(cuts, key=lambda cut: (int(beside[cut - 1]), abs(cut - half)))


def alone(picture: Array, count: int) -> Array:
    """The picture, or, where several are asked for, its largest piece on the border's colour."""
    if count == 1:
        return picture
    labels = pieces(wider(standing_out(picture)))
    areas = np.bincount(labels.ravel())[1:]
    if not len(areas):
        return picture
    largest = labels == 1 + int(areas.argmax())
    return np.where(largest[..., None], picture, border_colour(picture))
