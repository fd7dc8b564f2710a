"""Random masks are whole numbers, never empty, never full, and of every kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerider.training.masks import blob, box, frame, random_mask

SIDES = st.integers(2, 40)


@given(st.integers(0, 2**32), SIDES, SIDES)
def test_a_mask_is_0_and_1_and_leaves_something_of_either(seed: int, high: int, wide: int) -> None:
    mask = random_mask(np.random.default_rng(seed), high, wide)
    assert mask.shape == (high, wide) and mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}


def test_the_same_seed_draws_the_same_mask() -> None:
    one, two, other = (random_mask(np.random.default_rng(s), 16, 24) for s in (5, 5, 6))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_frames_leave_the_middle_and_take_the_corners() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = frame(rng, 40, 40)
        assert not mask[20, 20] and mask[0, 0] and mask[-1, -1]


@pytest.mark.parametrize("kind", [box, blob])
def test_boxes_and_blobs_are_of_one_piece_and_of_many_sizes(kind) -> None:
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(100):
        mask = kind(rng, 64, 64)
        parts.append(mask.mean())
        rows = np.flatnonzero(mask.any(1))
        assert len(rows) == 0 or len(rows) == rows[-1] - rows[0] + 1
    assert min(parts) < 0.03 and 0.2 < max(parts) < 0.5


def test_blobs_are_round_and_uneven() -> None:
    rng = np.random.default_rng(1)
    masks = [blob(rng, 96, 96) for _ in range(20)]
    assert all(not (m[:1].any() and m[-1:].any()) for m in masks)
    assert any(not np.array_equal(m, m[::-1, ::-1]) for m in masks)


def test_a_third_of_the_picture_is_masked_on_average() -> None:
    rng = np.random.default_rng(2)
    share = np.mean([random_mask(rng, 32, 32).mean() for _ in range(500)])
    assert 0.25 < share < 0.5
