"""Findings as lines: those of one cause share a line, with their number and the first names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kolektor_cli.findings import Finding, Severity, first_names

_FEW = 3
"""The most findings of one cause that have a line each."""

_VARIABLE = re.compile(r"\S*[\d/]\S*|\S+\.\w{1,5}\b|\S+_(?:mask|label|GT)\b")
"""What differs between messages of one cause: numbers, and names of files and samples."""


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One line of text; `number` is how many findings it stands for."""

    severity: Severity
    text: str
    number: int = 1


def finding_lines(findings: Iterable[Finding]) -> list[FindingLine]:
    """Return the lines for findings, in the order of the first finding of each cause.

    Findings have one cause if severity, code and message agree, but for numbers and names.
    """
    causes: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        cause = _VARIABLE.sub("#", finding.message)
        causes[finding.severity, finding.code, cause].append(finding)
    lines: list[FindingLine] = []
    for same in causes.values():
        lines += map(_line, same) if len(same) <= _FEW else [_shared_line(same)]
    return lines


def kind_lines(findings: Iterable[Finding]) -> list[FindingLine]:
    """Return a line a kind of findings, with their number and the first names."""
    kinds: dict[tuple[Severity, str], list[str]] = defaultdict(list)
    for finding in findings:
        # What is found of the source as a whole has no path.
        kinds[finding.severity, finding.code].append(finding.path or finding.message)
    return [
        FindingLine(
            severity,
            f"{code} {len(paths)} times: {first_names(paths)}"
            if len(paths) > 1
            else f"{code}: {paths[0]}",
            len(paths),
        )
        for (severity, code), paths in kinds.items()
    ]


def _line(finding: Finding) -> FindingLine:
    place = f"{finding.path}: " if finding.path else ""
    return FindingLine(finding.severity, f"{place}{finding.message} ({finding.code})")


def _shared_line(same: list[Finding]) -> FindingLine:
    first = same[0]
    names = first_names([finding.path for finding in same])
    alike = len({finding.message for finding in same}) == 1
    message = f"{'each' if alike else 'the first'} {first.message} ({first.code})"
    return FindingLine(first.severity, f"{len(same)} times: {names}: {message}", len(same))
