"""Scenes as values, and which combinations are kept out of training."""

import pytest

from bluerider.errors import InputError
from bluerider.scenes.scene import KINDS, LOOKS, Scene, is_held_out, kept_out, scene_of

A, B = "🐈", "🍎"


@pytest.mark.parametrize("said", sum(KINDS.values(), ()))
def test_a_scene_that_says_one_thing_is_of_its_kind(said: str) -> None:
    two = said in (*KINDS["and"], *KINDS["relation"])
    scene = scene_of((A, B) if two else (A,), said)
    assert scene.said == (said,)
    assert said in KINDS[scene.kind]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"things": (A,), "background": "mauve"}, "light_blue"),
        ({"things": (A,), "size": "huge"}, "small, big"),
        ({"things": (A,), "count": 4}, "1, 2, 3"),
        ({"things": ()}, "one or two"),
        ({"things": (A, B), "size": "small"}, "no size"),
        ({"things": (A, B), "count": 2}, "no count"),
        ({"things": (A,), "relation": "above"}, "two things are needed"),
        ({"things": (A,), "count": 2, "place": "left"}, "no place"),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Scene(**fields)


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(InputError, match="'mauve'; accepted: thing"):
        scene_of((A,), "mauve")


def test_a_tenth_of_the_combinations_is_kept_out() -> None:
    kept = [kept_out((f"thing {i}", look)) for i in range(1000) for look in LOOKS]
    assert 0.085 < sum(kept) / len(kept) < 0.115


def test_a_pair_is_kept_out_in_either_order_and_every_relation() -> None:
    things = next((A, f"{i}") for i in range(99) if kept_out(tuple(sorted((A, f"{i}")))))
    for said in (*KINDS["and"], *KINDS["relation"]):
        assert is_held_out(scene_of(things, said))
        assert is_held_out(scene_of(things[::-1], said))


def test_a_thing_alone_is_never_kept_out() -> None:
    assert not any(is_held_out(Scene(things=(str(i),))) for i in range(100))


def test_every_combination_of_a_scene_counts() -> None:
    thing = next(str(i) for i in range(99) if kept_out((str(i), "small")))
    assert is_held_out(Scene(things=(thing,), size="small", background="blue"))
