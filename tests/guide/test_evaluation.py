"""Questions are read strictly; scores are what the formula says."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import evaluation
from bluerider.guide.evaluation import compared, evaluate, load, ndcg
from bluerider.guide.index import Guide
from tests.guide.conftest import PLACE

LIGHT = "prompt-modifier/rim-light"
GOOD: dict[str, Any] = {
    "id": "q1", "lang": "en", "query": "glowing edge", "kind": "plain", "grades": {LIGHT: 3},
    "frozen": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    return Guide([PLACE], tmp_path_factory.mktemp("cache"))


def written(place: Path, *rows: dict[str, Any]) -> Path:
    path = place / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_the_best_order_scores_one() -> None:
    assert ndcg(["a", "b"], {"a": 3, "b": 1}) == 1.0


def test_a_swap_costs_what_the_formula_says() -> None:
    best = 7 + 1 / math.log2(3)
    assert ndcg(["b", "a"], {"a": 3, "b": 1}) == pytest.approx((1 + 7 / math.log2(3)) / best)


def test_what_stands_eleventh_counts_nothing() -> None:
    assert ndcg([*"bcdefghijk", "a"], {"a": 3}) == 0.0


def test_a_gain_on_every_question_excludes_zero() -> None:
    score = compared("x", [0.9, 0.8, 0.7], [0.1, 0.2, 0.3])
    assert score.ours - score.plain == pytest.approx(0.6) and score.low > 0


def test_no_gain_includes_zero() -> None:
    score = compared("x", [0.9, 0.1, 0.5, 0.5], [0.1, 0.9, 0.5, 0.5])
    assert score.low <= 0 <= score.high


def test_both_systems_are_scored_on_the_half_asked_for(guide: Guide, tmp_path: Path) -> None:
    rows = [
        GOOD,
        {**GOOD, "id": "q2", "query": "rim lihgt", "kind": "typo"},
        {**GOOD, "id": "q3", "query": "轮廓光", "lang": "zh"},
        {**GOOD, "id": "q4", "query": "xyzzy", "kind": "none", "grades": {}},
        {**GOOD, "id": "q5", "frozen": False},
    ]
    report = evaluate(guide, load(guide, written(tmp_path, *rows)), "frozen")
    counts = {score.name: score.count for score in report["scores"]}
    assert counts == {"English": 1, "other languages": 1, "typos": 1, "en": 1, "zh": 1}
    assert report["none"] == {"count": 1, "ours": 1, "plain": 1}


def test_plain_bm25_knows_no_typos(guide: Guide) -> None:
    assert evaluation.plain_bm25(guide)("lihgt") == []
    assert evaluation.plain_bm25(guide)("rim light")[0] == LIGHT


@pytest.mark.parametrize("text", ['"', "NEAR(", "a* -b", "\0"])
def test_the_baseline_reads_any_query(guide: Guide, text: str) -> None:
    assert isinstance(evaluation.plain_bm25(guide)(text), list)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "odd"}, "unknown kind"),
        ({"grades": {"term/none": 3}}, "grades name term/none"),
        ({"grades": {LIGHT: 4}}, "0, 1, 2 or 3"),
        ({"grades": {}}, "has a graded record"),
        ({"kind": "none"}, "has a graded record"),
        ({"frozen": 1}, "frozen"),
        ({"query": ""}, "query"),
        ({"extra": 1}, "accepted: exactly"),
    ],
)
def test_a_wrong_question_names_its_line(
    guide: Guide, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = written(tmp_path, GOOD, {**GOOD, "id": "q2", **change})
    with pytest.raises(InputError, match=f":2.*{said}|{said}.*:2"):
        load(guide, path)


def test_an_id_may_exist_once(guide: Guide, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":2: duplicate id q1"):
        load(guide, written(tmp_path, GOOD, GOOD))


def test_the_command_prints_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD)
    assert main(["guide", "evaluate", "--questions", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["name"] == "English"
