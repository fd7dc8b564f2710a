"""A thing cut out of a picture whose background is one plain colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[np.uint8]

NEAR = 28  # of 255, in every channel: as near to the background's colour is background
PLAIN = 0.9  # of the outermost pixels have to be so
EDGE, AROUND = 3, 5  # px: as wide is the edge, as far is looked for the thing's own colour


def cut_plain(picture: Image.Image) -> Array | None:
    """The thing in a picture, (H, W, 4) RGBA; None where what is behind it is not one plain colour,
    or where nothing is before it.

    What hangs together with the border and has its colour is transparent; at the thing's edge,
    where both are mixed, the background's part is taken out of the colour.
    """
    pixels = np.asarray(picture.convert("RGB")).astype(np.int16)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(rim, axis=0)
    if (np.abs(rim - ground).max(axis=1) <= NEAR).mean() < PLAIN:
        return None
    apart = np.abs(pixels - ground).max(axis=2)
    outside = reached(apart <= NEAR)
    if outside.all():
        return None
    edge = widest(outside.astype(np.uint8), EDGE) > 0
    contrast = np.maximum(widest(apart.astype(np.uint8), AROUND), 1)
    alpha = np.where(outside, 0.0, np.where(edge, apart / contrast, 1.0))
    solid = np.maximum(alpha, 0.05)[..., None]
    colour = np.clip((pixels - (1 - solid) * ground) / solid, 0, 255)
    return np.dstack([np.where(edge[..., None], colour, pixels), 255 * alpha]).astype(np.uint8)


def widest(values: Array, side: int) -> Array:
    """The largest of the values (H, W) in a square of `side` px around each."""
    return np.asarray(Image.fromarray(values).filter(ImageFilter.MaxFilter(side)))


def reached(open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The open pixels (H, W) that a walk from outside the picture comes to."""
    padded = np.pad(open_, 1, constant_values=True)
    walked = Image.fromarray(np.where(padded, 255, 0).astype(np.uint8)).copy()  # to be drawn on
    ImageDraw.floodfill(walked, (0, 0), 128)
    return np.asarray(walked)[1:-1, 1:-1] == 128
