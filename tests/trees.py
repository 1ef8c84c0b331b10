"""Trees to spoil, what verifying them finds, and manifests that were forged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kolektor_cli.core.verification import CategoryResult, verify
from kolektor_cli.tree.manifest import FileEntry, Manifest, fingerprint, from_bytes
from tests.manifests import to_bytes

MANIFEST = "manifest.json"
IMAGES = (
    *(f"train/good/00{number}.png" for number in range(6)),
    *(f"test/good/00{number}.png" for number in range(3)),
    *(f"test/defect/00{number}.png" for number in range(3)),
)
MASKS = tuple(f"ground_truth/defect/00{number}_mask.png" for number in range(3))
PNGS = (*IMAGES, *MASKS)

Failure = tuple[str, str, str]
"""Name of a check, code and path of an error that it found."""


def check(tree: Path, raw: Path | None = None, *, jobs: int | None = None) -> CategoryResult:
    """Verify one category folder, with its source if there is one."""
    [result] = verify(tree, source=raw, jobs=jobs).categories
    return result


def failures(report: CategoryResult) -> set[Failure]:
    found = {
        (check.name, finding.code, finding.path)
        for check in report.checks
        for finding in check.findings
        if finding.severity == "error"
    }
    assert report.ok == (not found)
    return {failure for failure in found if failure[0] != "leaks"}


def notes(report: CategoryResult) -> list[tuple[str, str, str]]:
    """Severity, code and path of what is found and is no error."""
    findings = [finding for check in report.checks for finding in check.findings]
    told = [(f.severity, f.code, f.path) for f in findings if f.severity != "error"]
    return [note for note in told if note[1] != "item-on-both-sides"]


def read_manifest(tree: Path) -> Manifest:
    return from_bytes((tree / MANIFEST).read_bytes())


def forge(tree: Path, **changes: Any) -> None:
    """Change a manifest and give it a checksum that fits."""
    (tree / MANIFEST).write_bytes(to_bytes(replace(read_manifest(tree), **changes)))


def forge_entry(tree: Path, path: str, /, **changes: Any) -> None:
    """Change one file's entry, and make the fingerprint fit, too."""
    files = [
        replace(entry, **changes) if entry.path == path else entry
        for entry in read_manifest(tree).files
    ]
    recorded = ((entry.path, entry.pixels_sha256) for entry in files)
    forge(tree, files=tuple(files), fingerprint=fingerprint(recorded))


def entry_of(tree: Path, path: str) -> FileEntry:
    [entry] = [entry for entry in read_manifest(tree).files if entry.path == path]
    return entry


def path_of(tree: Path, sample: str, role: str = "image") -> str:
    """Find the file that was made from a sample."""
    files = read_manifest(tree).files
    [path] = [entry.path for entry in files if (entry.sample, entry.role) == (sample, role)]
    return path


def train_sample(tree: Path) -> str:
    return entry_of(tree, IMAGES[0]).sample
