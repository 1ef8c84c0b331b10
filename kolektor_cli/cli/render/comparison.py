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
        for what, paths in (
            ("in its manifest, and missing", tree.missing),
            ("not in its manifest", tree.added),
            ("other pixels than in its manifest", tree.changed),
        ):
            if paths:
                yield f"{letter}  {what}: {first_names(paths)}"
        if not tree.has_manifest:
            yield f"{letter}  no manifest: images are compared by pixels, then by path"


def comparison_tables(comparison: Comparison) -> Iterator[Table]:
    """Make tables of what the manifests record differently, and of what differs by kind."""
    if comparison.values:
        rows = tuple((v.name, _text(v.first), _text(v.second)) for v in comparison.values)
        yield Table("Recorded differently", ("value", "A", "B"), rows)
    if comparison.differences:
        groups: dict[tuple[str, ...], list[TreeDifference]] = defaultdict(list)
        for difference in comparison.differences:
            groups[_group(difference)].append(difference)
        counted = "samples" if comparison.by == "sample" else "images"
        columns = ("what", "A", "B", counted, "first")
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
    return (f"{kind}: other pixels" if kind in ("image", "mask") else kind,)


def _row(group: tuple[str, ...], differences: Sequence[TreeDifference]) -> tuple[str | int, ...]:
    names = list(dict.fromkeys(map(_named, differences)))
    number = len({difference.name for difference in differences})
    pairs = {(_text(difference.first), _text(difference.second)) for difference in differences}
    # Paths are not told where the names tell as much.
    told = differences[0].kind not in ("alone", "image", "mask") and len(pairs) == 1
    first, second = pairs.pop() if told else ("", "")
    return (group[0], first, second, number, first_names(names))


def _named(difference: TreeDifference) -> str:
    """Name a sample or an image, and say by how much its pixels differ."""
    name, largest, mean = difference.name, difference.largest, difference.mean
    if difference.kind == "mask" and difference.pixels is not None:
        return f"{name} ({difference.pixels} pixel{'' if difference.pixels == 1 else 's'})"
    if largest is None or mean is None or largest <= _ROUNDING:
        return name
    return f"{name} (up to {largest}, mean {mean:.2g})"


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
    return {
        "path": str(tree.path),
        "files": tree.has_files,
        "manifest": tree.has_manifest,
        "fingerprint": tree.fingerprint,
        "counts": counts_json(tree.counts),
        "missing": list(tree.missing),
        "added": list(tree.added),
        "changed": list(tree.changed),
    }
