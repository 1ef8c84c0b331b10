"""Which images are the same picture: identical, or photographed or encoded again.

Each image is reduced to a small thumbnail of its coarse detail; two images are the same picture if
their thumbnails correlate by `THRESHOLD` or more. Measured on the real KolektorSDD: the 24 pairs
that are the same picture correlate by 0.98 and more, all others by 0.52 and less. An image that was
saved again as JPEG of quality 60, made 10 % brighter or darker, moved by 10 pixels each way or
scaled by 2 % correlates by 0.85 or more with what it was; one to which all of this was done by
0.80.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.images import Pixels
from kolektor_cli.parallel import parallel_map

THRESHOLD = 0.70
"""Correlation from which two images count as the same picture: amid the gap from 0.52 to 0.85."""

THUMBNAIL_SIZE = (20, 50)
"""Width and height of a thumbnail; a pixel covers 23x23 pixels of a KolektorSDD image, so that a
shift by a few pixels changes little."""

THUMBNAIL_LENGTH = THUMBNAIL_SIZE[0] * THUMBNAIL_SIZE[1]
"""Number of values of a thumbnail."""

_MARGIN = 0.05
"""Share of width and height that is ignored at each edge: what moves or scales an image leaves
black or repeated pixels there."""

_FINE_SIGMA, _COARSE_SIGMA = 1.0, 2.5
"""Standard deviations, in pixels of the thumbnail, of the two blurs whose difference is the detail:
finer detail does not survive a shift, and broad changes of light are alike in many images."""

_LEAST_DETAIL = 0.1
"""Standard deviation of the detail, in gray values, below which an image is uniform."""

_BLOCK = 256
"""Thumbnails compared at a time: with what is made of them they take 5 MB a thread, and twice as
many 10 MB for a seventh less time."""

Thumbnail: TypeAlias = npt.NDArray[np.int8]
"""The detail of one image, flat, scaled to the range from -127 to 127; of a uniform one all 0."""

Thumbnails: TypeAlias = Sequence[Thumbnail] | npt.NDArray[np.int8]
"""Thumbnails one by one, or as the rows of an array."""


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Reduce an image, height x width uint8 and at any scale, to its thumbnail."""
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
    """Halve an image as long as twice the size of a thumbnail is left, by averages of 2x2 pixels.

    To resize a KolektorSDD image to a thumbnail takes 1.1 ms, with this before it 0.1 ms.
    """
    height, width = pixels.shape
    while width >= 4 * THUMBNAIL_SIZE[0] and height >= 4 * THUMBNAIL_SIZE[1]:
        height, width = height // 2, width // 2
        whole = pixels[: 2 * height, : 2 * width]
        halved = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        pixels = halved.astype(np.uint8, copy=False)
    return pixels


def similar_pairs(thumbnails: Thumbnails, jobs: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the indices (i, j), i < j, of all pairs that correlate by `THRESHOLD` or more.

    Blocks of thumbnails are multiplied with all later ones, so memory grows with the number of
    images and not with its square; time does, to 9 s for 40 000 images in two threads.
    """
    starts = range(0, len(thumbnails), _BLOCK)
    for pairs in parallel_map(partial(_pairs_of_block, thumbnails), starts, jobs):
        yield from pairs


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
    """Stack thumbnails as rows of length 1; a uniform image's row stays 0, like no other."""
    rows = np.asarray(thumbnails, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1), np.float32)


def connected(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each name to the first name, in the order given, of those it is linked to by pairs."""
    order = {name: place for place, name in enumerate(names)}
    leader = {name: name for name in order}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for first, second in pairs:
        earlier, later = sorted((find(first), find(second)), key=order.__getitem__)
        leader[later] = earlier
    return {name: find(name) for name in order}
