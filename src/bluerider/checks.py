"""Values from outside, checked: what was given, what is accepted, in one line."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from bluerider.errors import InputError

MAX_TEXT = 10_000  # characters; every tokenizer keeps far fewer


def check_text(name: str, value: object) -> None:
    """Raise InputError unless `value` is encodable text of at most MAX_TEXT characters."""
    if not isinstance(value, str):
        raise InputError(f"{flag(name)}: got {shown(value)}; text is accepted")
    if len(value) > MAX_TEXT:
        raise InputError(f"{flag(name)}: got {len(value)} characters; at most {MAX_TEXT} go in")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InputError(f"{flag(name)}: got bytes that are no text; UTF-8 text is accepted")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise InputError, naming the nearest choice, unless `value` is one of `choices`."""
    if value not in choices:
        near = suggestion(value, choices) if isinstance(value, str) else ""
        raise InputError(
            f"unknown {flag(name)} {shown(value)}{near}; accepted: {', '.join(choices)}"
        )


def check_keys(data: Mapping[Any, Any], accepted: Sequence[str]) -> None:
    """Raise InputError, naming the nearest field, at the first key that is not accepted."""
    for key in data:
        if key not in accepted:
            raise InputError(
                f"unknown key {shown(key)} in a request{suggestion(str(key), accepted)}; "
                f"accepted: {', '.join(accepted)}"
            )


def check_whole(name: str, value: object, low: int, high: int) -> int:
    """`value` if it is an int (no bool) in low..high; raises InputError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(
            f"{flag(name)}: got {shown(value)}; a whole number from {low} to {high} is accepted"
        )
    if not low <= value <= high:
        raise InputError(f"{flag(name)}: got {shown(value)}; {low} to {high} are accepted")
    return value


def check_number(name: str, value: object, low: float, high: float) -> float:
    """`value` as a float if it is a number (no bool, no NaN) in low..high; raises InputError."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        raise InputError(
            f"{flag(name)}: got {shown(value)}; a number from {low:g} to {high:g} is accepted"
        )
    if not low <= value <= high:
        raise InputError(f"{flag(name)}: got {shown(value)}; {low:g} to {high:g} are accepted")
    return float(value)


def suggestion(word: str, known: Sequence[str]) -> str:
    """ ", did you mean 'heun'?" when something near `word` is known, else nothing."""
    word = word[:100].lower()
    near = difflib.get_close_matches(word, known)
    best = max(near, key=lambda each: sorted(each) == sorted(word), default=None)  # letters swapped
    return f", did you mean {best!r}?" if best else ""


def flag(name: str) -> str:
    """A field's name as the command line spells it."""
    return name.replace("_", "-")


def shown(value: object) -> str:
    """`value` for a message: one short line, whatever it is."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an endless number or nesting inside
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
