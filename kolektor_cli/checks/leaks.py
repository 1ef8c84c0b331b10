"""Checks for leaks between train and test: pictures and physical items on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.findings import Finding, Severity
from kolektor_cli.imaging.similarity import similar_pairs
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.read import Tree

_GROUPS_NEVER_PART = {"grouped"}
"""Protocols that promise to keep each physical item on one side."""


def leak_checks(*, strict: bool = False, jobs: int | None = None) -> tuple[TreeCheck, ...]:
    """Return the checks for leaks between train and test; only the last needs a manifest.

    Identical pixels are an ``error``. Near duplicates are a ``warning``, with `strict` an
    ``error``. Physical items on both sides are an ``error`` if the split's protocol promises that
    there are none, else ``info``.
    """
    near: Severity = "error" if strict else "warning"
    return (
        TreeCheck("leaks", "no picture is in train and in test", _identical),
        TreeCheck(
            "near-leaks",
            "no picture is in train and, taken or encoded again, in test",
            partial(_near, severity=near, jobs=jobs),
        ),
        TreeCheck(
            "groups", "physical items stay on the side the protocol promises", _items, "manifest"
        ),
    )


def _is_train(path: str) -> bool:
    return path.startswith(("train/", "validation/"))


def _is_test(path: str) -> bool:
    return path.startswith("test/")


def _identical(tree: Tree) -> Iterator[Finding]:
    trained: dict[tuple[object, str], str] = {}
    for path, facts in tree.pngs.items():
        if _is_train(path) and not facts.problem:
            trained.setdefault((facts.size, facts.pixels_sha256), path)
    for path, facts in tree.pngs.items():
        same = trained.get((facts.size, facts.pixels_sha256))
        if _is_test(path) and not facts.problem and same:
            message = f"is the same picture as {same}, pixel for pixel"
            yield Finding("error", "leak", path, message)


def _near(tree: Tree, severity: Severity, jobs: int | None) -> Iterator[Finding]:
    seen = [(p, f) for p, f in tree.pngs.items() if f.thumbnail is not None]
    thumbnails = [facts.thumbnail for _, facts in seen if facts.thumbnail is not None]
    pairs = similar_pairs(thumbnails, partial(parallel_map, jobs=jobs))
    for i, j in sorted(pairs):
        (path, facts), (other, other_facts) = seen[i], seen[j]
        if _is_train(path):
            path, other = other, path
        same = (facts.size, facts.pixels_sha256) == (other_facts.size, other_facts.pixels_sha256)
        if _is_test(path) and _is_train(other) and not same:
            message = f"is the picture {other}, taken or encoded again"
            yield Finding(severity, "near-leak", path, message)


def _items(tree: Tree) -> Iterator[Finding]:
    found = tree.manifest
    if found is None:
        return
    severity: Severity = "error" if found.protocol in _GROUPS_NEVER_PART else "info"
    sides: dict[str, set[SplitName]] = defaultdict(set)
    for entry in found.files:
        sides[entry.group].add("test" if entry.split == "test" else "train")
    both = sorted(group for group, names in sides.items() if len(names) > 1)
    if both and severity == "info":
        message = f"{len(both)} of {len(sides)} physical items have parts in train and in test"
        yield Finding(severity, "item-on-both-sides", "", message)
        return
    for group in both:
        message = "is a physical item with parts in train and in test"
        yield Finding(severity, "item-on-both-sides", group, message)
