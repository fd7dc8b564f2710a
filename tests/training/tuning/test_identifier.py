"""The word for a subject is rare in every tokenizer."""

import pytest

from bluerider.errors import InputError
from bluerider.tokenizers import Tokenizer
from bluerider.training.tuning import identifier
from bluerider.weights.load import open_model


@pytest.fixture(scope="module")
def murnau() -> Tokenizer:
    return open_model("murnau").tokenizer()


def test_it_is_short_and_no_word_of_the_vocabulary(murnau: Tokenizer) -> None:
    (word,) = identifier.choose([murnau])
    assert len(word) == 3 and 2 <= len(identifier.pieces(murnau, word)) <= 3
    assert not identifier.check(word, [murnau])


def test_several_subjects_get_several_words(murnau: Tokenizer) -> None:
    words = identifier.choose([murnau, murnau], 3)
    assert len({word[0] for word in words}) == 3


def test_a_word_that_means_something_is_warned_of(murnau: Tokenizer) -> None:
    (warning,) = identifier.check("dvd", [murnau])
    assert "common word" in warning


def test_a_word_that_splits_badly_is_warned_of(murnau: Tokenizer) -> None:
    (warning,) = identifier.check("xqzvkjw", [murnau])
    assert "pieces" in warning


@pytest.mark.parametrize("word", ["", " ", "two words", "[V]"])
def test_only_one_word_is_accepted(murnau: Tokenizer, word: str) -> None:
    with pytest.raises(InputError, match="one word"):
        identifier.check(word, [murnau])
