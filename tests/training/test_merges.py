"""Merges of a tokenizer, undone at random."""

import numpy as np
import pytest

from bluerider.tokenizers import Tokenizer
from bluerider.training import merges
from bluerider.training.merges import Merges
from bluerider.training.tokenizer import train_tokenizer

TEXTS = ["low lower lowest", "new newer newest", "wide wider widest"]
LONGEST = 40


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer(TEXTS * 9, vocab=330, alphabet=40), LONGEST, 0)


def spelled(tokenizer: Tokenizer, row: list[int]) -> str:
    return tokenizer.fast.decode(row)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no text are all merges left."""
    monkeypatch.setattr(merges, "CUT", 1.0)


def test_all_merges_undone_are_letters(tokenizer: Tokenizer, always: None) -> None:
    row = tokenizer.rows(["lowest wider"])[0]
    found, _ = Merges(tokenizer, 1.0).undone(row, [0, 0], LONGEST, np.random.default_rng(0))
    pieces = [tokenizer.fast.id_to_token(i) for i in found[1:-1]]
    assert len(row) < len(found) and all(len(piece) == 1 for piece in pieces)


def test_a_text_spells_the_same_however_it_is_cut(tokenizer: Tokenizer, always: None) -> None:
    row = tokenizer.rows(["newest lower"])[0]
    half, rng = Merges(tokenizer, 0.5), np.random.default_rng(0)
    cuts = {tuple(half.undone(row, [0, 0], LONGEST, rng)[0]) for _ in range(20)}
    assert len(cuts) > 5 and {spelled(tokenizer, list(cut)) for cut in cuts} == {"newest lower"}


def test_a_name_ends_where_its_last_piece_does(tokenizer: Tokenizer, always: None) -> None:
    row = tokenizer.rows(["lowest wider"])[0]
    at = len(tokenizer.rows(["lowest"])[0]) - 2
    found, (end, none) = Merges(tokenizer, 1.0).undone(
        row, [at, 0], LONGEST, np.random.default_rng(0)
    )
    assert spelled(tokenizer, found[: end + 1]) == "lowest" and none == 0


def test_what_would_be_too_long_stays_as_it_is(tokenizer: Tokenizer, always: None) -> None:
    row = tokenizer.rows(["lowest wider"])[0]
    undo = Merges(tokenizer, 1.0)
    assert undone_to(undo, row, len(row)) == row and undone_to(undo, row, LONGEST) != row


def undone_to(undo: Merges, row: list[int], longest: int) -> list[int]:
    return undo.undone(row, [0, 0], longest, np.random.default_rng(0))[0]


def test_some_texts_keep_all_their_merges(tokenizer: Tokenizer) -> None:
    row, rng = tokenizer.rows(["lowest wider"])[0], np.random.default_rng(0)
    undo = Merges(tokenizer, 1.0)
    same = sum(undo.undone(row, [0, 0], LONGEST, rng)[0] == row for _ in range(500))
    assert 150 < same < 250
