"""Square windows that cover every defect of a mask: few, whole, and centred on what they cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.images import Pixels
from kolektor_cli.records import Rectangle, Size

_EXACT = 12
"""Defects for which every choice of windows is tried; of more, the first ones are covered greedily.
No real mask has more than a few."""

Group: TypeAlias = frozenset[Rectangle]
"""The boxes of defects that one window holds."""


def windows_over_defects(mask: Pixels, side: int) -> list[Rectangle]:
    """Place windows of `side` x `side` pixels on a mask, height x width uint8, that is not empty.

    Every non-zero pixel lies in a window, and every defect (8-connected component) that fits into
    a window lies in one whole. There are as few windows as that allows, each centred on the box
    around the defects it covers as far as the image's border allows; of an image that is smaller
    than the window, the window is centred on the image. From top to bottom, then left to right.
    """
    covered = _cover(frozenset(_defects(mask, side)), side)
    size = (mask.shape[1], mask.shape[0])
    windows = [_centred_window(size, side, _bounding_box(boxes)) for boxes in covered]
    return sorted(windows, key=lambda window: (window[1], window[0]))


def _centred_window(size: Size, side: int, box: Rectangle) -> Rectangle:
    """Centre a window on a box and move it into the image, or centre it on a smaller image."""
    left, top = (
        min(max(start + (extent - side) // 2, 0), length - side)
        if length > side
        else (length - side) // 2
        for length, start, extent in zip(size, box[:2], box[2:], strict=True)
    )
    return left, top, side, side


def _defects(mask: Pixels, side: int) -> list[Rectangle]:
    """Find the boxes of all defects; one larger than a window is cut into parts that are not."""
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
    """Cut what is marked, height x width bool, into tiles; yield the box of each one's part."""
    for top in range(0, inside.shape[0], side):
        for left in range(0, inside.shape[1], side):
            rows, columns = np.nonzero(inside[top : top + side, left : left + side])
            if rows.size:
                x, y = int(columns.min()), int(rows.min())
                width, height = int(columns.max()) - x + 1, int(rows.max()) - y + 1
                yield left + x, top + y, width, height


def _cover(boxes: Group, side: int) -> list[Group]:
    """Share boxes out to as few windows as can hold them."""
    covered = []
    while len(boxes) > _EXACT:
        largest = max(_groups(boxes, side), key=len)
        covered.append(largest)
        boxes -= largest
    return covered + _fewest(boxes, side)


def _fewest(boxes: Group, side: int) -> list[Group]:
    if not boxes:
        return []
    groups = list(dict.fromkeys(_groups(boxes, side)))
    choices = [group for group in groups if not any(group < other for other in groups)]
    return min(([group, *_fewest(boxes - group, side)] for group in choices), key=len)


def _groups(boxes: Group, side: int) -> list[Group]:
    """List what a window that holds the topmost box can hold, from left to right.

    Such a window may as well begin at the top of that box, as no other box begins above it, and at
    the left of one of its boxes.
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
