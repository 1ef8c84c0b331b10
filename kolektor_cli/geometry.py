"""Arrays in, arrays out: from source pixels to output pixels, and the mapping between the two.

Points are (x, y) in pixels, x to the right and y down, with the origin at the outer corner of the
top left pixel: the centre of that pixel is (0.5, 0.5). Boxes are (x, y, width, height) in the same
coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import UsageError
from kolektor_cli.images import Pixels
from kolektor_cli.records import Geometry, Rectangle, Size

Coordinate = TypeVar("Coordinate", float, npt.NDArray[np.floating])
Box: TypeAlias = tuple[float, float, float, float]

MAX_SIDE = 16_384
"""The longest side of an output image, in pixels."""

MAX_AREA = 2**25
"""The largest area of an output image, 33.5 megapixels; with the side's, this bounds memory."""


def check_size(size: Size) -> Size:
    """Return an output size (width, height in pixels) that can be made.

    Raises
    ------
    UsageError
        A side is not from 1 to `MAX_SIDE`, or the area is over `MAX_AREA`.
    """
    width, height = size
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_AREA):
        raise UsageError(
            f"size {width}x{height} is out of range: sides go from 1 to {MAX_SIDE} pixels, "
            f"the area up to {MAX_AREA} pixels"
        )
    return size


@lru_cache(maxsize=1024)
def stretch(source_size: Size, size: Size) -> Geometry:
    """Scale the whole source image to `size`, each axis by itself; both (width, height).

    Images of one size share one geometry: it is kept for every sample, and takes 400 bytes.
    """
    return Geometry(source_size, (0, 0, *source_size), size, (0, 0, *size))


def pad(source_size: Size, size: Size) -> Geometry:
    """Scale the whole source image to fit into `size`, its aspect kept, and centre it there.

    One side becomes that of `size`; the other is rounded to whole pixels, at least one. Of an odd
    number of pixels of padding, the odd one lies to the right or below.
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
    """Round a fraction to the next whole number, a half up, without the error of a float."""
    return (2 * numerator + denominator) // (2 * denominator)


def cut(source_size: Size, window: Rectangle) -> Geometry:
    """Take a window of the source image as it is; where it reaches beyond the source, pad.

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
    """Map a point (or arrays of them) of the source image to the output; inverts `to_source`.

    A point outside of the window is mapped by the same scale, to outside of the placement.
    """
    left, top, width, height = geometry.window
    out_left, out_top, out_width, out_height = geometry.placement
    return (
        out_left + (x - left) * out_width / width,
        out_top + (y - top) * out_height / height,
    )


def to_source(geometry: Geometry, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Map a point (or arrays of them) of the output image to the source; inverts `to_output`."""
    left, top, width, height = geometry.window
    out_left, out_top, out_width, out_height = geometry.placement
    return (
        left + (x - out_left) * width / out_width,
        top + (y - out_top) * height / out_height,
    )


def box_to_output(geometry: Geometry, box: Box) -> Box:
    """Map a box (x, y, width, height) of the source image to the output; nothing is cut off."""
    x, y, width, height = box
    left, top = to_output(geometry, x, y)
    right, bottom = to_output(geometry, x + width, y + height)
    return left, top, right - left, bottom - top


def box_to_source(geometry: Geometry, box: Box) -> Box:
    """Map a box (x, y, width, height) of the output image to the source; nothing is cut off.

    So a box that reaches into padding reaches beyond the window.
    """
    x, y, width, height = box
    left, top = to_source(geometry, x, y)
    right, bottom = to_source(geometry, x + width, y + height)
    return left, top, right - left, bottom - top


def center_crop(size: Size, resize: int, side: int) -> Box:
    """Return the box that a consumer's center crop leaves of an image of `size` (width, height).

    The consumer scales the image's shorter side to `resize` pixels and cuts out the central square
    of `side` pixels; the box is in pixels of the image before that. Whole pixels are rounded as
    torchvision's ``Resize`` and ``CenterCrop`` do.
    """
    shorter = min(size)
    width, height = (resize * length // shorter for length in size)
    left, top = (round((length - side) / 2) for length in (width, height))
    return box_to_source(stretch(size, (width, height)), (left, top, side, side))


def transform_image(pixels: Pixels, geometry: Geometry) -> Pixels:
    """Make the output image of height x width (x 3) uint8; padding is black.

    Where window and placement differ in size, it is resized by bilinear interpolation, as
    ``cv2.resize`` does: the resize of the procedure by which KolektorSDD has been prepared so far,
    so its pixels are those of published results. Where they do not, no pixel changes.
    """
    return _placed(_resized(_window(pixels, geometry.window), geometry), geometry)


def transform_mask(mask: Pixels, geometry: Geometry) -> Pixels:
    """Make the output mask, {0, 255}, from a source mask of height x width uint8.

    Every non-zero pixel of the source is defect. The binary mask is cut and resized like the image,
    and cut at ``> 127``. Then each defect (8-connected component of what the window holds) that
    this left without a pixel gets one: the one that holds the component's most central pixel.
    Padding is no defect.
    """
    binary = _marked(_window(mask, geometry.window), above=0)
    if geometry.window[2:] == geometry.placement[2:]:
        return _placed(binary, geometry)
    resized = _marked(_resized(binary, geometry), above=127)
    if binary.any():
        _restore_lost_defects(binary, resized)
    return _placed(resized, geometry)


def _marked(pixels: Pixels, *, above: int) -> Pixels:
    """Mark the pixels above a value with 255, all others with 0."""
    return cv2.threshold(pixels, above, 255, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)


def _window(pixels: Pixels, window: Rectangle) -> Pixels:
    left, top, width, height = window
    return pixels[top : top + height, left : left + width]


def _resized(pixels: Pixels, geometry: Geometry) -> Pixels:
    size = geometry.placement[2:]
    if geometry.window[2:] == size:
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _placed(pixels: Pixels, geometry: Geometry) -> Pixels:
    """Surround pixels with the padding that makes them an output image."""
    left, top, width, height = geometry.placement
    if geometry.size == (width, height):
        return pixels
    placed = np.zeros((geometry.size[1], geometry.size[0], *pixels.shape[2:]), np.uint8)
    placed[top : top + height, left : left + width] = pixels
    return placed


def _restore_lost_defects(binary: Pixels, resized: Pixels) -> None:
    """Give each component of `binary` that has no pixel in `resized` one there, in place.

    Components are looked for where there are any, and a pixel around: on a KolektorSDD mask that
    takes 0.1 ms, on the whole of it 4 ms.
    """
    scale = stretch(_size(binary), _size(resized))
    around = _pixel_around(cv2.boundingRect(binary))
    count, components, stats, centroids = cv2.connectedComponentsWithStats(
        _window(binary, around), connectivity=8
    )
    kept = _components_in_output(np.asarray(components, np.int32), around, resized, scale)
    for component in set(range(1, count)) - kept:
        left, top, width, height = stats[component, :4]
        box = components[top : top + height, left : left + width] == component
        rows, columns = np.nonzero(box)
        x, y = centroids[component] - (left, top)
        central = np.argmin((columns - x) ** 2 + (rows - y) ** 2)
        source_x = around[0] + left + columns[central] + 0.5
        source_y = around[1] + top + rows[central] + 0.5
        out_x, out_y = to_output(scale, source_x, source_y)
        resized[int(out_y), int(out_x)] = 255


def _size(pixels: Pixels) -> Size:
    return pixels.shape[1], pixels.shape[0]


def _pixel_around(box: Sequence[int]) -> Rectangle:
    """Enlarge a box by a pixel on every side, to the left and above as far as there is one."""
    left, top = max(box[0] - 1, 0), max(box[1] - 1, 0)
    return left, top, box[0] + box[2] + 1 - left, box[1] + box[3] + 1 - top


def _components_in_output(
    components: npt.NDArray[np.int32], place: Rectangle, resized: Pixels, scale: Geometry
) -> set[int]:
    """Find the components into which the centre of at least one set output pixel falls.

    `components` are those in a `place` of the source that holds them and a pixel around: the centre
    of a pixel that interpolation sets is less than a pixel from a marked one.
    """
    left, top, width, height = cv2.boundingRect(resized)
    rows, columns = np.nonzero(resized[top : top + height, left : left + width])
    x, y = to_source(scale, left + columns + 0.5, top + rows + 0.5)
    inside = components[y.astype(np.intp) - place[1], x.astype(np.intp) - place[0]]
    return set(np.unique(inside).tolist())
