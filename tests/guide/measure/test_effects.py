"""The numbers of a picture are what their definitions say, on pictures made for it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bluerider.guide.measure.effects import METRICS, lab, measure

SIDE = 64


def plain(*colour: int) -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def square(
    low: int, high: int, ground: tuple[int, ...], inner: tuple[int, ...]
) -> NDArray[np.uint8]:
    pixels = plain(*ground)
    pixels[low:high, low:high] = inner
    return pixels


def named(pixels: NDArray[np.uint8]) -> dict[str, float]:
    return dict(zip(METRICS, measure(pixels), strict=True))


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),  # Lindbloom's sRGB red under D65
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_is_the_published_one(colour: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert lab(plain(*colour))[0, 0] == pytest.approx(expected, abs=0.02)


def test_a_plain_picture_has_no_contrast_edges_or_subject() -> None:
    found = named(plain(90, 120, 200))
    for name in ("contrast", "edges", "sharpness", "palette", "area"):
        assert found[name] == pytest.approx(0.0, abs=1e-9)
    assert (found["centre-x"], found["centre-y"]) == (0.5, 0.5)


def test_the_subject_is_what_differs_from_the_border() -> None:
    found = named(square(16, 32, (255, 255, 255), (20, 20, 20)))
    assert found["area"] == pytest.approx(16 * 16 / SIDE**2)
    assert found["centre-x"] == found["centre-y"] == pytest.approx(24 / SIDE)


def test_the_background_is_the_border() -> None:
    found = named(square(16, 48, (255, 0, 0), (255, 255, 255)))
    assert found["background-redness"] == pytest.approx(80.09, abs=0.02)
    assert found["background-lightness"] == pytest.approx(53.24, abs=0.02)


def test_grey_has_no_saturation_and_blue_is_cold() -> None:
    assert named(plain(99, 99, 99))["saturation"] == pytest.approx(0.0, abs=0.01)
    assert named(plain(0, 0, 255))["colour-temperature"] == pytest.approx(-107.86, abs=0.02)


def test_two_colours_in_equal_parts_are_one_bit() -> None:
    pixels = plain(0, 0, 0)
    pixels[:, : SIDE // 2] = 255
    assert named(pixels)["palette"] == pytest.approx(1.0)


def test_blocks_on_the_grid_are_seen_and_noise_is_not() -> None:
    draw = np.random.default_rng(0)
    cells = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    blocks = cells.repeat(4, axis=0).repeat(4, axis=1)
    noise = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    assert named(blocks)["blockiness"] > 2
    assert abs(named(noise)["blockiness"]) < 0.2


def test_a_blurred_picture_is_less_sharp() -> None:
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (SIDE, SIDE, 3)).astype(np.float64)
    soft = (
        noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))
    ) / 4
    assert named(soft.astype(np.uint8))["sharpness"] < named(noise.astype(np.uint8))["sharpness"]


@pytest.mark.parametrize("shape", [(7, 9), (16, 16), (33, 128)])
def test_any_size_is_measured(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.isfinite(measure(pixels)).all()
