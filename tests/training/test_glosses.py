"""Texts that nobody wrote, and what they mean by the words in them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bluerider.training.appearance import NONE
from bluerider.training.captions import Captions
from bluerider.training.emoji import EmojiSet
from bluerider.training.glosses import (
    Dictionary,
    Pieces,
    glosses,
    invented,
    inventions,
    kin,
    meanings,
    pieces,
    products,
    words_of,
    words_told,
)
from bluerider.training.stages import PREPARE
from bluerider.training.workshop import Workshop
from tests.training.drawn import drawing, tiny_emoji
from tests.training.tiny import workshop

COLOURS = {"en": "red blue green gold".split(), "xx": "ro bla gru gol".split()}
THINGS = {"en": "heart circle square book".split(), "xx": "hart sirkel firkant bok".split()}
COLOURS["yy"], THINGS["yy"] = [w + "e" for w in COLOURS["xx"]], [w + "a" for w in THINGS["xx"]]


def coloured() -> EmojiSet:
    """Sixteen drawings, each a colour and a thing in three languages, two of which are kin."""
    signs = [chr(ord("a") + i) for i in range(16)]
    names = {
        lang: {s: f"{COLOURS[lang][i // 4]} {THINGS[lang][i % 4]}" for i, s in enumerate(signs)}
        for lang in COLOURS
    }
    words = {
        lang: {s: [*name.split(), f"{lang}{s}"] for s, name in table.items()}
        for lang, table in names.items()
    }
    return EmojiSet(signs, [drawing(i) for i in range(16)], names, words, ())


@pytest.fixture(scope="module")
def captions() -> Captions:
    return Captions(coloured())


def test_words_keep_the_marks_on_their_letters() -> None:
    assert words_of("लिंबू, काळा!") == ["लिंबू", "काळा"]


def test_pieces_are_words_and_parts_of_them() -> None:
    found = pieces("Red bat")
    assert found["red "] == 2 and {"<re", "ed>", "<red", "<red>", "<ba", "bat>"} <= set(found)


def test_words_of_other_letters_are_read_letter_by_letter_too() -> None:
    assert {" 猫", " 黑猫"} <= set(pieces("黑猫"))
    assert not any(piece.startswith(" ") for piece in pieces("cat"))


def test_a_text_of_known_pieces_has_length_one_and_another_less() -> None:
    known = Pieces(["red bat", "blue cat"])
    rows = known.rows(["red bat", "red dog", "xyzzy"]).to_dense()
    whole, half, none = rows.norm(dim=1)
    torch.testing.assert_close(whole, torch.tensor(1.0))
    assert 0.2 < half < 0.9 and none == 0


def test_products_are_those_of_dense_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluerider.training.glosses.PART", 2)
    rows = Pieces(["red bat", "blue cat", "red cat"]).rows(["red", "cat", "blue bat"])
    dense = rows.to_dense()
    torch.testing.assert_close(products(rows), dense @ dense.T)


def test_drawings_that_share_a_word_mean_more_alike(captions: Captions) -> None:
    about = meanings(captions)
    alike = about @ about.T
    torch.testing.assert_close(about.norm(dim=1), torch.ones(16))
    kin_rows = alike[0, [1, 2, 3, 4, 8, 12]]
    strangers = alike[0, [5, 6, 7, 9, 10, 11, 13, 14, 15]]
    assert kin_rows.min() > strangers.max()


def test_kin_are_languages_that_say_the_same(captions: Captions) -> None:
    assert kin(words_told(captions), "en") == []
    assert kin(words_told(Captions(tiny_emoji(26))), "en") == ["ru"]  # letters have one name


def test_a_name_that_was_not_read_is_understood_by_its_words(
    captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluerider.training.glosses.WIDTH", 7)  # four colours, four things
    about = meanings(captions)
    unread = [(row, name) for row, name in enumerate(coloured().names["xx"].values())
              if row not in captions.names["xx"]]  # fmt: skip
    assert unread
    found = Dictionary(captions, "xx", [], about)([name for _, name in unread])
    nearest = (found @ about.T).argmax(dim=1).tolist()
    assert nearest == [row for row, _ in unread]


def test_what_is_kept_out_is_not_invented(captions: Captions) -> None:
    for lang in captions.languages:
        texts = inventions(captions, lang, meanings(captions), 600, np.random.default_rng(0))
        assert len(texts) == 600 and not captions.hidden & {text.casefold() for text in texts}


def test_an_invention_strings_words_or_changes_a_name() -> None:
    rng = np.random.default_rng(0)
    texts = {invented(["red", "heart", "love"], ["blue", "circle"], rng) for _ in range(300)}
    assert {"red circle", "blue heart", "love", "heart, love"} <= texts
    assert invented([], ["blue", "circle"], rng) == "blue circle"
    assert invented([], [], rng) == ""


def test_glosses_are_made_once_and_told_as_captions_are(trained: Workshop) -> None:
    captions = Captions(trained.emoji)
    told = glosses(trained, captions)
    again = workshop(trained.recipe, trained.emoji, trained.out)
    again.say = lambda text: pytest.fail(text)
    assert glosses(again, captions).texts == told.texts
    assert [len(texts) for texts in told.texts] == [20] * len(captions.languages)
    said, aims = told.draw(np.random.default_rng(0), 50, np.array([0.0, 1.0]))
    assert set(said.texts) <= set(told.texts[1]) and (said.second == NONE).all()
    nearest = (aims @ told.meanings.T).argmax(dim=1)
    assert (nearest == said.first).float().mean() > 0.9  # they are kept in half precision


def test_a_stage_tells_how_long_glosses_will_take(trained: Workshop, tmp_path: Path) -> None:
    said: list[str] = []
    fresh = workshop(trained.recipe, trained.emoji, tmp_path)
    fresh.say = said.append
    (tmp_path / "tokenizer").symlink_to(trained.out / "tokenizer")
    PREPARE["words"](fresh)
    assert said[-1].startswith("language 2/2: ru") and said[-1].endswith("0.0 min left")


def test_a_regression_gives_back_what_it_was_shown(captions: Captions) -> None:
    about = meanings(captions)
    names = captions.names["en"]
    found = Dictionary(captions, "en", [], about)(list(names.values()))
    assert (found @ about.T).argmax(dim=1).tolist() == list(names)
