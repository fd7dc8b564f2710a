"""The shipped questions fit the shipped records, and their two halves are alike."""

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import asdict

import pytest

from bluerider.guide import evaluation, library
from bluerider.guide.evaluation import Question

# Of the frozen questions with their grades. Whoever grades more says so in docs/GUIDE_RECORDS.md.
FROZEN = "12db2b30a95846fdc4f532d01d761fd18389630f696017bb90d79dbaf9d0a9ce"
RECORDS = library.SHIPPED  # as it is before the tests put a small guide in its place


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    known = {f"{path.parent.name}/{path.stem}" for path in library.files([RECORDS])}
    return [
        evaluation.read(line, f"{path.name}:{number}", known)
        for path in sorted(evaluation.SHIPPED.glob("*.jsonl"))
        for number, line in enumerate(evaluation.lines(path), start=1)
    ]


def test_there_are_enough_of_every_kind(questions: list[Question]) -> None:
    kinds = Counter("en" if q.kind == "plain" and q.lang == "en" else q.kind for q in questions)
    assert kinds["en"] >= 120 and kinds["plain"] >= 100
    assert kinds["typo"] >= 30 and kinds["none"] >= 15
    assert len({q.lang for q in questions if q.kind == "plain"} - {"en"}) >= 8


def test_no_id_and_no_query_is_there_twice(questions: list[Question]) -> None:
    assert len({q.id for q in questions}) == len(questions)
    assert len({q.query.casefold() for q in questions}) == len(questions)


def test_every_answerable_question_has_a_full_answer(questions: list[Question]) -> None:
    assert [q.id for q in questions if q.kind != "none" and 3 not in q.grades.values()] == []


def test_the_frozen_half_is_the_one_with_the_smaller_hashes(questions: list[Question]) -> None:
    ordered = sorted(questions, key=lambda q: (q.kind, q.lang, digest(q)))
    for name, each in itertools.groupby(ordered, key=lambda q: (q.kind, q.lang)):
        frozen = [q.frozen for q in each]
        assert frozen == sorted(frozen, reverse=True), name
        assert abs(2 * sum(frozen) - len(frozen)) <= 1, name


def test_the_frozen_half_is_as_it_was_graded(questions: list[Question]) -> None:
    rows = [asdict(q) for q in sorted(questions, key=lambda q: q.id) if q.frozen]
    text = json.dumps(rows, ensure_ascii=False, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == FROZEN


def digest(question: Question) -> str:
    return hashlib.sha256(question.id.encode()).hexdigest()
