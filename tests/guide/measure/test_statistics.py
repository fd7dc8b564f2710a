"""Intervals cover, tails equal the tables, corrections equal the paper's example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerider.guide.measure.statistics import against, corrected, effect, interval, student


@pytest.mark.parametrize(
    ("t", "freedom", "expected"),  # two-sided, from tables of Student's t
    [(12.706, 1, 0.05), (2.228, 10, 0.05), (3.169, 10, 0.01), (1.96, 10**6, 0.05), (0.0, 5, 1.0)],
)
def test_the_tail_is_the_tables(t: float, freedom: int, expected: float) -> None:
    assert student(t, freedom) == pytest.approx(expected, abs=2e-4)


def test_correction_is_benjamini_and_hochbergs() -> None:
    assert corrected([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_is_never_under_p_and_keeps_the_order(values: list[float]) -> None:
    found = corrected(values)
    assert all(q >= p - 1e-12 and q <= 1 for p, q in zip(values, found, strict=True))
    ranked = sorted(zip(values, found, strict=True))
    assert all(a[1] <= b[1] + 1e-12 for a, b in zip(ranked, ranked[1:], strict=False))


def test_the_interval_covers_the_mean_of_clustered_gaps() -> None:
    draw = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        gaps = 1 + draw.normal(0, 0.5, (10, 1)) + draw.normal(0, 1, (10, 6))
        low, high = interval(gaps, trial)
        hits += low <= 1 <= high
    assert 50 <= hits


def test_the_same_gaps_have_the_same_interval() -> None:
    gaps = np.arange(12.0).reshape(3, 4)
    assert interval(gaps, 5) == interval(gaps, 5)


def test_a_mean_among_placebos_is_not_apart_and_one_far_off_is() -> None:
    placebos = [-0.2, 0.1, 0.0, 0.15, -0.1, 0.05]
    assert against(0.05, placebos) > 0.5
    assert against(5.0, placebos) < 1e-5


def test_too_few_placebos_decide_nothing() -> None:
    assert against(100.0, [0.0, 0.1]) == 1.0


def test_an_effect_is_the_mean_over_its_spread() -> None:
    found = effect(np.array([[1.0, 3.0], [1.0, 3.0]]), [0.0, 0.1, -0.1], 0)
    assert found.mean == 2.0 and found.d == pytest.approx(2 / np.std([1, 3, 1, 3], ddof=1))
