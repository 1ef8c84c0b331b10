"""Mappings between the pixels of a source image and those of an output image.

Points are (x, y) in pixels, x to the right and y down. The origin is the outer corner of the top
left pixel, whose centre is (0.5, 0.5). Boxes are (x, y, width, height) in the same coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

Rectangle: TypeAlias = tuple[int, int, int, int]
"""Left, top, width and height in whole pixels."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, width and height in pixels, not rounded."""

Coordinate = TypeVar("Coordinate", float, "npt.NDArray[np.floating]")


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the pixels of a source image become those of an output image.

    The `window` of the source is scaled to the `placement` in the output; the output outside the
    placement is padding.

    Parameters
    ----------
    source_size, size
        Width and height of the source image and of the output image, in pixels.
    window, placement
        Left, top, width and height in the source and in the output, in pixels.
    """

    source_size: Size
    window: Rectangle
    size: Size
    placement: Rectangle


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """A crop that the consumer `name` applies to images by default.

    It resizes the shorter side to `resize` pixels, then cuts out the central square of `side`
    pixels.
    """

    name: str
    resize: int
    side: int


@lru_cache(maxsize=1024)
def stretch(source_size: Size, size: Size) -> Geometry:
    """Return the geometry that scales the whole source image to `size`, each axis by itself.

    The result is cached, so that all samples of one size share one object.
    """
    return Geometry(source_size, (0, 0, *source_size), size, (0, 0, *size))


def pad(source_size: Size, size: Size) -> Geometry:
    """Return the geometry that fits the whole source image into `size`, centred, aspect kept.

    One side equals that of `size`; the other is rounded to whole pixels, at least one. An odd pixel
    of padding goes to the right or below.
    """
    numerator, denominator = _scale_to_fit(source_size, size)
    width, height = (max(1, _rounded(side * numerator, denominator)) for side in source_size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return Geometry(source_size, (0, 0, *source_size), size, (left, top, width, height))


def _scale_to_fit(source_size: Size, size: Size) -> tuple[int, int]:
    """Return the largest scale at which the source fits into `size`, as a fraction."""
    by_width, by_height = size[0] * source_size[1], size[1] * source_size[0]
    return (size[0], source_size[0]) if by_width <= by_height else (size[1], source_size[1])


def _rounded(numerator: int, denominator: int) -> int:
    """Round a fraction to the nearest whole number, halves up, without float errors."""
    return (2 * numerator + denominator) // (2 * denominator)


def cut(source_size: Size, window: Rectangle) -> Geometry:
    """Return the geometry that takes a window of the source unscaled; beyond the source it pads.

    The output has the window's size. The window must share a pixel with the source.
    """
    left, top, width, height = window
    inner_left, inner_top = max(left, 0), max(top, 0)
    inner_width = min(left + width, source_size[0]) - inner_left
    inner_height = min(top + height, source_size[1]) - inner_top
    return Geometry(
        source_size,
        (inner_left, inner_top, inner_width, inner_height),
        (width, height),
        (inner_left - left, inner_top - top, inner_width, inner_height),
    )


def to_output(geometry: Geometry, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Map a point of the source image to the output image; the inverse of `to_source`.

    Points outside the window map to points outside the placement, by the same scale.

    Parameters
    ----------
    geometry
        The mapping.
    x, y
        Coordinates in pixels of the source image: two floats, or two float arrays of one shape.

    Returns
    -------
    x, y
        Coordinates in pixels of the output image, in the type and shape of the arguments.

    Examples
    --------
    >>> geometry = Geometry((500, 1240), (0, 0, 500, 1240), (256, 512), (0, 0, 256, 512))
    >>> to_output(geometry, 250.0, 620.0)
    (128.0, 256.0)
    """
    left, top, width, height = geometry.window
    out_left, out_top, out_width, out_height = geometry.placement
    return (
        out_left + (x - left) * out_width / width,
        out_top + (y - top) * out_height / height,
    )


def to_source(geometry: Geometry, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Map a point of the output image to the source image; the inverse of `to_output`.

    Parameters
    ----------
    geometry
        The mapping.
    x, y
        Coordinates in pixels of the output image: two floats, or two float arrays of one shape.

    Returns
    -------
    x, y
        Coordinates in pixels of the source image, in the type and shape of the arguments.
    """
    left, top, width, height = geometry.window
    out_left, out_top, out_width, out_height = geometry.placement
    return (
        left + (x - out_left) * width / out_width,
        top + (y - out_top) * height / out_height,
    )


def box_to_output(geometry: Geometry, box: Box) -> Box:
    """Return a box (x, y, width, height) of the source image in pixels of the output image.

    The box is not clipped to the window.
    """
    x, y, width, height = box
    left, top = to_output(geometry, x, y)
    right, bottom = to_output(geometry, x + width, y + height)
    return left, top, right - left, bottom - top


def box_to_source(geometry: Geometry, box: Box) -> Box:
    """Return a box (x, y, width, height) of the output image in pixels of the source image.

    The box is not clipped: a box that reaches into padding reaches beyond the window.
    """
    x, y, width, height = box
    left, top = to_source(geometry, x, y)
    right, bottom = to_source(geometry, x + width, y + height)
    return left, top, right - left, bottom - top


def center_crop(size: Size, resize: int, side: int) -> Box:
    """Return the box that a center crop keeps of an image of `size` (width, height).

    The crop scales the shorter side to `resize` pixels and keeps the central square of `side`
    pixels. The box is in pixels of the image before scaling. Rounding is that of torchvision's
    ``Resize`` and ``CenterCrop``.
    """
    shorter = min(size)
    width, height = (resize * length // shorter for length in size)
    left, top = (round((length - side) / 2) for length in (width, height))
    return box_to_source(stretch(size, (width, height)), (left, top, side, side))
