"""Findings about image files whose pixels are not used as they are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from kolektor_cli.findings import Finding
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.imaging.pixels import Pixels, Samples
from kolektor_cli.imaging.stored import Stored

LEAST_VALUES = 32
"""The fewest gray values that an image of 16 bits must keep when it is reduced to 8 bits."""

_MANY = 10
"""The most files with the same finding that are reported one by one; more are one finding."""

_REPEATED = ("bit-depth", "orientation", "transparency")

_CAMERA_BITS = (8, 10, 12, 14, 16)


def image_findings(name: str, stored: Stored, pixels: Pixels, depth: Depth) -> Iterator[Finding]:
    """Yield what is dropped or reduced of an image; `pixels` are its colours reduced by `depth`."""
    if stored.colors.dtype == np.uint16:
        yield _depth_finding(name, stored.colors, pixels, depth)
    yield from orientation_findings(name, stored.orientation)
    if stored.translucent:
        message = "has transparent pixels; their colors are used as if they were opaque"
        yield Finding("warning", "transparency", name, message)


def _depth_finding(name: str, samples: Samples, pixels: Pixels, depth: Depth) -> Finding:
    brightest = int(samples.max())
    bits = next(bits for bits in _CAMERA_BITS if brightest < 1 << bits)
    if isinstance(depth, int) and brightest >= 1 << depth:
        message = f"has the value {brightest}, more than {depth} bits hold; use --depth {bits}"
        return Finding("error", "bit-depth", name, message)
    kept, all_values = _count_values(pixels), _count_values(samples)
    if depth is None and kept < min(LEAST_VALUES, all_values):
        message = (
            f"has 16 bits a channel and values up to {brightest}; its upper 8 bits would keep "
            f"{kept} of {all_values} gray values; use 'convert --depth {bits}' for a camera of "
            f"{bits} bits, or '--depth full' to keep the upper 8"
        )
        return Finding("error", "bit-depth", name, message)
    message = "has 16 bits a channel; they are reduced to 8 ('convert --depth' says how)"
    return Finding("info", "bit-depth", name, message)


def _count_values(samples: Samples) -> int:
    return int(np.count_nonzero(np.bincount(samples.ravel())))


def orientation_findings(name: str, orientation: int) -> Iterator[Finding]:
    """Yield a warning about an image or mask that asks to be shown turned or mirrored."""
    if orientation != 1:
        message = (
            f"asks to be shown turned or mirrored (orientation {orientation}), which is ignored: "
            "image and mask must match as they are stored; save both without orientation"
        )
        yield Finding("warning", "orientation", name, message)


def told_once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings, but one with a count where many files have the same; it names the first."""
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.code in _REPEATED:
            groups[finding.severity, finding.code].append(finding)
        else:
            yield finding
    for same in groups.values():
        if len(same) <= _MANY:
            yield from same
        else:
            first = same[0]
            message = f"{first.message}; the same holds for {len(same) - 1} more files"
            yield Finding(first.severity, first.code, first.path, message)
