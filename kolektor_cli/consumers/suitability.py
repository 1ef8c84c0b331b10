"""Checks of a tree, and of the files beside it, against the needs of one consumer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.consumers.needs import Offer, unmet_needs
from kolektor_cli.consumers.sidefiles import META, folder_config, meta_of, table_config, table_of
from kolektor_cli.findings import Finding
from kolektor_cli.tree.layout import is_mask
from kolektor_cli.tree.read import Tree, read_file

_PATHS = ("root", "file_path")
"""Settings of a config that are paths, possibly relative to the folder where a command runs."""

_COLORS = {"8-bit RGB": "rgb", "8-bit gray": "gray"}
"""Colors of a catalogue entry by the format of a PNG."""


def check_consumer(tree: Tree, name: ConsumerName) -> Iterator[Finding]:
    """Yield what keeps a consumer from training on a category folder and the files beside it.

    Raises
    ------
    OutputError
        A file beside the category folder cannot be read.
    """
    category = tree.path.resolve()
    images = {p: f for p, f in tree.pngs.items() if not is_mask(p) and not f.problem}
    offer = Offer(
        out=category.parent,
        category=category.name,
        sizes={facts.size for facts in images.values()},
        colors={_COLORS.get(facts.format, facts.format) for facts in images.values()},
    )
    yield from unmet_needs(CONSUMERS[name], offer)
    yield from _check_meta(name, category, list(images))
    if name == "anomalib":
        yield from _check_config(category)
        yield from _check_table(category, list(images))


def _check_meta(name: ConsumerName, category: Path, images: list[str]) -> Iterator[Finding]:
    class_name = CONSUMERS[name].class_name
    if class_name is None:
        return
    path = category.parent / META
    if not path.is_file():
        message = f"is missing beside the category folder; convert again with --for {name}"
        yield Finding("error", "no-meta", META, message)
        return
    try:
        found = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        yield Finding("error", "wrong-meta", META, f"is not JSON: {error}")
        return
    wanted = meta_of(category.name, class_name or category.name, images)
    if not _lists(found, wanted):
        message = f"does not list this tree as {CONSUMERS[name].title} reads it; convert again"
        yield Finding("error", "wrong-meta", META, f"{message} with --for {name}")


def _lists(found: Any, wanted: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
    """Return whether a ``meta.json`` has the wanted items, in any order; it may have more classes.

    It must not have more splits: a third one makes AdaCLIP fail.
    """
    try:
        return found.keys() == wanted.keys() and all(
            sorted(found[split][name], key=_path_of) == sorted(items, key=_path_of)
            for split, classes in wanted.items()
            for name, items in classes.items()
        )
    except (AttributeError, KeyError, TypeError):
        return False


def _path_of(item: Any) -> str:
    return str(item["img_path"])


def _check_config(category: Path) -> Iterator[Finding]:
    """Report a setting that Anomalib's config lacks; it may have more."""
    path = category.parent / f"{category.name}.yaml"
    if not path.is_file():
        message = "is missing; 'kolektor convert --for anomalib' writes it for 'anomalib train'"
        yield Finding("info", "no-config", path.name, message)
        return
    found = _settings(read_file(path))
    listed = "Tabular" in found.get("class_path", "")
    wanted = (table_config if listed else folder_config)(category.parent, category.name)
    lacking = _lacking(_settings(wanted), found)
    if lacking:
        message = f"does not say {lacking[0]!r}; convert again with --for anomalib"
        yield Finding("error", "wrong-config", path.name, message)


def _settings(config: bytes) -> dict[str, str]:
    """Return the lines ``key: value`` of a config, at any indent."""
    lines = config.decode(errors="replace").splitlines()
    pairs = (line.strip().partition(":") for line in lines)
    return {key: value.strip() for key, colon, value in pairs if colon}


def _lacking(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [
        f"{key}: {value}"
        for key, value in wanted.items()
        if found.get(key) != value and not (key in _PATHS and _leads_to(found.get(key), value))
    ]


def _leads_to(found: str | None, wanted: str) -> bool:
    """Return whether a path relative to an unknown folder can be the wanted one."""
    try:
        parts = PurePosixPath(json.loads(found or "")).parts
    except (TypeError, ValueError):
        return False
    tail = tuple(part for part in parts if part != "..")
    return not tail or PurePosixPath(json.loads(wanted)).parts[-len(tail) :] == tail


def _check_table(category: Path, images: list[str]) -> Iterator[Finding]:
    """Compare the table for Anomalib, if there is one, with the images of the tree."""
    path = category.parent / f"{category.name}.csv"
    if not path.is_file():
        return
    if sorted(read_file(path).splitlines()) != sorted(table_of(category.name, images).splitlines()):
        message = "does not list this tree; convert again with --for anomalib --table"
        yield Finding("error", "wrong-table", path.name, message)
