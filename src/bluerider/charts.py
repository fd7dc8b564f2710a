"""Line charts as SVG text; standard library only, so a page or a file of them stands alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

# Told apart by people who see colours differently (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 34, 40  # px around the plot
TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value, and from what to what it is sure to lie where that is known."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From where to where an axis goes, and what stands at it."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        """A value as a part of the axis."""
        return (value - self.low) / (self.high - self.low)


def line_chart(
    title: str,
    series: Mapping[str, Sequence[Point]],
    *,
    x_label: str,
    y_label: str = "",
    names: Sequence[str] = (),
    width: int = 560,
    height: int = 280,
) -> str:
    """An <svg> of lines with a legend; values that are no numbers are left out.

    `names` stand at x = 0, 1, 2 ... where the values are words.
    """
    whole = {name: [p for p in points if finite(p)] for name, points in series.items()}
    every = [point for points in whole.values() for point in points]
    across = named_axis(names) if names else numbers_axis([p.x for p in every])
    up = numbers_axis([v for p in every for v in (p.y, p.low, p.high) if v is not None])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<text x="{LEFT}" y="16" font-size="13" font-weight="bold" fill="currentColor">'
        f"{escape(title)}</text>",
        *grid(across, up, width, height, x_label, y_label),
    ]
    for number, (name, points) in enumerate(whole.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += drawn(points, across, up, width, height, colour)
        parts.append(legend(name, number, colour))
    return "\n".join([*parts, "</svg>"])


def finite(point: Point) -> bool:
    """Whether a point can be drawn."""
    return math.isfinite(point.x) and math.isfinite(point.y)


def numbers_axis(values: Sequence[float]) -> Axis:
    """An axis around numbers, with about five round ticks."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = abs(low) / 2 or 0.5
        low, high = low - half, high + half
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [(step * n, f"{step * n:.6g}") for n in range(first, last + 1)]
    return Axis(low=step * first, high=step * last, ticks=ticks)


def named_axis(names: Sequence[str]) -> Axis:
    """An axis of words."""
    ticks = [(float(number), name) for number, name in enumerate(names)]
    return Axis(low=-0.3, high=len(names) - 0.7, ticks=ticks)


def at(x: float, y: float, width: int, height: int) -> tuple[float, float]:
    """A place on the plot, in parts, as pixels."""
    right, bottom = width - RIGHT, height - BOTTOM
    return LEFT + x * (right - LEFT), bottom - y * (bottom - TOP)


def grid(across: Axis, up: Axis, width: int, height: int, x_label: str, y_label: str) -> list[str]:
    """Lines, ticks and what the axes are of."""
    parts = []
    for value, text in up.ticks:
        (x1, y), (x2, _) = (at(end, up.place(value), width, height) for end in (0.0, 1.0))
        parts.append(
            f'<line x1="{x1:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y:.1f}" '
            'stroke="currentColor" stroke-opacity="0.15"/>'
            f'<text x="{x1 - 6:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="currentColor">'
            f"{escape(text)}</text>"
        )
    for value, text in across.ticks:
        x, y = at(across.place(value), 0.0, width, height)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle" fill="currentColor">'
            f"{escape(text)}</text>"
        )
    x, y = at(0.5, 0.0, width, height)
    parts.append(
        f'<text x="{x:.1f}" y="{y + 32:.1f}" text-anchor="middle" fill="currentColor">'
        f"{escape(x_label)}</text>"
    )
    if y_label:
        parts.append(
            f'<text x="12" y="{(TOP + height - BOTTOM) / 2:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {(TOP + height - BOTTOM) / 2:.1f})" fill="currentColor">'
            f"{escape(y_label)}</text>"
        )
    return parts


def drawn(
    points: Sequence[Point], across: Axis, up: Axis, width: int, height: int, colour: str
) -> list[str]:
    """One line with its points, and a bar through each that has an interval."""
    few = len(points) <= 40
    places = [at(across.place(p.x), up.place(p.y), width, height) for p in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>']
    for point, (x, y) in zip(points, places, strict=True):
        if few:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>')
        if point.low is not None and point.high is not None:
            low, high = (at(0, up.place(v), width, height)[1] for v in (point.low, point.high))
            parts.append(
                f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" '
                f'stroke="{colour}" stroke-opacity="0.5"/>'
            )
    return parts


def legend(name: str, number: int, colour: str) -> str:
    """What a line is of."""
    x = LEFT + 130 * number
    return (
        f'<rect x="{x}" y="22" width="14" height="3" fill="{colour}"/>'
        f'<text x="{x + 18}" y="27" fill="currentColor">{escape(name)}</text>'
    )
