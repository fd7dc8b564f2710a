"""The retrieval measure's crop: what stands out from the background, at 32 x 32 on white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.images import over_white

Array = NDArray[np.uint8]

SIZE = 32
STANDS_OUT = 24  # of 255, in any channel: above an autoencoder's grain, below a pale cloud on white


def border_colour(pixels: Array) -> Array:
    """Median colour (3,) of the outermost pixels of (H, W, 3)."""
    sides = (pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1])
    return np.median(np.concatenate(sides), axis=0).astype(np.uint8)


def bounding_box(pixels: Array) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what differs from the border's colour, or of everything."""
    difference = np.abs(pixels.astype(np.int16) - border_colour(pixels)).max(axis=2)
    outside = difference > STANDS_OUT
    rows, columns = np.flatnonzero(outside.any(axis=1)), np.flatnonzero(outside.any(axis=0))
    if not len(rows):
        return 0, 0, pixels.shape[1], pixels.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def crop_square(image: Image.Image, size: int = SIZE) -> Array:
    """The thing in a picture, cropped, padded with white to a square, as (size, size, 3)."""
    image = over_white(image)
    left, top, right, bottom = bounding_box(np.asarray(image))
    side = max(right - left, bottom - top)
    square = Image.new("RGB", (side, side), "white")
    corner = ((side - right + left) // 2, (side - bottom + top) // 2)
    square.paste(image.crop((left, top, right, bottom)), corner)
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))
