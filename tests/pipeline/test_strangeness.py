"""How familiar a text is, told by its words and by what the prior answers to them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from bluerider import Pipeline
from bluerider.pipeline import strangeness
from bluerider.pipeline.parts import NOTED
from bluerider.pipeline.strangeness import familiarities
from bluerider.weights.known import Known


@pytest.fixture(scope="module")
def murnau() -> Pipeline:
    return Pipeline.load("murnau", device="cpu")


@pytest.fixture
def known(murnau: Pipeline) -> Iterator[Known]:
    found = murnau.parts.known
    assert found is not None
    murnau.parts.answers.clear()
    yield found


def test_what_the_prior_knows_is_nearer_than_what_it_does_not(
    murnau: Pipeline, known: Known
) -> None:
    near, far = familiarities(murnau.parts, known, ["red apple", "the law of supply and demand"])
    assert far < near <= 1.0


def test_without_codes_words_alone_are_asked_for(murnau: Pipeline, known: Known) -> None:
    words = replace(known, codes=None)
    row = murnau.tokenizer.rows(["red apple"])[0]
    assert familiarities(murnau.parts, words, ["red apple"]) == [words.share(row)]
    assert not murnau.parts.answers


def test_a_painted_text_is_not_read_twice(
    murnau: Pipeline, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("the prior was asked again")

    monkeypatch.setattr(strangeness, "answers", refuse)
    assert murnau.generate("red apple", steps=1, seed=0).warnings == []


@pytest.mark.parametrize(
    ("prompt", "guidance"), [("(red:3) apple", 1.0), ("red apple", 3.0)], ids=["weights", "guided"]
)
def test_how_words_are_painted_does_not_change_how_familiar_they_are(
    murnau: Pipeline, known: Known, prompt: str, guidance: float
) -> None:
    plain = familiarities(murnau.parts, known, ["red apple"])
    murnau.parts.answers.clear()
    murnau.generate(prompt, steps=1, seed=0, prior_guidance=guidance)
    assert familiarities(murnau.parts, known, ["red apple"]) == plain


def test_signs_in_a_text_are_read_as_they_stand(murnau: Pipeline, known: Known) -> None:
    signs = "a cat (small:2) [x]++"
    murnau.generate(signs, steps=1, seed=0)
    assert signs not in murnau.parts.answers  # there they were weights
    familiarities(murnau.parts, known, [signs])
    assert signs in murnau.parts.answers


def test_answers_are_forgotten_in_time(murnau: Pipeline) -> None:
    for number in range(3 * NOTED):
        murnau.parts.note([str(number)], torch.zeros(1, 4))
    assert len(murnau.parts.answers) <= NOTED + 1
