"""Contact sheets: cells of pictures with captions, laid out on a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.pixels import MAX_PIXELS, Pixels, binary
from kolektor_cli.reports.lettering import (
    Text,
    line_height,
    lines_at,
    width_of,
    with_texts,
    wrapped,
)
from kolektor_cli.reports.overlay import (
    LOST,
    OUTLINE,
    RGB,
    SECOND_OUTLINE,
    close_up,
    fitted,
    laid,
    outlined,
    to_rgb,
)

PAPER = 255
"""The value of all channels of an empty page."""

MARGIN, GAP, CLOSE = 16, 20, 6
"""Pixels around the page, between cells, and between what belongs to one cell."""

_LEAST_COLUMN, _LEAST_LABEL = 16, 8
"""The narrowest column, and the narrowest label of one picture, in heights of a letter."""


_SMALLER = "give a smaller --cell, or name samples"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A picture of a cell in its final size.

    Attributes
    ----------
    pixels
        Height x width x 3 uint8 (RGB).
    label
        Lines above it, which may be long.
    aside
        What stands on its right, at the top and at the bottom, as beside a colour bar.
    """

    pixels: Pixels
    label: tuple[str, ...] = ()
    aside: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Pictures side by side, and the lines of their caption, which may be long."""

    parts: tuple[Part, ...]
    caption: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page: `plain` is height x width x 3 uint8 (RGB) without its texts; `texts` lie on it."""

    plain: Pixels
    texts: tuple[Text, ...]

    def drawn(self) -> Pixels:
        """Return the page with its texts: height x width x 3 uint8 (RGB)."""
        return with_texts(self.plain, self.texts)


def text_size(cell: int) -> int:
    """Return the font size, in pixels, for cells of a side of `cell` pixels."""
    return max(12, min(28, cell // 28))


def marked(image: Pixels, marks: Sequence[tuple[Pixels, RGB]], width: int, height: int) -> Pixels:
    """Return an image fitted into a space, with outlines of masks drawn at its final size.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8.
    marks
        Masks of the image's size, uint8, non-zero on defects, each with the colour of its outline;
        later ones lie on top.
    width, height
        The space in pixels; see `kolektor_cli.reports.overlay.fitted`.
    """
    drawn = to_rgb(fitted(image, width, height))
    for mask, color in marks:
        drawn = outlined(drawn, small_mask(mask, width, height), color)
    return drawn


def small_mask(mask: Pixels, width: int, height: int) -> Pixels:
    """Return a mask, as 0 and 255, fitted as its image is; thin defects stay."""
    return fitted(binary(mask), width, height)


def picture_cell(image: Pixels, mask: Pixels | None, caption: tuple[str, ...], side: int) -> Cell:
    """Return a cell of an image with its outlined defects, and a close-up of the largest one.

    Parameters
    ----------
    image
        Height x width, or height x width x 3 (RGB), uint8. A tall one is laid on its side.
    mask
        Height x width uint8, non-zero on defects; None for a good image.
    caption
        The lines below.
    side
        The longest side of the picture in pixels.
    """
    image = laid(image)
    if mask is None or not mask.any():
        return Cell((Part(marked(image, (), side, side)),), caption)
    mask = laid(mask)
    picture = marked(image, [(mask, OUTLINE)], side, side)
    return Cell((Part(picture), Part(close_up(image, mask, inset_side(side)))), caption)


def inset_side(side: int) -> int:
    """Return the side of a close-up beside a picture of a longest side of `side` pixels."""
    return max(side * 2 // 5, 8)


def pair_cell(
    first: tuple[Pixels, Pixels | None],
    second: tuple[Pixels, Pixels | None],
    labels: tuple[tuple[str, ...], tuple[str, ...]],
    caption: tuple[str, ...],
    side: int,
) -> Cell:
    """Return a cell of two images, each with its own mask's outline on top of the other's.

    `first` and `second` are images with their masks, as in `picture_cell`. The first mask has the
    colour `OUTLINE`, the second `SECOND_OUTLINE`. A mask of another size than the image beside it
    is drawn on its own image alone.
    """
    masks = [(first[1], OUTLINE), (second[1], SECOND_OUTLINE)]
    parts = []
    for number, (image, _) in enumerate((first, second)):
        # Its own mask comes last, on top.
        order = reversed(masks) if number == 0 else masks
        marks = [
            (laid(mask), color)
            for mask, color in order
            if mask is not None and mask.shape == image.shape[:2]
        ]
        parts.append(Part(marked(laid(image), marks, side, side), labels[number]))
    return Cell(tuple(parts), caption)


def lost_drawn(picture: Pixels, lost: Pixels) -> Pixels:
    """Return a picture, height x width x 3, with all pixels of a mask of its size in `LOST`."""
    drawn = picture.copy()
    drawn[lost > 0] = LOST
    return drawn


def arrange(
    cells: Sequence[Cell], heading: Sequence[str], *, side: int, columns: int | None = None
) -> Page:
    """Return a page with cells in rows, from left to right, and a heading above them.

    Parameters
    ----------
    cells
        One or more.
    heading
        Lines above the cells.
    side
        The longest side of a picture in pixels, which decides the size of the letters.
    columns
        Cells in a row; by default so many that the page comes near a square.

    Raises
    ------
    UsageError
        The page would have more than `MAX_PIXELS` pixels.
    """
    size = text_size(side)
    column = max(_LEAST_COLUMN * size, *(_width(cell, size) for cell in cells))
    heights = [_height(cell, column, size) for cell in cells]
    columns = min(columns or _columns(len(cells), column, max(heights)), len(cells))
    width = 2 * MARGIN + columns * (column + GAP) - GAP
    head = list(chain.from_iterable(wrapped(line, width - 2 * MARGIN, size) for line in heading))
    top = MARGIN + len(head) * line_height(size) + (GAP // 2 if head else 0)
    rows = [max(heights[first : first + columns]) for first in range(0, len(cells), columns)]
    height = top + sum(rows) + GAP * (len(rows) - 1) + MARGIN
    _refuse_too_large(width, height)
    plain = np.full((height, width, 3), PAPER, np.uint8)
    texts = [*lines_at(head, MARGIN, MARGIN, size)]
    for number, cell in enumerate(cells):
        row, place = divmod(number, columns)
        left = MARGIN + place * (column + GAP)
        texts += _put(plain, cell, left, top + sum(rows[:row]) + GAP * row, column, size)
    return Page(plain, tuple(texts))


def _columns(number: int, width: int, height: int) -> int:
    """Return how many columns bring a page nearest to a square."""
    tries = range(1, number + 1)
    return min(
        tries,
        key=lambda columns: abs(
            math.log(columns * (width + GAP) / (-(-number // columns) * (height + GAP)))
        ),
    )


def refuse_too_many(cell: Cell, number: int) -> None:
    """Refuse to make as many cells as large as one, far beyond what `arrange` takes.

    Raises
    ------
    UsageError
        See above.
    """
    pixels = sum(part.pixels.shape[0] * part.pixels.shape[1] for part in cell.parts) * number
    if pixels > 2 * MAX_PIXELS:
        raise UsageError(
            f"{number} pictures of this size have {pixels} pixels, more than {MAX_PIXELS}; "
            f"{_SMALLER}"
        )


def _refuse_too_large(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UsageError(
            f"the picture would have {width}x{height} pixels, more than {MAX_PIXELS}; {_SMALLER}"
        )


def _label(part: Part, size: int) -> list[str]:
    width = max(int(part.pixels.shape[1]), _LEAST_LABEL * size)
    return [*chain.from_iterable(wrapped(line, width, size) for line in part.label)]


def _part_width(part: Part, size: int) -> int:
    width = int(part.pixels.shape[1])
    if any(part.aside):
        width += CLOSE + max(width_of(text, size) for text in part.aside)
    return max([width, *(width_of(line, size) for line in _label(part, size))])


def _width(cell: Cell, size: int) -> int:
    return sum(_part_width(part, size) + CLOSE for part in cell.parts) - CLOSE


def _lines(cell: Cell, column: int, size: int) -> list[str]:
    return [*chain.from_iterable(wrapped(line, column, size) for line in cell.caption)]


def _label_height(cell: Cell, size: int) -> int:
    return max(len(_label(part, size)) for part in cell.parts) * line_height(size)


def _pictures_height(cell: Cell) -> int:
    return max(len(part.pixels) for part in cell.parts)


def _height(cell: Cell, column: int, size: int) -> int:
    captions = len(_lines(cell, column, size)) * line_height(size)
    return _label_height(cell, size) + _pictures_height(cell) + CLOSE + captions


def _put(plain: Pixels, cell: Cell, left: int, top: int, column: int, size: int) -> Iterator[Text]:
    """Copy a cell's pictures to the page; yield its texts."""
    x, first = left, top + _label_height(cell, size)
    for part in cell.parts:
        yield from lines_at(_label(part, size), x, top, size)
        height, width = part.pixels.shape[:2]
        plain[first : first + height, x : x + width] = part.pixels
        if any(part.aside):
            high, low = part.aside
            yield from lines_at([high], x + width + CLOSE, first, size)
            end = first + max(height - line_height(size), line_height(size))
            yield from lines_at([low], x + width + CLOSE, end, size)
        x += _part_width(part, size) + CLOSE
    below = first + _pictures_height(cell) + CLOSE // 2
    yield from lines_at(_lines(cell, column, size), left, below, size)
