"""Scenes painted from drawings."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bluerider.scenes.looks import look_of
from bluerider.scenes.painting import compose_scene, trimmed
from bluerider.scenes.scene import BACKGROUNDS, KINDS, Scene, scene_of

A, B = "🐈", "🍎"


@pytest.fixture(scope="module")
def drawings() -> dict[str, np.ndarray]:
    """A red disc and a green bar, with margins."""
    made = {}
    for thing, colour, box in ((A, "red", (8, 8, 56, 56)), (B, "lime", (24, 4, 40, 60))):
        image = Image.new("RGBA", (64, 64))
        ImageDraw.Draw(image).ellipse(box, fill=colour)
        made[thing] = np.asarray(image)
    return made


def paint(scene: Scene, drawings, seed: int = 0) -> np.ndarray:
    image = compose_scene(scene, drawings, 128, np.random.default_rng(seed))
    return np.asarray(image).astype(int)


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Mean (x, y) as parts of the canvas."""
    rows, columns = np.nonzero(mask)
    return columns.mean() / 128, rows.mean() / 128


def red(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 200) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90)


def green(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 1] > 200) & (pixels[..., 0] < 90) & (pixels[..., 2] < 90)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_the_border_has_the_colour_asked_for(drawings, background: str) -> None:
    pixels = paint(Scene(things=(A,), background=background), drawings)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (rim == BACKGROUNDS[background]).all()


@pytest.mark.parametrize(
    ("place", "x", "y"),
    [("left", 0.25, 0.5), ("right", 0.75, 0.5), ("top", 0.5, 0.25), ("bottom", 0.5, 0.75)],
)
def test_a_thing_stands_where_it_is_said(drawings, place: str, x: float, y: float) -> None:
    for seed in range(5):
        found = middle(red(paint(Scene(things=(A,), place=place), drawings, seed)))
        assert found == pytest.approx((x, y), abs=0.07)


@pytest.mark.parametrize("relation", [None, *KINDS["relation"]])
def test_two_things_stand_as_they_are_said(drawings, relation: str | None) -> None:
    for seed in range(5):
        pixels = paint(Scene(things=(A, B), relation=relation), drawings, seed)
        (ax, ay), (bx, by) = middle(red(pixels)), middle(green(pixels))
        apart = {"left_of": bx - ax, "right_of": ax - bx, "above": by - ay, "below": ay - by}
        assert apart[relation or "left_of"] > 0.4


@pytest.mark.parametrize("size", ["small", "big"])
def test_the_longer_side_is_as_said_for_any_shape(drawings, size: str) -> None:
    for thing in (A, B):
        pixels = paint(Scene(things=(thing,), size=size), drawings)
        rows, columns = np.nonzero(pixels.min(2) < 128)
        longer = max(np.ptp(rows), np.ptp(columns)) / 128
        assert (0.30 < longer < 0.45) if size == "small" else (longer > 0.85)


@pytest.mark.parametrize("count", [2, 3])
def test_a_count_stands_apart(drawings, count: int) -> None:
    for seed in range(5):
        inked = red(paint(Scene(things=(A,), count=count), drawings, seed))
        rows = inked.any(1)
        bands = 1 + int((np.diff(rows.astype(int)) == 1).sum()) - (not rows[0])
        lowest = inked[np.flatnonzero(rows)[-12]]
        across = int((np.diff(lowest.astype(int)) == 1).sum())
        assert (bands, across) == {2: (1, 2), 3: (2, 2)}[count]


def test_black_and_white_has_no_colour(drawings) -> None:
    pixels = paint(Scene(things=(A,), look="black_and_white"), drawings)
    assert np.ptp(pixels, axis=2).max() == 0 and pixels.min() < 128


def test_a_silhouette_is_dark_all_over(drawings) -> None:
    pixels = look_of(drawings[A], "silhouette")
    assert set(np.unique(pixels[..., :3])) == {40}
    assert np.array_equal(pixels[..., 3], drawings[A][..., 3])


def test_an_outline_is_dark_at_the_rim_and_white_inside(drawings) -> None:
    pixels = look_of(drawings[A], "outline")
    assert pixels[32, 32, 0] == 255 and pixels[32, 8, 0] == 40


def test_pixel_art_is_made_of_squares(drawings) -> None:
    pixels = paint(Scene(things=(A,), look="pixel"), drawings)
    blocks = pixels.reshape(16, 8, 16, 8, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()


def test_the_same_generator_paints_the_same(drawings) -> None:
    scene = Scene(things=(A, B), background="blue")
    assert np.array_equal(paint(scene, drawings, 4), paint(scene, drawings, 4))
    assert not np.array_equal(paint(scene, drawings, 4), paint(scene, drawings, 5))


def test_margins_are_cut_and_a_blank_drawing_is_taken(drawings) -> None:
    assert trimmed(drawings[B]).size == (17, 57)
    assert trimmed(np.zeros((8, 8, 4), np.uint8)).size == (8, 8)


def test_every_scene_can_be_painted(drawings) -> None:
    for said in sum(KINDS.values(), ()):
        two = said in (*KINDS["and"], *KINDS["relation"])
        assert paint(scene_of((A, B)[: 1 + two], said), drawings).shape == (128, 128, 3)
