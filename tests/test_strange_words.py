"""Texts that nobody trained murnau on: always a picture, and one line where they are far from
all that it has read.
"""

import pytest

from bluerider import Pipeline
from bluerider.request import MAX_TEXT

FAR = {
    "unknown words": "a photo of my uncle's tax return",
    "mixed scripts": "my тётя in der Küche 税法 قانون",
    "punctuation": "?!?!;;",
    "right to left": "معدل التضخم السنوي",
    "nonsense": "qwrtplk zzxv",
    "very long": ("representative government of the provinces " * 400)[:MAX_TEXT],
    "control and joined signs": "\u200f\u202etax\u202c\u200d\ufeff law",
    "lines": "our quarterly\nrevenue\tforecast",
}
NEAR = (
    "red apple",
    "an owl",
    "a small red apple on a blue background",
    "a cat to the left of a dog",
    "a cat and a dog",
    "two cats",
    "красное яблоко",
    "猫",
    "قطة",
)


@pytest.fixture(scope="module")
def murnau() -> Pipeline:
    return Pipeline.load("murnau", device="cpu")


@pytest.mark.parametrize("kind", FAR)
def test_a_text_far_from_all_gets_a_picture_and_one_line(murnau: Pipeline, kind: str) -> None:
    result = murnau.generate(FAR[kind], steps=1, seed=0)
    assert result.images[0].size == (128, 128)
    told = [text for text in result.warnings if "far from all that murnau has read" in text]
    assert len(told) == 1
    assert "\n" not in told[0] and len(told[0]) < 160


@pytest.mark.parametrize("prompt", NEAR)
def test_what_it_was_taught_is_not_warned_of(murnau: Pipeline, prompt: str) -> None:
    assert murnau.warnings(murnau.resolve(prompt, seed=0)) == []


def test_words_to_keep_away_from_are_not_warned_of(murnau: Pipeline) -> None:
    request = murnau.resolve("red apple", negative="qwrtplk zzxv", seed=0)
    assert murnau.warnings(request) == []


def test_every_strange_ingredient_of_a_mix_is_named(murnau: Pipeline) -> None:
    from bluerider.editing import Ingredient

    add = (Ingredient(words="qwrtplk zzxv", weight=1.0), Ingredient(words="red apple", weight=1.0))
    request = murnau.resolve("", task="mix", add=add, seed=0)
    (told,) = murnau.warnings(request)
    assert told.startswith('"qwrtplk zzxv" is far')


def test_brackets_of_weights_do_not_make_words_strange(murnau: Pipeline) -> None:
    assert murnau.warnings(murnau.resolve("(red:1.3) apple", seed=0)) == []
