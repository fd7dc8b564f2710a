"""Conditions on records, parsed, never run as code: `open_weights and "ru" in text_languages`."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from bluerider.errors import InputError
from bluerider.request import shown

TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"[^"]*"|'[^']*')
  | (?P<date>\d{4}-\d{2}(?:-\d{2})?)
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<sign><=|>=|==|!=|=|<|>|\(|\)|\[|\]|,)
  | (?P<word>[A-Za-z_][\w.-]*)
)""",
    re.VERBOSE | re.ASCII,
)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
KEYWORDS = ("and", "or", "not", "in")
MAX_LENGTH = 2000
MAX_DEPTH = 50
Row = Mapping[str, Any]
Value = Callable[[Row], Any]


def parse(text: str) -> Callable[[Row], bool]:
    """A test of records. Raises InputError saying where the condition stops making sense."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"where: got {len(text)} characters; at most {MAX_LENGTH} go in")
    reader = Reader(text)
    test = reader.either(0)
    reader.end()
    return lambda row: bool(test(row))


class Reader:
    """Recursive descent: or, and, not, comparison, value."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.names: set[str] = set()

    def look(self) -> tuple[str, str]:
        """The kind and text of the next token, without taking it; ("end", "") at the end."""
        found = TOKEN.match(self.text, self.at)
        if not found:
            if self.text[self.at :].strip():
                raise self.wrong()
            return "end", ""
        kind = str(found.lastgroup)
        return kind, found[kind]

    def take(self) -> tuple[str, str]:
        """The next token, taken."""
        token = self.look()
        if found := TOKEN.match(self.text, self.at):
            self.at = found.end()
        return token

    def given(self, text: str) -> bool:
        """Whether the next token is this word or sign; then it is taken."""
        kind, found = self.look()
        if kind in ("word", "sign") and found == text:
            self.take()
            return True
        return False

    def end(self) -> None:
        """Raise InputError unless everything was read."""
        if self.look()[0] != "end":
            raise self.wrong()

    def wrong(self) -> InputError:
        """What is said of a condition that cannot be read."""
        rest = self.text[self.at :].strip()
        return InputError(
            f"where: cannot read {shown(rest or self.text)}; accepted are field names, values, "
            'and, or, not, in, < <= == != >= >: open_weights and "ru" in text_languages'
        )

    def either(self, depth: int) -> Value:
        """Conditions joined by or."""
        if depth > MAX_DEPTH:
            raise InputError(f"where: more than {MAX_DEPTH} brackets within each other")
        parts = [self.both(depth)]
        while self.given("or"):
            parts.append(self.both(depth))
        return lambda row: any(part(row) for part in parts)

    def both(self, depth: int) -> Value:
        """Conditions joined by and."""
        parts = [self.denied(depth)]
        while self.given("and"):
            parts.append(self.denied(depth))
        return lambda row: all(part(row) for part in parts)

    def denied(self, depth: int) -> Value:
        """A condition, or its opposite."""
        flip = False
        while self.given("not"):
            flip = not flip
        test = self.compared(depth)
        return (lambda row: not test(row)) if flip else test

    def compared(self, depth: int) -> Value:
        """A value alone, or against another."""
        if self.given("("):
            inner = self.either(depth + 1)
            if not self.given(")"):
                raise self.wrong()
            return inner
        left = self.value()
        kind, text = self.look()
        if kind == "sign" and text in SIGNS:
            self.take()
            right = self.value()
            return lambda row: compare(text, left(row), right(row))
        flip = self.given("not")
        if self.given("in"):
            right = self.value()
            return lambda row: contains(left(row), right(row)) != flip
        if flip:
            raise self.wrong()
        return left

    def value(self) -> Value:
        """A literal, a list of values, or a field."""
        kind, text = self.look()
        if kind == "sign" and text == "[":
            return self.listed()
        if kind not in ("text", "date", "number", "word") or text in KEYWORDS:
            raise self.wrong()
        self.take()
        if kind == "word" and text.lower() not in CONSTANTS:
            self.names.add(text)
            return lambda row: field(row, text)
        constant = literal(kind, text)
        return lambda row: constant

    def listed(self) -> Value:
        """Values in square brackets."""
        self.take()
        parts: list[Value] = []
        while not self.given("]"):
            if parts and not self.given(","):
                raise self.wrong()
            parts.append(self.value())
        return lambda row: [part(row) for part in parts]


def literal(kind: str, text: str) -> Any:
    """The value of a token."""
    if kind == "text":
        return text[1:-1]
    if kind == "number":
        return float(text)
    return CONSTANTS[text.lower()] if kind == "word" else text


def field(row: Row, name: str) -> Any:
    """A record's field, dots leading into it; a relation's targets; None where there is none."""
    value: Any = row
    for step in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def compare(sign: str, left: Any, right: Any) -> bool:
    """Whether two values stand so; what cannot be compared does not."""
    if sign not in ("==", "=", "!=") and (left is None or right is None):
        return False
    try:
        return bool(SIGNS[sign](left, right))
    except TypeError:
        return False


def contains(part: Any, whole: Any) -> bool:
    """Whether a list, a table's keys or a text holds something."""
    if whole is None:
        return False
    try:
        return bool(part in whole)
    except TypeError:
        return False
