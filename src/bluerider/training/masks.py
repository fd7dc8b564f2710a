"""Random masks to learn inpainting by: a box, a rounded blob, a frame, or blob and frame."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.float32]  # (height, width), 1 where it is repainted

BOX = 0.1  # how often it is a plain box
SINGLE = 3 / 4  # how often else there is a blob, and a frame; where neither came up, a blob
SIDES = (0.1, 0.62)  # of a box, as a part of the picture's
CORNERS = 16
JITTER = 0.15  # of a corner's distance from the middle
STRAIGHT, ROUND = (0.05, 0.3), (0.1, 0.25)  # width of a frame, as a part of the picture's sides


def random_mask(rng: np.random.Generator, height: int, width: int) -> Mask:
    """A mask of the kinds that Kandinsky 2.1's decoder was trained on, never empty and never
    full.
    """
    if rng.random() < BOX:
        found = box(rng, height, width)
    else:
        blobs, frames = rng.random(2) < SINGLE
        found = np.zeros((height, width), bool)
        if blobs or not frames:
            found |= blob(rng, height, width)
        if frames:
            found |= frame(rng, height, width)
    middle = (height // 2, width // 2)
    found[middle] |= not found.any()
    found[middle] &= not found.all()
    return found.astype(np.float32)


def cells(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middles of all cells, down (height, 1) and right (1, width), in 0..1."""
    down = (np.arange(height) + 0.5) / height
    right = (np.arange(width) + 0.5) / width
    return down[:, None], right[None]


def placed(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Half the sides and the middle (down, right) of a box inside the picture."""
    high, wide = rng.uniform(*SIDES, 2) / 2
    return high, wide, rng.uniform(high, 1 - high), rng.uniform(wide, 1 - wide)


def box(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """A box of any proportions."""
    high, wide, down, right = placed(rng)
    y, x = cells(height, width)
    inside: NDArray[np.bool_] = (abs(y - down) <= high) & (abs(x - right) <= wide)
    return inside


def blob(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """A polygon round the middle of a box, its corners moved in and out and rounded off."""
    high, wide, down, right = placed(rng)
    y, x = cells(height, width)
    y, x = (y - down) / high, (x - right) / wide
    reach = 1 + rng.uniform(-JITTER, JITTER, CORNERS)
    turn = (np.arctan2(y, x) / (2 * np.pi) % 1.0) * CORNERS  # corners passed, from 0
    before = turn.astype(int) % CORNERS
    part = (1 - np.cos(np.pi * (turn % 1.0))) / 2  # eased, so that corners are round
    edge = reach[before] * (1 - part) + reach[(before + 1) % CORNERS] * part
    inside: NDArray[np.bool_] = np.hypot(y, x) <= edge
    return inside


def frame(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """What lies outside a smaller rectangle or ellipse in the middle, as when painting on beyond
    a picture's edges.
    """
    y, x = cells(height, width)
    y, x = abs(y - 0.5), abs(x - 0.5)
    if rng.random() < 0.5:
        return np.maximum(y, x) > 0.5 - rng.uniform(*STRAIGHT)
    return np.hypot(y, x) > 0.5 - rng.uniform(*ROUND)
