"""The index file that several category folders share, ``meta.json``.

It is ``{split: {class: [entry, ...]}}`` with the splits ``train`` and ``test``. An entry belongs to
the category folder that its ``img_path`` starts with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

INDEX_NAME = "meta.json"

SPLITS = ("train", "test")

Index: TypeAlias = dict[str, dict[str, list[dict[str, Any]]]]


def read_index(data: bytes) -> Index:
    """Return what an index file holds.

    Raises
    ------
    ValueError
        It is no index; the message says why.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(found, dict) or set(found) != set(SPLITS):
        raise ValueError("does not have the two parts train and test, and no other")
    for split, classes in found.items():
        if not isinstance(classes, dict) or not all(map(_is_list, classes.values())):
            raise ValueError(f"has no lists of images by class in its part {split}")
    return found


def _is_list(entries: object) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("img_path"), str) for entry in entries
    )


def index_bytes(index: Mapping[str, Any]) -> bytes:
    """Return an index as JSON, in ASCII."""
    return (json.dumps(index, indent=2) + "\n").encode("ascii")


def category_of(entry: Mapping[str, Any]) -> str:
    """Return the category folder that an entry of an index belongs to."""
    parts = PurePosixPath(entry["img_path"]).parts
    return parts[0] if parts else ""


def add_entries(old: bytes | None, new: bytes, category: str) -> bytes:
    """Return an index with all entries of `old` but those of `category`, and with those of `new`.

    Classes are in the order of their names, and so are categories in a class, whichever came first.
    An `old` file that is no index is replaced: who calls has seen to it that it may be.
    """
    own = read_index(new)
    try:
        others = _without(read_index(old), category) if old is not None else {}
    except ValueError:
        others = {}
    merged: Index = {}
    for split in SPLITS:
        kept, added = others.get(split, {}), own[split]
        merged[split] = {
            name: sorted([*kept.get(name, []), *added.get(name, [])], key=category_of)
            for name in sorted({*kept, *added})
        }
    return index_bytes(merged)


def _without(index: Index, category: str) -> Index:
    """Drop a category's entries, and the classes that are empty without them."""
    kept: Index = {
        split: {
            name: [entry for entry in entries if category_of(entry) != category]
            for name, entries in classes.items()
        }
        for split, classes in index.items()
    }
    emptied = {
        name
        for classes in index.values()
        for name, entries in classes.items()
        if any(category_of(entry) == category for entry in entries)
    } - {name for classes in kept.values() for name, entries in classes.items() if entries}
    return {
        split: {name: entries for name, entries in classes.items() if name not in emptied}
        for split, classes in kept.items()
    }
