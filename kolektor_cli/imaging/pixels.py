"""Pixel arrays: types, channels, gray values and hashes."""

from __future__ import annotations

import hashlib
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import ImageError

MAX_PIXELS = 2**26
"""Largest image to decode, in pixels: a hundred times a KolektorSDD image. It bounds the memory
that a header can claim."""

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""Height x width for one channel, height x width x 3 for RGB."""

Samples: TypeAlias = npt.NDArray[np.unsignedinteger]
"""Like `Pixels`, but uint8 or uint16."""

SamplesT = TypeVar("SamplesT", Pixels, Samples)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse what a header claims if it is no image, or larger than `MAX_PIXELS`.

    Raises
    ------
    ImageError
        See above.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"{name}: claims {width}x{height} pixels; that is too large")


def to_gray(pixels: Pixels) -> Pixels:
    """Convert RGB to gray by the weights of ITU-R BT.601, as OpenCV does; gray stays as it is."""
    if pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def gray_values(pixels: Samples) -> tuple[int, ...]:
    """Return the values that occur, in ascending order; fast where most are 0, as in masks."""
    if not pixels.any():
        return (0,)
    marked = pixels[pixels > 0]
    background = (0,) if marked.size < pixels.size else ()
    return (*background, *np.flatnonzero(np.bincount(marked)).tolist())


def binary(mask: Pixels) -> Pixels:
    """Return a mask as 255 where it marks anything, else 0."""
    return np.where(mask > 0, np.uint8(255), np.uint8(0))


def pixels_sha256(pixels: Samples) -> str:
    """Return the SHA-256 of an image's values, row-major with channels interleaved, as hexadecimal.

    Three equal channels count as one, so a gray image has one hash however it is stored.
    """
    return hashlib.sha256(np.ascontiguousarray(without_equal_channels(pixels)).data).hexdigest()


def without_equal_channels(pixels: SamplesT) -> SamplesT:
    """Reduce three equal channels to one; all other pixels stay as they are."""
    if pixels.ndim == 2:
        return pixels
    first = cv2.extractChannel(pixels, 0)
    # OpenCV compares faster than `numpy.array_equal`.
    if cv2.norm(cv2.cvtColor(first, cv2.COLOR_GRAY2RGB), pixels, cv2.NORM_INF):
        return pixels
    return first.astype(pixels.dtype, copy=False)
