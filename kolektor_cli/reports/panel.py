"""Panels: one image beside its ground truth, its heat map, and what a threshold makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.pixels import Pixels, binary
from kolektor_cli.reports.overlay import (
    OUTLINE,
    PADDING,
    SECOND_OUTLINE,
    color_bar,
    fitted,
    heat_map,
    to_rgb,
)
from kolektor_cli.reports.sheet import Cell, Part, marked, small_mask

_BAR = 12
"""Width of a colour bar in pixels."""


def panel_cell(
    image: Pixels,
    mask: Pixels | None,
    scores: npt.NDArray[np.floating[Any]],
    scale: tuple[float, float],
    threshold: float,
    caption: tuple[str, ...],
    side: int,
) -> Cell:
    """Return a cell: image, ground truth, heat map with colour bar, predicted mask, outlines.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8.
    mask
        Height x width uint8, non-zero on defects; None for a good image.
    scores
        Height x width, NaN where the map shows nothing, as on padding.
    scale
        The scores of the first and of the last colour.
    threshold
        Scores from it on are predicted as defect.
    caption
        The lines below.
    side
        The longest side of each picture in pixels.
    """
    truth = np.zeros(image.shape[:2], np.uint8) if mask is None else mask
    found = predicted(scores, threshold)
    space = (side, side)
    heat = fitted(_heat(scores, scale), *space)
    low, high = (number_text(score) for score in scale)
    outlines = [(truth, OUTLINE), (found, SECOND_OUTLINE)]
    return Cell(
        (
            Part(to_rgb(fitted(image, *space)), ("image",)),
            Part(_white(truth, *space), ("ground truth",)),
            Part(heat, ("heat map",)),
            Part(color_bar(heat.shape[0], _BAR), aside=(high, low)),
            Part(_white(found, *space), ("predicted mask",)),
            Part(marked(image, outlines, *space), ("outlines",)),
        ),
        caption,
    )


def predicted(scores: npt.NDArray[np.floating[Any]], threshold: float) -> Pixels:
    """Return 255 where scores reach a threshold, else 0: height x width uint8."""
    # NaN reaches nothing.
    return np.where(scores >= threshold, 255, 0).astype(np.uint8)


def number_text(value: float) -> str:
    """Return a number in four digits."""
    return f"{value:.4g}"


def _heat(scores: npt.NDArray[np.floating[Any]], scale: tuple[float, float]) -> Pixels:
    seen = np.isfinite(scores)
    colors = heat_map(np.where(seen, scores, scale[0]), *scale)
    colors[~seen] = PADDING
    return colors


def _white(mask: Pixels, width: int, height: int) -> Pixels:
    # White where an outline would be, so that a thin defect does not fade.
    small = small_mask(mask, width, height)
    return to_rgb(binary(small))
