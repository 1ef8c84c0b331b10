"""Plots: what stands where, in figures that are easily reckoned."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.reports.plots import (
    HEIGHT,
    WIDTH,
    Axis,
    Series,
    axis_of,
    curves,
    histogram,
    scatter,
    ticks,
)

UNIT = Axis("x", 0, 1)

finite = st.floats(-1e12, 1e12, allow_subnormal=False)


def parts(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(tag))


def points(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, place.split(","))) for place in (line.get("points") or "").split()]  # type: ignore[misc]
        for line in parts(svg, "polyline")
    ]


@given(finite, finite)
def test_ticks_are_a_few_round_numbers_in_the_axis(first: float, second: float) -> None:
    axis = axis_of("x", [first, second])
    found = ticks(axis)
    reach = axis.high - axis.low
    assert 2 <= len(found) <= 12
    assert found == sorted(found)
    assert all(axis.low - reach / 1e6 <= tick <= axis.high + reach / 1e6 for tick in found)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_ticks_of_a_logarithmic_axis_lie_in_it(first: float, second: float) -> None:
    axis = axis_of("x", [first, second], log=True)
    found = ticks(axis)
    assert len(found) > 1
    assert all(-1e-6 <= axis.share(tick) <= 1 + 1e-6 for tick in found if tick > 0)


def test_axis_of_one_value_or_none_has_a_reach() -> None:
    assert axis_of("x", [7, 7]).share(7) == 0.5
    assert axis_of("x", [0]).high > 0
    assert axis_of("x", [], log=True).low > 0
    assert axis_of("x", [1e300]).high > 1e300


def test_bars_are_as_high_as_their_numbers() -> None:
    svg = histogram("key", "Sizes", "pixels", {"a": [1, 1, 1, 1, 10], "b": [10, 10]})
    first, second = (
        [float(bar.get("height") or 0) for bar in parts(svg, "rect") if bar.get("class") == name]
        for name in ("s0", "s1")
    )
    assert first[0] == pytest.approx(4 * first[1], abs=0.3)
    assert second == [pytest.approx(2 * first[1], abs=0.3)]
    assert "5 values from 1 to 10, median 1" in svg


def test_every_value_is_counted_once() -> None:
    values = [float(number) for number in range(1, 400)]
    svg = histogram("key", "Sizes", "pixels", {"all": values}, log=True)
    heights = [float(bar.get("height") or 0) for bar in parts(svg, "rect")]
    highest = max(heights)
    counts = [0] * 24
    for value in values:
        counts[min(int(24 * math.log(value) / math.log(399)), 23)] += 1
    expected = [count / max(counts) * highest for count in counts if count]
    assert heights == pytest.approx(expected, abs=0.2)


def test_histogram_of_nothing_is_a_frame() -> None:
    svg = histogram("key", "Sizes", "pixels", {"none": []})
    assert parts(svg, "rect") == []
    assert "no values" in svg


def test_line_goes_from_corner_to_corner() -> None:
    [line] = points(curves("key", "A line", UNIT, UNIT, [Series("a", (0, 1), (0, 1))]))
    (left, bottom), (right, top) = line
    assert 0 < left < right < WIDTH
    assert 0 < top < bottom < HEIGHT


def test_line_ends_where_the_axis_does() -> None:
    whole = Series("a", (0, 0.2, 0.4, 1), (0, 0.5, 0.7, 1))
    [cut] = points(curves("key", "A line", Axis("x", 0, 0.3), UNIT, [whole]))
    [full] = points(curves("key", "A line", UNIT, UNIT, [Series("a", (0, 1), (0.6, 0.6))]))
    assert len(cut) == 3
    # At 0.3, halfway from 0.5 to 0.7.
    assert cut[-1] == (full[-1][0], full[-1][1])


def test_stairs_go_along_before_they_go_up() -> None:
    steps = Series("a", (0, 0.5, 1), (0, 0.5, 1), stairs=True)
    [line] = points(curves("key", "A line", UNIT, UNIT, [steps]))
    assert len(line) == 5
    for number, ((x, y), (next_x, next_y)) in enumerate(pairwise(line)):
        assert (y == next_y) if number % 2 == 0 else (x == next_x)


def test_points_that_cannot_be_told_apart_are_left_out() -> None:
    many = [number / 100_000 for number in range(100_001)]
    [line] = points(curves("key", "A line", UNIT, UNIT, [Series("a", many, many)]))
    assert len(line) < 2000
    assert line[-1] == points(curves("k", "t", UNIT, UNIT, [Series("a", (0, 1), (0, 1))]))[0][-1]


def test_points_have_their_labels_as_text() -> None:
    named = Series("<b>", (0.5,), (0.5,), ('<script>"&',))
    svg = scatter("key", "Points & more", UNIT, UNIT, [named])
    [dot] = parts(svg, "circle")
    assert dot[0].text == '<script>"&'
    assert "1 points" in svg


@pytest.mark.parametrize("name", ['<script>alert("1")</script>', "a & b", "\N{HEBREW LETTER ALEF}"])
def test_plots_are_told_to_those_who_do_not_see_them(name: str) -> None:
    svg = curves("key", name, UNIT, UNIT, [Series(name, (0, 1), (0, 1))])
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "key-title key-desc"
    title, told = root[0], root[1]
    assert (title.tag, title.text) == ("title", name)
    assert (told.tag, name in (told.text or "")) == ("desc", True)


def test_numbers_at_an_axis_are_short() -> None:
    svg = curves("key", "A line", Axis("x", 0, 3e-7), Axis("y", 0, 5e9), [])
    shown = [text.text or "" for text in parts(svg, "text")]
    assert all(len(text) <= 8 for text in shown)
    assert not re.search(r"nan|inf", svg)
