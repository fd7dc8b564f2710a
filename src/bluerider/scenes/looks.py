"""Looks of a drawing, made from its pixels: black and white, outline, silhouette."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]

BLOCKS = 16  # squares a side of a picture in the look `pixel`, which is made of the whole canvas
INK = 40  # grey level of outlines and silhouettes
EDGE = 36.0  # grey levels between neighbours that make an inner line
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def look_of(drawing: Array, look: str | None) -> Array:
    """A drawing (S, S, 4) RGBA in a look; in `pixel` and in none it stays as it is."""
    made = {"black_and_white": grey, "silhouette": silhouette, "outline": outline}.get(look or "")
    return made(drawing) if made else drawing


def grey(drawing: Array) -> Array:
    """Lightness alone."""
    levels = np.rint(drawing[..., :3] @ LUMA).astype(np.uint8)
    return np.dstack([levels, levels, levels, drawing[..., 3]])


def silhouette(drawing: Array) -> Array:
    """The shape in one dark grey."""
    found = drawing.copy()
    found[..., :3] = INK
    return found


def outline(drawing: Array) -> Array:
    """Dark lines at the rim and where the lightness jumps; white between them."""
    alpha = drawing[..., 3].astype(np.float64) / 255
    levels = (drawing[..., :3] @ LUMA) * alpha + 255 * (1 - alpha)
    width = max(1, len(drawing) // 64)
    inside = alpha > 0.5
    lines = inside & ~eroded(inside, width)
    steep = np.hypot(*np.gradient(levels)) > EDGE / 2 * 64 / len(drawing) * width
    lines |= inside & steep & eroded(inside, width)
    found = np.full_like(drawing, 255)
    found[..., :3][lines] = INK
    found[..., 3] = drawing[..., 3]
    return found


def eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """A mask without what lies within `width` pixels of its outside."""
    for _ in range(width):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask
