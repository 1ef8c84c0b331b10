"""Resampling of source images and masks to output pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.bilinear import resize
from kolektor_cli.imaging.geometry import Geometry, Rectangle, Size, stretch, to_output, to_source
from kolektor_cli.imaging.pixels import Pixels


def transform_image(pixels: Pixels, geometry: Geometry) -> Pixels:
    """Return the output image, height x width (x 3) uint8; padding is black.

    If window and placement differ in size, the image is resized as by ``cv2.resize`` with bilinear
    interpolation, with the same pixels on every machine. This is the usual way to prepare
    KolektorSDD, so they equal those of published results. If the sizes do not differ, no pixel
    changes.
    """
    return _placed(_resized(_window(pixels, geometry.window), geometry), geometry)


def transform_mask(mask: Pixels, geometry: Geometry) -> Pixels:
    """Return the output mask, height x width uint8 of 0 and 255, from a source mask likewise uint8.

    Every non-zero pixel of the source is defect. The binary mask is cropped and resized like the
    image, and thresholded at ``> 127``. A defect (8-connected component within the window) that
    lost all its pixels then gets one: the output pixel that holds its most central source pixel.
    Padding is not defect.
    """
    binary = _marked(_window(mask, geometry.window), above=0)
    if geometry.window[2:] == geometry.placement[2:]:
        return _placed(binary, geometry)
    resized = _marked(_resized(binary, geometry), above=127)
    if binary.any():
        _restore_lost_defects(binary, resized)
    return _placed(resized, geometry)


def _marked(pixels: Pixels, *, above: int) -> Pixels:
    """Set the pixels above a value to 255, all others to 0."""
    return cv2.threshold(pixels, above, 255, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)


def _window(pixels: Pixels, window: Rectangle) -> Pixels:
    left, top, width, height = window
    return pixels[top : top + height, left : left + width]


def _resized(pixels: Pixels, geometry: Geometry) -> Pixels:
    size = geometry.placement[2:]
    if geometry.window[2:] == size:
        return pixels
    return resize(pixels, size)


def _placed(pixels: Pixels, geometry: Geometry) -> Pixels:
    """Pad pixels to the size of the output image."""
    left, top, width, height = geometry.placement
    if geometry.size == (width, height):
        return pixels
    placed = np.zeros((geometry.size[1], geometry.size[0], *pixels.shape[2:]), np.uint8)
    placed[top : top + height, left : left + width] = pixels
    return placed


def _restore_lost_defects(binary: Pixels, resized: Pixels) -> None:
    """Set a pixel in `resized`, in place, for each component of `binary` that has none there.

    Searches only the box of all components, with a pixel around it, because that is faster.
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
    """Enlarge a box by a pixel on every side, but not beyond the left and top edges."""
    left, top = max(box[0] - 1, 0), max(box[1] - 1, 0)
    return left, top, box[0] + box[2] + 1 - left, box[1] + box[3] + 1 - top


def _components_in_output(
    components: npt.NDArray[np.int32], place: Rectangle, resized: Pixels, scale: Geometry
) -> set[int]:
    """Return the components that contain the centre of at least one set output pixel.

    `components` covers the `place` in the source that holds them all, with a pixel around it. No
    centre lies outside: interpolation sets only pixels whose centre is less than a pixel from a
    marked one.
    """
    left, top, width, height = cv2.boundingRect(resized)
    rows, columns = np.nonzero(resized[top : top + height, left : left + width])
    x, y = to_source(scale, left + columns + 0.5, top + rows + 0.5)
    inside = components[y.astype(np.intp) - place[1], x.astype(np.intp) - place[0]]
    return set(np.unique(inside).tolist())
