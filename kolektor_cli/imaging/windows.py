"""Square windows that cover every defect of a mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.pixels import Pixels

Group: TypeAlias = frozenset[Rectangle]
"""Boxes of the defects in one window."""


def windows_over_defects(mask: Pixels, side: int) -> list[Rectangle]:
    """Return windows of `side` x `side` pixels that cover the defects of a mask.

    The mask is height x width uint8 with at least one non-zero pixel. Every non-zero pixel lies in
    a window, and every defect (8-connected component) that fits into a window lies whole in one.
    Windows are chosen from the top down, each for as many defects as it can hold, and centred on
    their box as far as the image's border allows; where the image is smaller than the window, the
    window is centred on the image. They are sorted from top to bottom, then from left to right.
    """
    covered = _cover(frozenset(_defects(mask, side)), side)
    size = (mask.shape[1], mask.shape[0])
    windows = [_centred_window(size, side, _bounding_box(boxes)) for boxes in covered]
    return sorted(windows, key=lambda window: (window[1], window[0]))


def _centred_window(size: Size, side: int, box: Rectangle) -> Rectangle:
    """Centre a window on a box and shift it into the image, or centre it on a smaller image."""
    left, top = (
        min(max(start + (extent - side) // 2, 0), length - side)
        if length > side
        else (length - side) // 2
        for length, start, extent in zip(size, box[:2], box[2:], strict=True)
    )
    return left, top, side, side


def _defects(mask: Pixels, side: int) -> list[Rectangle]:
    """Return the boxes of all defects; cut a defect larger than a window into parts that fit."""
    binary = (mask > 0).astype(np.uint8)
    count, components, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    boxes: list[Rectangle] = []
    for component in range(1, count):
        left, top, width, height = (int(number) for number in stats[component, :4])
        if max(width, height) <= side:
            boxes.append((left, top, width, height))
            continue
        inside = components[top : top + height, left : left + width] == component
        boxes += [(left + x, top + y, w, h) for x, y, w, h in _tiles(np.asarray(inside), side)]
    return boxes


def _tiles(inside: npt.NDArray[np.bool_], side: int) -> Iterator[Rectangle]:
    """Cut a height x width bool array into tiles; yield the box of the marked part of each."""
    for top in range(0, inside.shape[0], side):
        for left in range(0, inside.shape[1], side):
            rows, columns = np.nonzero(inside[top : top + side, left : left + side])
            if rows.size:
                x, y = int(columns.min()), int(rows.min())
                width, height = int(columns.max()) - x + 1, int(rows.max()) - y + 1
                yield left + x, top + y, width, height


def _cover(boxes: Group, side: int) -> list[Group]:
    """Group boxes by window; each holds the topmost box left and as many others as fit."""
    covered = []
    while boxes:
        largest = max(_groups(boxes, side), key=len)
        covered.append(largest)
        boxes -= largest
    return covered


def _groups(boxes: Group, side: int) -> list[Group]:
    """Return the groups of boxes that a window with the topmost box can hold, from left to right.

    Only windows that start at the top of that box and at the left of a box need a look: no box
    starts above the topmost, and a window can shift right to its first box.
    """
    first_left, top, first_width, _ = min(boxes, key=lambda box: (box[1], box))
    low = [box for box in boxes if box[1] + box[3] <= top + side]
    lefts = {box[0] for box in low if first_left + first_width - side <= box[0] <= first_left}
    return [
        frozenset(box for box in low if left <= box[0] and box[0] + box[2] <= left + side)
        for left in sorted(lefts)
    ]


def _bounding_box(boxes: Group) -> Rectangle:
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right = max(box[0] + box[2] for box in boxes)
    bottom = max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top
