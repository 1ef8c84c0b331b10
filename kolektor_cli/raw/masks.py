"""Reading of mask files, and findings about them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

from kolektor_cli.findings import Finding, first_names
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.marks import Mask, decode_mask, value_text
from kolektor_cli.imaging.pixels import Pixels, gray_values
from kolektor_cli.io.source import Source
from kolektor_cli.raw.labelme import decode_labelme
from kolektor_cli.raw.mask_classes import color_of, numbers_of
from kolektor_cli.samples import PLAIN_MASKS, MaskRule

MAX_MASK_VALUES = 4
"""The most gray values of a mask. The real masks have two, and one file has three; a photograph, or
a mask saved as JPEG, has dozens."""

MOST_CLASSES = 32
"""The most classes of a mask whose values are their numbers: one more than the largest value."""

LARGE_DEFECT_SHARE = 0.5
"""The share of an image above which a defect is reported. KolektorSDD's largest defect covers 1 %,
so a mask that marks more than this is inverted there (`Release.largest_defect`). KolektorSDD2's
largest defect was not measured."""

_START = 2048
"""Bytes at the start of a file that may be more than pixels; KolektorSDD's masks have 1078."""

_MOST_BLANK = 256
"""The most distinct empty masks to remember. KolektorSDD has 43, one for each image size."""

_JPEG_START = b"\xff\xd8"

_Blank: TypeAlias = tuple[bytes, int]
"""The first `_START` bytes of a file and its length; all other bytes are zeros."""


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Facts about one mask.

    `pixels` is height x width uint8, or None if nothing is marked. `defect_pixels` counts its
    non-zero pixels, `drawn_pixels` those before they grew. `types` are the types of defects that
    are marked, if masks tell them. `values`, `color_bits` and `unnamed` come from the `Mask`.
    `boxes` is True if something is marked, and all of it is filled boxes with sides along the axes.
    `lossy` is True for a JPEG. `orientation` is that of EXIF.
    """

    pixels: Pixels | None
    sha256: str
    width: int
    height: int
    defect_pixels: int
    drawn_pixels: int
    values: tuple[int, ...]
    boxes: bool
    lossy: bool
    color_bits: int = 0
    orientation: int = 1
    types: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of the image that the file marks, from 0 to 1."""
        return self.drawn_pixels / (self.width * self.height)

    @property
    def has_many_values(self) -> bool:
        """Whether the values are neither few nor the numbers of classes."""
        has_classes = not (self.lossy or self.color_bits) and max(self.values) < MOST_CLASSES
        return len(self.values) > MAX_MASK_VALUES and not has_classes


class MaskReader:
    """Reads the masks of a source by a rule, in any number of threads at once.

    Equal empty masks are decoded once: 304 of KolektorSDD's 347 empty masks repeat an earlier file.
    """

    def __init__(self, source: Source, rule: MaskRule = PLAIN_MASKS) -> None:
        self._source = source
        self.rule = rule
        # By the size of the image, too: a file of labelme may take it from there.
        self._known: dict[tuple[_Blank, Size | None], MaskFacts] = {}

    def read(self, name: str, image_size: Size | None = None) -> MaskFacts:
        """Return the facts about a mask of an image of `image_size`; see `decode_labelme`.

        Raises
        ------
        SourceError, ImageError
            The mask cannot be read or decoded.
        """
        data = self._source.read(name)
        blank = _blank(data)
        known = self._known.get((blank, image_size)) if blank else None
        if known:
            return known
        facts = _look(data, name, self.rule, image_size)
        if blank and facts.pixels is None and len(self._known) < _MOST_BLANK:
            self._known[blank, image_size] = facts
        return facts


def _blank(data: bytes) -> _Blank | None:
    """Return the key of a file that holds only zeros after its start, or None for others."""
    rest = np.frombuffer(data, np.uint8)[_START:]
    return None if rest.any() else (data[:_START], len(data))


def decode_marks(data: bytes, name: str, rule: MaskRule, image_size: Size | None = None) -> Mask:
    """Return a mask, of an image or of labelme's JSON, with what `rule` marks as its `pixels`.

    `image_size` is that of the image, for `decode_labelme`.

    Raises
    ------
    ImageError
        See `decode_mask` and `decode_labelme`.
    """
    mask = _decode(data, name, rule, image_size)
    return replace(mask, pixels=_grown(_above(mask.pixels, rule), rule))


def _decode(data: bytes, name: str, rule: MaskRule, image_size: Size | None) -> Mask:
    numbers = numbers_of(rule) if rule.classes else None
    if name.casefold().endswith(".json"):
        return decode_labelme(data, name, image_size, numbers)
    if numbers is None:
        return decode_mask(data, name)
    colors = {color: number for value, number in numbers.items() if (color := color_of(value))}
    return decode_mask(data, name, colors)


def _above(pixels: Pixels, rule: MaskRule) -> Pixels:
    """Return pixels with zeros where their value is not above the threshold."""
    return pixels * (pixels > rule.threshold) if rule.threshold else pixels


def _grown(pixels: Pixels, rule: MaskRule) -> Pixels:
    """Return pixels as the authors' code dilates them, by a square of ones around each."""
    if rule.dilate == 1:
        return pixels
    square = np.ones((rule.dilate, rule.dilate), np.uint8)
    return np.asarray(cv2.dilate(pixels, square), np.uint8)


def _look(data: bytes, name: str, rule: MaskRule, image_size: Size | None) -> MaskFacts:
    mask = _decode(data, name, rule, image_size)
    drawn = _above(mask.pixels, rule)
    pixels = _grown(drawn, rule)
    height, width = pixels.shape
    defect_pixels = cv2.countNonZero(pixels)
    return MaskFacts(
        pixels=pixels if defect_pixels else None,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        defect_pixels=defect_pixels,
        drawn_pixels=cv2.countNonZero(drawn),
        values=mask.values,
        boxes=defect_pixels > 0 and _is_boxes(drawn),
        lossy=data.startswith(_JPEG_START),
        color_bits=mask.color_bits,
        orientation=mask.orientation,
        types=_types_in(pixels, rule),
        unnamed=mask.unnamed,
    )


def _types_in(pixels: Pixels, rule: MaskRule) -> tuple[str, ...]:
    """Return the types of defects that marks are of; none if the rule tells of none."""
    types = rule.types
    return tuple(types[number - 1] for number in gray_values(pixels) if number) if types else ()


def _is_boxes(mask: Pixels) -> bool:
    """Return whether every connected part of a mask that is not empty fills the box around it."""
    # Labelling the components of the whole mask would take much longer.
    left, top, width, height = cv2.boundingRect(mask)
    marked = mask[top : top + height, left : left + width]
    parts = cv2.connectedComponentsWithStats(marked)[2][1:]
    boxes = parts[:, cv2.CC_STAT_WIDTH] * parts[:, cv2.CC_STAT_HEIGHT]
    return bool(np.array_equal(boxes, parts[:, cv2.CC_STAT_AREA]))


def mask_findings(
    name: str,
    facts: MaskFacts,
    image_size: Size,
    largest: float,
    orientation: int = 1,
    *,
    any_values: bool = False,
) -> Iterator[Finding]:
    """Yield what is wrong with the mask of an image of `image_size`, (width, height) in pixels.

    `largest` is the share of an image above which a mask is an error, `orientation` the image's.
    With `any_values`, the values of the mask are what its maker says of them.
    """
    if (facts.width, facts.height) != image_size:
        message = (
            f"is {facts.width}x{facts.height} pixels, its image "
            f"{image_size[0]}x{image_size[1]}: not the mask of this image"
        )
        if {facts.orientation, orientation} != {1}:
            turned = orientation if orientation != 1 else facts.orientation
            message += (
                f", or drawn on its turned view (orientation {turned}); save both as they are "
                "shown, without orientation"
            )
        yield Finding("error", "size-mismatch", name, message)
    if facts.unnamed:
        values = first_names([repr(value) for value in facts.unnamed])
        message = f"has {values}, and --mask-classes must name all classes"
        yield Finding("error", "mask-class", name, message)
    elif facts.has_many_values and not any_values:
        kind = "colors" if facts.color_bits else "gray values"
        message = (
            f"has {len(facts.values)} {kind}: a picture or a lossy copy, not a mask; if it is one, "
            "'--mask-threshold 127' takes the values above 127 for defect, "
            "'--mask-threshold 0' all that are not black"
        )
        yield Finding("error", "not-a-mask", name, message)
    elif facts.share > largest:
        message = f"marks {facts.share:.0%} of the image: inverted, or not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif facts.share > LARGE_DEFECT_SHARE:
        message = f"marks {facts.share:.0%} of the image: look whether it is inverted"
        yield Finding("warning", "large-defect", name, message)
    elif not any_values and (facts.color_bits or not set(facts.values) <= {0, 255}):
        if facts.color_bits:
            colors = ", ".join(value_text(value, facts.color_bits) for value in facts.values)
            message = f"has the colors {colors}; every pixel that is not black counts as defect"
        else:
            values = ", ".join(map(str, facts.values))
            message = f"has the gray values {values}; every non-zero pixel counts as defect"
        yield Finding("info", "mask-values", name, message)
