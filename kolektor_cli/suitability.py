"""Whether a tree suits one consumer: its needs, and the files that it reads beside the category."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kolektor_cli.consumers import CONSUMERS, Offer, unmet_needs
from kolektor_cli.records import Check, ConsumerName, Finding
from kolektor_cli.rules import is_mask
from kolektor_cli.sidefiles import META, meta_of, table_of
from kolektor_cli.tree import Tree, read_file

_COLORS = {"8-bit RGB": "rgb", "8-bit gray": "gray"}


def check_consumer(tree: Tree, name: ConsumerName) -> Check:
    """Check a category folder and what lies beside it against the needs of one consumer.

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
    findings = [
        *unmet_needs(CONSUMERS[name], offer),
        *_check_meta(name, category, list(images)),
        *_check_table(name, category, list(images)),
    ]
    title = CONSUMERS[name].title
    return Check("consumer", f"{title} trains on it as it is", tuple(findings))


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
    """Tell whether a ``meta.json`` has the wanted items, in any order; other classes may be there.

    A third split, beside train and test, makes AdaCLIP fail.
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


def _check_table(name: ConsumerName, category: Path, images: list[str]) -> Iterator[Finding]:
    """Compare the table of Anomalib's Tabular reader, if there is one, with the tree."""
    path = category.parent / f"{category.name}.csv"
    if name != "anomalib" or not path.is_file():
        return
    if sorted(read_file(path).splitlines()) != sorted(table_of(category.name, images).splitlines()):
        message = "does not list this tree; convert again with --for anomalib --table"
        yield Finding("error", "wrong-table", path.name, message)
