"""From one candidate to a sample, or to findings that say why it is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kolektor_cli import duplicates, images
from kolektor_cli.duplicates import Thumbnail
from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.images import Pixels
from kolektor_cli.masks import MaskReader, mask_findings
from kolektor_cli.pairing import Candidate, pairing_problem
from kolektor_cli.records import Finding, Sample
from kolektor_cli.releases import Release
from kolektor_cli.source import Source

Visit: TypeAlias = Callable[[Sample, Pixels, Pixels | None], None]
"""Called with a sample, its image (height x width, or x 3, uint8) and its mask (height x width, or
None for a good sample)."""


def no_visit(_sample: Sample, _image: Pixels, _mask: Pixels | None) -> None:
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


def examine(
    source: Source,
    masks: MaskReader,
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
        facts = masks.read(mask)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(mask, error))
    if findings:
        return Examined(name, None, tuple(findings))
    size = (seen.width, seen.height)
    findings = list(mask_findings(mask, facts, size, release.largest_defect))
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


def _unreadable(name: str, error: Exception) -> Finding:
    message = str(error).removeprefix(f"{name}: ")
    return Finding("error", "unreadable", name, message)
