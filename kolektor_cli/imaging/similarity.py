"""Search for images that are the same picture: identical, or photographed or encoded again.

Each image is reduced to a small thumbnail of its coarse detail. Two images are the same picture if
their thumbnails correlate by `THRESHOLD` or more. In KolektorSDD, the 24 pairs that are the same
picture correlate by at least 0.98, all other pairs by at most 0.52. An image correlates with its
original by at least 0.85 if it was saved again as JPEG of quality 60, made 10 % brighter or darker,
shifted by 10 pixels each way or scaled by 2 %, and by 0.80 after all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from kolektor_cli.imaging.pixels import Pixels

THRESHOLD = 0.70
"""Correlation from which two images are the same picture; in the gap between 0.52 and 0.85."""

THUMBNAIL_SIZE = (20, 50)
"""Width and height of a thumbnail. One pixel covers 23x23 pixels of a KolektorSDD image, so a shift
by a few pixels changes little."""

THUMBNAIL_LENGTH = THUMBNAIL_SIZE[0] * THUMBNAIL_SIZE[1]
"""Number of values in a thumbnail."""

_MARGIN = 0.05
"""Fraction of width and height to ignore at each edge: a shift or a scaling leaves black or
repeated pixels there."""

_FINE_SIGMA, _COARSE_SIGMA = 1.0, 2.5
"""Standard deviations, in thumbnail pixels, of the two blurs whose difference is the detail. Finer
detail does not survive a shift; broad changes of light are alike in many images."""

_LEAST_DETAIL = 0.1
"""Standard deviation of the detail, in gray values, below which an image counts as uniform."""

_BLOCK = 256
"""Thumbnails to compare at a time; larger blocks take more memory and save little time."""

Pairs: TypeAlias = list[tuple[int, int]]

Run: TypeAlias = Callable[[Callable[[int], Pairs], Sequence[int]], Iterable[Pairs]]
"""Calls a function with each of several numbers, in order, like ``map``."""

Thumbnail: TypeAlias = npt.NDArray[np.int8]
"""Detail of one image, flat, scaled to the range from -127 to 127; all 0 for a uniform image."""

Thumbnails: TypeAlias = Sequence[Thumbnail] | npt.NDArray[np.int8]
"""A sequence of thumbnails, or an array with a thumbnail in each row."""


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Return the thumbnail of an image, height x width uint8 of any size."""
    shrunk = _shrunk(pixels)
    height, width = shrunk.shape
    top, left = int(height * _MARGIN), int(width * _MARGIN)
    inner = shrunk[top : height - top, left : width - left]
    small = cv2.resize(inner, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), s) for s in (_FINE_SIGMA, _COARSE_SIGMA))
    detail = np.asarray(fine - coarse, np.float32)
    detail -= detail.mean()
    if detail.std() < _LEAST_DETAIL:
        return np.zeros(detail.size, np.int8)
    scaled = np.rint(detail * (127 / np.abs(detail).max())).ravel()
    return np.asarray(scaled, np.int8)


def _shrunk(pixels: Pixels) -> Pixels:
    """Halve an image, by averages of 2x2 pixels, while at least twice a thumbnail's size remains.

    Halving first is faster than a direct resize to the thumbnail.
    """
    height, width = pixels.shape
    while width >= 4 * THUMBNAIL_SIZE[0] and height >= 4 * THUMBNAIL_SIZE[1]:
        height, width = height // 2, width // 2
        whole = pixels[: 2 * height, : 2 * width]
        halved = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        pixels = halved.astype(np.uint8, copy=False)
    return pixels


def similar_pairs(thumbnails: Thumbnails, run: Run = map) -> list[tuple[int, int]]:
    """Return the indices (i, j), i < j, of all pairs that correlate by `THRESHOLD` or more.

    Multiplies each block of thumbnails with all later ones: memory grows with the number of images,
    time with its square. `run` calls a function for each block, like ``map``, and may use threads.
    """
    starts = range(0, len(thumbnails), _BLOCK)
    # BLAS threads beside those of `run` would spin while they wait for each other.
    with threadpool_limits(1, user_api="blas"):
        found = run(partial(_pairs_of_block, thumbnails), starts)
        return [pair for pairs in found for pair in pairs]


def _pairs_of_block(thumbnails: Thumbnails, start: int) -> list[tuple[int, int]]:
    """Compare a block of thumbnails with itself and all later ones."""
    pairs = []
    block = _unit_rows(thumbnails[start : start + _BLOCK])
    for other in range(start, len(thumbnails), _BLOCK):
        correlations = block @ _unit_rows(thumbnails[other : other + _BLOCK]).T
        for i, j in np.argwhere(correlations >= THRESHOLD).tolist():
            if start + i < other + j:
                pairs.append((start + i, other + j))
    return pairs


def _unit_rows(thumbnails: Thumbnails) -> npt.NDArray[np.float32]:
    """Stack thumbnails as rows of length 1; the row of a uniform image stays 0 and matches none."""
    rows = np.asarray(thumbnails, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1), np.float32)
