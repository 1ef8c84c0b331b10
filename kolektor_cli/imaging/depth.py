"""Reduction of 16-bit images to 8 bits."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.pixels import Pixels, Samples

Depth: TypeAlias = int | Literal["full"] | None
"""How 16-bit values become 8-bit ones: ``full`` keeps the upper 8 bits, a number from 8 to 16 the
upper 8 of so many. None is ``full``, but refused where it leaves few gray values."""

LEAST_DEPTH, MOST_DEPTH = 8, 16


def check_depth(depth: object) -> Depth:
    """Return a depth if it is one.

    Raises
    ------
    UsageError
        It is neither ``full`` nor a whole number from 8 to 16 nor None.
    """
    if depth is None or depth == "full":
        return "full" if depth else None
    if type(depth) is int and LEAST_DEPTH <= depth <= MOST_DEPTH:
        return depth
    raise UsageError(f"--depth {depth!r} is neither full nor a number from 8 to 16")


def parse_depth(text: str | None) -> Depth:
    """Return the depth that a text says.

    Raises
    ------
    UsageError
        See `check_depth`.
    """
    return check_depth(int(text) if text and text.isascii() and text.isdigit() else text)


def to_8_bits(samples: Samples, depth: Depth) -> Pixels:
    """Return samples as uint8: those of 16 bits without their lower bits, others as they are.

    Never swaps the order of two values. Values that `depth` bits cannot hold become 255.
    """
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    bits = depth if isinstance(depth, int) else MOST_DEPTH
    pixels: Pixels = np.minimum(samples >> (bits - 8), 255).astype(np.uint8)
    return pixels


def spread_to_8_bits(samples: Samples) -> Pixels:
    """Return samples as uint8: those of 16 bits scaled so that the largest is 255."""
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    largest = max(int(samples.max()), 1)
    return (samples.astype(np.uint32) * 255 // largest).astype(np.uint8)
