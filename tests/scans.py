"""Scans of small datasets, and what tests ask of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kolektor_cli.io.source import open_source
from kolektor_cli.raw.scan import Scan, scan_source

COMMON = {"size", "changed-image", "changed-mask", "missing-item", "missing-part"}
"""What every tiny KolektorSDD deviates in: it is synthetic, and a small part of the release."""

COMMON_2 = {"missing-item"}
"""What every tiny KolektorSDD2 deviates in."""


def scan(path: Path, *, jobs: int | None = None) -> Scan:
    with open_source(path) as source:
        return scan_source(source, jobs=jobs)


def named(found: Scan, code: str) -> list[tuple[str, str]]:
    """Severity and path of the findings with a code."""
    return [(f.severity, f.path) for f in found.findings if f.code == code]


def unusual(found: Scan) -> list[tuple[str, str, str]]:
    """Severity, code and path of the findings that a tiny dataset has not got anyway."""
    common = COMMON_2 if found.release == "KolektorSDD2" else COMMON
    return [(f.severity, f.code, f.path) for f in found.findings if f.code not in common]


def message(found: Scan, code: str) -> str:
    [finding] = [f for f in found.findings if f.code == code]
    return finding.message


def names(found: Scan) -> list[str]:
    return [sample.name for sample in found.samples]


def write_gray(path: Path, pixels: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix.lower(), pixels)
    assert done
    path.write_bytes(data.tobytes())


def blank(width: int = 40, height: int = 60) -> np.ndarray:
    return np.zeros((height, width), np.uint8)
