"""Line charts as SVG."""

import math
from xml.etree import ElementTree

import pytest

from bluerider.charts import Point, line_chart, numbers_axis

SVG = "{http://www.w3.org/2000/svg}"


def chart(series, **options) -> ElementTree.Element:
    return ElementTree.fromstring(line_chart("t", series, x_label="step", **options))


def places(line: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]


def test_a_rising_line_rises() -> None:
    found = places(chart({"a": [Point(x=i, y=i * i) for i in range(5)]}).find(f"{SVG}polyline"))
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert [y for _, y in found] == sorted((y for _, y in found), reverse=True)


def test_points_stay_inside() -> None:
    points = [Point(x=3, y=-2.0, low=-4.0, high=9.5), Point(x=8, y=7.0)]
    root = chart({"a": points}, width=300, height=200)
    for line in root.iter(f"{SVG}line"):
        assert 0 <= float(line.get("y1")) <= 200 and 0 <= float(line.get("x2")) <= 300


def test_every_line_has_its_colour_and_name() -> None:
    root = chart({name: [Point(x=0, y=1), Point(x=1, y=2)] for name in ("a", "b")})
    assert len({line.get("stroke") for line in root.iter(f"{SVG}polyline")}) == 2
    assert {"a", "b"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_what_is_no_number_is_left_out() -> None:
    points = [Point(x=0, y=1), Point(x=1, y=math.nan), Point(x=2, y=math.inf), Point(x=3, y=2)]
    assert len(places(chart({"a": points}).find(f"{SVG}polyline"))) == 2


def test_words_stand_at_their_places() -> None:
    root = chart({"a": [Point(x=0, y=1), Point(x=1, y=2)]}, names=["ddim", "a <b>"])
    assert {"ddim", "a <b>"} <= {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("values", [[], [5.0], [0.0, 1e-9], [-1e9, 1e9], [0.2, 0.21]])
def test_an_axis_holds_its_values_with_few_ticks(values) -> None:
    axis = numbers_axis(values)
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(axis.ticks) <= 9
