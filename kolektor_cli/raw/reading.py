"""Reading of one candidate, which gives a sample, or findings that say why it is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.imaging import similarity
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.depth import Depth, spread_to_8_bits, to_8_bits
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.pixels import Pixels, gray_values, to_gray
from kolektor_cli.imaging.similarity import Thumbnail
from kolektor_cli.io.source import Source
from kolektor_cli.raw.images import image_findings, orientation_findings
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.masks import MaskFacts, MaskReader, mask_findings
from kolektor_cli.raw.pairing import Candidate
from kolektor_cli.samples import MaskRule, Sample

Derived = TypeVar("Derived")

Derive: TypeAlias = Callable[[Sample, Pixels, Pixels | None], Derived]
"""A function of a sample, its image (height x width, or height x width x 3, uint8) and its mask
(height x width uint8, or None for a good sample); threads or processes call it at once."""


@dataclass(frozen=True, slots=True)
class Examined(Generic[Derived]):
    """The result of one candidate: a sample, or findings that say why it is none.

    `boxes` comes from the mask's `MaskFacts`. `derived` is what the caller's function returned.
    """

    name: str
    sample: Sample | None
    findings: tuple[Finding, ...] = ()
    thumbnail: Thumbnail | None = None
    boxes: bool = False
    derived: Derived | None = None


@dataclass(frozen=True, slots=True)
class _ImageFacts:
    pixels: Pixels
    sha256: str
    width: int
    height: int
    thumbnail: Thumbnail
    orientation: int
    findings: tuple[Finding, ...]

    @property
    def shown_size(self) -> Size | None:
        """Width and height in pixels; None if the image is to be shown turned or mirrored."""
        return (self.width, self.height) if self.orientation == 1 else None


def examine(
    source: Source,
    masks: MaskReader,
    largest_defect: float,
    derive: Derive[Derived],
    depth: Depth,
    layout: LayoutOptions,
    candidate: tuple[str, Candidate],
) -> Examined[Derived]:
    """Make a sample of a candidate and call `derive` with it, or report why it is none.

    A mask that marks more than the share `largest_defect` of its image is an error. Images of 16
    bits are reduced by `depth`.
    """
    name, files = candidate
    if files.problem:
        return Examined(name, None, (files.problem,))
    [image], mask = files.images, next(iter(files.masks), None)
    findings = []
    facts = size = None
    try:
        seen = _read_image(source, image, depth)
        size = seen.shown_size
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(image, error))
    if mask is not None:
        try:
            facts = masks.read(mask, size)
        except (SourceError, ImageError) as error:
            findings.append(_unreadable(mask, error))
    if findings:
        return Examined(name, None, tuple(findings))
    findings = list(seen.findings)
    if files.label is not None:
        findings += _masks_as_images(image, seen.pixels)
    if mask and facts:
        findings += _findings_of_mask(mask, facts, seen, largest_defect, layout)
    findings.sort(key=lambda finding: finding.severity != "error")
    if any(finding.severity == "error" for finding in findings):
        return Examined(name, None, tuple(findings))
    sample = _make_sample(name, files, seen, facts, masks.rule)
    derived = derive(sample, seen.pixels, facts.pixels if facts else None)
    boxes = facts is not None and facts.boxes
    return Examined(name, sample, tuple(findings), seen.thumbnail, boxes, derived)


def _masks_as_images(name: str, pixels: Pixels) -> Iterator[Finding]:
    """Yield an error if an image of a source without masks has the values of a mask alone."""
    values = gray_values(to_gray(pixels))
    if values in ((0, 255), (0, 1)):
        message = f"holds but 0 and {values[1]}, as a mask does; move masks out of the source"
        yield Finding("error", "mask-as-image", name, message)


def _findings_of_mask(
    mask: str, facts: MaskFacts, image: _ImageFacts, largest: float, layout: LayoutOptions
) -> Iterator[Finding]:
    yield from mask_findings(
        mask,
        facts,
        (image.width, image.height),
        largest,
        image.orientation,
        any_values=layout.mask_threshold is not None or layout.mask_classes is not None,
    )
    yield from orientation_findings(mask, facts.orientation)


def _make_sample(
    name: str, files: Candidate, image: _ImageFacts, mask: MaskFacts | None, rule: MaskRule
) -> Sample:
    return Sample(
        name=name,
        item=files.item,
        group=files.item,
        image=files.images[0],
        mask=files.masks[0] if mask else "",
        width=image.width,
        height=image.height,
        defect_pixels=mask.defect_pixels if mask else 0,
        image_sha256=image.sha256,
        mask_sha256=mask.sha256 if mask else "",
        official_split=files.official_split,
        mask_rule=rule,
        types=mask.types if mask else (),
        folder_label=files.label,
    )


def _read_image(source: Source, name: str, depth: Depth) -> _ImageFacts:
    data = source.read(name)
    stored = decode_stored(data, name)
    pixels = to_8_bits(stored.colors, depth)
    height, width = pixels.shape[:2]
    return _ImageFacts(
        pixels=pixels,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        # The same whatever the depth, so that the same duplicates are found.
        thumbnail=similarity.thumbnail(to_gray(spread_to_8_bits(stored.colors))),
        orientation=stored.orientation,
        findings=tuple(image_findings(name, stored, pixels, depth)),
    )


def _unreadable(name: str, error: Exception) -> Finding:
    message = str(error).removeprefix(f"{name}: ")
    return Finding("error", "unreadable", name, message)
