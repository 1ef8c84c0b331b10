"""Run lengths of a region, as COCO has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.pixels import Pixels


def run_lengths(region: Pixels, box: Rectangle, size: Size) -> list[int]:
    """Return the lengths of runs of pixels outside and inside in turn, down the columns.

    `region` is height x width uint8 of `box` (left, top, width, height), not 0 on the region, of an
    image of `size` (width, height). The first run is outside, and empty if the first pixel is not.

    Examples
    --------
    >>> run_lengths(np.ones((2, 1), np.uint8), (1, 0, 1, 2), (3, 3))
    [3, 2, 4]
    """
    columns, rows = np.nonzero(region.T)
    places = (columns + box[0]) * size[1] + rows + box[1]
    ends = np.flatnonzero(np.diff(places, append=-1) != 1)
    last = places[ends]
    first = places[np.concatenate(([0], ends[:-1] + 1))]
    bounds = np.column_stack((first, last + 1)).ravel()
    lengths: list[int] = np.diff(bounds, prepend=0, append=size[0] * size[1]).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def compress(lengths: Sequence[int]) -> str:
    """Return run lengths as the text that COCO's ``counts`` holds.

    From the fourth on, a length is written as its difference to the one two before. A number is
    cut into groups of five bits, the lowest first; the sixth bit says that more follow, and the
    highest bit of the last group is the sign. A group is a character from ``0`` on.
    """
    return "".join(map(_text, _differences(lengths)))


def _differences(lengths: Sequence[int]) -> Iterable[int]:
    for index, length in enumerate(lengths):
        yield length - lengths[index - 2] if index > 2 else length


def _text(number: int) -> str:
    text = ""
    while True:
        group, number = number & 31, number >> 5
        if number == (-1 if group & 16 else 0):
            return text + chr(48 + group)
        text += chr(48 + group + 32)
