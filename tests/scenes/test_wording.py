"""Scenes in the words of sixteen languages."""

import re
from string import Formatter

import pytest

from bluerider.errors import InputError
from bluerider.scenes.plural import plural
from bluerider.scenes.scene import BACKGROUNDS, KINDS, Scene, scene_of
from bluerider.scenes.wording import languages, phrases, render, table_of

ASKED = "en ru uk de fr es it pt pl tr zh ja ko ar hi id".split()
BLANKS = {"background": {"x", "c"}, "and": {"a", "b"}}
BLANKS |= dict.fromkeys(KINDS["relation"], {"a", "b"})
KEYS = {"background", *sum((v for k, v in KINDS.items() if k != "background"), ())}
NAMES = {"🐈": "cat", "🍎": "red apple"}


def test_sixteen_languages_have_templates() -> None:
    assert sorted(languages()) == sorted(ASKED)


@pytest.mark.parametrize("language", ASKED)
def test_every_template_has_its_blanks(language: str) -> None:
    found = phrases(language)
    assert set(found) == KEYS
    for key, texts in found.items():
        for text in texts:
            blanks = [name for _, name, _, _ in Formatter().parse(text) if name]
            wanted = BLANKS.get(key, {"x"})
            assert sorted(blanks) in (sorted(wanted), ["xs"]), (key, text)
            assert text == text.strip() and "  " not in text


@pytest.mark.parametrize("language", ASKED)
def test_every_colour_has_its_own_word(language: str) -> None:
    colours = table_of(language)["colours"]
    assert tuple(colours) == tuple(BACKGROUNDS)
    assert len(set(colours.values())) == len(BACKGROUNDS)


@pytest.mark.parametrize("language", ASKED)
def test_whatever_is_said_sounds_different(language: str) -> None:
    things = tuple(NAMES)
    said = [s for s in sum(KINDS.values(), ()) if s not in (*KINDS["and"], *KINDS["relation"])]
    for variant in (0, 1):
        alone = [render(scene_of(things[:1], s), NAMES, language, variant) for s in said]
        pairs = [render(scene_of(things, s), NAMES, language, variant) for s in KINDS["relation"]]
        assert len(set(alone)) == len(alone)
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("language", ASKED)
def test_no_template_says_two_things(language: str) -> None:
    texts = [text for group in phrases(language).values() for text in group]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("language", ASKED)
def test_the_first_words_ask_nothing_of_a_name(language: str) -> None:
    for texts in phrases(language).values():
        assert not [form for _, _, form, _ in Formatter().parse(texts[0]) if form]


@pytest.mark.parametrize("language", [name for name in ASKED if name != "en"])
def test_names_go_in_as_they_are(language: str) -> None:
    names = {"🐈": "{x} «Ä» \\1", "🍎": "$b"}
    scene = Scene(things=tuple(names), relation="above", look="pixel", background="blue")
    text = render(scene, names, language)
    assert all(name in text for name in names.values())
    assert "{c}" not in text
    assert names["🐈"] in render(Scene(things=("🐈",), count=3), names, language)


@pytest.mark.parametrize(
    ("scene", "language", "expected"),
    [
        (Scene(things=("🐈",), background="orange"), "en", "cat on an orange background"),
        (Scene(things=("🐈", "🍎"), relation="left_of"), "en", "cat left of red apple"),
        (
            Scene(things=("🐈",), count=2, look="black_and_white", background="pink"),
            "en",
            "two black-and-white cats on a pink background",
        ),
        (Scene(things=("🐈",), size="small", place="top"), "en", "small cat at the top"),
        (Scene(things=("🐈",), background="light_blue"), "ru", "cat на голубом фоне"),
        (Scene(things=("🐈", "🍎"), relation="below"), "ja", "red appleの下にcat"),
    ],
)
def test_a_scene_in_words(scene: Scene, language: str, expected: str) -> None:
    assert render(scene, NAMES, language) == expected


@pytest.mark.parametrize(("second", "word"), [("iguana", "e"), ("hielo", "y"), ("perro", "y")])
def test_spanish_and_sounds_right(second: str, word: str) -> None:
    names = {"🐈": "gato", "🍎": second}
    assert render(scene_of(("🐈", "🍎"), "and"), names, "es") == f"gato {word} {second}"


def test_a_variant_is_another_wording() -> None:
    scene = Scene(things=("🐈",), size="small")
    assert [render(scene, NAMES, "en", v) for v in range(4)] == [
        "small cat",
        "tiny cat",
        "little cat",
        "small cat",
    ]


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="'tlh'; accepted: en"):
        phrases("tlh")


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("red apple", "red apples"),
        ("box", "boxes"),
        ("octopus", "octopuses"),
        ("butterfly", "butterflies"),
        ("monkey", "monkeys"),
        ("tomato", "tomatoes"),
        ("grapes", "grapes"),
        ("wolf", "wolves"),
        ("snowman", "snowmen"),
        ("woman dancing", "women dancing"),
        ("face with tears of joy", "faces with tears of joy"),
        ("woman: curly hair", "women: curly hair"),
        ("high-speed train", "high-speed trains"),
        ("cat as an outline", "cats as an outline"),
    ],
)
def test_english_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_no_blank_is_left_open() -> None:
    for language in languages():
        for said, texts in phrases(language).items():
            if said == "background":
                continue
            two = said in (*KINDS["and"], *KINDS["relation"])
            for variant in range(len(texts)):
                text = render(scene_of(tuple(NAMES)[: 1 + two], said), NAMES, language, variant)
                assert not re.search(r"[{}]", text)


@pytest.mark.parametrize(
    ("scene", "language", "variant", "expected"),
    [
        (Scene(things=("🐈", "🍎"), relation="left_of"), "ru", 2, "кот слева от красного яблока"),
        (Scene(things=("🐈",), count=2, background="red"), "ru", 2, "два кота на красном фоне"),
    ],
)
def test_names_change_with_what_is_said(
    scene: Scene, language: str, variant: int, expected: str
) -> None:
    names = {"🐈": "кот", "🍎": "красное яблоко"}
    assert render(scene, names, language, variant) == expected
