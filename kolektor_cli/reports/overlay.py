"""Overlays: outlines of defects, heat maps, and cuts around defects.

Outlines are drawn after an image has its final size, so that they are one pixel wide.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.geometry import Rectangle
from kolektor_cli.imaging.pixels import Pixels, binary

RGB: TypeAlias = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

OUTLINE: RGB = (0, 229, 255)
"""Of defects: cyan stands out from gray parts and from every colour of a heat map."""

SECOND_OUTLINE: RGB = (255, 140, 0)
"""Of the other of two masks: orange differs from `OUTLINE` for colour-blind readers, too."""

LOST: RGB = (230, 0, 40)
"""Of defect pixels that an output loses."""

PADDING = 128
"""The value, in all channels, of what lies beyond the edge of an image or of a map."""

_TALL = 1.5
"""An image is laid on its side from this ratio of height to width on, which saves space."""

_MOST_ENLARGED = 8
"""The largest factor of a close-up: beyond it, a defect of a few pixels has no surroundings."""


def to_rgb(pixels: Pixels) -> Pixels:
    """Return a copy of an image as height x width x 3 uint8 (RGB).

    Parameters
    ----------
    pixels
        Height x width, or height x width x 3 (RGB), uint8.
    """
    if pixels.ndim == 3:
        return np.array(pixels, np.uint8, order="C")
    return np.repeat(pixels[:, :, None], 3, axis=2).astype(np.uint8, copy=False)


def outlined(image: Pixels, mask: Pixels | None, color: RGB = OUTLINE) -> Pixels:
    """Return an image as RGB with the contours of a mask in a colour, one pixel wide.

    All pixels outside the contours are those of the image.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8; it is not changed.
    mask
        Height x width uint8, non-zero on defects; None for no outline.
    color
        The colour of the contours.

    Returns
    -------
    Pixels
        Height x width x 3 uint8. The contours are those of ``cv2.findContours`` with ``RETR_LIST``
        and ``CHAIN_APPROX_NONE``: the outermost pixels of each defect, and those around its holes.
    """
    drawn = to_rgb(image)
    if mask is None:
        return drawn
    marked = (mask > 0).astype(np.uint8)
    contours, _ = cv2.findContours(marked, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        drawn[contour[:, 0, 1], contour[:, 0, 0]] = color
    return drawn


@cache
def _table() -> Pixels:
    """Return the 256 colours of cividis, 256 x 3 uint8 (RGB), from the lowest to the highest."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    colors = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    return colors[:, 0].astype(np.uint8, copy=False)


def heat_map(scores: npt.NDArray[np.floating[Any]], low: float, high: float) -> Pixels:
    """Return scores as colours of OpenCV's cividis, height x width x 3 uint8 (RGB).

    Parameters
    ----------
    scores
        Height x width, finite.
    low, high
        The scores of the first and of the last colour. Scores between them are linear, those
        beyond are clipped. If `high` is not above `low`, all scores get the first colour.
    """
    span = high - low
    if not span > 0:
        return _table()[np.zeros(scores.shape, np.uint8)]
    places = np.clip((scores.astype(np.float64) - low) / span, 0, 1) * 255
    return _table()[np.rint(places).astype(np.uint8)]


def color_bar(height: int, width: int) -> Pixels:
    """Return the colours of `heat_map`, the highest on top: height x width x 3 uint8 (RGB)."""
    places = np.rint(np.linspace(255, 0, height)).astype(np.uint8)
    return np.repeat(_table()[places][:, None], width, axis=1)


def close_up(image: Pixels, mask: Pixels, side: int) -> Pixels:
    """Return a square cut around the largest defect of a mask, with its outline.

    It is enlarged by a whole number, nearest neighbour, as far as the defect allows; around a
    defect that is larger than the cut, more is cut out and shrunk. What lies beyond the edge of the
    image has the value `PADDING`. Without a defect, the middle of the image is shown.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8.
    mask
        Height x width uint8, non-zero on defects.
    side
        Width and height of the result in pixels.

    Returns
    -------
    Pixels
        `side` x `side` x 3 uint8 (RGB).
    """
    left, top, width, height = _largest_defect(mask)
    # A margin of an eighth on each side, and a few pixels for the smallest defects.
    needed = max(width, height) * 5 // 4 + 4
    factor = min(max(side // needed, 1), _MOST_ENLARGED)
    length = max(needed, -(-side // factor))
    first = _start(left, width, length, mask.shape[1]), _start(top, height, length, mask.shape[0])
    cut, marks = _cut(image, first, length, PADDING), _cut(mask, first, length, 0)
    return outlined(_scaled(cut, factor, side), _scaled(binary(marks), factor, side))


def _largest_defect(mask: Pixels) -> Rectangle:
    """Return the box of the largest 8-connected component; without one, a pixel in the middle."""
    marked = (mask > 0).astype(np.uint8)
    # The box of all is found much faster than components.
    x, y, columns, rows = cv2.boundingRect(marked)
    if not columns:
        return mask.shape[1] // 2, mask.shape[0] // 2, 1, 1
    inside = marked[y : y + rows, x : x + columns]
    _, _, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    left, top, width, height = (int(number) for number in stats[largest, :4])
    return x + left, y + top, width, height


def _start(first: int, number: int, length: int, available: int) -> int:
    """Return where a cut of `length` pixels begins, centred on a defect, in the image if it can."""
    if length >= available:
        return (available - length) // 2
    return min(max(first + (number - length) // 2, 0), available - length)


def _cut(pixels: Pixels, first: tuple[int, int], length: int, beyond: int) -> Pixels:
    """Return a square of an image, or of a mask; beyond the edge, all values are `beyond`."""
    left, top = first
    cut = np.full((length, length, *pixels.shape[2:]), beyond, np.uint8)
    rows = slice(max(top, 0), min(top + length, pixels.shape[0]))
    columns = slice(max(left, 0), min(left + length, pixels.shape[1]))
    cut[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = pixels[
        rows, columns
    ]
    return cut


def _scaled(pixels: Pixels, factor: int, side: int) -> Pixels:
    """Enlarge a square by a factor and cut it to `side`, or shrink it to `side`."""
    if factor == 1 and len(pixels) > side:
        return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return _enlarged(pixels, factor)[:side, :side]


def _enlarged(pixels: Pixels, factor: int) -> Pixels:
    return np.repeat(np.repeat(pixels, factor, axis=0), factor, axis=1)


def fitted(image: Pixels, width: int, height: int) -> Pixels:
    """Return an image resized to fit into a width and a height, its aspect kept.

    It is shrunk by areas, or enlarged by the largest whole number that fits, nearest neighbour.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8; masks are 0 and 255.
    width, height
        The space in pixels.

    Returns
    -------
    Pixels
        With as many channels as `image`, uint8.
    """
    rows, columns = image.shape[:2]
    factor = min(width // columns, height // rows)
    if factor >= 1:
        return _enlarged(image, factor)
    if columns * height >= rows * width:
        size = width, max(1, round(rows * width / columns))
    else:
        size = max(1, round(columns * height / rows)), height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def laid(image: Pixels) -> Pixels:
    """Return a tall image turned counter-clockwise by 90 degrees, so that it lies; others as is."""
    if image.shape[0] <= _TALL * image.shape[1]:
        return image
    return np.ascontiguousarray(np.rot90(image))
