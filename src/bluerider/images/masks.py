"""Masks: which part of a picture is repainted, from 0 (kept) to 1 (repainted), softly between."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.images.opening import over_white

Mask = NDArray[np.float32]  # (height, width)
NEAR = 3 / 255  # of black or white is black or white: JPEG does not keep them


def read_mask(image: Image.Image) -> Mask:
    """White is repainted; in a picture that is transparent anywhere, what is transparent."""
    found = transparency(image)
    if found is None:
        found = np.asarray(over_white(image).convert("L"), np.float32) / 255.0
    return np.where(found <= NEAR, 0.0, np.where(found >= 1.0 - NEAR, 1.0, found)).astype(
        np.float32
    )


def transparency(image: Image.Image) -> Mask | None:
    """How transparent every pixel is; None where none is."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / 255.0
    return None if alpha.min() == 1.0 else np.float32(1.0) - alpha


def feathered(mask: Mask, pixels: int) -> Mask:
    """The mask, fading out over so many pixels into what is kept; nothing of it gets less.

    The fall is linear along rows and columns: the largest mask[q] - |p - q|_1 / (pixels + 1).
    """
    out = mask.copy()
    fall = np.float32(1.0 / (pixels + 1))
    for lines in (out, out.T):
        for way in (lines, lines[::-1]):
            for before, line in zip(way[:-1], way[1:], strict=True):
                np.maximum(line, before - fall, out=line)
    return out


def composite(painted: NDArray[np.uint8], kept: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """`painted` where the mask is 1, `kept` byte for byte where it is 0, blended between."""
    share = mask[..., None]
    blend = np.rint(share * painted + (np.float32(1.0) - share) * kept)
    return blend.astype(np.uint8)
