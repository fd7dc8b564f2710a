"""Names, words, other languages and typos lead to the record; nothing a user types breaks it."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import library
from bluerider.guide.index import Guide
from bluerider.guide.query import distance, parse
from bluerider.guide.search import filled, search
from tests.guide.conftest import PLACE, Folder, term

SHIPPED = library.SHIPPED


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    return Guide([PLACE], tmp_path_factory.mktemp("cache"))


def first(guide: Guide, text: str) -> str | None:
    hits = search(guide, text).hits
    return hits[0].id if hits else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rim light", "prompt-modifier/rim-light"),
        ("Rim-Lighting", "prompt-modifier/rim-light"),
        ("rim lihgt", "prompt-modifier/rim-light"),
        ("Контровой свет", "prompt-modifier/rim-light"),
        ("как усилить контровой свет", "prompt-modifier/rim-light"),
        ("контровым светом", "prompt-modifier/rim-light"),
        ("轮廓光怎么用", "prompt-modifier/rim-light"),
        ("リムライトの使い方", "prompt-modifier/rim-light"),
        ("림 라이트", "prompt-modifier/rim-light"),
        ("lumiere de contour", "prompt-modifier/rim-light"),
        ("kandinsky22", "model/kandinsky-2-2"),
        ("kandinksy 2.2", "model/kandinsky-2-2"),
        ("model/kandinsky-2-2", "model/kandinsky-2-2"),
    ],
)
def test_a_question_finds_its_record(guide: Guide, text: str, expected: str) -> None:
    assert first(guide, text) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Kantenlicht", "licht"),  # a compound: Kante, Licht
        ("Lichtkantenlicht Licht", "licht"),
        ("подсветкою", "подсветкою"),  # an ending the stemmer leaves
    ],
)
def test_a_word_is_seen_through(guide: Guide, text: str, word: str) -> None:
    assert word in {group.word for group in parse(text + " und" * text.isascii(), guide).groups}


def test_a_correction_is_told(guide: Guide) -> None:
    assert search(guide, "rim lihgt").corrected == {"lihgt": "light"}


def test_what_is_not_in_the_guide_has_no_hit(guide: Guide) -> None:
    assert search(guide, "xyzzy plugh frobnicate").hits == []


def test_hits_keep_to_a_type(guide: Guide) -> None:
    hits = search(guide, "vector store", kinds=("mitigation",)).hits
    assert hits and {hit.type for hit in hits} == {"mitigation"}


def test_a_link_lifts_a_record_that_shares_no_word(records: Folder, tmp_path: Path) -> None:
    link = "links: [{rel: related, to: term/umbra}]\n"
    place = records(
        term__glow=term("glow", link),
        term__umbra=term("umbra").replace("A word.", "Far away."),
        term__pole=term("pole").replace("A word.", "Nothing near."),
    )
    hits = [hit.id for hit in search(Guide([place], tmp_path / "cache"), "glow").hits]
    assert hits == ["term/glow", "term/umbra"]


def test_a_recalled_record_ranks_lower(records: Folder, tmp_path: Path) -> None:
    recalled = term("a").replace("status: checked", "status: recalled")
    place = records(term__a=recalled, term__b=term("b"))
    hits = search(Guide([place], tmp_path / "cache"), "word").hits
    assert [hit.id for hit in hits] == ["term/b", "term/a"]


def test_a_record_is_found_by_what_people_say_for_it(records: Folder, tmp_path: Path) -> None:
    said = term("a").replace("domain:", "keywords: {en: [squeeze the file, smaller]}\ndomain:")
    place = records(term__a=said, term__b=term("b"))
    guide = Guide([place], tmp_path / "cache")
    assert first(guide, "squeezing") == "term/a"
    assert guide.ask("SELECT count(*) FROM names WHERE name = 'smaller'") == [(0,)]


def test_many_words_of_one_meaning_do_not_outweigh_two_things_asked_for() -> None:
    assert filled(30) < 2 * filled(12)


HOSTILE = [
    '"', "*", "NEAR(", "-", "a NEAR/2 b", 'title : "x"', "^light", "light*", "a AND OR NOT",
    "'; DROP TABLE records; --", "light' OR 1=1", "\x00\x01\x1b[31m", "\udcff light", "💡",
    "light\u202e thgil", "%s %d {0}", "../../etc/passwd", "ا" * 500, "光" * 5000, "a" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_queries_give_hits_or_a_sentence(guide: Guide, text: str) -> None:
    try:
        assert isinstance(search(guide, text).hits, list)
    except InputError as error:
        assert "nothing to look for" in str(error)


def test_a_megabyte_is_answered(guide: Guide) -> None:
    assert search(guide, "rim light " * 100_000).hits[0].id == "prompt-modifier/rim-light"


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_search(guide: Guide, text: str) -> None:
    try:
        search(guide, text)
    except InputError as error:
        assert "nothing to look for" in str(error)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("light", "lihgt", 1), ("light", "light", 0), ("light", "lit", 2), ("abc", "", 3)],
)
def test_distance(a: str, b: str, expected: int) -> None:
    assert distance(a, b) == expected


def test_the_shipped_guide_is_searched(tmp_path: Path) -> None:
    guide = Guide([SHIPPED], tmp_path)
    assert first(guide, "kandinksy 2.2") == "model/kandinsky-2-2"


def test_the_command_prints_what_is_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["guide", "search", "rim", "light", "--json", "--limit", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["query"] == "rim light"
    fields = {"id", "type", "title", "score", "matched", "summary"}
    assert [set(each) for each in said["results"]] == [fields]


def test_no_hit_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["guide", "search", "xyzzy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == []


def test_measurements_are_found_where_asked_for_and_move_nothing_else(
    tmp_path: Path,
) -> None:
    bare = Path(shutil.copytree(SHIPPED, tmp_path / "records"))
    shutil.rmtree(bare / "measurement")
    guide, without = (Guide([folder], tmp_path / "cache") for folder in (SHIPPED, bare))
    for text in (
        "rim light",
        "weiches Licht",
        "how do I darken the background",
        "контровой свет",
        "pixel",
    ):
        hits, plain = search(guide, text).hits, search(without, text).hits
        assert hits == plain and hits, text
    measured = search(guide, "rim light", kinds=["measurement"]).hits
    assert measured[0].id == "measurement/murnau-rim-light"
    assert not search(without, "rim light", kinds=["measurement"]).hits
    guide.close()
    without.close()
