"""What stands out of a picture: where, in how many pieces, and without its background's colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.evaluate.crop import STANDS_OUT, Array, border_colour
from bluerider.images import over_white

Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]

SIDE = 128  # px; pictures are looked at in this size
SPECK = 12  # px of SIDE x SIDE; what is smaller is grain


def seen(image: Image.Image) -> Array:
    """A picture as it is looked at: (128, 128, 3)."""
    small = over_white(image)
    if small.size != (SIDE, SIDE):
        small = small.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def standing_out(pixels: Array) -> Mask:
    """Where a picture differs from its border's colour, without specks."""
    difference = np.abs(pixels.astype(np.int16) - border_colour(pixels)).max(axis=2)
    mask = difference > STANDS_OUT
    labels = pieces(mask)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return np.asarray(areas[labels] >= SPECK)


def pieces(mask: Mask) -> Labels:
    """A number from 1 for every piece that hangs together, corners included; 0 outside."""
    parents = [0]
    labels = np.zeros(mask.shape, np.int64)
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1] - 1
    before: list[tuple[int, int, int]] = []  # first and last column and number of a row's runs
    runs: list[tuple[int, int, int]] = []
    last = -1
    for y, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        if y != last:
            before, runs, last = (runs if y == last + 1 else []), [], y
        touching = [top(parents, n) for a, b, n in before if a <= end + 1 and b >= start - 1]
        number = min(touching, default=len(parents))
        if not touching:
            parents.append(number)
        for other in touching:
            parents[other] = number
        labels[y, start : end + 1] = number
        runs.append((start, end, number))
    tops = np.array([top(parents, n) for n in range(len(parents))])
    return np.asarray(np.unique(tops, return_inverse=True)[1][labels], np.int64)


def top(parents: list[int], number: int) -> int:
    """The smallest number that a number was found to be the same as."""
    while parents[number] != number:
        number = parents[number]
    return number


def wider(mask: Mask) -> Mask:
    """A mask and the pixels beside it."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return np.asarray(rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:])


def middle(mask: Mask) -> tuple[float, float]:
    """Mean place (x, y) of a mask, as parts of the picture; its middle where nothing stands out."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.5, 0.5
    return (columns.mean() + 0.5) / mask.shape[1], (rows.mean() + 0.5) / mask.shape[0]


def longer_side(mask: Mask) -> float:
    """The longer side of the box around a mask, as a part of the picture."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0.0
    return float(max(np.ptp(rows) + 1, np.ptp(columns) + 1) / len(mask))


def filled(mask: Mask) -> Mask:
    """A mask with its holes: all that the outside cannot reach."""
    outside = pieces(np.pad(~mask, 1, constant_values=True))
    return np.asarray(outside != outside[0, 0])[1:-1, 1:-1]


def on_white(pixels: Array) -> Array:
    """The same things on white: what hangs together with the border's colour is painted over."""
    things = filled(standing_out(pixels))
    return np.where(things[..., None], pixels, np.uint8(255))
