"""Drawing of images like those of KolektorSDD2: dark surfaces with bright or dark marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.raw.drawing import Random, noise

_DARK_SHARE = 0.25
"""Share of marks that are darker than the surface."""

_GAP = 2
"""Rows that stay free above and below each of several marks, so that they do not touch."""

_Floats: TypeAlias = npt.NDArray[np.float64]


def draw_dark_surface(random: Random, width: int, height: int) -> Pixels:
    """Return a dark grained surface with some bright specks, height x width uint8.

    The mean (40), the standard deviation (8 after `tint`) and the size as PNG are near those of the
    real images.
    """
    grain = cv2.GaussianBlur(noise(random, width, height), (0, 0), sigmaX=0.8, sigmaY=1.2)
    cells = noise(random, width // 12 + 2, height // 24 + 2)
    slow = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    surface = 40 + 6 / np.std(grain) * grain + 3 / np.std(slow) * slow
    specks = np.zeros((height, width), np.float32)
    count = random.integers(2, 20)
    rows, columns = random.integers(0, height, count), random.integers(0, width, count)
    specks[rows, columns] = random.integers(150, 900, count)
    return np.asarray(np.clip(surface + cv2.GaussianBlur(specks, (0, 0), 0.8), 0, 255), np.uint8)


def draw_marks(random: Random, surface: Pixels, mask: Pixels, areas: Sequence[int]) -> None:
    """Draw marks of some areas, in pixels, and set their pixels to 1 in the mask; both in place.

    Each mark lies in a band of rows of its own, so the mask has as many components as there are
    areas. A mark covers at most half of its band.
    """
    height = len(surface)
    for number, area in enumerate(areas):
        top = number * height // len(areas) + _GAP
        bottom = (number + 1) * height // len(areas) - _GAP
        _draw_mark(random, surface[top:bottom], mask[top:bottom], area)


def _draw_mark(random: Random, surface: Pixels, mask: Pixels, area: int) -> None:
    distances, centre = _distances(random, surface.shape, area)
    last = min(area, distances.size // 2) - 1
    edge = np.partition(distances, last, axis=None)[last]
    inside = (distances <= edge).astype(np.uint8)
    _, labels = cv2.connectedComponents(inside, connectivity=8)
    # Thin tips may fall apart; what hangs together with the centre is the mark.
    mark = np.asarray(labels == labels[centre])
    mask[mark] = 1
    strength = np.clip(3 * (1 - distances / edge), 0.3, 1) * mark
    if random.random() < _DARK_SHARE:
        drawn = surface * (1 - strength * random.uniform(0.4, 0.75))
    else:
        texture = 0.75 + noise(random, *surface.shape[::-1]) / 510
        drawn = surface + strength * texture * np.exp(random.uniform(np.log(25), np.log(150)))
    surface[:] = np.clip(drawn, 0, 255)


def _distances(
    random: Random, shape: tuple[int, ...], area: int
) -> tuple[_Floats, tuple[int, int]]:
    """Return distances from a random centre, and the centre as (row, column).

    Lines of equal distance are ellipses of a random shape with wavy edges, around which every
    smaller one lies: those up to any distance are one piece.
    """
    height, width = shape[:2]
    row, column = random.integers(height // 8, 7 * height // 8), random.integers(width)
    # Small marks are round: a thin one would be less than a few pixels wide.
    stretch = np.exp(random.uniform(0, np.log(np.clip(area / 25, 1, 8))))
    angle = random.normal(0, 0.4)
    y = np.arange(height)[:, np.newaxis] - row
    x = np.arange(width) - column
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) * stretch
    direction = np.arctan2(across, along)
    radius = np.ones(shape)
    for waves in range(2, 7):
        phase = random.uniform(0, 2 * np.pi)
        radius += random.uniform(0, 0.5) / waves * np.cos(waves * direction + phase)
    return np.hypot(along, across) / radius, (int(row), int(column))
