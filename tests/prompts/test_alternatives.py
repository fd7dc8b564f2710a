"""Alternatives and wildcards: what a seed chooses, what all choices are, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerider.errors import InputError
from bluerider.prompts.alternatives import Wildcards, choose, every, is_template

TEXTS = st.text(alphabet="ab{|}\\ ", max_size=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "colour.txt").write_text("red\n\n# no value\n  green  \nblue\n", encoding="utf-8")
    (tmp_path / "fruit.txt").write_text("\ufeff__colour__ apple\n{ripe|green} pear\n", "utf-8")
    (tmp_path / "circle.txt").write_text("a __circle__\n")
    return tmp_path


def test_a_seed_chooses_the_same_words_for_ever() -> None:
    chosen = [choose("a {red|green|blue} {apple|pear}", seed) for seed in range(6)]
    pairs = ["green pear", "red apple", "blue pear", "red apple", "green pear", "red apple"]
    assert chosen == [f"a {pair}" for pair in pairs]


def test_every_alternative_comes_up_about_as_often() -> None:
    chosen = [choose("{a|b|c}", seed) for seed in range(600)]
    assert all(150 < chosen.count(letter) < 250 for letter in "abc")


def test_a_change_in_one_place_leaves_the_others(folder: Path) -> None:
    before, after = "{a|b} {c|d|e} __colour__", "a long way to {x|y|z} {c|d|e} __colour__"
    cards = Wildcards(folder)
    for seed in range(20):
        assert choose(before, seed, cards)[1:] == choose(after, seed, cards)[15:]


@pytest.mark.parametrize(
    ("template", "prompts"),
    [
        ("red apple", ["red apple"]),
        ("{red|green} apple", ["red apple", "green apple"]),
        ("{a|b}{c|d}", ["ac", "ad", "bc", "bd"]),
        ("{a|{b|c} d|}", ["a", "b d", "c d", ""]),
        ("{{a|b}|{c}}", ["a", "b", "c"]),
        (r"\{a|b\} c|d", [r"\{a|b\} c|d"]),
        ("{a|b", ["{a|b"]),
        ("a} {b|c} {", ["a} b {", "a} c {"]),
        (r"(a:1.2) {\(|b++}", [r"(a:1.2) \(", "(a:1.2) b++"]),
    ],
)
def test_every_prompt_a_template_stands_for(template: str, prompts: list[str]) -> None:
    assert list(every(template)) == prompts
    assert is_template(template) == (prompts != [template])


@given(TEXTS, st.integers(0, 2**63))
def test_what_is_chosen_is_one_of_all(template: str, seed: int) -> None:
    assert choose(template, seed) in list(every(template))


@given(TEXTS, st.integers(0, 2**63))
def test_chosen_words_choose_themselves(template: str, seed: int) -> None:
    chosen = choose(template, seed)
    assert choose(chosen, seed + 1) == chosen


def test_wildcards_are_lines_of_files_and_may_nest(folder: Path) -> None:
    found = list(every("a __fruit__", Wildcards(folder)))
    colours = [f"a {colour} apple" for colour in ("red", "green", "blue")]
    assert found == [*colours, "a ripe pear", "a green pear"]
    assert {choose("a __fruit__", seed, Wildcards(folder)) for seed in range(60)} == set(found)


def test_a_wildcard_in_a_folder(folder: Path) -> None:
    (folder / "light").mkdir()
    (folder / "light" / "soft-2.txt").write_text("dusk")
    assert choose("at __light/soft-2__", 0, Wildcards(folder)) == "at dusk"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("__color__", "did you mean 'colour'"),
        ("__circle__", "in circles: circle > circle"),
        ("__empty__", "holds no value"),
        ("__noise__", "no text"),
        ("__huge__", "MiB"),
        ("__long__", "characters"),
        ("__/etc/passwd__ __colour__", None),  # no name of a wildcard: plain text
        ("__../secret__ __colour__", None),
    ],
)
def test_files_that_do_not_serve_are_refused(
    folder: Path, template: str, message: str | None
) -> None:
    (folder / "empty.txt").write_text("# nothing\n")
    (folder / "noise.txt").write_bytes(b"\xff\xfe\xfa")
    (folder / "huge.txt").write_text("a\n" * 600_000)
    (folder / "long.txt").write_text("a" * 10_001)
    if message is None:
        assert choose(template, 0, Wildcards(folder)).startswith(template.split()[0])
        return
    with pytest.raises(InputError, match=message):
        choose(template, 0, Wildcards(folder))


def test_a_wildcard_without_a_folder_says_how_to_name_one() -> None:
    with pytest.raises(InputError, match="--wildcards DIR"):
        choose("__colour__", 0)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        choose("__colour__", 0, Wildcards(tmp_path / "nowhere"))


def test_growth_without_end_is_stopped(folder: Path) -> None:
    for i in range(15):
        (folder / f"n{i}.txt").write_text(f"__n{i + 1}__{{|}}__n{i + 1}__")
    (folder / "n15.txt").write_text("{|}")
    with pytest.raises(InputError, match="more than"):
        choose("__n0__", 0, Wildcards(folder))


def test_all_of_too_many_are_refused() -> None:
    with pytest.raises(InputError, match="more than 1000"):
        list(every("{a|b}" * 10))


@pytest.mark.parametrize("unit", ["{", "}", "{}", "{|", "__.", "_", "\\"])
def test_the_longest_template_of_signs_is_filled(unit: str) -> None:
    assert isinstance(choose(unit * (10_000 // len(unit)), 1), str)


def test_the_deepest_template_is_filled() -> None:
    assert choose("{" * 5000 + "}" * 5000, 1) == ""
