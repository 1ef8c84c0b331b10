"""Image scores from a CSV file, and what a file beside maps says of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from kolektor_cli.errors import OutputError, SourceError, reason
from kolektor_cli.findings import Finding
from kolektor_cli.scoring.maps import BINDING_NAME, Owners
from kolektor_cli.scoring.options import finite_number
from kolektor_cli.tree.read import read_file
from kolektor_cli.tree.truth import GroundTruth
from kolektor_cli.version import __version__

IMAGE_SCORES_NAME = "image_scores.csv"
"""Beside maps that `train` wrote: the image scores that the model has of its own."""


def read_image_scores(
    path: Path, category: str, wanted: Collection[str], images: Collection[str]
) -> tuple[dict[str, float], list[Finding]]:
    """Return image scores of a CSV file with the columns ``path`` and ``score``, and what is wrong.

    `wanted` are the images that must have a score, `images` all of the tree; paths are written as
    names of maps are, with or without a suffix.

    Raises
    ------
    SourceError
        The file cannot be read, or has no such columns.
    """
    rows = _rows_of(path)
    owners = Owners(category, images)
    scores: dict[str, float] = {}
    findings = []
    for line, name, text in rows:
        value = finite_number(text)
        owner = owners(name)
        place = f"{path.name}, line {line}"
        if owner is None:
            findings.append(Finding("error", "score-left-over", place, f"{name} is no image"))
        elif owner in scores:
            findings.append(Finding("error", "score-twice", place, f"{owner} has a score already"))
        elif value is None:
            message = f"{text!r} is no finite number"
            findings.append(Finding("error", "not-finite", place, message))
        else:
            scores[owner] = value
    missing = sorted(set(wanted) - scores.keys())
    if missing and not findings:
        more = f", and {len(missing) - 1} more have none" if len(missing) > 1 else ""
        message = f"has no score in {path.name}{more}"
        findings.append(Finding("error", "score-missing", missing[0], message, tuple(missing)))
    return scores, findings


def _rows_of(path: Path) -> list[tuple[int, str, str]]:
    """Return the number of the line, the path and the score of each row.

    Raises
    ------
    SourceError
        The file cannot be read, has no such columns, or rows of other lengths than its header.
    """
    if not path.is_file():
        what = "is not a file" if path.exists() else "no such file"
        raise SourceError(f"{path}: {what}; give a CSV file with the columns path and score")
    found = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if not {"path", "score"} <= set(rows.fieldnames or ()):
                raise SourceError(f"{path}: has no columns path and score, separated by a comma")
            for row in rows:
                if None in row or None in row.values():
                    message = f"{path}, line {rows.line_num}: has more or fewer cells than columns"
                    raise SourceError(message)
                found.append((rows.line_num, row["path"], row["score"]))
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is not text in UTF-8") from error
    except csv.Error as error:
        raise SourceError(f"{path}: is damaged CSV: {error}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    return found


Binding: TypeAlias = Mapping[str, object]
"""What ``kolektor.json`` beside maps says: the tree that they belong to, and what made them."""


def read_binding(maps: Path, truth: GroundTruth) -> tuple[Binding, list[Finding]]:
    """Return what a file beside maps says, empty if there is none, and what is wrong with it.

    Raises
    ------
    OutputError
        It cannot be read.
    """
    file = maps / BINDING_NAME
    if not maps.is_dir() or not file.exists():
        return {}, []
    try:
        content = json.loads(read_file(file), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{file}: is not JSON, or damaged; remove it or mend it") from error
    fingerprint = content.get("fingerprint", 0) if isinstance(content, dict) else 0
    if not isinstance(fingerprint, str | None):
        raise OutputError(f"{file}: has no fingerprint of a tree; remove it, or bind the maps anew")
    if truth.fingerprint in (None, fingerprint):
        return content, []
    tree = f"its fingerprint is {fingerprint[:12]}..." if fingerprint else "it has no manifest"
    message = (
        f"the maps are of another tree: {tree}, that of {truth.folder} is "
        f"{str(truth.fingerprint)[:12]}..."
    )
    return content, [Finding("error", "other-tree", BINDING_NAME, message)]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def check_can_bind(maps: Path, truth: GroundTruth) -> None:
    """Refuse maps that no file beside them can bind to a tree.

    Raises
    ------
    OutputError
        They are no folder, or the tree has no manifest.
    """
    if not maps.is_dir():
        raise OutputError(f"{maps}: is no folder, so its maps cannot be bound to a tree")
    if truth.fingerprint is None:
        raise OutputError(f"{truth.folder}: has no manifest, so maps cannot be bound to it")


def binding_of(truth: GroundTruth) -> dict[str, object]:
    """Return what a file says of the tree that maps, or an export, belong to."""
    return {
        "kolektor": __version__,
        "category": truth.category,
        "fingerprint": truth.fingerprint,
    }


def write_binding(maps: Path, truth: GroundTruth) -> Path:
    """Write a file beside maps that names their tree, unless there is one; return its path.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    file = maps / BINDING_NAME
    try:
        if not file.exists():
            file.write_text(json.dumps(binding_of(truth), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {reason(error)}") from error
    return file


def binding_remarks(binding: Binding, truth: GroundTruth) -> Iterator[Finding]:
    """Yield remarks about maps that are not known to belong to the tree."""
    if not binding:
        message = f"no {BINDING_NAME} says of which tree the maps are; --bind writes one"
        yield Finding("info", "not-bound", "", message)
    elif truth.fingerprint is None:
        message = "the tree has no manifest, so nothing tells whether the maps are of it"
        yield Finding("info", "not-bound", "", message)
