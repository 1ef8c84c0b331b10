"""Checks of a tree, and of the files beside it, against the needs of one consumer."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.consumers.needs import Offer, unmet_needs
from kolektor_cli.consumers.sidefiles import (
    folder_config,
    index_files,
    pre_processor_config,
    table_config,
    table_of,
)
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.io.index import INDEX_NAME, Listed, category_of, read_entries
from kolektor_cli.tree.layout import is_mask, is_train_of_defects, split_path
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
    category = Path(os.path.abspath(tree.path))  # noqa: PTH100 - its name may be a link's
    images = {p: f for p, f in tree.pngs.items() if not is_mask(p) and not f.problem}
    offer = Offer(
        out=category.parent,
        category=category.name,
        sizes={facts.size for facts in images.values()},
        colors={_COLORS.get(facts.format, facts.format) for facts in images.values()},
        train_defects=any(is_train_of_defects(split_path(path)[0]) for path in images),
        has_masks=tree.has_masks,
    )
    yield from unmet_needs(CONSUMERS[name], offer)
    for file, wanted in index_files(name, offer, images).items():
        yield from _check_index(name, file, wanted, category)
    if name == "anomalib":
        yield from _check_config(category, offer, images)
        yield from _check_pre_processor(category, offer.sizes)
        yield from _check_table(category, offer, images)


def _check_index(name: ConsumerName, file: str, wanted: bytes, category: Path) -> Iterator[Finding]:
    """Compare the entries of a category in an index file with those that a consumer reads."""
    path = category.parent / file
    kind = "meta" if file == INDEX_NAME else "list"
    if not path.is_file():
        message = f"is missing beside the category folder; convert again with --for {name}"
        yield Finding("error", f"no-{kind}", file, message)
        return
    try:
        found = read_entries(file, read_file(path))
    except ValueError as error:
        message = f"{error}; convert again with --for {name} --force"
        yield Finding("error", f"wrong-{kind}", file, message)
        return
    own = [listed for listed in found if category_of(listed.path) == category.name]
    if sorted(own, key=_key) != sorted(read_entries(file, wanted), key=_key):
        message = f"does not list this tree as {CONSUMERS[name].title} reads it; convert again"
        yield Finding("error", f"wrong-{kind}", file, f"{message} with --for {name}")
    for gone in sorted({category_of(listed.path) for listed in found}):
        if not os.path.lexists(category.parent / gone):
            message = (
                f"lists {gone}, which is not there: a code that reads all classes fails; "
                f"convert {gone} again, or take its entries out"
            )
            yield Finding("warning", f"gone-{kind}", file, message)


def _key(listed: Listed) -> tuple[tuple[str, ...], str]:
    return listed.place, listed.path


def _check_config(category: Path, offer: Offer, images: Collection[str]) -> Iterator[Finding]:
    """Report a setting that Anomalib's config lacks; it may have more."""
    path = category.parent / f"{category.name}.yaml"
    if not path.is_file():
        message = "is missing; 'kolektor convert --for anomalib' writes it for 'anomalib train'"
        yield Finding("info", "no-config", path.name, message)
        return
    found = _settings(read_file(path))
    listed = "Tabular" in found.get("class_path", "")
    wanted = table_config(offer) if listed else folder_config(offer, images)
    lacking = _lacking(_settings(wanted), found)
    if lacking:
        message = f"does not say {lacking[0]!r}; convert again with --for anomalib"
        yield Finding("error", "wrong-config", path.name, message)


def _check_pre_processor(category: Path, sizes: Collection[Size]) -> Iterator[Finding]:
    """Report that Anomalib would squeeze the images of a tree, which is allowed."""
    path = category.parent / f"{category.name}.pre-processor.yaml"
    if not sizes:
        return
    if not path.is_file():
        message = "is missing: Anomalib's own pre-processor squeezes images to a square"
        yield Finding("info", "no-pre-processor", path.name, message)
        return
    wanted = _settings(pre_processor_config(sizes))["size"]
    if _settings(read_file(path)).get("size") != wanted:
        message = f"does not say 'size: {wanted}', which keeps the aspect of the images"
        yield Finding("info", "other-size", path.name, message)


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


def _check_table(category: Path, offer: Offer, images: Collection[str]) -> Iterator[Finding]:
    """Compare the table for Anomalib, if there is one, with the images of the tree."""
    path = category.parent / f"{category.name}.csv"
    if not path.is_file():
        return
    if sorted(read_file(path).splitlines()) != sorted(table_of(offer, images).splitlines()):
        message = "does not list this tree; convert again with --for anomalib --table"
        yield Finding("error", "wrong-table", path.name, message)
