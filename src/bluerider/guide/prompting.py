"""A prompt seen with the guide's eyes: the words it knows, what they change, what fits to them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from bluerider.errors import InputError
from bluerider.guide.index import Guide
from bluerider.guide.query import inside, ngrams, pieces, substrings
from bluerider.guide.search import search
from bluerider.guide.terms import fold, is_paired, languages, stem, stopwords, words
from bluerider.guide.views import find, related

Row = dict[str, Any]
OPPOSITE = {"up": "down", "down": "up"}
ORDER = (
    "lighting",
    "composition",
    "mood",
    "colour",
    "camera",
    "lens",
    "style",
    "medium",
    "texture",
)
MOST = 12
SLOT = "{subject}"


@dataclass(frozen=True)
class Known:
    """A modifier in a prompt: what is said of it, what was measured of it."""

    word: str
    record: Row
    said: list[str]
    measured: list[str]
    ignored: bool  # measured, and nothing stood out

    def to_json(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "word": self.word,
            "id": self.record["id"],
            "said": self.said,
            "measured": self.measured,
            "ignored": self.ignored,
        }


@dataclass
class Check:
    """What is to be said of a prompt."""

    prompt: str
    known: list[Known]
    conflicts: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    tokens: int | None = None
    limit: int | None = None
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """What programs read."""
        names = ("prompt", "conflicts", "repeats", "tokens", "limit", "warnings")
        told = {name: getattr(self, name) for name in names}
        return {**told, "known": [each.to_json() for each in self.known]}


def check(guide: Guide, prompt: str, model: str) -> Check:
    """The modifiers of a prompt with what they change, which of them pull apart, what is twice."""
    found = modifiers_in(guide, prompt)
    known = [known_word(guide, word, row, model) for word, row in found]
    return Check(prompt, known, list(conflicts(guide, known)), list(repeats(prompt, found)))


def modifiers_in(guide: Guide, prompt: str) -> list[tuple[str, Row]]:
    """Modifiers named in a prompt, the longest names first taken, in the order they stand."""
    spoken = words(fold(prompt))
    if not spoken:
        return []
    named = languages(spoken)
    sql = (
        "SELECT name, shown, json FROM names JOIN records ON record = number"
        " WHERE type = 'prompt-modifier' AND name IN"
    )
    rows = guide.ask(*inside(sql, pieces(spoken, named, set())))
    by_name = {name: (shown, json.loads(text)) for name, shown, text in rows}
    taken: set[int] = set()
    made: list[tuple[int, str, Row]] = []
    for start, end, phrase in spans(spoken, named):
        place = set(range(start, end))
        if phrase in by_name and not place & taken:
            taken |= place
            made.append((start, *by_name[phrase]))
    kept = {row["id"]: (start, word, row) for start, word, row in sorted(made, key=lambda m: m[0])}
    return [(word, row) for _, word, row in sorted(kept.values(), key=lambda m: m[0])]


def spans(spoken: Sequence[str], named: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Where each phrase of a prompt stands, longest first; runs of unspaced scripts by letters."""
    found = []
    for spelled in (list(spoken), [stem(word, named[0]) for word in spoken]):
        for phrase, (start, end) in ngrams(spelled, ""):
            found.append((1000 * start, 1000 * end, phrase))
    for place, run in enumerate(spoken):
        if is_paired(run):
            for piece in substrings(run):
                at = 1000 * place + run.index(piece)
                found.append((at, at + len(piece), piece))
    return iter(sorted(found, key=lambda each: (-len(each[2]), each[0])))


def known_word(guide: Guide, word: str, row: Row, model: str) -> Known:
    """A modifier with what is said and what was measured on a model."""
    claims = {claim["key"]: claim for claim in row["claims"]}
    said = [
        f"{effect['aspect']} {effect['toward'] or effect['direction']}"
        f" ({claims[effect['claim']]['status']})"
        for effect in row["effects"]
    ]
    measured = [each for each in measurements(guide, row["id"]) if each["model"] == model]
    told = [
        f"{metric['name']} {metric['effect']:+.3g} ({metric['low']:.3g} to {metric['high']:.3g})"
        for each in measured
        for metric in each["metrics"]
        if metric["detected"]
    ]
    ignored = bool(measured) and not any(each["known"] for each in measured)
    return Known(word, row, said, told, ignored)


def measurements(guide: Guide, name: str) -> list[Row]:
    """The measurements of a modifier."""
    ids = related(guide, name).get("measured-by", [])
    return [guide.record(each) for each in ids if each.startswith("measurement/")]


def conflicts(guide: Guide, known: Sequence[Known]) -> Iterator[str]:
    """Pairs that are said to conflict, or to push one aspect both ways."""
    for a, b in combinations(known, 2):
        if b.record["id"] in related(guide, a.record["id"]).get("conflicts-with", []):
            yield f"{a.word} and {b.word} are said to conflict"
            continue
        for one in a.record["effects"]:
            for other in b.record["effects"]:
                if one["aspect"] == other["aspect"] and (
                    OPPOSITE.get(one["direction"]) == other["direction"]
                ):
                    yield (
                        f"{a.word} moves {one['aspect']} {one['direction']}, {b.word} moves it "
                        f"{other['direction']}"
                    )


def repeats(prompt: str, found: Sequence[tuple[str, Row]]) -> Iterator[str]:
    """Words that are there more than once; small words, numbers and parts of names apart."""
    spoken = words(fold(prompt))
    small = {word for name in languages(spoken) for word in stopwords().get(name, ())}
    parts = {part for name, _ in found if len(words(fold(name))) > 1 for part in words(fold(name))}
    counts = Counter(w for w in spoken if w not in small | parts and not w.isdigit())
    for word, count in counts.items():
        if count > 1 and len(word) > 1:
            yield f"{word} is there {count} times"


@dataclass(frozen=True)
class Expansion:
    """A prompt with words added, and why each."""

    prompt: str
    expanded: str
    added: list[Known]


def expand(guide: Guide, prompt: str, count: int, model: str) -> Expansion:
    """Add modifiers that fit, of different kinds, none that is there or pulls against what is.

    The same prompt, guide and model give the same words. Words that were measured and do nothing on
    the model are left out.
    """
    if not words(fold(prompt)):
        raise InputError("the prompt is empty; say what to paint, such as 'a red apple'")
    language = languages(words(fold(prompt)))[0]
    there = [known_word(guide, word, row, model) for word, row in modifiers_in(guide, prompt)]
    kinds = {each.record["category"] for each in there}
    added: list[Known] = []
    for row in candidates(guide, prompt):
        if len(added) == count:
            break
        texts = row["text"].get(language) or ([] if language != "en" else [row["title"]["en"]])
        if not texts or row["category"] in (*kinds, "negative"):
            continue
        new = known_word(guide, texts[0], row, model)
        if new.ignored or any(conflicts(guide, [*there, *added, new])):
            continue
        added.append(new)
        kinds.add(row["category"])
    expanded = ", ".join((prompt.rstrip(" ,"), *(each.word for each in added)))
    return Expansion(prompt, expanded, added)


def candidates(guide: Guide, prompt: str) -> Iterator[Row]:
    """Modifiers near a prompt's words, then the most linked-to of each category in ORDER."""
    seen = set()
    for hit in search(guide, prompt, MOST, ("prompt-modifier",)).hits:
        seen.add(hit.id)
        yield guide.record(hit.id)
    rest = [row for row in guide.records("prompt-modifier") if row["id"] not in seen]
    degree = {row["id"]: len(guide.edges(row["id"])) for row in rest}
    rest = [row for row in rest if row["category"] in ORDER and row["kind"] == "style"]
    rest.sort(key=lambda row: (ORDER.index(row["category"]), -degree[row["id"]], row["id"]))
    yield from rest


def styles(guide: Guide) -> list[Row]:
    """The recipes for pictures."""
    return [row for row in guide.records("prompt-recipe") if "image" in row["domain"]]


def settings(recipe: Row) -> dict[str, Any]:
    """What a recipe sets in a request, by the request's field."""
    return {name.replace("-", "_"): value for name, value in recipe["params"].items()}


def styled(guide: Guide, name: str, prompt: str, negative: str) -> tuple[str, str, Row]:
    """A prompt in a recipe's style: the words, the negative words, and the recipe. Raises
    InputError.
    """
    recipe = find(guide, name if "/" in name else f"prompt-recipe/{name}", ("prompt-recipe",))
    if "image" not in recipe["domain"]:
        raise InputError(
            f"{recipe['id']} is a recipe for texts; bluerider prompt styles lists the others"
        )
    said = str(recipe["template"]).replace(SLOT, prompt)
    without = ", ".join(part for part in (negative, recipe["negative"] or "") if part)
    return said, without, recipe
