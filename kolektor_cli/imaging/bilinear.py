"""Bilinear resizing that gives the same pixels on every machine.

On x86-64, ``cv2.resize`` is fast and gives the pixels of published results. On other processors it
rounds some values differently, and there some versions crash with three channels. So OpenCV is used
only where the processor is of that kind and a self-check passes; everywhere else, `bilinear` does
the same arithmetic in NumPy. `RESIZE_VARIABLE` makes any machine use it.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.pixels import Pixels

RESIZE_VARIABLE = "KOLEKTOR_RESIZE"
"""Environment variable; ``numpy`` turns OpenCV's resize off. The pixels are the same."""

_OPENCV_MACHINES = {"x86_64", "amd64"}
"""Processors on which OpenCV may resize, in lower case, as `platform.machine` calls them."""

_COEFFICIENT = np.float32(2048)
"""Weights are whole numbers of this fraction, as in OpenCV's scalar code for 8 bits."""

_ROWS = 64
"""Output rows to compute at a time, so that the work fits into the processor's cache."""

_CHECKED_SIZES = (((97, 61), (131, 83)), ((97, 61), (70, 40)), ((97, 61), (95, 60)))
"""Sizes of the self-check, (from, to): larger, smaller, and a little smaller."""

_Integers: TypeAlias = npt.NDArray[np.int32]


def resize(pixels: Pixels, size: Size) -> Pixels:
    """Return an image, height x width (x 3) uint8, resized to (width, height).

    The pixels are those of ``cv2.resize`` with its default interpolation on x86-64, on every
    machine.

    Raises
    ------
    UsageError
        `RESIZE_VARIABLE` has an unknown value.
    """
    if _is_opencv_allowed() and is_opencv_exact():
        return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return bilinear(pixels, size)


def _is_opencv_allowed() -> bool:
    wanted = os.environ.get(RESIZE_VARIABLE, "")
    if wanted not in ("", "numpy"):
        raise UsageError(f"{RESIZE_VARIABLE} is {wanted!r}; set it to 'numpy', or leave it out")
    return not wanted and platform.machine().lower() in _OPENCV_MACHINES


@cache
def is_opencv_exact() -> bool:
    """Return whether ``cv2.resize`` and `bilinear` agree here on a few images.

    The check runs once a process. Threads that ask during the check repeat it and agree.
    """
    for (width, height), size in _CHECKED_SIZES:
        for shape in ((height, width), (height, width, 3)):
            # Squares modulo a prime are as irregular as noise, and the same everywhere.
            numbers = np.arange(np.prod(shape), dtype=np.int64)
            pixels = (numbers * numbers // 7 % 251).astype(np.uint8).reshape(shape)
            found = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
            if not np.array_equal(found, bilinear(pixels, size)):
                return False
    return True


def bilinear(pixels: Pixels, size: Size) -> Pixels:
    """Return an image, height x width (x 3) uint8, resized to (width, height) by NumPy alone.

    Source of the arithmetic: ``resizeGeneric`` with ``HResizeLinear`` and ``VResizeLinear`` for
    8 bits in OpenCV's ``modules/imgproc/src/resize.cpp``. Weights have 11 bits; sums are shifted
    right by 4, 16 and 2 bits, the last one rounded.

    Examples
    --------
    >>> import numpy as np
    >>> bilinear(np.array([[0, 100]], np.uint8), (4, 1)).tolist()
    [[0, 25, 75, 100]]
    """
    columns, column_weights = _neighbours(size[0], pixels.shape[1], weigh_edges=False)
    rows, row_weights = _neighbours(size[1], pixels.shape[0], weigh_edges=True)
    across = (1, -1) + (1,) * (pixels.ndim - 2)
    down = (-1, 1) + (1,) * (pixels.ndim - 2)
    resized = np.empty((size[1], size[0], *pixels.shape[2:]), np.uint8)
    for start in range(0, size[1], _ROWS):
        block = slice(start, start + _ROWS)
        needed, places = np.unique(rows[:, block], return_inverse=True)
        places = places.reshape(2, -1)
        lines = pixels[needed].astype(np.int32)
        sums = lines[:, columns[0]] * column_weights[0].reshape(across)
        sums += lines[:, columns[1]] * column_weights[1].reshape(across)
        sums >>= 4
        first = sums[places[0]] * row_weights[0][block].reshape(down) >> 16
        second = sums[places[1]] * row_weights[1][block].reshape(down) >> 16
        resized[block] = (first + second + 2) >> 2
    return resized


def _neighbours(
    length: int, source_length: int, *, weigh_edges: bool
) -> tuple[npt.NDArray[np.intp], _Integers]:
    """Return, along one axis, the two source indices of each output pixel and their weights.

    Both are 2 x `length`. Outside the centres of the outer pixels, both neighbours are the outer
    pixel. OpenCV gives all weight to the first of the two in columns, but not in rows
    (`weigh_edges`), where rounding each of them down may lose 1.
    """
    scale = 1 / (length / source_length)
    places = ((np.arange(length) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(places).astype(np.intp)
    fractions = places - first.astype(np.float32)
    if not weigh_edges:
        fractions[(first < 0) | (first >= source_length - 1)] = 0
    weights = np.rint(np.stack([1 - fractions, fractions]) * _COEFFICIENT).astype(np.int32)
    return np.clip(np.stack([first, first + 1]), 0, source_length - 1), weights
