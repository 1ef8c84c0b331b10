"""What a mask file marks; of masks that mark nothing, equal files are looked into only once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from kolektor_cli import images
from kolektor_cli.images import Pixels
from kolektor_cli.records import Finding, Size
from kolektor_cli.source import Source

MAX_MASK_VALUES = 4
"""The most gray values a mask may have. A mask is drawn with a palette of few colours (the real
ones use two, in one file three); a photograph, or a mask saved as JPEG, has dozens."""

LARGE_DEFECT_SHARE = 0.5
"""The share of an image from which a defect is told of. The largest defect of KolektorSDD covers
1 % of its image, so there a mask that marks more than this is inverted (`Release.largest_defect`);
how large those of KolektorSDD2 are was not measured here."""

_START = 2048
"""Bytes at the start of a file that hold more than pixels: of KolektorSDD's masks 1078."""

_MOST_BLANK = 256
"""How many different files that mark nothing are remembered: KolektorSDD has 43, by their sizes."""

_Blank: TypeAlias = tuple[bytes, int]
"""The start of a file and its length, where the rest is zeros."""


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Pixels, size, number of marked pixels, gray values and the kind of marks of one mask.

    `pixels` are height x width uint8, None where nothing is marked; `boxes` tells whether all that
    is marked are filled boxes, with sides along the axes.
    """

    pixels: Pixels | None
    sha256: str
    width: int
    height: int
    defect_pixels: int
    values: tuple[int, ...]
    boxes: bool

    @property
    def share(self) -> float:
        """The share of the image that is marked."""
        return self.defect_pixels / (self.width * self.height)


class MaskReader:
    """Reads the masks of a source; in any number of threads at once.

    Of KolektorSDD's 399 masks, 347 are black, and 304 of these the same file as an earlier one. To
    see that takes 0.06 ms, to hash, decode and look at a mask 0.7 ms.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[_Blank, MaskFacts] = {}

    def read(self, name: str) -> MaskFacts:
        """Read and decode a mask.

        Raises
        ------
        SourceError, ImageError
            It cannot be read or decoded.
        """
        data = self._source.read(name)
        blank = _blank(data)
        known = self._known.get(blank) if blank else None
        if known:
            return known
        facts = _look(data, name)
        if blank and facts.pixels is None and len(self._known) < _MOST_BLANK:
            self._known[blank] = facts
        return facts


def _blank(data: bytes) -> _Blank | None:
    """Return what tells a file from others that have but zeros behind their start; or None."""
    rest = np.frombuffer(data, np.uint8)[_START:]
    return None if rest.any() else (data[:_START], len(data))


def _look(data: bytes, name: str) -> MaskFacts:
    pixels = images.decode_gray(data, name)
    height, width = pixels.shape
    defect_pixels = cv2.countNonZero(pixels)
    return MaskFacts(
        pixels=pixels if defect_pixels else None,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        defect_pixels=defect_pixels,
        values=images.gray_values(pixels),
        boxes=defect_pixels > 0 and _is_boxes(pixels),
    )


def _is_boxes(mask: Pixels) -> bool:
    """Tell whether every connected part of a mask that marks something fills the box around it."""
    # Components are counted only where there are any: that takes 0.1 ms, the whole mask 4 ms.
    left, top, width, height = cv2.boundingRect(mask)
    marked = mask[top : top + height, left : left + width]
    parts = cv2.connectedComponentsWithStats(marked)[2][1:]
    boxes = parts[:, cv2.CC_STAT_WIDTH] * parts[:, cv2.CC_STAT_HEIGHT]
    return bool(np.array_equal(boxes, parts[:, cv2.CC_STAT_AREA]))


def mask_findings(
    name: str, facts: MaskFacts, image_size: Size, largest: float
) -> Iterator[Finding]:
    """Find what is wrong with the mask of an image of (width, height) `image_size`.

    `largest` is the share of an image from which a mask is no mask.
    """
    if (facts.width, facts.height) != image_size:
        message = (
            f"is {facts.width}x{facts.height} pixels, its image "
            f"{image_size[0]}x{image_size[1]}: not the mask of this image"
        )
        yield Finding("error", "size-mismatch", name, message)
    if len(facts.values) > MAX_MASK_VALUES:
        message = f"has {len(facts.values)} gray values: a picture or a lossy copy, not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif facts.share > largest:
        message = f"marks {facts.share:.0%} of the image: inverted, or not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif facts.share > LARGE_DEFECT_SHARE:
        message = f"marks {facts.share:.0%} of the image: look whether it is inverted"
        yield Finding("warning", "large-defect", name, message)
    elif not set(facts.values) <= {0, 255}:
        values = ", ".join(map(str, facts.values))
        message = f"has the gray values {values}; every non-zero pixel counts as defect"
        yield Finding("info", "mask-values", name, message)
