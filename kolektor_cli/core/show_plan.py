"""What a page of pictures is to show: its options, its heading and its cells."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from kolektor_cli.errors import KolektorError
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.reports.sheet import Cell
from kolektor_cli.samples import Label
from kolektor_cli.tree.dataset import TreeImage
from kolektor_cli.tree.fit import AskedSize, FitName

Which: TypeAlias = Literal["defective", "good", "all", "pairs"]
"""What is shown: samples by their label, or pairs that are the same picture."""

_CELL, _LEAST_CELL, _MOST_CELL = 480, 96, 2048
"""Longest side of a picture in pixels: by default, of very many, and of samples that are named."""

_MANY = 100
"""Pictures from which on they become smaller, so that the page does not become larger."""

MakeCell: TypeAlias = Callable[[], Cell]


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """What is shown, and how.

    Parameters
    ----------
    which
        ``defective``, ``good`` or ``all`` samples; or ``pairs``: samples of a source that are the
        same picture, or images of a tree that are in training and in test.
    columns
        Cells in a row; by default so many that the page comes near a square.
    cell
        The longest side of each picture in pixels. By default 480, less for many samples; samples
        that are named have their own size, up to 2048.
    fit, size
        With one of them given, show what this fit makes of samples of a source at this size:
        (width, height) in pixels or ``"source"``.
    threshold
        With maps: scores from it on are predicted as defect. By default that of the best F1 of
        pixels, which is chosen on the test set.
    crop
        With maps: the center crop that they show; None if they show whole images.
    """

    which: Which = "defective"
    columns: int | None = None
    cell: int | None = None
    fit: FitName | None = None
    size: AskedSize = None
    threshold: float | None = None
    crop: CenterCrop | None = None


DEFAULT_SHOW = ShowOptions()


@dataclass(frozen=True, slots=True)
class ShowPlan:
    """What a page is to show: its heading, a function for each cell, the side of pictures."""

    heading: tuple[str, ...]
    makes: Sequence[MakeCell]
    side: int


def side_of(options: ShowOptions, number: int, named: Sequence[int] = ()) -> int:
    """Return the side of pictures in pixels.

    `number` counts the pictures, `named` are the longest sides of samples that are named.
    """
    if options.cell is not None:
        return options.cell
    if named:
        return max(min(max(named), _MOST_CELL), _LEAST_CELL)
    return max(min(_CELL, int(_CELL * (_MANY / number) ** 0.5)), _LEAST_CELL)


def is_chosen(which: Which, label: Label) -> bool:
    """Return whether samples of a label are asked for."""
    return which == "all" or which == label


def require_known(names: Sequence[str], known: Collection[str], error: KolektorError) -> None:
    """Refuse a name that is not known, and tell the nearest one; `error` gives class and place."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1, 0)
            advice = f"; did you mean {near[0]}?" if near else ""
            raise type(error)(f"{error}: has no sample {name}{advice}")


def refuse_nothing(chosen: Sequence[object], error: KolektorError, which: Which) -> None:
    """Refuse a page without cells; `error` gives class and place."""
    if not chosen:
        what = "sample" if which == "all" else f"{which} sample"
        raise type(error)(f"{error}: has no {what}, so there is nothing to show")


def counted(shown: int, total: int, labels: Sequence[Label]) -> str:
    """Return how many samples are shown, for a heading."""
    defective = labels.count("defective")
    return f"{shown} of {total} samples, {defective} of them defective; outline: label"


def area_text(label: Label, pixels: int) -> str:
    """Return the label of a sample with the area of all its defects, for a caption."""
    if label == "defective" and not pixels:
        return "defective, without a mask"
    return f"defect {pixels} px" if pixels else "good"


def caption_of(image: TreeImage, mask: Pixels | None, *more: str) -> tuple[str, ...]:
    """Return the caption of a tree's image: path, sample, area and `more`."""
    area = 0 if mask is None else int(np.count_nonzero(mask))
    names = (image.path, image.sample) if image.sample else (image.path,)
    return (*names, ", ".join((area_text(image.label, area), *more)))
