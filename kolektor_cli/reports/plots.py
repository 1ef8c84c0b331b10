"""Plots as SVG: numbers in, text out.

A library of plots would be larger than this package and its other dependencies together, and a plot
of ours is two axes with bars, lines or points. Colours are classes, ``s0`` to ``s7``, which the
page's style sheet gives; so a plot follows the page into the dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

WIDTH, HEIGHT = 420, 300
"""The size of a plot in units; it is drawn as wide as there is room, up to 1.3 pixels a unit."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 46

_COLORS = 8

_DOTS = 2.0
"""Points of a curve that are nearer than half of such a unit are drawn as one."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its title, and the values at its ends; `log` needs ends above 0."""

    title: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, from 0 at the low end to 1 at the high end."""
        low, high, at = (
            map(math.log, (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return (at - low) / (high - low) if high > low else 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name; `labels` name each point, or are empty.

    A line of `stairs` goes along x, then along y: the curve of a few scores has no slopes.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[str] = ()
    stairs: bool = False


def axis_of(title: str, values: Iterable[float], *, log: bool = False) -> Axis:
    """Return an axis that holds all values; a logarithmic one needs values above 0."""
    known = list(values) or [1.0 if log else 0.0]
    low, high = min(known), max(known)
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        # As good as one value. The reach is relative, so that huge values differ from it, too.
        reach = abs(low) / 2 or 0.5
        low, high = low - reach, high + reach
    return Axis(title, low, high, log)


def ticks(axis: Axis, wanted: int = 5) -> list[float]:
    """Return values to be written at an axis: about `wanted` round ones, or powers of ten.

    Examples
    --------
    >>> ticks(Axis("rate", 0, 0.3))
    [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    >>> ticks(Axis("pixels", 30, 9000, log=True))
    [100.0, 1000.0]
    """
    if axis.log:
        for parts in ((1,), (1, 2, 5)):
            found = _log_ticks(axis, parts)
            if len(found) > 1:
                return found
    rough = (axis.high - axis.low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((size * power for size in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


def _log_ticks(axis: Axis, parts: Sequence[int]) -> list[float]:
    exponents = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    values = [part * 10.0**exponent for exponent in exponents for part in parts]
    return [value for value in values if axis.low <= value <= axis.high]


def histogram(
    key: str, title: str, x_title: str, groups: Mapping[str, Sequence[float]], *, log: bool = False
) -> str:
    """Return the SVG of a histogram; the bars of several groups stand side by side.

    Parameters
    ----------
    key
        A name for the plot's identifiers, unique in its page: letters, digits and hyphens.
    groups
        The values of each group, by its name.
    log
        Bins are of equal width on a logarithmic axis; all values must be above 0.
    """
    every = [value for values in groups.values() for value in values]
    x = axis_of(x_title, every, log=log)
    bins = min(24, max(6, math.isqrt(len(every)) * 2))
    counts = [_count(x, values, bins) for values in groups.values()]
    highest = max((number for row in counts for number in row), default=0)
    y = Axis("number", 0, max(highest, 1))
    frame = _Frame(x, y, whole=True)
    told = "; ".join(f"{name}: {_summary(values)}" for name, values in groups.items())
    return _svg(key, title, told, [*frame.lines(), *_bars(frame, counts, bins)])


def _count(axis: Axis, values: Sequence[float], bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(int(axis.share(value) * bins), bins - 1)] += 1
    return counts


def _bars(frame: _Frame, counts: Sequence[Sequence[int]], bins: int) -> Iterator[str]:
    room = frame.width / bins
    width = (room - 1) / max(len(counts), 1)
    for group, row in enumerate(counts):
        for number, count in enumerate(row):
            if count:
                left, top = _LEFT + number * room + group * width + 0.5, frame.y_of(count)
                yield (
                    f'<rect class="s{group % _COLORS}" x="{_n(left)}" y="{_n(top)}" '
                    f'width="{_n(width)}" height="{_n(HEIGHT - _BOTTOM - top)}"/>'
                )


def _summary(values: Sequence[float]) -> str:
    if not values:
        return "no values"
    low, high = min(values), max(values)
    return f"{len(values)} values from {low:.4g} to {high:.4g}, median {median(values):.4g}"


def curves(key: str, title: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """Return the SVG of one line a series; lines end where the axis of x does.

    `key` is as in `histogram`. `x` of each series rises, or falls.
    """
    frame = _Frame(x, y)
    drawn = [_line(frame, number, one) for number, one in enumerate(series)]
    told = f"{y.title} over {x.title} of {_names(series)}"
    return _svg(key, title, told, [*frame.lines(), *drawn])


def _line(frame: _Frame, number: int, series: Series) -> str:
    points = _thinned((frame.x_of(x), frame.y_of(y)) for x, y in _within(frame.x, series))
    path = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    return f'<polyline class="l{number % _COLORS}" points="{path}"/>'


def _within(axis: Axis, series: Series) -> Iterator[tuple[float, float]]:
    """Yield the points of a series within an axis, and one at its end where the line leaves it."""
    points = list(zip(series.x, series.y, strict=True))
    if series.stairs:
        points = _stairs(points)
    yield from (point for point in points[:1] if axis.low <= point[0] <= axis.high)
    for (x, y), (next_x, next_y) in pairwise(points):
        if axis.low <= next_x <= axis.high:
            yield next_x, next_y
        elif axis.low <= x <= axis.high:
            end = axis.high if next_x > axis.high else axis.low
            yield end, y + (next_y - y) * (end - x) / (next_x - x)


def _stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put a corner between each two points: first along x, then along y."""
    corners = [(next_x, y) for (_, y), (next_x, _) in pairwise(points)]
    found = [place for both in zip(points, corners, strict=False) for place in both]
    return [*found, *points[-1:]]


def _thinned(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out points that the one before hides; the first and the last one stay."""
    kept: list[tuple[float, float]] = []
    last: tuple[float, float] | None = None
    for x, y in points:
        last = (x, y)
        if (
            not kept
            or round(x * _DOTS) != round(kept[-1][0] * _DOTS)
            or (round(y * _DOTS) != round(kept[-1][1] * _DOTS))
        ):
            kept.append(last)
    return kept if last is None or kept[-1] == last else [*kept, last]


def scatter(key: str, title: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """Return the SVG of points; the label of a point is shown where a pointer rests on it.

    `key` is as in `histogram`.
    """
    frame = _Frame(x, y)
    points = [dot for number, one in enumerate(series) for dot in _dots(frame, number, one)]
    told = (
        f"{sum(len(one.x) for one in series)} points: {y.title} over {x.title} of {_names(series)}"
    )
    return _svg(key, title, told, [*frame.lines(), *points])


def _dots(frame: _Frame, number: int, series: Series) -> Iterator[str]:
    labels = series.labels or [""] * len(series.x)
    for x, y, label in zip(series.x, series.y, labels, strict=True):
        title = f"<title>{escape(label)}</title>" if label else ""
        yield (
            f'<circle class="s{number % _COLORS}" cx="{_n(frame.x_of(x))}" '
            f'cy="{_n(frame.y_of(y))}" r="3.5">{title}</circle>'
        )


def _names(series: Sequence[Series]) -> str:
    return ", ".join(one.name for one in series) or "nothing"


@dataclass(frozen=True, slots=True)
class _Frame:
    """The frame of a plot; with `whole`, no fraction is written at y."""

    x: Axis
    y: Axis
    whole: bool = False

    @property
    def width(self) -> float:
        return WIDTH - _LEFT - _RIGHT

    def x_of(self, value: float) -> float:
        return _LEFT + self.x.share(value) * self.width

    def y_of(self, value: float) -> float:
        return HEIGHT - _BOTTOM - self.y.share(value) * (HEIGHT - _TOP - _BOTTOM)

    def lines(self) -> Iterator[str]:
        """Yield the grid with its numbers, and the titles of both axes."""
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        for value in ticks(self.y):
            if not self.whole or value == int(value):
                at = _n(self.y_of(value))
                yield f'<path class="grid" d="M{_LEFT} {at}H{right}"/>'
                place = f'x="{_LEFT - 6}" y="{at}" dy=".35em"'
                yield f'<text class="end" {place}>{_label(value)}</text>'
        for value in ticks(self.x):
            at = _n(self.x_of(value))
            yield f'<path class="grid" d="M{at} {_TOP}V{bottom}"/>'
            yield f'<text class="mid" x="{at}" y="{bottom + 16}">{_label(value)}</text>'
        yield f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>'
        middle, height = (_LEFT + right) / 2, (_TOP + bottom) / 2
        yield f'<text class="mid" x="{_n(middle)}" y="{HEIGHT - 8}">{escape(self.x.title)}</text>'
        yield (
            f'<text class="mid" transform="translate(12 {_n(height)}) rotate(-90)">'
            f"{escape(self.y.title)}</text>"
        )


def _svg(key: str, title: str, told: str, parts: Iterable[str]) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(told)}</desc>{"".join(parts)}</svg>'
    )


def _label(value: float) -> str:
    """Write a number at an axis; those with many digits as powers."""
    return f"{value:g}" if 1e-4 <= abs(value) < 1e6 or not value else f"{value:.0e}"


def _n(value: float) -> str:
    """Write a coordinate to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")
