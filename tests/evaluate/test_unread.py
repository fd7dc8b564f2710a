"""Words that a model was not trained on: names kept out, and English names spelled otherwise."""

from collections import Counter
from dataclasses import replace

import pytest

from bluerider.errors import InputError
from bluerider.evaluate.drawings import Drawings, load_drawings
from bluerider.evaluate.sheets import save_sheets
from bluerider.evaluate.unread import (
    AMONG,
    ASIDES,
    SPELLINGS,
    choose_spelled,
    kept_out_names,
    number,
    read_names,
    spelled,
)
from bluerider.evaluate.words import choose_words, measure, paint_words
from bluerider.scenes.names import is_kept_out
from bluerider.training.asides import FRAMES, QUALITIES, TAILS


@pytest.fixture(scope="module")
def shipped() -> Drawings:
    return load_drawings()


def test_names_kept_out_are_read_in_no_language(shipped: Drawings) -> None:
    read = {name.casefold() for table in read_names(shipped).values() for name in table.values()}
    found = kept_out_names(shipped)
    assert not read & {name.casefold() for table in found.values() for name in table.values()}
    assert all(is_kept_out(lang, emoji) for lang, table in found.items() for emoji in table)


def test_most_of_the_tenth_is_in_no_other_language(shipped: Drawings) -> None:
    found, whole = kept_out_names(shipped), shipped.names
    kept = sum(is_kept_out(lang, emoji) for lang, table in whole.items() for emoji in table)
    assert sum(map(len, found.values())) > 0.8 * kept
    assert min(map(len, found.values())) >= 20


def test_words_kept_out_leave_the_holdout_out(shipped: Drawings) -> None:
    words = choose_words(replace(shipped, names=kept_out_names(shipped)), ["en", "ru"], 20)
    assert Counter(word.language for word in words) == {"en": 20, "ru": 20}
    assert not {word.emoji for word in words} & shipped.holdout


def test_every_spelling_differs_from_all_names(shipped: Drawings) -> None:
    names = shipped.names["en"]
    words = choose_spelled(shipped, "typed", 200)
    assert Counter(word.row for word in words) == dict.fromkeys(SPELLINGS, 200)
    assert all(word.prompt != names[word.emoji] for word in words)
    others = {name.casefold(): emoji for emoji, name in names.items()}
    assert all(others.get(w.prompt.casefold(), w.emoji) == w.emoji for w in words)


def test_only_the_case_is_another(shipped: Drawings) -> None:
    names = shipped.names["en"]
    words = [word for word in choose_spelled(shipped, "typed", 200) if word.spelling == "case"]
    assert all(word.prompt.casefold() == names[word.emoji].casefold() for word in words)


def test_a_typo_moves_the_length_by_one_at_most(shipped: Drawings) -> None:
    names = shipped.names["en"]
    words = [word for word in choose_spelled(shipped, "typed", 200) if word.spelling == "typo"]
    assert all(abs(len(word.prompt) - len(names[word.emoji])) <= 1 for word in words)


def test_spellings_are_the_same_every_time_and_fewer_begin_more(shipped: Drawings) -> None:
    few, more = choose_spelled(shipped, "typed", 5), choose_spelled(shipped, "typed", 9)
    for spelling in SPELLINGS:
        rows = [[word for word in words if word.row == spelling] for words in (few, more)]
        assert rows[0] == rows[1][:5]


@pytest.mark.parametrize(("name", "spelling"), [("grapes", "plural"), ("ox", "typo")])
def test_what_leaves_a_name_as_it_is_is_no_spelling(name: str, spelling: str) -> None:
    assert spelled(name, spelling) is None


def test_a_spelling_that_names_another_drawing_is_left_out(shipped: Drawings) -> None:
    names = shipped.names["en"]
    eye = next(emoji for emoji, name in names.items() if name == "eye")
    assert "eyes" in names.values()
    words = choose_spelled(shipped, "typed", len(names) - len(shipped.holdout))
    assert ("plural", eye) not in {word.key for word in words}
    assert ("article", eye) in {word.key for word in words}


def test_names_stand_whole_among_asides(shipped: Drawings) -> None:
    names = shipped.names["en"]
    words = choose_spelled(shipped, "asides", 60)
    assert Counter(word.row for word in words) == dict.fromkeys(ASIDES, 60)
    assert all(names[word.emoji] in word.prompt for word in words)
    assert len({word.prompt.replace(names[word.emoji], "") for word in words}) > 12


def test_no_aside_that_is_measured_is_read_in_training() -> None:
    read = " ".join([*FRAMES, *QUALITIES, *TAILS])
    for texts in AMONG.values():
        for text in texts:
            said = text.replace("{a}", "").replace("{x}", "").strip(" ,")
            assert said not in read, said


def test_drawings_without_english_names_are_refused(drawings: Drawings) -> None:
    with pytest.raises(InputError, match="typed"):
        choose_spelled(replace(drawings, names={"xx": drawings.names["xx"]}), "typed")


def test_spellings_are_scored_a_row_each(drawings: Drawings, painter, tmp_path) -> None:
    words = [
        replace(word, prompt=drawings.names["en"][word.emoji])
        for word in choose_spelled(drawings, "typed")
    ]
    painted = list(paint_words(painter(["blue"]), words))
    report = measure(painted, drawings)
    assert set(report.rows) == set(SPELLINGS)
    assert report.rows["case"].top1.value == pytest.approx(8 / 9)
    assert "case" in report.to_json("spellings")["spellings"]
    paths = save_sheets(painted, drawings, tmp_path)
    assert [path.name for path in paths] == [f"{name}-1.png" for name in sorted(SPELLINGS)]


def test_a_text_stands_for_one_number() -> None:
    assert number("red apple") == number("red apple") != number("green apple")
