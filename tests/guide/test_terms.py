"""Text in any script becomes terms that a question in the same language finds."""

import pytest

from bluerider.guide import lexicon, terms


@pytest.mark.parametrize(
    ("text", "language", "asked"),
    [
        ("усиление контуров", "ru", "контуром"),
        ("lighting of edges", "en", "edge"),
        ("Éclairage", "fr", "eclairage"),
        ("ＲＡＧ", "en", "rag"),
        ("人像摄影", "zh", "摄影"),
        ("リムライト", "ja", "ライト"),
        ("윤곽 조명을", "ko", "조명"),
        ("الإضاءة", "ar", "الاضاءة"),
        ("प्रकाश", "hi", "प्रकाश"),
        ("ภาพถ่าย", "th", "ถ่าย"),
        ("Straße", "de", "strasse"),
    ],
)
def test_a_word_is_found_in_another_form(text: str, language: str, asked: str) -> None:
    assert set(terms.terms(asked, language)) & set(terms.terms(text, language))


def test_indic_words_stay_whole() -> None:
    assert terms.words(terms.fold("प्रकाश की दिशा")) == ["प्रकाश", "की", "दिशा"]


@pytest.mark.parametrize("text", ["GPT-4", "gpt 4", "GPT4", "gpt‑4"])
def test_a_name_has_one_key(text: str) -> None:
    assert terms.key(text) == "gpt4"


def test_lone_surrogates_and_controls_are_no_words() -> None:
    assert terms.words(terms.fold("\udcff\x00\x1b[31m")) == ["31m"]


@pytest.mark.parametrize(
    ("text", "language"),
    [("wie mache ich das licht", "de"), ("comment faire la lumière", "fr"), ("как", "ru")],
)
def test_small_words_tell_the_language(text: str, language: str) -> None:
    assert terms.languages(terms.words(terms.fold(text)))[0] == language


def test_every_language_of_small_words_is_folded_and_not_empty() -> None:
    assert all(row and all(terms.fold(w) == w for w in row) for row in terms.stopwords().values())


def test_the_lexicon_has_every_language_in_every_row() -> None:
    import csv

    with lexicon.PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["en"] for row in rows if None in row or not all(row.values())] == []


@pytest.mark.parametrize(
    ("text", "language", "term"),
    [("Angriffe", "de", "attack"), ("атаки", "ru", "attack"), ("逆光", "zh", "backlight")],
)
def test_a_ring_leads_to_english(text: str, language: str, term: str) -> None:
    rings = [english for forms, english in lexicon.rings() if lexicon.form(text, language) in forms]
    assert any(term in english for english in rings)


def test_the_halves_of_a_compound_lose_the_letter_that_joins_them() -> None:
    assert ("sonne", "strahlen") in set(terms.halves("sonnenstrahlen"))
    assert ("beleuchtung", "art") in set(terms.halves("beleuchtungsart"))
