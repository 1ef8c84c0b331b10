"""From one candidate to a sample, or to findings that say why it is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from kolektor_cli import duplicates, images
from kolektor_cli.duplicates import Thumbnail
from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.images import Pixels
from kolektor_cli.pairing import Candidate, pairing_problem
from kolektor_cli.records import Finding, Sample, Size
from kolektor_cli.releases import Release
from kolektor_cli.source import Source

MAX_MASK_VALUES = 4
"""The most gray values a mask may have. A mask is drawn with a palette of few colours (the real
ones use two, in one file three); a photograph, or a mask saved as JPEG, has dozens."""

LARGE_DEFECT_SHARE = 0.5
"""The share of an image from which a defect is told of. The largest defect of KolektorSDD covers
1 % of its image, so there a mask that marks more than this is inverted (`Release.largest_defect`);
how large those of KolektorSDD2 are was not measured here."""


Visit: TypeAlias = Callable[[Sample, Pixels, Pixels], None]
"""Called with a sample, its image (height x width, or x 3, uint8) and its mask (height x width)."""


def no_visit(_sample: Sample, _image: Pixels, _mask: Pixels) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of one candidate: a sample, or findings that say why it is none.

    `boxes` tells whether all that the mask marks are filled boxes, with sides along the axes.
    """

    name: str
    sample: Sample | None
    findings: tuple[Finding, ...] = ()
    thumbnail: Thumbnail | None = None
    boxes: bool = False


@dataclass(frozen=True, slots=True)
class _ImageFacts:
    """Pixels, SHA-256, size in pixels and thumbnail of one image."""

    pixels: Pixels
    sha256: str
    width: int
    height: int
    thumbnail: Thumbnail


@dataclass(frozen=True, slots=True)
class _MaskFacts:
    """Pixels, size, number of marked pixels, gray values and the kind of marks of one mask."""

    pixels: Pixels
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


def examine(
    source: Source,
    release: Release,
    candidates: Mapping[str, Candidate],
    visit: Visit,
    name: str,
) -> Examined:
    """Make a sample of a candidate and have it visited, or say why it is none."""
    files = candidates[name]
    problem = pairing_problem(name, files, release)
    if problem:
        return Examined(name, None, (problem,))
    [image], [mask] = files.images, files.masks
    findings = []
    try:
        seen = _read_image(source, image)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(image, error))
    try:
        facts = _read_mask(source, mask)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(mask, error))
    if findings:
        return Examined(name, None, tuple(findings))
    size = (seen.width, seen.height)
    findings = list(_mask_findings(mask, facts, size, release.largest_defect))
    if any(finding.severity == "error" for finding in findings):
        return Examined(name, None, tuple(findings))
    sample = Sample(
        name=name,
        item=files.item,
        group=files.item,
        image=image,
        mask=mask,
        width=seen.width,
        height=seen.height,
        defect_pixels=facts.defect_pixels,
        image_sha256=seen.sha256,
        mask_sha256=facts.sha256,
        official_split=files.official_split,
    )
    visit(sample, seen.pixels, facts.pixels)
    return Examined(name, sample, tuple(findings), seen.thumbnail, facts.boxes)


def _read_image(source: Source, name: str) -> _ImageFacts:
    data = source.read(name)
    pixels = images.decode_image(data, name)
    height, width = pixels.shape[:2]
    thumbnail = duplicates.thumbnail(images.to_gray(pixels))
    return _ImageFacts(pixels, hashlib.sha256(data).hexdigest(), width, height, thumbnail)


def _read_mask(source: Source, name: str) -> _MaskFacts:
    data = source.read(name)
    mask = images.decode_gray(data, name)
    return _MaskFacts(
        pixels=mask,
        sha256=hashlib.sha256(data).hexdigest(),
        width=mask.shape[1],
        height=mask.shape[0],
        defect_pixels=int(np.count_nonzero(mask)),
        values=images.gray_values(mask),
        boxes=_is_boxes(mask),
    )


def _is_boxes(mask: Pixels) -> bool:
    """Tell whether every connected part of a mask, height x width, fills the box around it."""
    if not mask.any():
        return False
    # Components are counted only where there are any: that takes 0.1 ms, the whole mask 4 ms.
    left, top, width, height = cv2.boundingRect(mask)
    marked = mask[top : top + height, left : left + width]
    parts = cv2.connectedComponentsWithStats(marked)[2][1:]
    boxes = parts[:, cv2.CC_STAT_WIDTH] * parts[:, cv2.CC_STAT_HEIGHT]
    return bool(np.array_equal(boxes, parts[:, cv2.CC_STAT_AREA]))


def _unreadable(name: str, error: Exception) -> Finding:
    message = str(error).removeprefix(f"{name}: ")
    return Finding("error", "unreadable", name, message)


def _mask_findings(
    name: str, facts: _MaskFacts, image_size: Size, largest: float
) -> Iterator[Finding]:
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
