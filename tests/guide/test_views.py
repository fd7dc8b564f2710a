"""Threats, paths, neighbours, dates and comparisons, on a small world of records."""

import datetime
from pathlib import Path

import pytest

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import views
from bluerider.guide.index import Guide

HEAD = """---
id: {id}
title: {{en: {title}}}
summary: {{en: About {title}.}}
domain: [safety]
reviewed: 2026-01-02
"""
TAIL = """claims:
  - {key: one, text: It is so., source: 'https://example.org/x', as_of: 2026-01}
---

Prose.
"""
WORLD = {
    "pattern/rag": "problem: P.\nsolution: S.\nwhen: W.\nwhen_not: N.\n"
    "components: [vector-store]\nlinks: [{rel: requires, to: term/embedding}]\n",
    "term/embedding": "",
    "risk/injection": "at: system\nimpact: I.\nneeds: [tools]\nowasp: [LLM01]\n"
    "links: [{rel: affects, to: pattern/rag}]\n",
    "risk/leak": "at: system\nimpact: I.\nneeds: [vector-store, multi-user]\n",
    "risk/theft": "at: model\nimpact: I.\nneeds: [training]\n",
    "mitigation/rights": "kind: limit\nhow: H.\nlinks: [{rel: mitigates, to: risk/leak}]\n",
    "source/rag-video": "url: https://e.org/a\nkind: video\nstyle: [video]\nhours: 1\n"
    "level: beginner\ndate: 2024-05\nlinks: [{rel: teaches, to: pattern/rag}]\n",
    "source/rag-code": "url: https://e.org/b\nkind: repo\nstyle: [hands-on]\nhours: 3\n"
    "level: beginner\ndate: 2024-06-01\nlinks: [{rel: teaches, to: pattern/rag}]\n",
    "source/vectors": "url: https://e.org/c\nkind: post\nstyle: [hands-on]\nhours: 2\n"
    "level: beginner\nlinks: [{rel: teaches, to: term/embedding}]\n",
    "source/thesis": "url: https://e.org/d\nkind: paper\nstyle: [paper]\nhours: 9\n"
    "level: advanced\nlinks: [{rel: teaches, to: pattern/rag}]\n",
}


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    place = tmp_path_factory.mktemp("records")
    for name, fields in WORLD.items():
        path = place / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        head = HEAD.format(id=name, title=name.split("/")[1].replace("-", " "))
        path.write_text(head + fields + TAIL, encoding="utf-8")
    return Guide([place], tmp_path_factory.mktemp("cache"))


def risks(guide: Guide, pattern: str | None, *has: str) -> list[str]:
    return [threat.risk["id"] for threat in views.threats(guide, pattern, has)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "term", "--effect", "contrast:up"), "a term has none"),
        (("list", "prompt-modifier", "--effect", "contrast"), "unknown effect contrast:"),
        (("list", "prompt-modifier", "--effect", "taste:up"), "unknown effect 'taste'"),
        (("list", "term", "--uses", "term/none"), "no record 'term/none'"),
        (("modifiers", "--max-content-shift", "2"), "max-content-shift: got 2"),
    ],
)
def test_what_cannot_be_listed_is_one_sentence(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["guide", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_pattern_brings_the_risks_that_affect_it(guide: Guide) -> None:
    assert risks(guide, "rag") == ["risk/injection"]


def test_components_complete_what_a_pattern_has(guide: Guide) -> None:
    assert risks(guide, "pattern/rag", "multi-user") == ["risk/leak", "risk/injection"]


def test_a_risk_needs_all_it_needs(guide: Guide) -> None:
    assert risks(guide, None, "vector-store") == []


def test_threats_name_what_helps(guide: Guide) -> None:
    found = views.threats(guide, "rag", ["multi-user"])
    assert [m["id"] for m in found[0].mitigations] == ["mitigation/rights"]


def steps(guide: Guide, **wanted: object) -> list[str]:
    given = {"style": None, "level": None, "hours": None, **wanted}
    return [step.source["id"] for step in views.path(guide, "rag", **given)[1]]  # type: ignore[arg-type]


def test_a_path_begins_with_what_is_required(guide: Guide) -> None:
    assert steps(guide)[0] == "source/vectors"


def test_a_path_prefers_the_style(guide: Guide) -> None:
    assert steps(guide, style="video")[1] == "source/rag-video"
    assert steps(guide, style="hands-on")[1] == "source/rag-code"


def test_a_path_leaves_out_what_is_far_above_the_level(guide: Guide) -> None:
    assert "source/thesis" not in steps(guide, level="beginner")


def test_a_path_fits_the_hours_and_keeps_the_goal(guide: Guide) -> None:
    assert steps(guide, style="hands-on", hours=4.0) == ["source/rag-code", "source/rag-video"]


def test_the_graph_follows_one_relation(guide: Guide) -> None:
    assert list(views.graph(guide, "pattern/rag", "requires", 3)) == [
        (1, "requires", "term/embedding")
    ]


def test_the_graph_goes_as_deep_as_asked(guide: Guide) -> None:
    names = [name for _, _, name in views.graph(guide, "risk/injection", None, 2)]
    assert names[0] == "pattern/rag" and "source/rag-code" in names


def test_an_unknown_relation_is_refused(guide: Guide) -> None:
    with pytest.raises(InputError, match="unknown rel"):
        list(views.graph(guide, "pattern/rag", "eats", 1))


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2024-05", "2024-06", ["source/rag-video", "source/rag-code"]),
        ("2024-06", "9999", ["source/rag-code"]),
        ("0000", "2024-05", ["source/rag-video"]),
    ],
)
def test_the_timeline_keeps_to_its_dates(
    guide: Guide, since: str, until: str, expected: list[str]
) -> None:
    assert [row["id"] for row in views.timeline(guide, since, until, ())] == expected


def test_changes_are_dated_things_and_claims(guide: Guide) -> None:
    found = views.changes(guide, "2024-06")
    assert found[-1][:2] == ("2024-06-01", "source/rag-code")
    assert ("2026-01", "pattern/rag#one", "It is so.") in found


def test_stale_counts_from_the_last_look(guide: Guide) -> None:
    assert [row["id"] for row in views.stale(guide, datetime.date(2026, 7, 2), 0)] == [
        "mitigation/rights", "risk/injection", "risk/leak", "risk/theft"
    ]  # fmt: skip


def test_a_condition_may_ask_for_links(guide: Guide) -> None:
    rows = views.listed(guide, "source", '"pattern/rag" in teaches and hours < 4', "-date")
    assert [row["id"] for row in rows] == ["source/rag-code", "source/rag-video"]


def test_records_without_the_field_are_sorted_last(guide: Guide) -> None:
    assert views.listed(guide, "source", None, "date")[-1]["date"] is None


def test_a_comparison_shows_the_fields_there_are(guide: Guide) -> None:
    rows, fields = views.compared(guide, ["rag-video", "rag-code"])
    assert [row["id"] for row in rows] == ["source/rag-video", "source/rag-code"]
    assert dict(fields)["hours"] == ["1", "3"]


def test_a_word_finds_the_record_of_a_type(guide: Guide) -> None:
    assert views.find(guide, "rag video", ("source",))["id"] == "source/rag-video"


def test_no_record_of_a_type_is_told(guide: Guide, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record of type pattern"):
        views.find(guide, "xyzzy", ("pattern",))
