"""A comparison of two trees as tables, lines and JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from kolektor_cli.cli.render.tables import JsonObject, Table, counts_json
from kolektor_cli.findings import first_names

if TYPE_CHECKING:
    from kolektor_cli.core.comparison import ComparedTree, Comparison, TreeDifference

_ROUNDING = 1
"""Gray values by which the same resampling differs where it is rounded otherwise."""


def tree_lines(comparison: Comparison) -> Iterator[str]:
    """Say of each tree where it is, its fingerprint, and how its files differ from its manifest."""
    trees = (("A", comparison.first), ("B", comparison.second))
    for letter, tree in trees:
        images = sum(tree.counts.values())
        yield f"{letter}  {tree.path}: {images} images, fingerprint {tree.fingerprint}"
    for letter, tree in trees:
        for number, what in _unlike_manifest(tree):
            yield f"{letter}  {number} of its files {what}"


def _unlike_manifest(tree: ComparedTree) -> Iterator[tuple[int, str]]:
    for what, paths in (
        ("are missing, by its manifest", tree.missing),
        ("are not in its manifest", tree.added),
        ("have other pixels than in its manifest", tree.changed),
    ):
        if paths:
            yield len(paths), f"{what}: {first_names(paths)}"


def comparison_tables(comparison: Comparison) -> Iterator[Table]:
    """Make tables of what the manifests record differently, and of what differs by kind."""
    if comparison.values:
        rows = tuple((v.name, _text(v.first), _text(v.second)) for v in comparison.values)
        yield Table("Recorded differently", ("value", "A", "B"), rows)
    if comparison.differences:
        groups: dict[tuple[str, ...], list[TreeDifference]] = defaultdict(list)
        for difference in comparison.differences:
            groups[_group(difference)].append(difference)
        columns = ("what", "A", "B", comparison.by + "s", "first")
        yield Table("Differences", columns, tuple(_row(*group) for group in groups.items()))


def _group(difference: TreeDifference) -> tuple[str, ...]:
    """Return what differences of one row have in common: first what it is called."""
    kind, first, second = difference.kind, difference.first, difference.second
    if kind == "alone":
        return (f"only in {'A' if second is None else 'B'}",)
    if kind in ("split", "label", "segmented"):
        return kind, _text(first), _text(second)
    if isinstance(first, Mapping):
        return (f"geometry: {', '.join(first)}",)
    if kind == "mask" and None in (first, second):
        return (f"mask only in {'A' if second is None else 'B'}",)
    if kind == "image" and difference.largest is not None:
        close = difference.largest <= _ROUNDING
        return (f"image: by {'at most' if close else 'more than'} {_ROUNDING} gray value",)
    return (kind,)


def _row(group: tuple[str, ...], differences: Sequence[TreeDifference]) -> tuple[str | int, ...]:
    names = list(dict.fromkeys(map(_named, differences)))
    number = len({difference.name for difference in differences})
    return (
        group[0],
        _common([difference.first for difference in differences]),
        _common([difference.second for difference in differences]),
        number,
        first_names(names),
    )


def _common(values: Sequence[object]) -> str:
    """Write the value that all have; nothing where they differ or have none."""
    texts = {_text(value) for value in values}
    return texts.pop() if len(texts) == 1 and len(values) > 0 else ""


def _named(difference: TreeDifference) -> str:
    """Name a sample or an image, and say by how much its pixels differ."""
    if difference.largest is None or difference.mean is None:
        return difference.name
    if difference.kind == "mask":
        return f"{difference.name} ({difference.pixels} pixels)"
    return f"{difference.name} (up to {difference.largest}, mean {difference.mean:.2g})"


def _text(value: object) -> str:
    """Write a value of a manifest: a text as it is, all else as JSON."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(map(_text, value.values()))
    return value if isinstance(value, str) else json.dumps(value)


def verdict(comparison: Comparison) -> str:
    """Write the last line: the same data, or not."""
    if not comparison.same:
        return "different"
    if comparison.values or comparison.differences:
        return "same pixels under the same names; what is recorded of them differs"
    return "same"


def comparison_json(comparison: Comparison) -> JsonObject:
    """Put a comparison into JSON."""
    return {
        "same": comparison.same,
        "by": comparison.by,
        "first": _tree_json(comparison.first),
        "second": _tree_json(comparison.second),
        "values": [asdict(value) for value in comparison.values],
        "differences": [asdict(difference) for difference in comparison.differences],
    }


def _tree_json(tree: ComparedTree) -> JsonObject:
    return {**asdict(tree), "path": str(tree.path), "counts": counts_json(tree.counts)}
