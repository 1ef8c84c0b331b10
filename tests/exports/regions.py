"""Masks and their regions to draw, and readers that fill polygons, each by its own rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.pixels import Pixels

Points: TypeAlias = npt.NDArray[np.floating[Any]]


def regions(mask: Pixels) -> Iterator[tuple[Rectangle, Pixels]]:
    """Yield the box of each 8-connected region, and the region alone in the whole image."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for region in range(1, number):
        left, top, width, height, _ = stats[region].tolist()
        yield (left, top, width, height), (np.asarray(labels) == region).astype(np.uint8)


def cut(whole: Pixels, box: Rectangle) -> Pixels:
    left, top, width, height = box
    return whole[top : top + height, left : left + width]


@st.composite
def masks(draw: st.DrawFn, most: int = 12) -> Pixels:
    """Draw small masks, from single pixels to regions with many holes."""
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    level, seed = draw(st.integers(1, 9)), draw(st.integers(0, 2**32 - 1))
    noise = np.random.default_rng(seed).integers(0, 10, (height, width))
    return (noise < level).astype(np.uint8)


def ring_with_a_dot(size: int = 9) -> Pixels:
    """Draw a ring with a dot in its hole, which is a region of its own."""
    mask = np.zeros((size, size + 2), np.uint8)
    mask[1:-1, 1:-1] = 1
    mask[3:-3, 3:-3] = 0
    mask[size // 2, size // 2] = 1
    return mask


def fill_indices(points: Points, size: Size) -> Pixels:
    """Fill as Ultralytics does: fractions dropped, the border part of it."""
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask


def fill_drawn(points: Points, size: Size) -> Pixels:
    """Fill as labelme does."""
    image = Image.new("L", size)
    xy = [(float(x), float(y)) for x, y in points]
    ImageDraw.Draw(image).polygon(xy, outline=1, fill=1)
    return np.asarray(image)


def fill_centres(points: Points, size: Size) -> Pixels:
    """Fill as COCO does."""
    parts = coco.frPyObjects([points.ravel().tolist()], size[1], size[0])
    filled: Pixels = coco.decode(coco.merge(parts))
    return filled


FILLS: Mapping[str, Callable[[Points, Size], Pixels]] = {
    "ultralytics": fill_indices,
    "labelme": fill_drawn,
    "coco": fill_centres,
}
