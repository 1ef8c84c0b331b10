"""Masks drawn from the shapes of labelme's JSON files.

The rule is that of labelme's own ``shape_to_mask``: Pillow draws each shape, with its outline, on
the pixel grid. So the marks are, pixel for pixel, those that labelme exports. Old versions wrote no
size of the image; labelme then takes that of the image, and so is done here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from PIL import Image, ImageDraw

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.marks import Mask
from kolektor_cli.imaging.pixels import Pixels, check_size

Point = tuple[float, float]

_MARK = 255

_FARTHEST = 100_000
"""The largest coordinate, in pixels: Pillow takes long to draw larger circles, or loses them."""


class _Shape(msgspec.Struct):
    points: list[Point]
    shape_type: str | None = None
    label: Any = None


class _File(msgspec.Struct):
    shapes: list[_Shape]
    width: int | None = msgspec.field(name="imageWidth", default=None)
    height: int | None = msgspec.field(name="imageHeight", default=None)


def decode_labelme(
    data: bytes,
    name: str,
    image_size: Size | None = None,
    labels: Mapping[str, int] | None = None,
) -> Mask:
    """Return the mask that the shapes of a labelme file draw, whatever their labels.

    `image_size` is (width, height) of the image in pixels, for a file that does not give them; None
    if they are not known. With `labels`, shapes are drawn with the number of their label, from 1
    on, later ones over earlier ones; labels that are not among them are `unnamed`.

    Raises
    ------
    ImageError
        The file is no JSON of labelme, gives no size where none is known, or has a shape of a kind
        that marks no area.
    """
    try:
        # Not msgspec's own decoder: labelme writes NaN, and Python reads it.
        found = msgspec.convert(json.loads(data), _File)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ImageError(
            f"{name}: is no JSON of labelme, the only JSON that is read: {error}; move it out of "
            "the source, or save its marks as an image"
        ) from error
    width, height = _size(found, name, image_size)
    check_size(width, height, name)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    unnamed = set()
    for shape in found.shapes:
        mark = _MARK if labels is None else labels.get(str(shape.label), 0)
        _draw(draw, shape, mark, name)
        if not mark:
            unnamed.add(str(shape.label))
    pixels: Pixels = np.asarray(image, np.uint8)
    return Mask(pixels, tuple(np.unique(pixels).tolist()), unnamed=tuple(sorted(unnamed)))


def _size(found: _File, name: str, image_size: Size | None) -> Size:
    if found.width is not None and found.height is not None:
        return found.width, found.height
    if image_size is None:
        raise ImageError(
            f"{name}: gives no imageWidth and imageHeight, and its image, unreadable or shown "
            "turned, cannot tell them; save both with labelme"
        )
    width, height = image_size
    return (
        width if found.width is None else found.width,
        height if found.height is None else found.height,
    )


def _draw(draw: ImageDraw.ImageDraw, shape: _Shape, mark: int, name: str) -> None:
    kind, points = shape.shape_type or "polygon", shape.points
    # NaN compares as False, too.
    if not all(abs(value) <= _FARTHEST for point in points for value in point):
        raise ImageError(f"{name}: has a {kind} that reaches far out of the image; draw it again")
    if kind in ("polygon", "oriented_rectangle") and len(points) > 2:
        draw.polygon(points, fill=mark, outline=mark)
    elif kind == "rectangle" and len(points) == 2:
        draw.rectangle(_box(points), fill=mark, outline=mark)
    elif kind == "circle" and len(points) == 2:
        (x, y), on_it = points
        radius = math.dist((x, y), on_it)
        corners = ((x - radius, y - radius), (x + radius, y + radius))
        draw.ellipse(corners, fill=mark, outline=mark)
    else:
        raise ImageError(
            f"{name}: has a {kind} of {len(points)} points, which is not read; draw it as a "
            "polygon, a rectangle or a circle"
        )


def _box(points: Sequence[Point]) -> tuple[Point, Point]:
    """Return the corner with the lesser coordinates, then the other."""
    (x, y), (other_x, other_y) = points
    return (min(x, other_x), min(y, other_y)), (max(x, other_x), max(y, other_y))
