"""Decoding of masks: a pixel is marked if any bit of any of its channels is set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.pixels import Pixels, Samples, gray_values, without_equal_channels


@dataclass(frozen=True, slots=True)
class Mask:
    """A decoded mask.

    Attributes
    ----------
    pixels
        Height x width uint8, 0 where nothing is marked: the gray values of a mask of 8 bits; else
        the upper 8 bits of the largest channel, but at least 1 where anything is marked.
    values
        The gray values, or the colours as numbers: red, green and blue of 8 or 16 bits each.
    color_bits
        Bits of a channel if the channels differ, else 0.
    orientation
        That of EXIF, or 1.
    """

    pixels: Pixels
    values: tuple[int, ...]
    color_bits: int = 0
    orientation: int = 1


def decode_mask(data: bytes, name: str) -> Mask:
    """Return a mask; palettes are resolved.

    Raises
    ------
    ImageError
        The file cannot be decoded completely; or a mark in it could only be told by its
        transparency, or by palette indices that look alike.
    """
    stored = decode_stored(data, name)
    if stored.hidden:
        raise ImageError(
            f"{name}: has a palette in which a mark is as black as the background; save the mask "
            "as black and white"
        )
    if stored.alpha_informs:
        raise ImageError(
            f"{name}: has transparency that its colors do not show, so it is not clear what is "
            "marked; save the mask as black and white, without transparency"
        )
    colors = without_equal_channels(stored.colors)
    if colors.ndim == 2:
        return Mask(_reduced(colors), gray_values(colors), orientation=stored.orientation)
    bits = 8 * colors.itemsize
    pixels: Pixels = _reduced(colors).max(axis=2)
    return Mask(pixels, _color_values(colors, bits), bits, stored.orientation)


def _reduced(colors: Samples) -> Pixels:
    """Return the upper 8 bits, at least 1 where any bit is set."""
    if colors.dtype == np.uint8:
        return colors.astype(np.uint8, copy=False)
    reduced: Pixels = np.maximum(colors >> 8, colors > 0).astype(np.uint8)
    return reduced


def _color_values(colors: Samples, bits: int) -> tuple[int, ...]:
    marked = colors[colors.any(axis=2)]
    numbers = np.zeros(len(marked), np.uint64)
    for channel in range(3):
        numbers = numbers << np.uint64(bits) | marked[:, channel]
    background = (0,) if 3 * len(marked) < colors.size else ()
    return (*background, *np.unique(numbers).tolist())
