"""A small grid of settings: every combination of the values given is a run of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bluerider.checks import shown
from bluerider.errors import InputError

MOST = 64  # runs of a grid


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run: its place in the grid as key -> value, both as they were typed."""

    values: dict[str, str]

    @property
    def changes(self) -> list[str]:
        """The same as `key=value`."""
        return [f"{key}={value}" for key, value in self.values.items()]

    @property
    def name(self) -> str:
        """In a line."""
        return " ".join(self.changes)

    @property
    def slug(self) -> str:
        """As the name of a folder."""
        parts = (f"{key}-{value}" for key, value in self.values.items())
        return "_".join(re.sub(r"[^A-Za-z0-9.+-]", "-", part) for part in parts)


def read_grid(settings: Sequence[str]) -> tuple[list[Point], list[str]]:
    """The points of `key=value,value` and the settings of one value, which all runs share.

    Raises InputError for no key of several values, a key or a value given twice, and more than
    `MOST` runs.
    """
    axes: dict[str, list[str]] = {}
    fixed: list[str] = []
    for text in settings:
        key, _, told = text.partition("=")
        values = [value.strip() for value in told.split(",")]
        if not all(values):
            raise InputError(f"{shown(text)}: KEY=VALUE,VALUE is accepted, such as rate=1e-4,3e-4")
        if len(values) == 1:
            fixed.append(text)
            continue
        if key in axes or len(set(values)) < len(values):
            raise InputError(f"{shown(text)}: each key and each value is given once")
        axes[key] = values
    if not axes:
        raise InputError("nothing to try; give KEY=VALUE,VALUE such as rate=1e-4,3e-4 rank=4,8")
    points = [Point(values=dict(zip(axes, each, strict=True))) for each in product(*axes.values())]
    if len(points) > MOST:
        raise InputError(f"{len(points)} runs; up to {MOST} are accepted; give fewer values")
    return points, fixed
