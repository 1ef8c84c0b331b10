"""Maps brought to their images: the image pixels that a map covers, and their scores.

A mask is never resized; a map of another size than its image is resized to it, by bilinear
interpolation with half-pixel centres, edges repeated, as ``torch.nn.functional.interpolate`` does
with ``align_corners=False``. The arithmetic is NumPy's, which rounds alike on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.geometry import Box, CenterCrop, Rectangle, Size, center_crop
from kolektor_cli.scoring.thresholds import Scores


@dataclass(frozen=True, slots=True)
class Placed:
    """Scores of the image pixels in a `window`, (left, top, width, height); rows first."""

    scores: Scores
    window: Rectangle


def place(scores: Scores, size: Size, inside: Rectangle, crop: CenterCrop | None = None) -> Placed:
    """Return the scores of an image's pixels.

    Parameters
    ----------
    scores
        The map, height x width.
    size
        Width and height of the image.
    inside
        The part of the image that is not padding; only its pixels get scores.
    crop
        The crop of the image that the map shows; None if it shows the whole image.
    """
    box = _box(size, crop)
    window = _pixels_in(box, inside)
    left, top, width, height = window
    if crop is None and scores.shape == (size[1], size[0]):
        return Placed(scores[top : top + height, left : left + width], window)
    columns = _neighbours(left, width, box[0], box[2], scores.shape[1], scores.dtype)
    rows = _neighbours(top, height, box[1], box[3], scores.shape[0], scores.dtype)
    lines = scores[rows[0]] + (scores[rows[1]] - scores[rows[0]]) * rows[2][:, None]
    first = lines[:, columns[0]]
    return Placed(first + (lines[:, columns[1]] - first) * columns[2], window)


def _pixels_in(box: Box, inside: Rectangle) -> Rectangle:
    """Return the pixels of `inside` whose centres lie in a box."""
    left, right = _range(box[0], box[2], inside[0], inside[2])
    top, bottom = _range(box[1], box[3], inside[1], inside[3])
    return left, top, max(right - left, 0), max(bottom - top, 0)


def _range(start: float, length: float, first: int, number: int) -> tuple[int, int]:
    low = max(first, int(np.ceil(start - 0.5)))
    return low, min(first + number, int(np.ceil(start + length - 0.5)))


def _neighbours(
    first: int, number: int, start: float, length: float, values: int, dtype: np.dtype[np.floating]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Scores]:
    """Return, along one axis, two indices into a map for each pixel, and the second's weight.

    The map's `values` cover the image from `start` on over `length`.
    """
    places = (first + np.arange(number) + 0.5 - start) * (values / length) - 0.5
    places = np.clip(places, 0, values - 1)
    lower = np.floor(places).astype(np.intp)
    return lower, np.minimum(lower + 1, values - 1), (places - lower).astype(dtype)


def within(scores: Scores, size: Size, inside: Rectangle, crop: CenterCrop | None = None) -> Scores:
    """Return the part of a map, as it was given, that shows no padding; see `place`.

    At least one score is kept.
    """
    box = _box(size, crop)
    left, right = _scaled(inside[0], inside[2], box[0], box[2], scores.shape[1])
    top, bottom = _scaled(inside[1], inside[3], box[1], box[3], scores.shape[0])
    return scores[top:bottom, left:right]


def _box(size: Size, crop: CenterCrop | None) -> Box:
    """Return the box of an image that its map shows; a crop may reach beyond the image."""
    return (0, 0, *size) if crop is None else center_crop(size, crop.resize, crop.side)


def _scaled(first: int, number: int, start: float, length: float, values: int) -> tuple[int, int]:
    """Return the range of a map's values whose centres lie in a range of its image's pixels.

    The map's `values` cover the image from `start` on over `length`.
    """
    low = int(np.ceil((first - start) * values / length - 0.5))
    high = int(np.ceil((first + number - start) * values / length - 0.5))
    low = min(max(low, 0), values - 1)
    return low, max(min(high, values), low + 1)
