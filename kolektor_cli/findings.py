"""Findings about a source or a tree, and the checks that report them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]

State: TypeAlias = Literal["ok", "warning", "FAILED", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a remark about one file or folder, or about the whole source or tree.

    `severity` is ``error`` for something damaged, missing or ambiguous, ``warning`` for something
    unexpected but usable, and ``info`` for something harmless. `path` names the file or folder,
    relative to the source or the tree, with forward slashes. A finding about several files that
    have one cause lists them in `paths`; `path` is then the folder that holds them.
    """

    severity: Severity
    code: str
    path: str
    message: str
    paths: tuple[str, ...] = ()


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

    @property
    def state(self) -> State:
        """The worst that was found; ``ok`` for findings that are all ``info``."""
        if self.skipped:
            return "skipped"
        if not self.ok:
            return "FAILED"
        warned = any(finding.severity == "warning" for finding in self.findings)
        return "warning" if warned else "ok"


def first_names(names: Sequence[str]) -> str:
    """Name the first three, and count the others."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


Findings: TypeAlias = Iterator[Finding]
