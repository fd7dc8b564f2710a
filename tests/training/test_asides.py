"""Words around a name for which nothing is drawn."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bluerider.scenes.names import articled
from bluerider.scenes.scene import KINDS
from bluerider.scenes.wording import phrases
from bluerider.training.asides import (
    FRAMES,
    QUALITIES,
    TAILS,
    asides_read,
    invented,
    signed,
    with_asides,
)


@given(st.integers(0, 10_000))
def test_what_is_asked_for_stands_whole(seed: int) -> None:
    text = with_asides("red apple", np.random.default_rng(seed))
    assert "red apple" in text and text != "red apple"


@given(st.integers(0, 10_000))
def test_a_sign_leaves_the_text_as_it_is(seed: int) -> None:
    text = signed("кошка", np.random.default_rng(seed))
    assert text != "кошка" and (text.startswith("кошка") or text.endswith(" кошка"))


def test_frames_have_the_thing_once_with_the_right_article() -> None:
    for frame in FRAMES:
        text = frame.format(x="octopus", a=articled("octopus"))
        assert text.count("octopus") == 1 and " a octopus" not in f" {text}"


def test_asides_say_nothing_that_scenes_say() -> None:
    words = {word for text in (*QUALITIES, *TAILS) for word in text.split()}
    said = {
        text.split()[0] for key in (*KINDS["size"], *KINDS["count"]) for text in phrases("en")[key]
    }
    assert said and not words & (said - {"a"})  # of "a pair of"


def test_invented_words_are_many_and_short() -> None:
    rng = np.random.default_rng(0)
    found = {invented(rng) for _ in range(500)}
    assert len(found) > 400 and max(map(len, found)) <= 15


def test_what_was_read_holds_every_name_among_words_that_exist() -> None:
    texts = asides_read(["red apple", "cat"])
    assert texts == asides_read(["red apple", "cat"])
    assert sum("red apple" in text for text in texts) == sum("cat" in text for text in texts)
    words = {word.strip(",") for text in texts for word in text.split()}
    known = {word for text in (*QUALITIES, *TAILS) for word in text.split()}
    assert words <= known | {"red", "apple", "cat"}
