"""The index files that several category folders share: ``meta.json``, and lists as JSON lines.

``meta.json`` is ``{split: {class: [entry, ...]}}`` with the splits ``train`` and ``test``; a list
has an entry a line. An entry belongs to the category folder that its image's path starts with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

INDEX_NAME = "meta.json"

ListName: TypeAlias = Literal["train.json", "test.json", "full-shot.jsonl"]
"""Names of files of JSON lines, an image a line."""

INDEX_NAMES: tuple[str, ...] = (INDEX_NAME, *get_args(ListName))

SPLITS = ("train", "test")

Index: TypeAlias = dict[str, dict[str, list[dict[str, Any]]]]

_PATH_KEYS = {
    INDEX_NAME: "img_path",
    "train.json": "filename",
    "test.json": "filename",
    "full-shot.jsonl": "image_path",
}
"""The key of the path of an image in an entry, by the name of the file."""


class Listed(NamedTuple):
    """An entry of an index file, with the path of its image; `place` is split and class, if any."""

    place: tuple[str, ...]
    path: str
    entry: dict[str, Any]


def category_of(path: str) -> str:
    """Return the category folder that the path of an image in an index file starts with."""
    parts = PurePosixPath(path).parts
    return parts[0] if parts else ""


def read_entries(name: str, data: bytes) -> list[Listed]:
    """Return the entries of the index file called `name`.

    Raises
    ------
    ValueError
        It is no such file; the message says why.
    """
    key = _PATH_KEYS[name]
    if name != INDEX_NAME:
        return [Listed((), entry[key], entry) for entry in _read_lines(data, key)]
    return [
        Listed((split, class_name), entry[key], entry)
        for split, classes in _read_index(data).items()
        for class_name, entries in classes.items()
        for entry in entries
    ]


def _read_index(data: bytes) -> Index:
    found = _parsed(data)
    if not isinstance(found, dict) or set(found) != set(SPLITS):
        raise ValueError("does not have the two parts train and test, and no other")
    for split, classes in found.items():
        if not isinstance(classes, dict) or not all(map(_is_list, classes.values())):
            raise ValueError(f"has no lists of images by class in its part {split}")
    return found


def _is_list(entries: object) -> bool:
    return isinstance(entries, list) and all(
        _has_path(entry, _PATH_KEYS[INDEX_NAME]) for entry in entries
    )


def _read_lines(data: bytes, key: str) -> list[dict[str, Any]]:
    entries = [_parsed(line) for line in data.splitlines() if line.strip()]
    if not all(_has_path(entry, key) for entry in entries):
        raise ValueError(f"has a line without the key {key}")
    return entries


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error


def _has_path(entry: object, key: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(key), str)


def index_bytes(index: Mapping[str, Any]) -> bytes:
    """Return a ``meta.json``, in ASCII."""
    return (json.dumps(index, indent=2) + "\n").encode("ascii")


def lines_bytes(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Return a list as JSON lines, in ASCII."""
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode("ascii")


def add_entries(name: str, old: bytes | None, new: bytes, category: str) -> bytes:
    """Return the index file `name` with all entries of `old` but those of `category`, and of `new`.

    Classes are in the order of their names, and so are categories in a class, whichever came first.
    An `old` file that is no index is replaced: who calls has seen to it that it may be.
    """
    add = _add_to_index if name == INDEX_NAME else partial(_add_lines, _PATH_KEYS[name])
    try:
        return add(old or b"", new, category)
    except ValueError:
        return add(b"", new, category)


def _add_lines(key: str, old: bytes, new: bytes, category: str) -> bytes:
    kept = [entry for entry in _read_lines(old, key) if category_of(entry[key]) != category]
    merged = [*kept, *_read_lines(new, key)]
    return lines_bytes(sorted(merged, key=lambda entry: category_of(entry[key])))


def _add_to_index(old: bytes, new: bytes, category: str) -> bytes:
    own = _read_index(new)
    others = _without(_read_index(old), category) if old else {}
    merged: Index = {}
    for split in SPLITS:
        kept, added = others.get(split, {}), own[split]
        merged[split] = {
            name: sorted([*kept.get(name, []), *added.get(name, [])], key=_category)
            for name in sorted({*kept, *added})
        }
    return index_bytes(merged)


def _without(index: Index, category: str) -> Index:
    """Drop a category's entries, and the classes that are empty without them."""
    kept: Index = {
        split: {
            name: [entry for entry in entries if _category(entry) != category]
            for name, entries in classes.items()
        }
        for split, classes in index.items()
    }
    emptied = {
        name
        for classes in index.values()
        for name, entries in classes.items()
        if any(_category(entry) == category for entry in entries)
    } - {name for classes in kept.values() for name, entries in classes.items() if entries}
    return {
        split: {name: entries for name, entries in classes.items() if name not in emptied}
        for split, classes in kept.items()
    }


def _category(entry: Mapping[str, Any]) -> str:
    return category_of(entry[_PATH_KEYS[INDEX_NAME]])
