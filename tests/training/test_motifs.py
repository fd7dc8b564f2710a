"""Scenes drawn for training."""

import numpy as np
import pytest

from bluerider.scenes.painting import layout
from bluerider.scenes.scene import KINDS, is_held_out
from bluerider.training.appearance import NONE
from bluerider.training.motifs import BESIDE, Motif, Motifs, painted

EMOJI = [chr(0x1F400 + i) for i in range(30)]


@pytest.fixture(scope="module")
def motifs() -> list[Motif]:
    source, rng = Motifs(EMOJI), np.random.default_rng(0)
    return [source.draw(rng) for _ in range(600)]


def test_held_out_combinations_are_never_drawn(motifs: list[Motif]) -> None:
    assert not any(is_held_out(motif.scene) for motif in motifs)


def test_every_kind_but_the_bare_thing_is_drawn(motifs: list[Motif]) -> None:
    assert {motif.scene.kind for motif in motifs} == set(KINDS) - {"thing"}


def test_the_left_or_upper_thing_stands_first(motifs: list[Motif]) -> None:
    for motif in motifs:
        if motif.second == NONE:
            continue
        _, spots = layout(motif.scene, np.random.default_rng(motif.seed))
        axis = 0 if motif.scene.relation in BESIDE else 1
        where = dict(zip(motif.scene.things, spots, strict=True))
        first, second = where[EMOJI[motif.first]], where[EMOJI[motif.second]]
        assert first[axis] < second[axis]


def test_things_come_from_the_rows_that_are_allowed() -> None:
    source, rng = Motifs(EMOJI), np.random.default_rng(1)
    rows = np.array([3, 7, 9])
    drawn = [source.draw(rng, rows) for _ in range(50)]
    assert {motif.first for motif in drawn} | {motif.second for motif in drawn} <= {3, 7, 9, NONE}


def test_a_picture_has_the_layout_its_traits_tell(motifs: list[Motif]) -> None:
    motif = next(m for m in motifs if m.scene.place == "left" and m.scene.background is None)
    dark = np.zeros((16, 16, 4), np.uint8)
    dark[..., 3] = 255
    pixels = np.asarray(painted(motif, {EMOJI[motif.first]: dark}, 64).convert("L"))
    middle = np.flatnonzero((pixels < 128).any(axis=0)).mean() / 64
    assert 2 * middle - 1 == pytest.approx(motif.traits[5], abs=0.05)
