"""Rankings of one query, by names, by words, by words of the same meaning, fused by rank."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bluerider.guide.index import Guide
from bluerider.guide.query import Group, Query, inside, parse
from bluerider.guide.vocabulary import ASIDE

RANK = 10  # reciprocal rank fusion: 1 / (RANK + rank), Cormack, Clarke and Buettcher (2009)
DEPTH = 100  # of each ranking
WEIGHTS = (4.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0)
# title, aliases, keywords, summary, facets, claims, body
NAMES, OWN, SAME = 1.0, 0.5, 1.0  # what each ranking counts
NEAR = 1.0  # and that of sentence embeddings, where there are any
RELATED = 0.6  # what a word of the same meaning counts against the word itself
FULL = 15.0  # BM25 of one thing asked for that counts half
COVERED = 0.8  # how much of a score hangs on the share of the query that is found
NEIGHBOURS = 0.15  # what a link from a good hit adds
TRUSTED = 0.9  # what a record without one checked claim counts
ROWS = 1000  # a guide of no more is looked through whole; of a larger one
FEW = 300  # the most linked-to of each thing asked for
BUDGET = 2000  # rows a term may match before it is looked for in names alone
KNOWN = 0.34  # with less of the query known, there is no answer
Scores = dict[int, float]


@dataclass(frozen=True)
class Hit:
    """A record that answers, and what of the query it matched."""

    id: str
    type: str
    title: str
    score: float
    matched: list[str]
    summary: str


@dataclass(frozen=True)
class Answer:
    """The hits of a query, best first, and the corrections it took."""

    query: str
    hits: list[Hit]
    corrected: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "query": self.query,
            "results": [asdict(hit) for hit in self.hits],
            "corrected": self.corrected,
        }


def search(
    guide: Guide,
    text: str,
    limit: int = 10,
    kinds: Collection[str] = (),
    near: Mapping[int, float] | None = None,
) -> Answer:
    """The best records for a query in any language; `near` is how alike records are by sentence
    embeddings. Raises InputError for no word at all.
    """
    query = parse(text, guide)
    ranking = Ranking(guide, query, near or {}, aside=bool(set(kinds) & set(ASIDE)))
    scores = ranking.fused() if near or query.known >= KNOWN or ranking.named else {}
    if not scores:
        return Answer(text, [], query.corrected)
    best = sorted(scores, key=lambda number: (-scores[number], number))[: 4 * DEPTH]
    types = dict(guide.ask(*inside("SELECT number, type FROM records WHERE number IN", best)))
    wanted = [n for n in best if types[n] in kinds or not (kinds or types[n] in ASIDE)][:limit]
    sql = "SELECT number, id, type, title, summary FROM records WHERE number IN"
    rows = {row[0]: row[1:] for row in guide.ask(*inside(sql, wanted))}
    hits = []
    for number in wanted:
        name, kind, title, summary = rows[number]
        score = round(scores[number], 6)
        hits.append(Hit(name, kind, title, score, ranking.matched(number), summary))
    return Answer(text, hits, query.corrected)


class Ranking:
    """The rankings of one query."""

    def __init__(
        self, guide: Guide, query: Query, near: Mapping[int, float], *, aside: bool = False
    ) -> None:
        self.guide = guide
        self.query = query
        self.near = near
        self.words: list[tuple[str, Scores]] = []  # what is asked for, and where it is
        self.shown: dict[int, str] = {}
        self.tables = ("texts", "asides") if aside else ("texts",)
        count = int(guide.ask("SELECT value FROM meta WHERE name = 'asked'")[0][0]) or 1
        self.most, self.rows = math.log1p(count), ROWS if count <= ROWS else FEW
        self.named = self._named()
        self.own, self.same = self._worded()

    def fused(self) -> Scores:
        """All rankings as one score; weighed by trust, spread a little along links."""
        total: Scores = defaultdict(float)
        for number, share in self.named.items():
            total[number] += NAMES * share**2 / (RANK + 1) * 2
        own = OWN if self.query.language == "en" else 0.0
        for weight, ranking in ((own, self.own), (SAME, self.same), (NEAR, self.near)):
            for rank, number in enumerate(top(ranking), start=1):
                total[number] += weight / (RANK + rank)
        return self._trusted(self._spread(total))

    def matched(self, number: int) -> list[str]:
        """What of the query a record matched."""
        name = [self.shown[number]] if number in self.shown else []
        words = [word for word, found in self.words if number in found]
        return list(dict.fromkeys((*name, *words)))

    def _named(self) -> Scores:
        """Records called by something the query says: the share of the query it is."""
        found: Scores = {}
        sql = "SELECT name, record, weight, shown FROM names WHERE name IN"
        for name, record, weight, shown in self.guide.ask(*inside(sql, list(self.query.pieces))):
            share = weight * self.query.pieces[name] / max(self.query.length, 1)
            if share > found.get(record, 0.0):
                found[record], self.shown[record] = share, shown
        return found

    def _worded(self) -> tuple[Scores, Scores]:
        """Scores by the query's own terms alone, and with those of the same meaning."""
        own: Scores = defaultdict(float)
        both: Scores = defaultdict(float)
        seen: Scores = defaultdict(float)
        whole = 0.0
        counts = self._counts()
        cheap = [g for g in self.query.groups if self._count(g, counts) <= BUDGET]
        for group in cheap or self.query.groups:
            mine = self._match(group.own, bool(cheap))
            found = {n: RELATED * b for n, b in self._match(group.same, bool(cheap)).items()}
            for number, score in mine.items():
                own[number] += group.weight * filled(score)
                found[number] = max(score, found.get(number, 0.0))
            rare = group.weight * (1 - math.log1p(len(found)) / self.most)
            for number, score in found.items():
                both[number] += group.weight * filled(score)
                seen[number] += rare
            self.words.append((group.word, found))
            whole += rare
        whole = whole or 1.0
        covered = {n: 1 - COVERED + COVERED * seen[n] / whole for n in both}
        return (
            {n: score * covered[n] for n, score in own.items() if score},
            {n: score * covered[n] for n, score in both.items()},
        )

    def _counts(self) -> dict[str, int]:
        """How many times each term of the query is used."""
        terms = [term for group in self.query.groups for term in (*group.own, *group.same)]
        words = {word for term in terms for word in term.split()}
        if not words:
            return {}
        sql, values = inside("SELECT term, count FROM vocabulary WHERE term IN", words)
        counts = dict(self.guide.ask(sql, values))
        return {term: min(counts.get(word, 0) for word in term.split()) for term in terms}

    @staticmethod
    def _count(group: Group, counts: Mapping[str, int]) -> int:
        return sum(counts.get(term, 0) for term in (*group.own, *group.same))

    def _match(self, terms: Iterable[str], cheap: bool) -> Scores:
        """BM25 of the records that hold one of some terms; of frequent ones, names alone."""
        said = " OR ".join(map(asked, terms))
        if not said:
            return {}
        if cheap:
            weights = ", ".join(map(str, WEIGHTS))
            found: Scores = {}
            for table in self.tables:
                sql = f"SELECT rowid, -bm25({table}, {weights}) FROM {table} WHERE {table} MATCH ?"
                found |= dict(self.guide.ask(f"{sql} LIMIT ?", (said, self.rows)))
            return found
        sql = "SELECT rowid FROM texts WHERE texts MATCH ? LIMIT ?"  # the most linked-to first
        rows = self.guide.ask(sql, (f"{{title aliases}} : ({said})", BUDGET))
        rows = rows or self.guide.ask(sql, (said, BUDGET))
        return {number: 1.0 / rank for rank, (number,) in enumerate(rows, start=1)}

    def _spread(self, scores: Scores) -> Scores:
        """Some of the best hits' scores, passed on to the records they are linked to."""
        best = top(scores)[:5]
        if not best:
            return scores
        sql, values = inside(
            "SELECT a.number, b.number FROM records a JOIN edges ON origin = a.id"
            " JOIN records b ON target = b.id WHERE a.number IN",
            best,
        )
        shown, kinds = inside(f"{sql} AND b.type NOT IN", ASIDE)
        links = self.guide.ask(shown, [*values, *kinds])
        degree: Scores = defaultdict(float)
        for origin, _ in links:
            degree[origin] += 1
        spread = dict(scores)
        for origin, target in links:
            given = NEIGHBOURS * scores[origin] / degree[origin] ** 0.5
            spread[target] = spread.get(target, 0.0) + given
        return spread

    def _trusted(self, scores: Scores) -> Scores:
        """Less for records whose claims nobody checked."""
        sql, values = inside("SELECT number, trust FROM records WHERE number IN", scores)
        trust = dict(self.guide.ask(sql, values))
        return {n: score * (TRUSTED + (1 - TRUSTED) * trust[n]) for n, score in scores.items()}


def filled(score: float) -> float:
    """A score that grows ever more slowly, so that many words of one meaning count little more
    than one.
    """
    return score * FULL / (score + FULL)


def asked(term: str) -> str:
    """A term in the syntax of FTS5: a word, or words that have to be there together."""
    return "(" + " AND ".join(f'"{word}"' for word in term.split()) + ")"


def top(scores: Mapping[int, float]) -> list[int]:
    """The best DEPTH, best first."""
    return sorted(scores, key=lambda number: (-scores[number], number))[:DEPTH]
