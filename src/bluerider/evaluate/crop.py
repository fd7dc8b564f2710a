"""The retrieval measure's crop: what stands out from the background, at 32 x 32 on white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.images import over_white

Array = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom

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


def box_of(image: Image.Image) -> Box:
    """The bounding box of the thing in a picture, as parts of its width and height."""
    left, top, right, bottom = bounding_box(np.asarray(over_white(image)))
    return left / image.width, top / image.height, right / image.width, bottom / image.height


def crop_square(image: Image.Image, size: int = SIZE) -> Array:
    """The thing in a picture, cropped, padded with white to a square, as (size, size, 3)."""
    image = over_white(image)
    left, top, right, bottom = bounding_box(np.asarray(image))
    side = max(right - left, bottom - top)
    square = Image.new("RGB", (side, side), "white")
    corner = ((side - right + left) // 2, (side - bottom + top) // 2)
    square.paste(image.crop((left, top, right, bottom)), corner)
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def put_back(crop: Array, box: Box, size: int) -> Array:
    """A crop where it was on its square canvas, on white, as (size, size, 3); as sharp as it is."""
    left, top, right, bottom = (size * each for each in box)
    side = max(right - left, bottom - top)
    scale = len(crop) / side  # of the crop's pixels to the canvas'
    corner = (left + right - side) / 2 * scale, (top + bottom - side) / 2 * scale
    return np.asarray(
        Image.fromarray(crop).transform(
            (size, size),
            Image.Transform.AFFINE,
            (scale, 0, -corner[0], 0, scale, -corner[1]),
            Image.Resampling.BICUBIC,
            fillcolor="white",
        )
    )
