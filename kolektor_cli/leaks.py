"""What is on both sides of a tree's train/test line: pictures, and physical items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from kolektor_cli.duplicates import similar_pairs
from kolektor_cli.records import Check, Finding, Manifest, Severity, SplitName
from kolektor_cli.tree import Tree

_GROUPS_NEVER_PART = {"grouped"}
"""Protocols that promise to keep physical items on one side."""


def check_leaks(tree: Tree, *, strict: bool = False, jobs: int | None = None) -> list[Check]:
    """Look for what train and test share; works on pixels, so on any tree.

    Identical pixels are an ``error``, near duplicates a ``warning`` or, with `strict`, an
    ``error``. With a manifest, physical items on both sides are told, too: an ``error`` where the
    split's protocol promises that there are none.
    """
    near: Severity = "error" if strict else "warning"
    no_groups = "no manifest to go by" if tree.ours else "not made by kolektor"
    return [
        Check("leaks", "no picture is in train and in test", tuple(_identical(tree))),
        Check(
            "near-leaks",
            "no picture is in train and, taken or encoded again, in test",
            tuple(_near(tree, near, jobs)),
        ),
        Check(
            "groups",
            "the physical items are on the sides that the protocol promises",
            tuple(_items(tree.manifest)) if tree.manifest else (),
            None if tree.manifest else no_groups,
        ),
    ]


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
    pairs = similar_pairs([f.thumbnail for _, f in seen if f.thumbnail is not None], jobs)
    for i, j in sorted(pairs):
        (path, facts), (other, other_facts) = seen[i], seen[j]
        if _is_train(path):
            path, other = other, path
        same = (facts.size, facts.pixels_sha256) == (other_facts.size, other_facts.pixels_sha256)
        if _is_test(path) and _is_train(other) and not same:
            message = f"is the picture {other}, taken or encoded again"
            yield Finding(severity, "near-leak", path, message)


def _items(found: Manifest) -> Iterator[Finding]:
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
