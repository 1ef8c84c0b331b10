"""Checks for leaks between train and test: pictures and physical items on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from functools import partial

import numpy as np

from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.findings import Finding, Severity
from kolektor_cli.imaging.codec import decode_plain
from kolektor_cli.imaging.pixels import to_gray
from kolektor_cli.imaging.png import read_png
from kolektor_cli.imaging.similarity import (
    THUMBNAIL_LENGTH,
    Chosen,
    CloseUp,
    Indices,
    close_up,
    find_same,
)
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.samples import MANY_ALIKE
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
    if tree.manifest and tree.manifest.options.get("duplicates") == "exact":
        message = "not looked for: only equal pixels count, as the source was read"
        yield Finding("info", "exact-duplicates", "", message)
        return
    shown = {path: facts for path, facts in tree.pngs.items() if facts.thumbnail is not None}
    paths = list(shown)
    thumbnails = np.array([facts.thumbnail for facts in shown.values()], np.int8)
    sides = np.array([is_train(path) - is_test(path) for path in paths], np.intp)
    numbers: dict[Hashable, int] = {}
    known_by = [(facts.size, facts.pixels_sha256) for facts in shown.values()]
    pixels = np.array([numbers.setdefault(known, len(numbers)) for known in known_by], np.intp)
    told = np.zeros(len(paths), np.intp)

    def wanted(index: int, others: Indices) -> Chosen:
        on_both_sides = sides[index] * sides[others] < 0
        tested = others if sides[index] > 0 else index
        other_pixels = pixels[index] != pixels[others]
        return np.asarray(on_both_sides & other_pixels & (told[tested] < MANY_ALIKE), np.bool_)

    run = partial(parallel_map, jobs=jobs)
    look = partial(_look, tree, paths)
    for i, j in find_same(thumbnails.reshape(-1, THUMBNAIL_LENGTH), look, wanted, run):
        tested, trained = (j, i) if sides[i] > 0 else (i, j)
        told[tested] += 1
        if told[tested] <= MANY_ALIKE:
            message = f"is the picture {paths[trained]}, taken or encoded again, or mirrored"
            yield Finding(severity, "near-leak", paths[tested], message)


def _look(tree: Tree, paths: Sequence[str], index: int) -> CloseUp:
    path = paths[index]
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
