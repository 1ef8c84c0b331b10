"""Arrays in, arrays out: from source pixels to output pixels, and the mapping between the two.

Points are (x, y) in pixels, x to the right and y down, with the origin at the outer corner of the
top left pixel: the centre of that pixel is (0.5, 0.5).
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import UsageError
from kolektor_cli.images import Pixels
from kolektor_cli.records import Geometry, Size

Coordinate = TypeVar("Coordinate", float, npt.NDArray[np.floating])

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


def stretch(source_size: Size, size: Size) -> Geometry:
    """Scale the whole source image to `size`, each axis by itself; both (width, height)."""
    return Geometry(source_size, (0, 0, *source_size), size)


def to_output(geometry: Geometry, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Map a point (or arrays of them) of the source image to the output; inverts `to_source`."""
    left, top, width, height = geometry.window
    return (x - left) * geometry.size[0] / width, (y - top) * geometry.size[1] / height


def to_source(geometry: Geometry, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Map a point (or arrays of them) of the output image to the source; inverts `to_output`."""
    left, top, width, height = geometry.window
    return left + x * width / geometry.size[0], top + y * height / geometry.size[1]


def transform_image(pixels: Pixels, geometry: Geometry) -> Pixels:
    """Make the output image: bilinear resize of height x width (x 3) uint8, as ``cv2.resize`` does.

    This is the resize of the procedure by which KolektorSDD has been prepared so far, so its
    pixels are those of published results.
    """
    if geometry.source_size == geometry.size:
        return pixels
    resized = cv2.resize(pixels, geometry.size, interpolation=cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)


def transform_mask(mask: Pixels, geometry: Geometry) -> Pixels:
    """Make the output mask, {0, 255}, from a source mask of height x width uint8.

    Every non-zero pixel of the source is defect. The binary mask is resized like the image and
    cut at ``> 127``. Then each defect (8-connected component of the source) that this left without
    a pixel gets one: the one that holds the component's most central pixel.
    """
    binary = np.where(mask > 0, np.uint8(255), np.uint8(0))
    if geometry.source_size == geometry.size:
        return binary
    resized = np.where(transform_image(binary, geometry) > 127, np.uint8(255), np.uint8(0))
    if binary.any():
        _restore_lost_defects(binary, resized, geometry)
    return resized


def _restore_lost_defects(binary: Pixels, resized: Pixels, geometry: Geometry) -> None:
    """Give each component of `binary` that has no pixel in `resized` one there, in place."""
    count, components, stats, centroids = cv2.connectedComponentsWithStats(binary, connectivity=8)
    kept = _components_in_output(np.asarray(components, np.int32), resized, geometry)
    for component in set(range(1, count)) - kept:
        left, top, width, height = stats[component, :4]
        box = components[top : top + height, left : left + width] == component
        rows, columns = np.nonzero(box)
        x, y = centroids[component] - (left, top)
        central = np.argmin((columns - x) ** 2 + (rows - y) ** 2)
        out_x, out_y = to_output(geometry, left + columns[central] + 0.5, top + rows[central] + 0.5)
        resized[int(out_y), int(out_x)] = 255


def _components_in_output(
    components: npt.NDArray[np.int32], resized: Pixels, geometry: Geometry
) -> set[int]:
    """Find the components into which the centre of at least one set output pixel falls."""
    rows, columns = np.nonzero(resized)
    x, y = to_source(geometry, columns + 0.5, rows + 0.5)
    return set(np.unique(components[y.astype(np.intp), x.astype(np.intp)]).tolist())
