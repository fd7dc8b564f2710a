"""Prompt weights: text with brackets -> plain text and the weight of each part of it.

Two spellings are read. Of AUTOMATIC1111's web UI: `(x)` 1.1, `[x]` 1 / 1.1, `(x:1.3)` 1.3, nested
ones multiply, a bracket left open reaches to the end. Of compel: `word++` 1.21, `word--` 0.81,
`(two words)+` 1.1, `(two words)1.3` 1.3. A backslash before a sign of these makes it plain text.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

UP, DOWN = 1.1, 0.9  # compel's + and -; A1111's brackets are 1.1 and 1 / 1.1
MAX_WEIGHT = 10.0
DIGITS = 4  # decimals a weight is kept to
MAX_SIGNS = 100  # pluses that count; more reach MAX_WEIGHT anyway
NUMBER = r"[0-9]++(?:\.[0-9]*+)?|\.[0-9]++"
SPECIAL = r"\\()\[\]{}|+\-_:"
TOKEN = re.compile(  # every alternative begins at its own character and runs once over the text
    rf"\\(?P<plain>[{SPECIAL}])"
    r"|(?P<open>[(\[])"
    rf"|:\s*+(?P<weight>[+-]?(?:{NUMBER}))\s*+\)"
    rf"|\)(?:(?P<suffix>\+++|-++|{NUMBER})(?=[\s,.;:!?)\]|}}]|\Z))?+"
    r"|(?P<square>\])"
    r"|(?P<run>[^\s()\[\]{}|\\:,.;!?]++)"
    r"|(?P<other>.)",
    re.DOTALL,
)
ENDS = re.compile(r"[\s,.;:!?)\]|}]|\Z")
SIGNS = re.compile(r"(?:\+++|-++)(?=[\s()\[\]{}|\\:,.;!?]|\Z)")


class Span(NamedTuple):
    """A part of a prompt and how much it counts: 0 not at all, 1 as it is, up to MAX_WEIGHT."""

    text: str
    weight: float


class Weighted(NamedTuple):
    """A prompt as read: its spans in order, neighbours of one weight joined."""

    spans: tuple[Span, ...]
    unclosed: int = 0  # brackets left open
    clipped: bool = False  # a weight was outside 0..MAX_WEIGHT

    @property
    def text(self) -> str:
        """The words a text encoder reads."""
        return "".join(span.text for span in self.spans)

    @property
    def plain(self) -> bool:
        """Whether every part counts as it is."""
        return all(span.weight == 1.0 for span in self.spans)

    def without(self, index: int) -> str:
        """The words with one span left out."""
        return "".join(span.text for i, span in enumerate(self.spans) if i != index)

    def per_token(self, offsets: Sequence[tuple[int, int]]) -> list[float]:
        """The weight of each token from its place (start, end) in `text`; 1 where it has none.

        A token across two spans gets the mean over its letters.
        """
        letters = [weight for text, weight in self.spans for _ in text]
        spaces = [letter.isspace() for letter in self.text]
        found = []
        for start, end in offsets:
            over = [letters[i] for i in range(start, min(end, len(letters))) if not spaces[i]]
            found.append(sum(over) / len(over) if over else 1.0)
        return found


def parse(prompt: str) -> Weighted:
    """Read the weights of a prompt. Every text is accepted; the time is linear in its length."""
    reader = Reader()
    for token in TOKEN.finditer(prompt):
        reader.read(token)
    return reader.finish()


class Reader:
    """One pass over a prompt: pieces of text, and groups as they open and close."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.open: list[tuple[str, int]] = []  # bracket, index of its first piece
        self.groups: list[tuple[int, int, float]] = []  # first piece, end piece, factor
        self.counts = {"(": 0, "[": 0}  # of `open`
        self.unclosed = 0
        self.clipped = False

    def read(self, token: re.Match[str]) -> None:
        """Take one token in."""
        kind = token.lastgroup
        if kind == "open":
            self.open.append((token["open"], len(self.pieces)))
            self.counts[token["open"]] += 1
        elif kind == "weight":
            self._close("(", float(token["weight"]), token[0])
        elif kind == "suffix" or token[0] == ")":
            self._close("(", suffix_weight(token["suffix"]), token[0])
        elif kind == "square":
            self._close("[", 1 / UP, token[0])
        elif kind == "run":
            self._word(token[0], bool(ENDS.match(token.string, token.end())))
        else:
            self.pieces.append(token["plain"] or token[0])

    def _word(self, run: str, ends: bool) -> None:
        """A run of letters; one with signs behind it is a group of its own."""
        word = run.rstrip(run[-1]) if run[-1] in "+-" else run
        if not ends or word == run or not word or word[-1] in "+-":
            self.pieces.append(run)
            return
        self.groups.append((len(self.pieces), len(self.pieces) + 1, signs(run[len(word) :])))
        self.pieces.append(word)

    def _close(self, bracket: str, factor: float, text: str) -> None:
        """Close the innermost group opened by `bracket`; without one it is plain text."""
        if not self.counts[bracket]:
            self.pieces.append(text)
            return
        while self.open[-1][0] != bracket:  # left open inside of it
            self._leave()
        _, start = self.open.pop()
        self.counts[bracket] -= 1
        self.groups.append((start, len(self.pieces), factor))

    def _leave(self) -> None:
        """End the innermost group where nothing closed it."""
        bracket, start = self.open.pop()
        self.counts[bracket] -= 1
        self.unclosed += 1
        self.groups.append((start, len(self.pieces), UP if bracket == "(" else 1 / UP))

    def finish(self) -> Weighted:
        """The spans, each piece weighted by the groups round it, from the outermost inwards."""
        while self.open:
            self._leave()
        waiting = sorted(
            self.groups, key=lambda group: (-group[0], group[1])
        )  # the next at the end
        spans: list[tuple[list[str], float]] = []
        within: list[tuple[int, float]] = [(len(self.pieces), 1.0)]  # end piece, product so far
        for index, piece in enumerate(self.pieces):
            while within[-1][0] <= index:
                within.pop()
            while waiting and waiting[-1][0] <= index:
                _, stop, factor = waiting.pop()
                if stop > index:
                    within.append((stop, self._clip(within[-1][1] * self._clip(factor))))
            weight = round(within[-1][1], DIGITS)
            if spans and spans[-1][1] == weight:
                spans[-1][0].append(piece)
            else:
                spans.append(([piece], weight))
        found = tuple(Span("".join(pieces), weight) for pieces, weight in spans)
        return Weighted(found, self.unclosed, self.clipped)

    def _clip(self, weight: float) -> float:
        """A weight within 0..MAX_WEIGHT."""
        kept = min(max(weight, 0.0), MAX_WEIGHT)
        self.clipped |= kept != weight
        return kept


def signs(run: str) -> float:
    """What pluses or minuses behind a word mean."""
    return float((UP if run[0] == "+" else DOWN) ** min(len(run), MAX_SIGNS))


def suffix_weight(suffix: str | None) -> float:
    """What stands behind a closing bracket: nothing (A1111's 1.1), signs, or a number."""
    if not suffix:
        return UP
    return signs(suffix) if suffix[0] in "+-" else float(suffix)


def write(spans: Iterable[Span]) -> str:
    """The prompt that is read as these spans: parse(write(spans)).spans == joined spans.

    Weights are written to DIGITS decimals; what would be read as a sign gets a backslash.
    """
    return "".join(
        escape(text) if weight == 1.0 else f"({escape(text)}:{round(weight, DIGITS)})"
        for text, weight in spans
        if text
    )


def escape(text: str) -> str:
    """The prompt that is read as this text, weighted nowhere, with no alternatives in it."""
    text = re.sub(r"[\\()\[\]{}|]", r"\\\g<0>", text).replace("__", r"\_\_")
    return SIGNS.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), text)
