"""Every rule of the records fails with the file and the line it is broken at."""

import datetime
import re
from pathlib import Path

import pytest

from bluerider.guide import library
from bluerider.guide.frontmatter import dump, parse
from bluerider.guide.schema import MODELS
from bluerider.guide.vocabulary import RELS, REVIEW_DAYS, TYPES
from tests.guide.conftest import Folder, term

SHIPPED = library.SHIPPED
DOCS = Path(__file__).parents[2] / "docs" / "GUIDE_RECORDS.md"
TODAY = datetime.date(2026, 6, 1)


def complaints(folder: Path, today: datetime.date | None = None) -> list[tuple[str, int, str]]:
    found = library.load([folder], today=today).problems
    return [(each.path.name, each.line, each.text) for each in found]


def test_the_shipped_records_have_no_error() -> None:
    assert [str(each) for each in library.load([SHIPPED], today=datetime.date.today()).errors] == []


def test_a_good_record_has_no_complaint(records: Folder) -> None:
    assert complaints(records(term__a=term("a")), TODAY) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("domain: [image]", "domain: [image]\ncolour: red", 6, "unknown field colour"),
        ("domain: [image]", "domain: [picture]", 5, "domain.0"),
        ("domain: [image]", "", 1, "domain is missing"),
        ("    source: https://example.org/words\n", "", 8, "claim without source"),
        ("https://example.org/words", "term/b", 10, "claim without source: no record term/b"),
        ("https://example.org/words", "somewhere", 10, "claims.0.source"),
        ("reviewed: 2026-01-02", "reviewed: 2026-02-30", 6, "impossible date 2026-02-30"),
        ("opened: 2026-01-02", "opened: 2026-13-01", 12, "impossible date 2026-13-01"),
        ("opened: 2026-01-02", "opened: 2026-01", 12, "the day is needed"),
        ("locator: page 1", "as_of: 2026-05", 12, "impossible date: opened 2026-01-02, before"),
        ("en: a}", "ru: а}", 3, "title has no English"),
        ("id: term/a", "id: term/b", 2, "the file's place says term/a"),
        ("key: one", "key: One", 8, "claims.0.key"),
        ("reviewed: 2026-01-02", "reviewed: 2026-01-02\nreviewed: 2026-01-02", 7, "there twice"),
        ("domain: [image]", "domain: [image", 6, "YAML"),
        ("domain: [image]", "domain: &a [image]\ntags: *a", 5, "anchors"),
        ("summary: {en: A word.}", "summary: {en: 12}", 4, "summary.en"),
    ],
)
def test_a_broken_rule_names_its_line(
    records: Folder, old: str, new: str, line: int, said: str
) -> None:
    text = term("a")
    assert old in text
    found = complaints(records(term__a=text.replace(old, new)))
    assert [(name, at) for name, at, words in found if said in words] == [("a.md", line)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("links: [{rel: uses, to: term/b}]\n", "dangling link: there is no term/b"),
        ("links: [{rel: uses, to: term/a}]\n", "a link to the record itself"),
        ("links: [{rel: likes, to: term/b}]\n", "links.0.rel"),
        ("links: [{rel: mitigates, to: term/b}]\n", "mitigates joins risk, not term"),
    ],
)
def test_a_wrong_link_is_an_error(records: Folder, more: str, said: str) -> None:
    assert [
        (name, line)
        for name, line, text in complaints(records(term__a=term("a", more)))
        if said in text
    ] == [("a.md", 7)]


def test_a_link_to_a_broken_record_is_not_called_dangling(records: Folder) -> None:
    broken = term("b").replace("domain: [image]", "")
    link = "links: [{rel: uses, to: term/b}]\n"
    found = complaints(records(term__a=term("a", link), term__b=broken))
    assert [name for name, _, _ in found] == ["b.md"]


def test_an_id_may_exist_once_over_all_folders(records: Folder, tmp_path: Path) -> None:
    first = records(term__a=term("a"))
    second = tmp_path / "mine" / "term" / "a.md"
    second.parent.mkdir(parents=True)
    second.write_text(term("a"), encoding="utf-8")
    found = library.load([first, tmp_path / "mine"]).errors
    assert [(each.path, each.line) for each in found] == [(second, 2)]
    assert "duplicate id term/a" in found[0].text


def test_a_claims_key_may_exist_once(records: Folder) -> None:
    text = term("a").replace(
        "claims:\n", "claims:\n  - {key: one, text: x, source: 'https://x.org/y'}\n"
    )
    assert complaints(records(term__a=text)) == [("a.md", 9, "duplicate id #one of a claim")]


def test_checked_without_a_locator_counts_as_recalled(records: Folder) -> None:
    folder = records(term__a=term("a").replace("    locator: page 1\n", ""))
    found = library.load([folder])
    assert found.errors == []
    assert "counts as recalled" in found.problems[0].text
    assert found.entries["term/a"].plain()["claims"][0]["status"] == "recalled"


def test_checked_with_all_three_stays_checked(records: Folder) -> None:
    entry = library.load([records(term__a=term("a"))]).entries["term/a"]
    assert entry.plain()["claims"][0]["status"] == "checked"


def test_a_record_past_its_review_date_is_warned_of(records: Folder) -> None:
    folder = records(term__a=term("a", "review_days: 30\n"))
    found = library.load([folder], today=TODAY)
    assert found.errors == []
    assert [(each.line, each.text) for each in found.problems] == [
        (6, "review due since 2026-02-01")
    ]


def test_the_future_is_an_error_where_the_clock_is_asked(records: Folder) -> None:
    folder = records(term__a=term("a"))
    assert library.load([folder]).errors == []
    found = library.load([folder], today=datetime.date(2025, 6, 1)).errors
    assert sorted(each.line for each in found) == [6, 12]


def test_a_field_has_to_agree_with_its_claim(records: Folder) -> None:
    text = term("a", "url: https://a.org/x\n").replace(
        "locator: page 1", "locator: page 1\n    field: url\n    value: https://a.org/y"
    )
    assert [line for _, line, _ in complaints(records(term__a=text))] == [13]


def test_a_folder_that_is_no_type_is_an_error(records: Folder) -> None:
    found = complaints(records(termn__a=term("a")))
    assert "did you mean 'term'?" in found[-1][2]


def test_a_file_that_is_no_text_is_an_error(records: Folder) -> None:
    folder = records(term__a=term("a"))
    (folder / "term" / "b.md").write_bytes(b"---\n\xff\n---\n")
    assert complaints(folder) == [("b.md", 1, "not UTF-8 text")]


def test_norwegian_and_yes_stay_text() -> None:
    data = parse("---\na: {no: yes, x: true, y: 1e3, z: 2023-01-02, w: '1'}\n---\n").data
    assert data == {"a": {"no": "yes", "x": True, "y": 1000.0, "z": "2023-01-02", "w": "1"}}


def test_dump_and_parse_are_a_round_trip() -> None:
    data = {"id": "term/a", "title": {"no": "ja", "ru": "слово"}, "n": 1, "s": ["1e6", "true", ""]}
    document = parse(dump(data, "Prose."))
    assert (document.data, document.body) == (data, "Prose.")


def test_every_relation_has_its_inverse() -> None:
    assert all(RELS[rel.inverse].inverse == name for name, rel in RELS.items())


def test_every_type_has_fields_and_a_review_time() -> None:
    assert set(TYPES) == set(MODELS) == set(REVIEW_DAYS)


def documented() -> dict[str, str]:
    """The examples of the page for writers, by type."""
    block = DOCS.read_text(encoding="utf-8").rsplit("```yaml\n", 1)[1]
    found = re.findall(r"^# (\S+/\S+)\n((?:[^#`\n].*\n)*)", block, flags=re.MULTILINE)
    return {name.split("/")[0]: f"id: {name}\n{text}" for name, text in found}


@pytest.mark.parametrize("kind", [t for t in TYPES if t not in ("prompt-modifier", "measurement")])
def test_the_documented_example_of_a_type_is_accepted(kind: str) -> None:
    common = "title: {en: X}\nsummary: {en: X.}\ndomain: [image]\nreviewed: 2026-01-02\n"
    data = parse(f"---\n{documented()[kind]}\n{common}---\n").data
    assert MODELS[kind].model_validate(data).id.startswith(kind)


def test_the_documented_file_is_accepted(records: Folder) -> None:
    text = DOCS.read_text(encoding="utf-8").split("```yaml\n", 1)[1].split("```")[0]
    assert complaints(records(prompt_modifier__low_key=text)) == []


def test_the_page_names_every_field_and_word() -> None:
    from bluerider.guide import vocabulary

    page = DOCS.read_text(encoding="utf-8")
    fields = {
        name
        for kind, model in MODELS.items()
        if kind != "measurement"
        for name in model.model_fields
    }
    lists = [value for value in vars(vocabulary).values() if isinstance(value, tuple)]
    spoken = {word for row in lists for word in row if isinstance(word, str)} - {"word", "placebo"}
    assert sorted(word for word in fields | spoken | set(RELS) if word not in page) == []
