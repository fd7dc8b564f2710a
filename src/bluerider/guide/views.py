"""Questions that follow links and dates: threats, learning paths, neighbours, what changed."""

import datetime
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bluerider.errors import InputError
from bluerider.guide import where
from bluerider.guide.index import Guide
from bluerider.guide.search import search
from bluerider.guide.vocabulary import LEVELS, RELS
from bluerider.request import check_choice, shown

MAX_DEPTH = 6  # links followed
Row = dict[str, Any]


def find(guide: Guide, text: str, kinds: Collection[str] = ()) -> Row:
    """The record that a word or id means: an id, a name, or the best hit. Raises InputError."""
    try:
        row = guide.record(text)
        if not kinds or row["type"] in kinds:
            return row
    except InputError:
        if "/" in text:
            raise
    hits = search(guide, text, 1, kinds).hits
    if not hits:
        said = f" of type {' or '.join(kinds)}" if kinds else ""
        raise InputError(f"no record{said} for {shown(text)}; bluerider guide search finds ids")
    return guide.record(hits[0].id)


def listed(
    guide: Guide,
    kind: str,
    condition: str | None,
    sort: str | None,
    effect: tuple[str, str] | None = None,
    uses: str | None = None,
) -> list[Row]:
    """Records of a type that meet a condition; `sort` is a field, with - before it descending.
    Also, where they are given: that are said to move an aspect that way, that use a record.
    """
    test = where.parse(condition) if condition else None
    used = find(guide, uses)["id"] if uses else None
    rows = []
    for row in guide.records(kind):
        links = related(guide, row["id"])
        if used and used not in links.get("uses", []):
            continue
        if effect and not any((e["aspect"], e["direction"]) == effect for e in row["effects"]):
            continue
        if test is None or test({**links, **row}):
            rows.append(row)
    if sort:
        name = sort.removeprefix("-")
        there = [row for row in rows if where.field(row, name) is not None]
        rest = [row for row in rows if where.field(row, name) is None]
        there.sort(key=sort_key(name), reverse=sort.startswith("-"))
        rows = [*there, *rest]
    return rows


def sort_key(name: str) -> Callable[[Row], tuple[bool, Any]]:
    """Numbers before texts, each in their own order."""

    def key(row: Row) -> tuple[bool, Any]:
        value = where.field(row, name)
        number = isinstance(value, int | float)
        return not number, value if number else str(value)

    return key


def related(guide: Guide, name: str) -> dict[str, list[str]]:
    """What a record is linked to, by relation."""
    found: dict[str, list[str]] = {}
    for rel, target, _ in guide.edges(name):
        found.setdefault(rel, []).append(target)
    return found


def content_shift(guide: Guide, name: str, model: str) -> float | None:
    """The share of pictures that a word made unlike their subject, as measured on a model; the
    largest of its languages, None where nobody measured.
    """
    ids = related(guide, name).get("measured-by", [])
    rows = [guide.record(each) for each in ids if each.startswith("measurement/")]
    found = [
        -metric["effect"]
        for row in rows
        if row["model"] == model
        for metric in row["metrics"]
        if metric["name"] == "content-kept"
    ]
    return max(found, default=None)


def modifiers(
    guide: Guide,
    aspect: str | None,
    direction: str | None,
    shift: float | None = None,
    model: str = "murnau",
) -> Iterator[Row]:
    """Words said to move an aspect in a direction, each with that effect and its claim; with
    `shift` only words measured on a model to leave the subject what it is, up to that share.
    """
    for row in guide.records("prompt-modifier"):
        if shift is not None:
            lost = content_shift(guide, row["id"], model)
            if lost is None or lost > shift:
                continue
        claims = {claim["key"]: claim for claim in row["claims"]}
        for effect in row["effects"]:
            if aspect in (None, effect["aspect"]) and direction in (None, effect["direction"]):
                yield {"record": row, "effect": effect, "claim": claims[effect["claim"]]}


@dataclass(frozen=True)
class Threat:
    """A risk that applies, why, and what helps against it."""

    risk: Row
    why: list[str]
    mitigations: list[Row]


def threats(guide: Guide, pattern: str | None, has: Sequence[str]) -> list[Threat]:
    """Risks of what is built: those that affect the pattern, those whose needs are all there."""
    built = find(guide, pattern, ("pattern",)) if pattern else None
    there = {*has, *(built["components"] if built else ())}
    affecting = related(guide, built["id"]).get("affected-by", []) if built else []
    found = []
    for risk in guide.records("risk"):
        why = []
        if built and risk["id"] in affecting:
            why.append(f"affects {built['title']['en']}")
        if risk["needs"] and set(risk["needs"]) <= there:
            why.append(f"you have {', '.join(risk['needs'])}")
        if why:
            ids = related(guide, risk["id"]).get("mitigated-by", [])
            found.append(Threat(risk, why, [guide.record(each) for each in ids]))
    return sorted(found, key=lambda each: (-len(each.why), each.risk["owasp"], each.risk["id"]))


def graph(guide: Guide, name: str, rel: str | None, depth: int) -> Iterator[tuple[int, str, str]]:
    """Depth, relation and id of what a record leads to, the record itself not among them."""
    if rel is not None:
        check_choice("rel", rel, sorted(RELS))
    seen = {name}

    def walk(origin: str, level: int) -> Iterator[tuple[int, str, str]]:
        for each, target, _ in guide.edges(origin):
            if (rel and each != rel) or target in seen:
                continue
            seen.add(target)
            yield level, each, target
            if level < depth:
                yield from walk(target, level + 1)

    yield from walk(name, 1)


@dataclass(frozen=True)
class Step:
    """Something to read, what it teaches on the way, and how far down the way it lies."""

    source: Row
    teaches: str
    hours: float


def path(
    guide: Guide, goal: str, style: str | None, level: str | None, hours: float | None
) -> tuple[Row, list[Step]]:
    """What to read for a goal, what it requires first; as much as the hours hold."""
    target = find(guide, goal)
    steps: list[Step] = []
    used: set[str] = set()
    for topic in prerequisites(guide, target["id"]):
        rank = reading_rank(style, level)
        for source in sorted(taught(guide, topic, target["id"]), key=rank):
            if source["id"] in used or not suits(source, level):
                continue
            used.add(source["id"])
            steps.append(Step(source, topic, float(source["hours"] or 1.0)))
    if hours is not None:
        steps = within(steps, hours, reading_rank(style, level), target["id"])
    return target, steps


def prerequisites(guide: Guide, goal: str) -> list[str]:
    """The goal and all it requires, deepest first."""
    order: list[str] = []

    def visit(name: str, depth: int) -> None:
        for needed in related(guide, name).get("requires", []) if depth < MAX_DEPTH else []:
            if needed not in order and needed != goal:
                visit(needed, depth + 1)
        if name not in order:
            order.append(name)

    visit(goal, 0)
    return order


def taught(guide: Guide, topic: str, goal: str) -> list[Row]:
    """Sources that teach a topic; of the goal, also those that search finds for its title."""
    ids = related(guide, topic).get("taught-by", [])
    if topic == goal:
        if goal.startswith("source/"):
            ids = [goal, *ids]
        title = guide.titles()[topic]
        ids = [*ids, *(hit.id for hit in search(guide, title, 5, ("source",)).hits)]
    return [guide.record(name) for name in dict.fromkeys(ids)]


def suits(source: Row, level: str | None) -> bool:
    """Whether a source is not above a level."""
    if level is None or source["level"] is None:
        return True
    return LEVELS.index(source["level"]) <= LEVELS.index(level) + 1


def reading_rank(style: str | None, level: str | None) -> Callable[[Row], tuple[Any, ...]]:
    """Sources of the wanted style first, then of the wanted level, the shortest first."""

    def rank(source: Row) -> tuple[Any, ...]:
        far = abs(LEVELS.index(source["level"] or "beginner") - LEVELS.index(level or "beginner"))
        return style is not None and style not in source["style"], far, source["hours"] or 1.0

    return rank


def within(
    steps: list[Step], hours: float, rank: Callable[[Row], tuple[Any, ...]], goal: str
) -> list[Step]:
    """The best steps that fit the hours, in the order they stood; the goal's own first."""
    kept: list[Step] = []
    left = hours
    for step in sorted(steps, key=lambda s: (s.teaches != goal, rank(s.source))):
        if step.hours <= left:
            kept.append(step)
            left -= step.hours
    return [step for step in steps if step in kept]


def timeline(guide: Guide, since: str, until: str, kinds: Collection[str]) -> list[Row]:
    """Dated records between two dates, oldest first."""
    rows = [row for row in guide.records() if row["date"] and (not kinds or row["type"] in kinds)]
    rows = [row for row in rows if since <= row["date"] and row["date"] <= f"{until}~"]
    return sorted(rows, key=lambda row: (row["date"], row["id"]))


def changes(guide: Guide, since: str) -> list[tuple[str, str, str]]:
    """Date, id and words of what is new since a day: records by date, claims by `as_of`."""
    found = []
    for row in guide.records():
        if row["date"] and row["date"] >= since:
            found.append((row["date"], row["id"], row["title"]["en"]))
        for claim in row["claims"]:
            if claim["as_of"] and claim["as_of"] >= since:
                found.append((claim["as_of"], claim["id"], claim["text"]))
    return sorted(found, reverse=True)


def stale(guide: Guide, today: datetime.date, days: int) -> list[Row]:
    """Records whose review is due within some days, the longest due first."""
    limit = (today + datetime.timedelta(days)).isoformat()
    rows = [row for row in guide.records() if row["due"] <= limit]
    return sorted(rows, key=lambda row: (row["due"], row["id"]))


def compared(guide: Guide, names: Sequence[str]) -> tuple[list[Row], list[tuple[str, list[str]]]]:
    """Records side by side: every field at least one of them has, as text."""
    rows = [find(guide, name) for name in names]
    left_out = {"id", "title", "aliases", "summary", "body", "claims", "links", "reviewed",
                "review_days", "due"}  # fmt: skip
    fields = [name for row in rows for name in row if name not in left_out]
    table = [("summary", [row["summary"]["en"] for row in rows])]
    for name in dict.fromkeys(fields):
        cells = [plain(row.get(name)) for row in rows]
        if any(cells):
            table.append((name, cells))
    return rows, table


def plain(value: Any) -> str:
    """A field's value as one short text."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value >= 1e6:
        return f"{value / 1e9:.3g} billion" if value >= 1e9 else f"{value / 1e6:.3g} million"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(each)}" for name, each in value.items() if each)
    return str(value)
