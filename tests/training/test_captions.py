"""Texts for training: names and scenes as people type them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bluerider.scenes.names import ENGLISH_SLIPS, SLIPS, is_kept_out, slipped, typed
from bluerider.scenes.scene import Scene
from bluerider.scenes.wording import render
from bluerider.training.appearance import NONE
from bluerider.training.captions import (
    ENGLISH,
    HARDER,
    MARKS,
    NICKNAMED,
    SCENES_ENGLISH,
    SCENES_HARDER,
    SIGNED,
    WIDE,
    WIDESPREAD,
    Captions,
    in_groups,
    language_weights,
    nicknames_of,
    scene_weights,
    unmarked,
    with_articles,
)
from tests.training.drawn import tiny_emoji


@pytest.fixture(scope="module")
def captions() -> Captions:
    return Captions(tiny_emoji(26), scenes=0.5)


def test_a_tenth_of_the_names_is_kept_out_of_every_stage(captions: Captions) -> None:
    emoji = tiny_emoji(26)
    kept = {
        names[e]
        for lang, names in emoji.names.items()
        for e in names
        if is_kept_out(lang, e) or e in emoji.holdout
    }
    assert kept and not kept & set(captions.every_name())


def test_a_name_that_is_kept_out_is_no_keyword_either() -> None:
    emoji = tiny_emoji(26)
    lang, e = next(
        (lang, e)
        for lang, table in emoji.names.items()
        for e in table
        if is_kept_out(lang, e) and e not in emoji.holdout
    )
    other = next(one for one in emoji.emoji if one not in (*emoji.holdout, e))
    told = {**emoji.keywords, lang: {other: [emoji.names[lang][e].title(), "sweet", "shiny"]}}
    words = Captions(replace(emoji, keywords=told)).every_keyword()
    assert {"sweet", "shiny"} <= set(words)
    assert emoji.names[lang][e].casefold() not in {word.casefold() for word in words}


def test_a_name_points_at_its_drawing(captions: Captions) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        marked, row = captions.name(rng)
        text, _ = unmarked(marked)
        named = {n.lower() for lang in captions.languages for n in captions.names[lang].values()}
        if text.lower() in named:  # no slip, article or plural
            assert text.lower()[-1] == captions.motifs.emoji[row]


def test_names_end_where_it_is_told(captions: Captions) -> None:
    told = captions.draw(np.random.default_rng(6), 400)
    rows = torch.stack([told.first, told.second], dim=1).tolist()
    for text, both, ends in zip(told.texts, rows, told.ends.tolist(), strict=True):
        signs = [captions.motifs.emoji[row] for row in both]
        for sign, row, end in zip(signs, both, ends, strict=True):
            if row != NONE and end and f"thing {sign}" in text:  # no slip
                assert text[:end].endswith((f"thing {sign}", f"thing {sign}s"))
    pairs = told.second != NONE
    assert (told.ends[pairs] > 0).all() and not told.ends[~pairs, 1].any()


@given(st.text(st.characters(exclude_categories=["Co"])), st.integers(0, 9), st.integers(0, 9))
def test_marks_leave_no_trace(text: str, one: int, other: int) -> None:
    one, other = sorted(1 + place % max(1, len(text)) for place in (one, other))
    if len(text) < 2:
        return
    marked = text[:one] + MARKS[0] + text[one:other] + MARKS[1] + text[other:]
    assert unmarked(marked) == (text, [one, other])
    assert unmarked(text) == (text, [0, 0])


def test_keywords_take_the_place_of_a_part_of_the_names() -> None:
    captions = Captions(tiny_emoji(26), keywords=0.5)
    texts = captions.draw(np.random.default_rng(0), 400).texts
    assert 150 < sum(" letter" in text or " sign" in text for text in texts) < 250


def test_keywords_point_at_their_drawing_and_never_hold_its_name() -> None:
    captions = Captions(tiny_emoji(26), keywords=1.0)
    told = captions.draw(np.random.default_rng(0), 200)
    for text, row in zip(told.texts, told.first.tolist(), strict=True):
        sign = captions.motifs.emoji[row]
        assert f"{sign} letter" in text or f"{sign} sign" in text
        assert "thing" not in text and "вещь" not in text


def test_a_keyword_that_is_one_drawings_alone_stands_alone_half_of_the_time() -> None:
    captions = Captions(tiny_emoji(26), keywords=1.0)
    rng = np.random.default_rng(0)
    texts = [captions.looked_for(rng, "en")[0] for _ in range(400)]
    alone = [text for text in texts if ("letter" in text) != ("sign" in text)]
    assert 150 < len(alone) < 250


def test_a_nickname_is_one_drawings_alone_and_nobodys_name() -> None:
    emoji = tiny_emoji(26)
    a, b, c = (emoji.emoji[i] for i in emoji.seen[:3])
    words = {a: ["both", "Alone"], b: ["BOTH", emoji.names["en"][c].upper()]}
    emoji = replace(emoji, keywords={**emoji.keywords, "en": words})
    found = nicknames_of(emoji, "en", [(0, words[a]), (1, words[b])])
    assert found == {0: ["Alone"]}


def test_things_in_scenes_are_called_by_their_nicknames_now_and_then() -> None:
    captions = Captions(tiny_emoji(26), scenes=1.0)
    rng, row = np.random.default_rng(0), int(captions.rows["en"][0])
    called = [captions.called(rng, "en", row) for _ in range(600)]
    others = [name for name in called if name != captions.names["en"][row]]
    assert set(others) == set(captions.nicknames["en"][row])
    assert abs(len(others) / 600 - NICKNAMED) < 0.05


def test_scenes_come_in_every_wording_and_the_first_is_met_most() -> None:
    captions = Captions(tiny_emoji(26), scenes=1.0)
    rng, scene = np.random.default_rng(0), Scene(things=("a",), size="small")
    texts = [captions.told(rng, scene, {"a": "x"}, "uk") for _ in range(900)]
    told = [render(scene, {"a": "x"}, "uk", variant) for variant in range(3)]
    shares = [texts.count(text) / 900 for text in told]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.05)


def test_scenes_make_up_their_part(captions: Captions) -> None:
    told = captions.draw(np.random.default_rng(0), 400)
    assert 150 < int(told.traits.any(dim=1).sum()) < 250


def test_english_scenes_of_single_things_get_articles(captions: Captions) -> None:
    rng, found = np.random.default_rng(2), []
    for _ in range(600):
        text, _, second, traits = captions.scene(rng)
        if "thing" in text.lower():  # English
            article = text.startswith(("a ", "an ")) and not text.startswith("a pair of ")
            found.append((article, second != NONE, bool(traits[9:11].any())))
    with_article = {(two, count) for article, two, count in found if article}
    assert with_article == {(False, False), (True, False)}
    assert 0.15 < np.mean([article for article, _, _ in found]) < 0.4


def test_english_texts_about_one_thing_get_asides(captions: Captions) -> None:
    told = captions.draw(np.random.default_rng(3), 6000)
    about = [
        (t, r) for t, r in zip(told.texts, told.first.tolist(), strict=True) if "photo of" in t
    ]
    assert len(about) > 5
    assert all(captions.motifs.emoji[row] in text for text, row in about)


def test_signs_stand_beside_a_part_of_all_texts(captions: Captions) -> None:
    texts = captions.draw(np.random.default_rng(4), 3000).texts
    marked = sum(text.endswith(("!", "?", "...", ")", "]", "--")) for text in texts)
    assert 0.01 < marked / len(texts) < 2 * SIGNED


def test_both_of_a_pair_get_their_article() -> None:
    scene = Scene(things=("🐈", "🍎"), relation="left_of")
    text = with_articles(scene, {"🐈": "cat", "🍎": "apple"}, 0)
    assert text == "a cat left of an apple"


def test_only_scenes_of_two_have_a_second_thing(captions: Captions) -> None:
    told = captions.draw(np.random.default_rng(1), 400)
    assert torch.equal(told.second != NONE, told.traits[:, 4] == 1)


def test_a_batch_hangs_on_its_seed_alone(captions: Captions) -> None:
    one, other = (captions.draw(np.random.default_rng(5), 20) for _ in range(2))
    assert one.texts == other.texts and torch.equal(one.traits, other.traits)


def test_short_names_are_mistyped_too_and_english_ones_more_often() -> None:
    rng = np.random.default_rng(0)
    right = ("cat", "cats", "the cat", "a cat", "Cat", "CAT")
    for english, share in ((True, ENGLISH_SLIPS), (False, SLIPS)):
        texts = [typed("cat", rng, english=english) for _ in range(2000)]
        assert sum(text not in right for text in texts) / 2000 == pytest.approx(share, abs=0.04)


@given(st.text(min_size=5, max_size=30), st.integers(0, 999))
def test_a_slip_changes_at_most_one_letter_in_length(text: str, seed: int) -> None:
    found = slipped(text, np.random.default_rng(seed))
    assert abs(len(found) - len(text)) <= 1 and found[0] == text[0]


def test_english_names_get_articles_and_plurals() -> None:
    rng = np.random.default_rng(0)
    found = {typed("apple", rng, english=True) for _ in range(200)}
    assert {"apple", "an apple", "the apple", "apples", "Apple", "APPLE"} <= found


def test_other_languages_get_no_article() -> None:
    rng = np.random.default_rng(0)
    assert not any(" " in typed("яблоко", rng, english=False) for _ in range(200))


@given(st.lists(st.lists(st.integers(4, 99), min_size=1, max_size=9), min_size=1, max_size=20))
def test_groups_hold_every_row_once_in_the_order_told(rows: list[list[int]]) -> None:
    groups, order = in_groups(rows, 0)
    found = [[i for i in row.tolist() if i] for group in groups for row in group]
    assert found == [rows[i] for i in order]


def test_one_name_in_ten_is_kept_out() -> None:
    assert 0.08 < np.mean([is_kept_out("en", chr(0x1F300 + i)) for i in range(1000)]) < 0.12


TONGUES = ["en", "de", "yo", "it"]


def test_languages_share_the_names_and_hard_ones_have_more() -> None:
    weights = dict(zip(TONGUES, language_weights(TONGUES), strict=True))
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["yo"] == pytest.approx(HARDER * weights["it"])
    assert weights["en"] / weights["de"] == pytest.approx(ENGLISH / (WIDE / len(WIDESPREAD)))


def test_languages_share_the_scenes_and_hard_ones_have_more() -> None:
    languages = ["en", "ar", "de", "fr"]
    weights = dict(zip(languages, scene_weights(languages), strict=True))
    assert weights["en"] == pytest.approx(SCENES_ENGLISH)
    assert weights["de"] == weights["fr"]
    assert weights["ar"] == pytest.approx(SCENES_HARDER["ar"] * weights["de"])
    assert sum(weights.values()) == pytest.approx(1.0)


def test_english_alone_has_all_scenes() -> None:
    assert scene_weights(["en"]).tolist() == [1.0]
