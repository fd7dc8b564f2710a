"""Pictures <-> arrays of numbers, and pictures at another size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bluerider.errors import BlueriderError


def fit(image: Image.Image, width: int, height: int, *, crop: bool = True) -> Image.Image:
    """The picture at width x height px, proportions kept: cropped at the centre or padded white."""
    size = (width, height)
    if crop:
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color="white")


def to_array(image: Image.Image) -> NDArray[np.float32]:
    """RGB in -1..1, shape (height, width, 3)."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 127.5 - 1.0


def from_array(array: NDArray[Any]) -> Image.Image:
    """A picture from (height, width, 3) in -1..1; values outside are clipped.

    Raises BlueriderError when a value is no number: the weights or the precision failed.
    """
    if not np.isfinite(array).all():
        raise BlueriderError("the picture came out as NaN; try --dtype float32, or other weights")
    scaled = np.rint((np.clip(array, -1.0, 1.0).astype(np.float32) + 1.0) * 127.5)
    return Image.fromarray(scaled.astype(np.uint8), "RGB")


def square(image: Image.Image, side: int) -> Image.Image:
    """The middle of the picture as side x side px, bicubic, as CLIP's towers are shown pictures."""
    # The box that the middle of the resized picture comes from; resizing all of a strip of
    # 1 x 20000 first would make millions of pixels of it.
    resized = [int(side * length / min(image.size)) for length in image.size]
    skipped = [(new - side) // 2 for new in resized]
    scales = [length / new for length, new in zip(image.size, resized, strict=True)]
    low = [skip * scale for skip, scale in zip(skipped, scales, strict=True)]
    high = [a + side * scale for a, scale in zip(low, scales, strict=True)]
    box = (low[0], low[1], min(high[0], image.width), min(high[1], image.height))
    return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC, box=box)


def padded(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(H, W, ...) made larger to the right and below, its edge drawn out."""
    more = [(0, height - array.shape[0]), (0, width - array.shape[1])]
    return np.pad(array, [*more, *[(0, 0)] * (array.ndim - 2)], mode="edge")
