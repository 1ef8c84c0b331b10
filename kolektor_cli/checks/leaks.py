"""Checks for leaks between train and test: pictures and physical items on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.findings import Finding, Severity
from kolektor_cli.imaging.codec import decode_plain
from kolektor_cli.imaging.pixels import to_gray
from kolektor_cli.imaging.png import read_png
from kolektor_cli.imaging.similarity import CloseUp, close_up, confirmed_pairs, similar_pairs
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.read import Tree, read_file, without_padding
from kolektor_cli.tree.same import is_test, is_train, same_pictures

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


def _identical(tree: Tree) -> Iterator[Finding]:
    for trained, tested in same_pictures(tree.pictures):
        message = f"is the same picture as {trained}, pixel for pixel"
        yield Finding("error", "leak", tested, message)


def _near(tree: Tree, severity: Severity, jobs: int | None) -> Iterator[Finding]:
    run = partial(parallel_map, jobs=jobs)
    paths = [path for path, facts in tree.pngs.items() if facts.thumbnail is not None]
    found = (tree.pngs[path].thumbnail for path in paths)
    similar = similar_pairs([one for one in found if one is not None], run)
    on_both_sides = [pair for pair in sorted(similar) if _leak(tree, paths, pair)]
    for pair in confirmed_pairs(on_both_sides, lambda index: _look(tree, paths[index]), run):
        leak = _leak(tree, paths, pair)
        if leak:
            message = f"is the picture {leak[1]}, taken or encoded again, or mirrored"
            yield Finding(severity, "near-leak", leak[0], message)


def _leak(tree: Tree, paths: Sequence[str], pair: tuple[int, int]) -> tuple[str, str] | None:
    """Return a pair as (tested, trained), or None if both are on one side or have equal pixels."""
    first, second = (paths[index] for index in pair)
    tested, trained = (second, first) if is_train(first) else (first, second)
    pixels = [(tree.pngs[path].size, tree.pngs[path].pixels_sha256) for path in (first, second)]
    if is_test(tested) and is_train(trained) and pixels[0] != pixels[1]:
        return tested, trained
    return None


def _look(tree: Tree, path: str) -> CloseUp:
    pixels = decode_plain(read_png(read_file(tree.path / path), path), path)
    return close_up(without_padding(to_gray(pixels)))


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
