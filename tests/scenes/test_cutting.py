"""A thing is cut out of one plain colour; other pictures are left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bluerider.scenes.cutting import cut_plain, reached
from bluerider.scenes.scene import BACKGROUNDS


def disc(ground: tuple[int, int, int], size: tuple[int, int] = (80, 60)) -> Image.Image:
    """A blue-green disc with a hole of the background's colour, smoothly drawn."""
    large = Image.new("RGB", (4 * size[0], 4 * size[1]), ground)
    pen = ImageDraw.Draw(large)
    pen.ellipse((60, 40, 220, 200), fill=(0, 120, 110))
    pen.ellipse((120, 100, 160, 140), fill=ground)
    return large.resize(size, Image.Resampling.BOX)


@pytest.mark.parametrize("ground", [c for n, c in BACKGROUNDS.items() if n != "green"])
def test_the_thing_stays_and_the_ground_goes(ground: tuple[int, int, int]) -> None:
    cut = cut_plain(disc(ground))
    assert cut is not None and cut.shape == (60, 80, 4)
    alpha = cut[..., 3]
    assert alpha[0].max() == 0 and alpha[30, 20] == 255
    assert 0.95 < (alpha > 127).sum() / (np.pi * 20**2) < 1.1


def test_a_hole_in_the_thing_is_part_of_it() -> None:
    cut = cut_plain(disc((255, 255, 255)))
    assert cut is not None
    assert cut[30, 35].tolist() == [255, 255, 255, 255]


def test_no_rim_of_the_old_ground_is_left() -> None:
    cut = cut_plain(disc((255, 225, 60)))
    assert cut is not None
    black = Image.new("RGBA", (80, 60), "black")
    onto = np.asarray(Image.alpha_composite(black, Image.fromarray(cut, "RGBA")))
    hole = np.zeros((60, 80), bool)
    hole[22:38, 27:43] = True
    assert onto[..., 0][~hole].max() <= 60  # the thing has none, its ground 255


@pytest.mark.parametrize("kind", ["noise", "halves", "nothing"])
def test_what_cannot_be_cut_is_none(kind: str) -> None:
    rng = np.random.default_rng(0)
    pixels = {
        "noise": rng.integers(0, 256, (40, 40, 3)),
        "halves": np.repeat(np.array([0, 255]), 20)[:, None, None] * np.ones((1, 40, 3)),
        "nothing": np.full((40, 40, 3), 200),
    }[kind]
    assert cut_plain(Image.fromarray(pixels.astype(np.uint8))) is None


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 2**32))
def test_what_is_reached_is_open_and_closed_under_neighbours(h: int, w: int, seed: int) -> None:
    open_ = np.random.default_rng(seed).random((h, w)) < 0.6
    found = reached(open_)
    assert not (found & ~open_).any()
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        moved = np.roll(found, shift, axis)
        edge = [slice(None), slice(None)]
        edge[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
        moved[tuple(edge)] = True  # from outside
        assert not (moved & open_ & ~found).any()
