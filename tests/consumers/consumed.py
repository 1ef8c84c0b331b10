"""Trees for a consumer, made and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from kolektor_cli.consumers.catalogue import ConsumerName
from kolektor_cli.core.conversion import Conversion, ConvertOptions, convert
from kolektor_cli.core.verification import verify

NAMES: tuple[ConsumerName, ...] = get_args(ConsumerName)

OUT_NAMES = {"adaclip": "SDD_anomaly_detection", "ader": "mvtec", "mambaad": "mvtec"}
"""What the folder above the category must be called."""


def out_for(name: ConsumerName, folder: Path) -> Path:
    return folder / name / OUT_NAMES.get(name, "data")


def convert_for(name: ConsumerName, raw: Path, out: Path, **options: Any) -> Conversion:
    return convert(raw, out, ConvertOptions(consumers=name, **options))


def found(out: Path, name: ConsumerName) -> set[tuple[str, str]]:
    """Severity and code of what verifying finds of a consumer's needs."""
    [result] = verify(out, consumers=name).categories
    [check] = [check for check in result.checks if check.name == "consumer"]
    return {(finding.severity, finding.code) for finding in check.findings}


def errors(out: Path, name: ConsumerName) -> set[str]:
    return {code for severity, code in found(out, name) if severity == "error"}
