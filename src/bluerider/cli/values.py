"""Values of flags, from text: ASCII digits only, one line of complaint."""

import math
import re

from bluerider.errors import InputError
from bluerider.request import check_interval, flag, shown


def text(name: str, given: str | None) -> str | None:
    """Text as it stands, None for a flag that was not given."""
    return given


def whole(name: str, text: str | None) -> int | None:
    """A whole number, None for a flag that was not given. Raises InputError."""
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", text.strip(), re.ASCII):
        raise InputError(f"{flag(name)}: got {shown(text)}; a whole number is accepted")
    return int(text)


def number(name: str, text: str | None) -> float | None:
    """A finite number, None for a flag that was not given. Raises InputError."""
    if text is None:
        return None
    plain = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text.strip())
    if not plain or not math.isfinite(float(text)):
        raise InputError(f"{flag(name)}: got {shown(text)}; a number is accepted")
    return float(text)


def interval(text: str | None) -> tuple[float, float] | None:
    """Two parts of the steps from "a,b", None for a flag that was not given. Raises InputError."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        return check_interval(text)
    return check_interval([number("guidance_interval", part) for part in parts])
