"""Masks: what is repainted, how a feather fades, and that what is kept is kept to the byte."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bluerider.images import composite, feathered, read_mask


def test_white_is_repainted_and_grey_softly() -> None:
    mask = read_mask(Image.fromarray(np.array([[0, 128, 255]], np.uint8)))
    assert mask[0].tolist() == [0.0, np.float32(128 / 255), 1.0]


def test_transparent_is_repainted_whatever_the_colour() -> None:
    levels = np.array([[[255, 255, 255, 255], [0, 0, 0, 0], [9, 9, 9, 51]]], np.uint8)
    assert read_mask(Image.fromarray(levels))[0].tolist() == pytest.approx([0.0, 1.0, 0.8])


def test_an_opaque_alpha_says_nothing() -> None:
    levels = np.array([[[255, 255, 255, 255], [0, 0, 0, 255]]], np.uint8)
    assert read_mask(Image.fromarray(levels))[0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "P", "I;16"])
def test_every_mode_is_read(mode: str) -> None:
    image = Image.new("L", (2, 1), 0)
    image.putpixel((0, 0), 255)
    if mode == "I;16":
        image = Image.fromarray(np.array([[65535, 0]], np.uint16))
    else:
        image = image.convert(mode)
    assert read_mask(image)[0].tolist() == [1.0, 0.0]


def test_a_jpegs_near_black_and_near_white_are_black_and_white() -> None:
    mask = read_mask(Image.fromarray(np.array([[2, 253]], np.uint8)))
    assert mask[0].tolist() == [0.0, 1.0]


def test_a_feather_fades_linearly_outwards() -> None:
    mask = np.zeros((1, 9), np.float32)
    mask[0, 4] = 1.0
    assert feathered(mask, 3)[0].tolist() == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_feather_is_the_largest_cone(seed: int, pixels: int) -> None:
    mask = np.random.default_rng(seed).random((7, 8), np.float32)
    rows, columns = np.indices(mask.shape)
    far = abs(rows[:, :, None, None] - rows) + abs(columns[:, :, None, None] - columns)
    cones = mask - far.astype(np.float32) / (pixels + 1)
    np.testing.assert_allclose(feathered(mask, pixels), cones.max((2, 3)), atol=1e-5)


def test_what_the_mask_leaves_is_kept_to_the_byte_and_the_rest_blended() -> None:
    rng = np.random.default_rng(3)
    painted, kept = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    mask = np.zeros((16, 16), np.float32)
    mask[:4], mask[4:8] = 1.0, 0.5
    made = composite(painted, kept, mask)
    assert (made[8:] == kept[8:]).all() and (made[:4] == painted[:4]).all()
    between = (painted[4:8].astype(int) + kept[4:8]) / 2
    assert np.abs(made[4:8] - between).max() <= 0.5
