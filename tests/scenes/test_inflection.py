"""How names change in sentences."""

import re
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerider.errors import InputError
from bluerider.scenes.inflection import inflected, read_forms
from bluerider.scenes.wording import languages, phrases

EVERY = [(language, form) for language, forms in read_forms().items() for form in forms]


@pytest.mark.parametrize(
    ("language", "form", "name", "expected"),
    [
        ("ru", "genitive", "красное яблоко", "красного яблока"),
        ("ru", "genitive", "морда лисицы", "морды лисицы"),
        ("ru", "genitive", "олень", "оленя"),
        ("ru", "genitive", "лошадь", "лошади"),
        ("ru", "instrumental", "воздушный шарик", "воздушным шариком"),
        ("ru", "two", "сова", "две совы"),
        ("ru", "two", "белый медведь", "два белых медведя"),
        ("ru", "small", "красное яблоко", "маленькое красное яблоко"),
        ("uk", "genitive", "закрита книга", "закритої книги"),
        ("uk", "two", "червоне яблуко", "два червоні яблука"),
        ("uk", "instrumental", "троянда", "трояндою"),
        ("pl", "genitive", "czerwone jabłko", "czerwonego jabłka"),
        ("pl", "instrumental", "słoń", "słoniem"),
        ("pl", "two", "sowa", "dwie sowy"),
        ("de", "one", "Eule", "eine Eule"),
        ("de", "one", "Pferd", "ein Pferd"),
        ("de", "the", "geschlossenes Buch", "das geschlossenes Buch"),
        ("de", "to_one", "roter Apfel", "einem roten Apfel"),
        ("de", "to_the", "Elefant", "dem Elefanten"),
        ("de", "plural", "Haus", "Häuser"),
        ("de", "plural", "roter Apfel", "rote Äpfel"),
        ("fr", "of_one", "pomme rouge", "d’une pomme rouge"),
        ("fr", "of_the", "éléphant", "de l’éléphant"),
        ("fr", "plural", "croissant de lune", "croissants de lune"),
        ("fr", "plural", "cheval", "chevaux"),
        ("es", "of_the", "pingüino", "del pingüino"),
        ("es", "plural", "manzana roja", "manzanas rojas"),
        ("it", "one", "spicchio di luna", "uno spicchio di luna"),
        ("it", "plural", "spicchio di luna", "spicchi di luna"),
        ("it", "of_the", "elefante", "dell’elefante"),
        ("pt", "two", "maçã vermelha", "duas maçãs vermelhas"),
        ("tr", "genitive", "köpek", "köpeğin"),
        ("tr", "genitive", "kırmızı elma", "kırmızı elmanın"),
        ("ko", "and", "여우", "여우와"),
        ("ko", "and", "빨간 로켓", "빨간 로켓과"),
        ("ar", "two", "بومة", "بومتان"),
        ("ar", "the", "كلب", "الكلب"),
        ("hi", "oblique", "कुत्ता", "कुत्ते"),
        ("hi", "plural", "बिल्ली", "बिल्लियाँ"),
    ],
)
def test_a_name_in_a_form(language: str, form: str, name: str, expected: str) -> None:
    assert inflected(name, form, language) == expected


@pytest.mark.parametrize(("language", "form"), EVERY)
@given(name=st.text("абвнйыьояabceoszüçéöкот 개의كبةकाी'’.-:", max_size=24))
def test_no_name_is_lost_or_broken(language: str, form: str, name: str) -> None:
    found = inflected(name, form, language)
    assert bool(found.strip()) == bool(name.strip())
    assert not re.search(r"[\\{}]", found)


@pytest.mark.parametrize(("language", "form"), EVERY)
def test_marks_stay_behind_the_name(language: str, form: str) -> None:
    for name in ("сова", "rose", "Apfel", "köpek", "집", "بومة", "कुत्ता"):
        found = inflected(name, form, language)
        assert inflected(f"{name}\ue000", form, language) == f"{found}\ue000"


def test_every_form_is_asked_for_by_a_template() -> None:
    asked = {
        (language, form)
        for language in languages()
        for texts in phrases(language).values()
        for text in texts
        for _, _, form, _ in Formatter().parse(text)
        if form
    }
    assert asked == set(EVERY)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="'dual' for ru; accepted: genitive"):
        inflected("сова", "dual", "ru")
    with pytest.raises(InputError, match="'genitive' for tlh"):
        inflected("sova", "genitive", "tlh")
