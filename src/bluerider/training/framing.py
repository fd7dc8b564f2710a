"""A picture brought to the size a model trains at: cropped, by the middle or at random, or kept in
its own proportions.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from bluerider.errors import InputError

CROPS = ("centre", "random", "bucket")
STEPS = 8  # buckets are this part of the square's side apart
LONGEST = 2.0  # the most a bucket's width and height may differ, as a ratio


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How pictures become `size` px: a square crop, or a bucket of about as many pixels.

    `grid` divides both sides of a bucket. `flip` mirrors every second picture at random: off by
    default, because a mirrored subject is often another one (writing, a parting, a logo).
    """

    size: int
    grid: int = 8
    crop: Literal["centre", "random", "bucket"] = "centre"
    flip: bool = False

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise InputError(f"crop: got {self.crop!r}; accepted: {', '.join(CROPS)}")
        if self.size % self.grid:
            raise InputError(f"size: got {self.size}; multiples of {self.grid} px are accepted")

    def shape(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in px to which a picture of these sides is brought."""
        if self.crop != "bucket":
            return self.size, self.size
        return min(self.buckets, key=lambda each: abs(np.log(each[0] / each[1] * height / width)))

    @property
    def buckets(self) -> list[tuple[int, int]]:
        """All sizes in use, the square one first: at most as many pixels as the square has."""
        area, found = self.size**2, [(self.size, self.size)]
        step = max(1, self.size // STEPS // self.grid) * self.grid
        for wide in range(self.size + step, int(self.size * sqrt(LONGEST)) + 1, step):
            low = area // wide // self.grid * self.grid
            if low and wide / low <= LONGEST + 1e-9:
                found += [(wide, low), (low, wide)]
        return found

    def frame(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """The picture at its shape; smaller ones are enlarged. The same draws whatever `crop`."""
        right, down, mirror = rng.random(3)
        width, height = self.shape(*image.size)
        middle = (right, down) if self.crop == "random" else (0.5, 0.5)
        made = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS, centering=middle)
        return ImageOps.mirror(made) if self.flip and mirror < 0.5 else made

    def is_smaller(self, width: int, height: int) -> bool:
        """Whether a picture of these sides has to be enlarged."""
        wide, high = self.shape(width, height)
        return width < wide or height < high
