"""How well search answers: graded questions, nDCG@10, plain BM25 beside it, intervals."""

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluerider.errors import BlueriderError, InputError
from bluerider.guide.index import Guide
from bluerider.guide.search import search
from bluerider.guide.vocabulary import ASIDE
from bluerider.request import check_choice, shown

SHIPPED = Path(__file__).parent / "questions"
KINDS = ("plain", "typo", "none")
FIELDS = {"id", "lang", "query", "kind", "grades", "frozen"}
DEPTH = 10
MISS = 0.5  # nDCG under which a question is shown as a miss
RESAMPLES = 10_000
SEED = 20261124
HALVES = ("frozen", "open", "all")
System = Callable[[str], list[str]]


@dataclass(frozen=True)
class Question:
    """What somebody asks, and how well each record answers it: 1 touches, 2 helps, 3 answers."""

    id: str
    lang: str
    query: str
    kind: str
    grades: dict[str, int]
    frozen: bool


@dataclass(frozen=True)
class Score:
    """A set of questions: our mean nDCG@10, the baseline's, the difference with its interval."""

    name: str
    count: int
    ours: float
    plain: float
    low: float  # 95 % interval of ours - plain
    high: float


def load(guide: Guide, place: Path = SHIPPED) -> list[Question]:
    """Questions from a file of JSON lines or a folder of them. Raises InputError with the line."""
    paths = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    known = set(guide.ids())
    found: dict[str, Question] = {}
    for path in paths:
        for number, line in enumerate(lines(path), start=1):
            if line.strip():
                where = f"{path}:{number}"
                question = read(line, where, known)
                if question.id in found:
                    raise InputError(f"{where}: duplicate id {question.id}")
                found[question.id] = question
    if not found:
        raise InputError(
            f"{place}: no questions; *.jsonl with id, lang, query, kind, grades, frozen"
        )
    return list(found.values())


def lines(path: Path) -> list[str]:
    """A file's lines. Raises BlueriderError."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BlueriderError(f"{path}: cannot be read ({error})") from None


def read(line: str, where: str, known: set[str]) -> Question:
    """One question. Raises InputError."""
    try:
        data: Any = json.loads(line)
    except ValueError:
        raise InputError(f"{where}: no JSON") from None
    if not isinstance(data, dict) or set(data) != FIELDS:
        raise InputError(
            f"{where}: got {shown(data)}; accepted: exactly {', '.join(sorted(FIELDS))}"
        )
    check_choice(f"kind at {where}", data["kind"], KINDS)
    for name, kind in (("id", str), ("lang", str), ("query", str), ("frozen", bool)):
        if not isinstance(data[name], kind) or data[name] == "":
            raise InputError(f"{where}: {name}: got {shown(data[name])}")
    grades = data["grades"]
    if not isinstance(grades, dict) or any(grade not in (0, 1, 2, 3) for grade in grades.values()):
        raise InputError(f"{where}: grades are record ids with 0, 1, 2 or 3")
    if missing := sorted(set(grades) - known):
        raise InputError(f"{where}: grades name {missing[0]}, which is no record")
    if bool(any(grades.values())) == (data["kind"] == "none"):
        raise InputError(f"{where}: a question has a graded record unless its kind is none")
    return Question(**data)


def ndcg(ranked: Sequence[str], grades: dict[str, int], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain with gains 2^grade - 1 (Burges et al. 2005), 0 to 1."""
    best = sorted(grades.values(), reverse=True)[:depth]
    whole = sum(gain(grade, place) for place, grade in enumerate(best))
    got = sum(gain(grades.get(name, 0), place) for place, name in enumerate(ranked[:depth]))
    return got / whole if whole else 0.0


def gain(grade: int, place: int) -> float:
    """What a grade at a place, 0 the first, adds."""
    return float(2**grade - 1) / math.log2(place + 2)


def plain_bm25(guide: Guide) -> System:
    """FTS5 as it comes: its own tokenizer and ranking over the same text, any word of the query."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE texts USING fts5(id UNINDEXED, text)")
    base.executemany(
        "INSERT INTO texts VALUES (?, ?)",
        ((row["id"], everything(row)) for row in guide.records() if row["type"] not in ASIDE),
    )

    def ask(query: str) -> list[str]:
        quoted = query.replace('"', " ").replace("\0", " ").split()
        said = " OR ".join(f'"{word}"' for word in quoted)
        sql = "SELECT id FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?"
        return [name for (name,) in base.execute(sql, (said, DEPTH))] if said else []

    return ask


def everything(row: dict[str, Any]) -> str:
    """All text of a record, in all its languages."""
    return "\n".join(strings({name: row[name] for name in row if name not in ("id", "links")}))


def strings(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def ours(guide: Guide) -> System:
    """The guide's own search."""

    def ask(query: str) -> list[str]:
        try:
            return [hit.id for hit in search(guide, query, DEPTH).hits]
        except InputError:
            return []

    return ask


def evaluate(guide: Guide, questions: Sequence[Question], half: str = "frozen") -> dict[str, Any]:
    """Both systems on the same questions: scores by set, and what was asked in vain."""
    check_choice("half", half, HALVES)
    chosen = [q for q in questions if half == "all" or q.frozen == (half == "frozen")]
    systems = {"ours": ours(guide), "plain": plain_bm25(guide)}
    ranked = {name: [ask(q.query) for q in chosen] for name, ask in systems.items()}
    values = {
        name: [ndcg(found, q.grades) for found, q in zip(lists, chosen, strict=True)]
        for name, lists in ranked.items()
    }
    scores = []
    for name, wanted in sets(chosen):
        places = [i for i, q in enumerate(chosen) if q.kind != "none" and wanted(q)]
        if places:
            scores.append(
                compared(name, *([values[s][i] for i in places] for s in ("ours", "plain")))
            )
    vain = [i for i, q in enumerate(chosen) if q.kind == "none"]
    return {
        "half": half,
        "scores": scores,
        "none": {
            "count": len(vain),
            **{name: sum(not lists[i] for i in vain) for name, lists in ranked.items()},
        },
        "misses": [
            missed(question, found, value)
            for question, found, value in zip(chosen, ranked["ours"], values["ours"], strict=True)
            if question.kind != "none" and value < MISS
        ],
    }


def missed(question: Question, found: Sequence[str], value: float) -> dict[str, Any]:
    """What was got in place of what was wanted."""
    wanted = sorted(question.grades, key=lambda name: -question.grades[name])[:3]
    told = {"id": question.id, "query": question.query, "ndcg": round(value, 3)}
    return {**told, "got": list(found[:3]), "wanted": wanted}


def sets(questions: Sequence[Question]) -> Iterator[tuple[str, Callable[[Question], bool]]]:
    """The sets that are scored: English, other languages, typos, each language."""
    yield "English", lambda q: q.lang == "en" and q.kind == "plain"
    yield "other languages", lambda q: q.lang != "en" and q.kind == "plain"
    yield "typos", lambda q: q.kind == "typo"
    for language in sorted({q.lang for q in questions}):
        yield language, spoken(language)


def spoken(language: str) -> Callable[[Question], bool]:
    """Whether a question is in a language, without typos."""
    return lambda question: question.lang == language and question.kind == "plain"


def compared(name: str, first: list[float], second: list[float]) -> Score:
    """Two means over the same questions, and the paired bootstrap interval of their difference."""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    draw = random.Random(SEED)
    means = sorted(sum(draw.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    count = len(gaps)
    return Score(name, count, sum(first) / count, sum(second) / count, low, high)
