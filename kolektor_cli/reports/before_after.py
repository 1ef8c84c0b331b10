"""What a fit makes of an image: windows on the source, and the output images beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kolektor_cli.imaging.geometry import Geometry, Size
from kolektor_cli.imaging.pixels import Pixels, binary
from kolektor_cli.imaging.resample import transform_image, transform_mask
from kolektor_cli.reports.overlay import OUTLINE, SECOND_OUTLINE, laid
from kolektor_cli.reports.sheet import Cell, Part, lost_drawn, marked, small_mask


def lost_by(mask: Pixels, places: Sequence[Geometry]) -> Pixels:
    """Return the defect pixels of a source mask that lie in no window, as 255, else 0.

    Parameters
    ----------
    mask
        Height x width uint8, non-zero on defects.
    places
        The geometries of the output images.
    """
    lost = binary(mask)
    for place in places:
        left, top, width, height = place.window
        lost[top : top + height, left : left + width] = 0
    return lost


def fit_cell(
    image: Pixels,
    mask: Pixels,
    places: Sequence[Geometry],
    caption: tuple[str, ...],
    side: int,
) -> Cell:
    """Return a cell: the source with windows and lost pixels, then each output image.

    Parameters
    ----------
    image
        The source image, height x width, or height x width x 3 (RGB), uint8. If it is tall, it and
        all outputs are turned.
    mask
        Height x width uint8, non-zero on defects.
    places
        The geometries of the output images.
    caption
        The lines below.
    side
        The longest side of the source in pixels. Outputs are about as large as their windows on it.
    """
    turned = laid(mask) is not mask
    windows = [(_turned(_window(mask, place), turned), SECOND_OUTLINE) for place in places]
    defects = (_turned(mask, turned), OUTLINE)
    before = marked(_turned(image, turned), [*windows, defects], side, side)
    lost = small_mask(_turned(lost_by(mask, places), turned), side, side)
    parts = [Part(lost_drawn(before, lost), ("source",))]
    for number, place in enumerate(places, 1):
        after = _turned(transform_image(image, place), turned)
        kept = _turned(transform_mask(mask, place), turned)
        label = f"output {number}" if len(places) > 1 else "output"
        space = _space(after, place, before.shape[0] * before.shape[1] / mask.size)
        parts.append(Part(marked(after, [(kept, OUTLINE)], *space), (label,)))
    return Cell(tuple(parts), caption)


def _space(after: Pixels, place: Geometry, enlarged: float) -> Size:
    """Return width and height for an output, as its window has on the source.

    `enlarged` is how many times as many pixels the source has in its picture.
    """
    _, _, width, height = place.window
    scale = min(width / place.placement[2], height / place.placement[3]) * enlarged**0.5
    return max(round(after.shape[1] * scale), 1), max(round(after.shape[0] * scale), 1)


def _window(mask: Pixels, place: Geometry) -> Pixels:
    left, top, width, height = place.window
    window = np.zeros_like(mask)
    window[top : top + height, left : left + width] = 255
    return window


def _turned(pixels: Pixels, turned: bool) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels)) if turned else pixels
