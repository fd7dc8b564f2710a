"""Every draw is a function of seed and sample number alone."""

import numpy as np
import torch

from bluerider.training.order import Order
from bluerider.training.tuning.draws import Draw, Draws, Source


def source(batch: int, **changes: object) -> Source:
    given: dict[str, object] = {
        "part": 0,
        "batch": batch,
        "order": (Order([1] * 3, seed=0), Order([1] * 500, seed=1)),
        "rows": ([[0, 1], [2, 3], [4, 5]], [[6 + i] for i in range(500)]),
        "shape": (2, 3),
        "levels": 1000,
        "drop": (0.3, 0.6),
    }
    return Source(**{**given, **changes})  # type: ignore[arg-type]


def draws(batch: int, *, rank: int = 0, world: int = 1, first: int = 0) -> Draws:
    return Draws({"prior": source(batch)}, seed=3, rank=rank, world=world, first=first)


def halves(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    return draw.noise.chunk(2)


def test_two_processes_see_together_what_one_sees() -> None:
    one = draws(4).micro(5)["prior"]
    two = [draws(2, rank=rank, world=2).micro(5)["prior"] for rank in (0, 1)]
    for half in (0, 1):
        both = torch.cat([halves(draw)[half] for draw in two])
        assert torch.equal(both, halves(one)[half])


def test_a_loop_begun_later_goes_on() -> None:
    whole = iter(draws(2))
    for _ in range(7):
        next(whole)
    theirs, ours = next(whole)["prior"], next(iter(draws(2, first=7)))["prior"]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None)


def test_the_halves_have_times_and_noise_of_their_own() -> None:
    draw = draws(8).micro(0)["prior"]
    assert not torch.equal(draw.t[:8], draw.t[8:])
    assert not torch.equal(*halves(draw))


def test_every_class_picture_is_used() -> None:
    """More of the class than 100 times the subject's pictures: none is left out."""
    made = source(1)
    rows = {int(made.draw(0, j).row[1]) for j in range(500)}
    assert rows == set(range(6, 506))


def test_a_picture_is_shown_in_every_variant() -> None:
    made = source(1)
    assert {int(made.draw(0, j).row[0]) for j in range(100)} == set(range(6))


def test_what_is_left_out_is_left_out_as_often_as_asked() -> None:
    drop = np.concatenate([draws(50).micro(j)["prior"].drop.numpy() for j in range(20)])
    assert np.abs(drop.mean(0) - (0.3, 0.6)).max() <= 0.05


def test_a_batch_has_one_shape_in_both_halves() -> None:
    """Three pictures, two of them wide; each of the class is there in both shapes."""
    wide, tall = (4, 2, 6), (4, 6, 2)
    made = source(
        2,
        order=(Order([1] * 3, seed=0, group=2, buckets=[0, 1, 0]), Order([1] * 5, seed=1)),
        rows=([[0], [1], [2]], [[3 + 2 * i, 4 + 2 * i] for i in range(5)]),
        shape=(),
        shapes=[wide, tall, wide, *[wide, tall] * 5],
        masks=True,
    )
    seen, others = set(), set()
    for j in range(0, 40, 2):
        draw = made.draw(0, j)
        shapes = {made.shapes[int(row)] for row in draw.row}
        assert shapes == {tuple(draw.noise.shape[1:])}
        assert draw.mask is not None and draw.mask.shape[2:] == draw.noise.shape[2:]
        seen |= set(draw.row[:2].tolist())
        others |= set(draw.row[2:].tolist())
    assert seen == {0, 1, 2} and others == set(range(3, 13))


def test_another_seed_draws_otherwise() -> None:
    assert not torch.equal(source(2).draw(0, 0).noise, source(2).draw(1, 0).noise)
