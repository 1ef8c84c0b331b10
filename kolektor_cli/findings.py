"""Findings about a source or a tree, and the checks that report them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a remark about one file or folder, or about the whole source or tree.

    `severity` is ``error`` for something damaged, missing or ambiguous, ``warning`` for something
    unexpected but usable, and ``info`` for something harmless. `path` names the file or folder,
    relative to the source or the tree, with forward slashes.
    """

    severity: Severity
    code: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """A named check of a tree with its findings; `skipped` says why it did not run."""

    name: str
    description: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether no finding is an ``error``."""
        return all(finding.severity != "error" for finding in self.findings)


Findings: TypeAlias = Iterator[Finding]
