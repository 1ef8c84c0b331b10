"""From one candidate to a sample, or to findings that say why it is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kolektor_cli import duplicates, images
from kolektor_cli.duplicates import Thumbnail
from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.pairing import Candidate, pairing_problem
from kolektor_cli.records import Finding, Sample
from kolektor_cli.source import Source

MAX_MASK_VALUES = 4
"""The most gray values a mask may have. A mask is drawn with a palette of few colours (the real
ones use two, in one file three); a photograph, or a mask saved as JPEG, has dozens."""

MAX_DEFECT_SHARE = 0.5
"""The largest share of an image that a mask may mark; more means that it is inverted. The largest
real defect covers 1 %."""


@dataclass(frozen=True)
class Examined:
    """What became of one candidate: a sample, or findings that say why it is none."""

    name: str
    sample: Sample | None
    findings: tuple[Finding, ...] = ()
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True)
class _ImageFacts:
    """SHA-256, size in pixels and thumbnail of one image."""

    sha256: str
    width: int
    height: int
    thumbnail: Thumbnail


@dataclass(frozen=True)
class _MaskFacts:
    """Size in pixels, number of marked pixels and the gray values of one mask."""

    width: int
    height: int
    defect_pixels: int
    values: tuple[int, ...]


def examine(source: Source, candidates: Mapping[str, Candidate], name: str) -> Examined:
    """Make a sample of a candidate, or say why it is none."""
    files = candidates[name]
    problem = pairing_problem(name, files)
    if problem:
        return Examined(name, None, (problem,))
    [image], [mask] = files.images, files.masks
    findings = []
    try:
        seen = _read_image(source, image)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(image, error))
    try:
        mask_sha256, facts = _read_mask(source, mask)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(mask, error))
    if findings:
        return Examined(name, None, tuple(findings))
    findings = list(_mask_findings(mask, facts, (seen.width, seen.height)))
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
        mask_sha256=mask_sha256,
    )
    return Examined(name, sample, tuple(findings), seen.thumbnail)


def _read_image(source: Source, name: str) -> _ImageFacts:
    data = source.read(name)
    header = images.read_header(data, name)
    reduced = images.decode_reduced(data, name, duplicates.DECODED_SIZE)
    return _ImageFacts(
        hashlib.sha256(data).hexdigest(), header.width, header.height, duplicates.thumbnail(reduced)
    )


def _read_mask(source: Source, name: str) -> tuple[str, _MaskFacts]:
    data = source.read(name)
    mask = images.decode_gray(data, name)
    facts = _MaskFacts(
        width=mask.shape[1],
        height=mask.shape[0],
        defect_pixels=int(np.count_nonzero(mask)),
        values=images.gray_values(mask),
    )
    return hashlib.sha256(data).hexdigest(), facts


def _unreadable(name: str, error: Exception) -> Finding:
    message = str(error).removeprefix(f"{name}: ")
    return Finding("error", "unreadable", name, message)


def _mask_findings(name: str, facts: _MaskFacts, image_size: tuple[int, int]) -> Iterator[Finding]:
    if (facts.width, facts.height) != image_size:
        message = (
            f"is {facts.width}x{facts.height} pixels, its image "
            f"{image_size[0]}x{image_size[1]}: not the mask of this image"
        )
        yield Finding("error", "size-mismatch", name, message)
    if len(facts.values) > MAX_MASK_VALUES:
        message = f"has {len(facts.values)} gray values: a picture or a lossy copy, not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif facts.defect_pixels > MAX_DEFECT_SHARE * facts.width * facts.height:
        share = facts.defect_pixels / (facts.width * facts.height)
        message = f"marks {share:.0%} of the image: inverted, or not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif not set(facts.values) <= {0, 255}:
        values = ", ".join(map(str, facts.values))
        message = f"has the gray values {values}; every non-zero pixel counts as defect"
        yield Finding("info", "mask-values", name, message)
