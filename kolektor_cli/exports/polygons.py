"""Regions as polygons that are filled to the same pixels again.

A polygon runs inside the outer edges of the border pixels, a sixth of a pixel from them. It
encloses the centres of exactly the region's pixels, for readers that fill by centres, and its
coordinates without their fractions are border pixels, for readers that drop fractions and fill
with the border. Its area and its box are nearly those of the pixels, also where a region is one
pixel wide.

A polygon has no holes. Each hole is cut open: the line goes straight left from the hole's leftmost
point to the next border, and back the same way.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.pixels import Pixels

Polygon: TypeAlias = npt.NDArray[np.float64]

_Line: TypeAlias = npt.NDArray[np.signedinteger[Any]]

_FINE = 3
"""Fine pixels along a side of a pixel: contours run through the centres of fine pixels."""


def polygon_of(region: Pixels) -> Polygon:
    """Return the polygon of an 8-connected region: points x 2 (x, y) in pixels.

    `region` is height x width uint8, not 0 on the region. The origin is the outer corner of the top
    left pixel.

    Examples
    --------
    >>> polygon_of(np.ones((1, 2), np.uint8)).round(2).tolist()
    [[0.17, 0.17], [0.17, 0.83], [1.83, 0.83], [1.83, 0.17]]
    """
    fine = region.repeat(_FINE, axis=0).repeat(_FINE, axis=1)
    found, [hierarchy] = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lines = [np.asarray(contour, np.int64)[:, 0] for contour in found]
    # The last number is that of the contour around: a hole has one.
    [line] = [line for line, place in zip(lines, hierarchy, strict=True) if place[3] < 0]
    holes = [hole for hole, place in zip(lines, hierarchy, strict=True) if place[3] >= 0]
    # What lies left of a hole is part of the line by then.
    for hole in sorted(holes, key=lambda hole: int(hole[:, 0].min())):
        line = _cut_open(line, hole, fine)
    return (_corners(line) + 0.5) / _FINE


def _cut_open(line: _Line, hole: _Line, fine: Pixels) -> _Line:
    """Return a line that goes from its border to a hole on the right, around it, and back."""
    start = int(hole[:, 0].argmin())
    x, y = hole[start]
    [*_, outside] = -1, *np.flatnonzero(fine[y, :x] == 0)
    at = int(np.flatnonzero((line == (outside + 1, y)).all(axis=1))[0])
    around = np.roll(hole, -start, axis=0)
    return np.concatenate((line[: at + 1], around, around[:1], line[at:]))


def _corners(line: _Line) -> _Line:
    """Return the points of a closed line at which it turns."""
    steps = np.diff(line, axis=0, append=line[:1])
    turns: npt.NDArray[np.bool_] = (steps != np.roll(steps, 1, axis=0)).any(axis=1)
    return line[turns]
