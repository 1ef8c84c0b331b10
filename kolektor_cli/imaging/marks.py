"""Decoding of masks: a pixel is marked if any bit of any of its channels is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.pixels import Pixels, Samples, gray_values, without_equal_channels
from kolektor_cli.samples import Color

_Numbers: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Mask:
    """A decoded mask.

    Attributes
    ----------
    pixels
        Height x width uint8, 0 where nothing is marked: the gray values of a mask of 8 bits; else
        the upper 8 bits of the largest channel, but at least 1 where anything is marked. With
        classes, their numbers.
    values
        The gray values, or the colours as numbers: red, green and blue of 8 or 16 bits each.
    color_bits
        Bits of a channel if the channels differ, else 0.
    orientation
        That of EXIF, or 1.
    unnamed
        Values that are no class, if there are classes.
    """

    pixels: Pixels
    values: tuple[int, ...]
    color_bits: int = 0
    orientation: int = 1
    unnamed: tuple[str, ...] = ()


def decode_mask(data: bytes, name: str, classes: Mapping[Color, int] | None = None) -> Mask:
    """Return a mask; palettes are resolved.

    With `classes`, the number of each colour from 1 on, every other colour but black is `unnamed`.

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
    bits = 0 if colors.ndim == 2 else 8 * colors.itemsize
    pixels: Pixels = _reduced(colors) if not bits else _reduced(colors).max(axis=2)
    values = _color_values(colors, bits) if bits else gray_values(colors)
    unnamed: tuple[str, ...] = ()
    if classes is not None:
        pixels, unnamed = _classified(colors, pixels > 0, classes)
    return Mask(pixels, values, bits, stored.orientation, unnamed)


def _classified(
    colors: Samples, marked: npt.NDArray[np.bool_], classes: Mapping[Color, int]
) -> tuple[Pixels, tuple[str, ...]]:
    """Return the number of each pixel's class, and the values that are none."""
    bits = 8 * colors.itemsize
    found = colors[marked]
    values, places = np.unique(_numbers(found, bits), return_inverse=True)
    known = {_packed(color, bits): number for color, number in classes.items()}
    if found.ndim == 1:
        known = {color[0]: number for color, number in classes.items() if len({*color}) == 1}
    numbers = np.array([known.get(value, 0) for value in values.tolist()], np.uint8)
    pixels = np.zeros(marked.shape, np.uint8)
    pixels[marked] = numbers[places]
    texts = (value_text(v, 0 if found.ndim == 1 else bits) for v in values[numbers == 0].tolist())
    return pixels, tuple(texts)


def value_text(value: int, color_bits: int) -> str:
    """Return a value of a `Mask` as text: a gray value, or a colour such as ``#ff0000``."""
    return f"#{value:0{3 * color_bits // 4}x}" if color_bits else str(value)


def _packed(color: Color, bits: int) -> int:
    return color[0] << 2 * bits | color[1] << bits | color[2]


def _reduced(colors: Samples) -> Pixels:
    """Return the upper 8 bits, at least 1 where any bit is set."""
    if colors.dtype == np.uint8:
        return colors.astype(np.uint8, copy=False)
    reduced: Pixels = np.maximum(colors >> 8, colors > 0).astype(np.uint8)
    return reduced


def _numbers(values: Samples, bits: int) -> _Numbers:
    """Return gray values, or colours (number x 3) as numbers of thrice as many bits."""
    if values.ndim == 1:
        return values.astype(np.uint64)
    numbers = np.zeros(len(values), np.uint64)
    for channel in range(3):
        numbers = numbers << np.uint64(bits) | values[:, channel]
    return numbers


def _color_values(colors: Samples, bits: int) -> tuple[int, ...]:
    marked = colors[colors.any(axis=2)]
    background = (0,) if 3 * len(marked) < colors.size else ()
    return (*background, *np.unique(_numbers(marked, bits)).tolist())
