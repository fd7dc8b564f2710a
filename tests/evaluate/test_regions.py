"""What stands out of a picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bluerider.evaluate.regions import (
    filled,
    longer_side,
    middle,
    on_white,
    pieces,
    seen,
    standing_out,
    wider,
)


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (("....", "...."), 0),
        (("##..", "..##"), 1),  # corners touch
        (("##..", "....", "..##"), 2),
        (("#.#", "#.#", "###"), 1),  # two arms found to be one
        (("#.#", "###", "#.#", "...", "#.#"), 3),
    ],
)
def test_pieces_hang_together(rows, count) -> None:
    assert pieces(mask_of(*rows)).max() == count


def flooded(mask: np.ndarray) -> int:
    left = {tuple(at) for at in np.argwhere(mask).tolist()}
    count = 0
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge += near
    return count


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0.2, 0.7))
def test_pieces_are_those_of_a_flood(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((9, 11)) < share
    labels = pieces(mask)
    assert (labels > 0).tolist() == mask.tolist()
    assert labels.max() == flooded(mask) == len(np.unique(labels[mask]))


def test_holes_are_filled_and_bays_are_not() -> None:
    mask = mask_of("#####", "#.#.#", "#####", "#...#", "#...#")
    assert filled(mask).tolist() == mask_of("#####", "#####", "#####", "#...#", "#...#").tolist()


def test_a_wider_mask_has_its_neighbours() -> None:
    assert wider(mask_of("...", ".#.", "...")).all()


def test_grain_and_specks_do_not_stand_out() -> None:
    pixels = np.random.default_rng(0).integers(200, 220, (128, 128, 3)).astype(np.uint8)
    pixels[5:7, 5:7] = 0
    pixels[60:70, 60:70] = 0
    assert np.argwhere(standing_out(pixels)).min() == 60


def test_place_and_size_of_a_mask() -> None:
    mask = np.zeros((128, 128), bool)
    mask[0:32, 64:128] = True
    assert middle(mask) == (0.75, 0.125)
    assert longer_side(mask) == 0.5
    assert middle(~mask & mask) == (0.5, 0.5) and longer_side(mask & ~mask) == 0.0


def test_a_background_becomes_white_and_what_is_inside_stays() -> None:
    pixels = np.full((128, 128, 3), (40, 85, 205), np.uint8)
    pixels[30:90, 30:90] = (220, 40, 40)
    pixels[50:60, 50:60] = (40, 85, 205)  # the background's colour, inside
    found = on_white(pixels)
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[55, 55].tolist() == [40, 85, 205] and found[31, 31].tolist() == [220, 40, 40]


def test_any_picture_is_looked_at_in_one_size() -> None:
    assert seen(Image.new("RGBA", (300, 200))).shape == (128, 128, 3)
