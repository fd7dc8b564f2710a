"""A query taken apart: its words, what they mean in the guide's vocabulary, corrections."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bluerider.errors import InputError
from bluerider.guide.build import correctable, deletions
from bluerider.guide.index import Guide
from bluerider.guide.lexicon import form
from bluerider.guide.terms import (
    COMPOUNDING,
    fold,
    halves,
    is_paired,
    languages,
    pairs,
    stem,
    stopwords,
    words,
)

MAX_TEXT = 2000  # characters that are read
MAX_WORDS = 40
MAX_RUN = 40  # letters of a run of an unspaced script that are looked up as names
PHRASE = 5  # words of a name or phrase
PIECE = 12  # letters of a name in an unspaced script
SURE = 5  # letters up to which the first one is taken to be right
NEAR = 0.7  # what a corrected word counts
INFLECTED = 5  # letters of a word whose ending is looked past
ENDING = 3  # letters of such an ending
FAR_FROM = 8  # letters from which two typos are forgiven


@dataclass
class Group:
    """One thing asked for: its own terms, terms of the same meaning, and what it counts."""

    word: str
    own: list[str]
    same: list[str] = field(default_factory=list)
    weight: float = 1.0


@dataclass
class Query:
    """What is looked for: groups of terms, pieces that may be names, corrections that were made."""

    text: str
    length: int  # letters of its content words
    groups: list[Group]
    pieces: dict[str, int]  # what may be a name -> letters of the query it stands for
    corrected: dict[str, str]
    known: float  # the share of content words that mean something here
    language: str  # the likeliest of its words


def parse(text: str, guide: Guide) -> Query:
    """Take a query apart. Raises InputError when it holds no word at all."""
    found = words(fold(text[:MAX_TEXT]))[:MAX_WORDS]
    if not found:
        raise InputError("nothing to look for; give a word, such as: bluerider guide search light")
    named = languages(found)
    small = {word for name in named for word in stopwords().get(name, ())}
    content = [word for word in found if word not in small] or found
    reader = Reader(guide, named)
    groups = [group for word in content for group in reader.groups(word)]
    phrases = reader.phrases(found)
    spoken = [reader.corrected.get(word, word) for word in found]
    known = sum(bool(g.own or g.same) for g in groups) / len(groups)
    return Query(
        text=text,
        length=sum(map(len, content)),
        groups=[group for group in (*groups, *phrases) if group.own or group.same],
        pieces=pieces(spoken, named, small),
        corrected=reader.corrected,
        known=1.0 if phrases else known,
        language=named[0],
    )


class Reader:
    """Looks words up in the guide's vocabulary and lexicon."""

    def __init__(self, guide: Guide, named: Sequence[str]) -> None:
        self.guide = guide
        self.named = named
        self.corrected: dict[str, str] = {}

    def groups(self, word: str) -> list[Group]:
        """What a content word may mean; a run of an unspaced script is a group a pair."""
        if is_paired(word):
            return self._run(word)
        own = self.known(dict.fromkeys((word, *(stem(word, name) for name in self.named))))
        same = self.same([form(word, name) for name in self.named])
        weight = 1.0
        if not own and not same and (cut := self.compound(word)):
            return [group for part in cut for group in self.groups(part)]
        if not own and not same:
            same = self.same(self.inflected(word))
        if not own and not same and (near := self.correct(word)):
            self.corrected[word] = near
            own, weight = self.known(dict.fromkeys((near, stem(near, "en")))), NEAR
            same = self.same([form(near, "en")])
        return [Group(word, own, [term for term in same if term not in own], weight)]

    def _run(self, run: str) -> list[Group]:
        cut = pairs(run[:MAX_RUN])
        there = set(self.known(cut))
        weight = 2.0 / (len(cut) + 1)
        return [Group(pair, [pair] if pair in there else [], weight=weight) for pair in cut]

    def phrases(self, found: Sequence[str]) -> list[Group]:
        """Phrases of several words, and words inside runs, that the lexicon knows."""
        forms: dict[str, str] = {}
        for name in self.named:
            stems = [stem(word, name) for word in found]
            for phrase, _ in ngrams(stems, " "):
                if " " in phrase:
                    forms[phrase] = phrase
        for run in found:
            if is_paired(run):
                cut = run[:MAX_RUN]
                forms.update({piece: piece for piece in (*substrings(cut), *cut)})
        return [
            Group(phrase, [], terms, 1.0)
            for phrase in self.longest(self.forms(forms))
            if (terms := self.same([phrase]))
        ]

    @staticmethod
    def longest(forms: Iterable[str]) -> list[str]:
        """Forms that lie in no longer form."""
        forms = sorted(set(forms), key=lambda form: (-len(form), form))
        kept: list[str] = []
        for each in forms:
            if not any(each in longer for longer in kept):
                kept.append(each)
        return kept

    def forms(self, forms: Iterable[str]) -> list[str]:
        """Those of some forms that the lexicon has."""
        return self._column("SELECT DISTINCT form FROM lexicon WHERE form IN", list(forms))

    def same(self, forms: Sequence[str]) -> list[str]:
        """Terms of the rings that some forms lie in, as far as the guide uses them."""
        sql = "SELECT DISTINCT term FROM lexicon JOIN concepts USING (concept) WHERE form IN"
        return self._column(sql, list(dict.fromkeys(forms)))

    def compound(self, word: str) -> tuple[str, str] | None:
        """The halves of a compound of two words that are known, the evenest cut."""
        language = self.named[0]
        if language not in COMPOUNDING:
            return None
        cuts = list(halves(word))
        found = {part for cut in cuts for part in cut}
        stems = {part: form(part, language) for part in found}
        there = {*self.known(found), *self.known(stems.values()), *self.forms(stems.values())}
        known = {part for part in found if part in there or stems[part] in there}
        whole = [cut for cut in cuts if known.issuperset(cut)]
        return max(whole, key=lambda cut: min(map(len, cut)), default=None)

    def inflected(self, word: str) -> list[str]:
        """Forms of the lexicon that begin like a word and differ in an ending no stemmer took."""
        if len(word) < INFLECTED or self.named[0] == "en":
            return []
        start = word[: max(INFLECTED - 1, len(word) - ENDING)]
        sql = "SELECT DISTINCT form FROM lexicon WHERE form BETWEEN ? AND ?"
        rows = self.guide.ask(sql, (start, start + "\uffff"))
        return [near for (near,) in rows if " " not in near and len(near) <= len(word) + 1]

    def known(self, terms: Iterable[str]) -> list[str]:
        """Those of some terms that the guide uses."""
        return self._column("SELECT term FROM vocabulary WHERE term IN", list(terms))

    def correct(self, word: str) -> str | None:
        """The likeliest term of the guide that a word misspells."""
        if not correctable(word) or len(word) > 40:
            return None
        sql = (
            "SELECT DISTINCT term, count FROM deletions JOIN vocabulary USING (term) WHERE left IN"
        )
        rows = self.guide.ask(*inside(sql, list(deletions(word))))
        allowed = 2 if len(word) >= FAR_FROM else 1
        near = [
            (distance(word, term), -count, term)
            for term, count in rows
            if (term[0] == word[0] or (len(word) > SURE and term[1] == word[0]))
            and abs(len(term) - len(word)) <= allowed
        ]
        near = [each for each in near if each[0] <= allowed]
        return min(near)[2] if near else None

    def _column(self, sql: str, values: list[str]) -> list[str]:
        if not values:
            return []
        return [row[0] for row in self.guide.ask(*inside(sql, values))]


def inside(sql: str, values: Iterable[object]) -> tuple[str, list[object]]:
    """A query that ends in IN, with a place for every value."""
    values = list(values)
    return f"{sql} ({','.join('?' * len(values))})", values


def pieces(found: Sequence[str], named: Sequence[str], small: set[str]) -> dict[str, int]:
    """What in a query may be a name, as names are looked up, and how many letters it stands for."""
    made: dict[str, int] = {}
    for language in (None, named[0]):
        spelled = found if language is None else [stem(word, language) for word in found]
        for phrase, span in ngrams(spelled, ""):
            covered = [word for word in found[span[0] : span[1]] if word not in small]
            if covered:
                size = sum(map(len, covered))
                made[phrase] = max(made.get(phrase, 0), size)
    for run in found:
        if is_paired(run):
            made.update({piece: len(piece) for piece in substrings(run[:MAX_RUN])})
    return made


def ngrams(found: Sequence[str], glue: str) -> Iterable[tuple[str, tuple[int, int]]]:
    """Every one to PHRASE neighbouring words as one text, with where they stand."""
    for start in range(len(found)):
        for end in range(start + 1, min(start + PHRASE, len(found)) + 1):
            yield glue.join(found[start:end]), (start, end)


def substrings(run: str) -> Iterable[str]:
    """Every two to PIECE neighbouring letters of a run; of a run of one, the letter."""
    if len(run) == 1:
        yield run
    for start in range(len(run)):
        for end in range(start + 2, min(start + PIECE, len(run)) + 1):
            yield run[start:end]


def distance(a: str, b: str) -> int:
    """Letters dropped, added, changed or swapped with a neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        row = [i]
        for j, right in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
