"""Checks of a tree against a consumer's needs, and guides to training on the tree."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from kolektor_cli.consumers.catalogue import CONSUMERS, Consumer, ConsumerName
from kolektor_cli.errors import UsageError
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.io.index import INDEX_NAME
from kolektor_cli.tree.fit import AskedSize, FitName

T = TypeVar("T")

_FASTFLOW_CONFIGS = {256: "resnet18", 384: "deit", 448: "cait"}
"""FastFlow's configs by the side of their images in pixels."""

_DRAEM_CATEGORIES = (
    *("capsule", "bottle", "carpet", "leather", "pill", "transistor", "tile", "cable", "zipper"),
    *("toothbrush", "metal_nut", "hazelnut", "screw", "grid", "wood"),
)
"""Categories by the numbers that DRAEM calls them."""


@dataclass(frozen=True, slots=True)
class Guide:
    """How a consumer trains on a tree.

    `files` are the names of the files that it reads beside the category folder. `commands` run in a
    shell, in the folder of the consumer's code. `notes` are hints for the user.
    """

    consumer: ConsumerName
    title: str
    files: tuple[str, ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """The tree that a consumer would get: a category folder in `out`, with its images.

    `sizes` (width, height in pixels) and `colors` are those that occur in the images.
    `train_defects` says that defective images are among those to train on, `has_masks` that
    defective test images have masks.
    """

    out: Path
    category: str
    sizes: Collection[Size]
    colors: Collection[str]
    train_defects: bool = False
    has_masks: bool = True


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a tree gets where options leave it open; `size` is (width, height) in pixels."""

    category: str
    fit: FitName
    size: Size | None


def defaults_for(
    names: Sequence[ConsumerName],
    category: str,
    size: Size | None,
    fit: FitName | None,
    asked: AskedSize,
) -> Defaults:
    """Return the defaults of a tree for consumers that share it, or for none.

    Padding needs a size in pixels, so images that keep their own are not padded.

    Parameters
    ----------
    names
        The consumers; the defaults of the first one win if all others accept them.
    category, size
        The defaults of the release; they stand in if no consumer has one. None is the size of each
        image.
    fit, asked
        The fit and the size that are asked for; None for the defaults.
    """
    consumers = [CONSUMERS[name] for name in names]
    sizes = [(consumer.size, consumer.sizes) for consumer in consumers]
    pads = any(consumer.fit == "pad" for consumer in consumers)
    if fit is None:
        wanted = _first_of_all(sizes, size) if asked is None else asked
        fit = "pad" if pads and wanted not in (None, "source") else "stretch"
    if pads and fit == "pad" and size is not None:
        # The codes scale down themselves: a larger square keeps the detail of the masks.
        size = (max(size), max(size))
    return Defaults(
        category=_first_of_all(
            [(consumer.category, consumer.categories) for consumer in consumers], category
        ),
        fit=fit,
        size=_first_of_all(sizes, size),
    )


def _first_of_all(choices: Sequence[tuple[T | None, frozenset[T]]], default: T) -> T:
    """Return the first preferred value that all accept; each choice is one's, and what it accepts.

    If there is no such value, return `default`. Who accepts nothing in particular accepts all.
    """
    for preferred, _ in choices:
        if preferred and all(preferred in accepted for _, accepted in choices if accepted):
            return preferred
    return default


def refuse_contradictory(names: Sequence[ConsumerName], category: str) -> None:
    """Refuse consumers that cannot share a tree.

    Raises
    ------
    UsageError
        The needs of two of them contradict each other.
    """
    for first, second in combinations(names, 2):
        for what, needs in _needs_of(CONSUMERS[first], category).items():
            others = _needs_of(CONSUMERS[second], category)[what]
            if needs and others and not set(needs) & set(others):
                raise UsageError(
                    f"--for {first} and --for {second} cannot share a tree: {what} must be "
                    f"{' or '.join(sorted(needs))} for {first}, and "
                    f"{' or '.join(sorted(others))} for {second}"
                )


def _needs_of(consumer: Consumer, category: str) -> dict[str, Collection[str]]:
    """Return what a consumer accepts, as text, by what it is of; nothing if it accepts all."""
    class_name = consumer.class_name
    return {
        "the category": consumer.categories,
        "the size": {f"{width}x{height}" for width, height in consumer.sizes},
        "--color": consumer.colors,
        "the name of OUT": consumer.roots,
        f"the class in {INDEX_NAME}": () if class_name is None else (class_name or category,),
    }


def unmet_needs(consumer: Consumer, offer: Offer) -> Iterator[Finding]:
    """Yield an ``error`` for each need of a consumer that an offer does not meet."""
    yield from _unmet_names(consumer, offer)
    yield from _unmet_sizes(consumer, offer.sizes)
    for color in sorted(set(offer.colors) - set(consumer.colors)):
        message = f"{consumer.title} reads no {color} images; use --color {consumer.colors[0]}"
        yield Finding("error", "color", "", message)
    if offer.train_defects:
        yield from _unmet_supervision(consumer)
    if consumer.needs_masks and not offer.has_masks:
        able = " and ".join(name for name, other in CONSUMERS.items() if not other.needs_masks)
        message = (
            f"{consumer.title} reads the mask of each defective test image, and there are none; "
            f"{able} do without"
        )
        yield Finding("error", "no-masks", "", message)


def _unmet_supervision(consumer: Consumer) -> Iterator[Finding]:
    if consumer.all_of_train:
        reason = "takes all images in train for good ones"
    elif consumer.trains_on_test:
        reason = "takes the defective images that it trains on from test, and reads none in train"
    else:
        return
    message = (
        f"{consumer.title} {reason}, so there must be no defective ones; for supervised codes "
        "see 'kolektor docs consumers'"
    )
    yield Finding("error", "train-defects", "train/defect", message)


def _unmet_names(consumer: Consumer, offer: Offer) -> Iterator[Finding]:
    out = offer.out.resolve()
    if consumer.categories and offer.category not in consumer.categories:
        message = (
            f"{consumer.title} does not accept the category {offer.category}; "
            f"use --category {consumer.category}"
        )
        yield Finding("error", "category", "", message)
    if consumer.roots and out.name not in consumer.roots:
        names = " or ".join(consumer.roots)
        message = f"{consumer.title} needs the folder above the category to be called {names}"
        yield Finding("error", "root", "", message)
    for text in consumer.not_in_path:
        if text in f"{out.as_posix()}/":
            message = f"{consumer.title} fails with {text!r} in the path {out}"
            yield Finding("error", "path", "", message)


def _unmet_sizes(consumer: Consumer, sizes: Collection[Size]) -> Iterator[Finding]:
    shown = ", ".join(f"{width}x{height}" for width, height in sorted(sizes)[:3])
    wrong = sorted(set(sizes) - consumer.sizes) if consumer.sizes else []
    if wrong:
        accepted = ", ".join(f"{width}x{height}" for width, height in sorted(consumer.sizes))
        message = f"{consumer.title} needs images of {accepted}, not {shown}"
        yield Finding("error", "size", "", message)
    elif consumer.square and any(width != height for width, height in sizes):
        message = f"{consumer.title} needs square images, not {shown}"
        yield Finding("error", "size", "", message)
    if consumer.one_size and len(set(sizes)) > 1:
        message = f"{consumer.title} needs images of one size, and they are {shown} and more"
        yield Finding("error", "size", "", message)


def require_needs(names: Iterable[ConsumerName], offer: Offer) -> None:
    """Refuse an offer that a consumer cannot train on.

    Raises
    ------
    UsageError
        A need is not met; see `unmet_needs`.
    """
    for name in names:
        for finding in unmet_needs(CONSUMERS[name], offer):
            raise UsageError(f"--for {name}: {finding.message}")


def guide_for(name: ConsumerName, offer: Offer, files: Iterable[str]) -> Guide:
    """Return how a consumer trains on an offer; `files` lie beside the category folder."""
    consumer = CONSUMERS[name]
    sizes = sorted(set(offer.sizes))
    values = _command_values(offer.out, offer.category)
    if len(sizes) == 1:
        values |= _size_values(sizes[0])
    return Guide(
        consumer=name,
        title=consumer.title,
        files=tuple(sorted(files)),
        commands=tuple(command.format_map(values) for command in consumer.commands),
        notes=(*consumer.notes, *_size_notes(sizes)),
    )


def _size_notes(sizes: Sequence[Size]) -> Iterator[str]:
    if len(sizes) > 1:
        (width, height), (last_width, last_height) = sizes[0], sizes[-1]
        yield (
            f"the images have {len(sizes)} sizes, {width}x{height} to {last_width}x{last_height}; "
            "the code resizes each to its own input size"
        )


def _command_values(out: Path, category: str) -> dict[str, str]:
    """Return values for the names in braces in `Consumer.commands`, quoted for a shell."""
    root = out.resolve()
    return {
        "root": shlex.quote(str(root)),
        "data_root": shlex.quote(f"DATA_ROOT = {json.dumps(str(root.parent))}"),
        "category": shlex.quote(category),
        "draem_id": str(_DRAEM_CATEGORIES.index(category)) if category in _DRAEM_CATEGORIES else "",
        "aaclip_constants": shlex.quote(_aaclip_constants(root, category)),
        "config": shlex.quote(str(out / f"{category}.yaml")),
        "pre_processor": shlex.quote(str(out / f"{category}.pre-processor.yaml")),
        "ristorante_code": shlex.quote(_ristorante_code(root, category)),
    }


def _aaclip_constants(root: Path, category: str) -> str:
    """Return Python code that adds a dataset to those that AA-CLIP knows."""
    name = json.dumps(category)
    return (
        f'DATA_PATH["kolektor"] = {json.dumps(str(root))}; CLASS_NAMES["kolektor"] = [{name}]; '
        f'DOMAINS["kolektor"] = "Industrial"; '
        f'REAL_NAMES["kolektor"] = {{{name}: "electrical commutator"}}'
    )


def _ristorante_code(root: Path, category: str) -> str:
    """Return Python code that trains RistoranteRist/FastFlow on one category.

    By itself it trains on all categories of MVTec AD, one after the other.
    """
    # A text of JSON is one of Python, and its double quotes fit into a shell's single ones.
    path, name = (json.dumps(text, ensure_ascii=False) for text in (str(root), category))
    return f"import main; main.cfg.mvtec_path = {path}; main.MVTec.CATEGORY = [{name}]; main.main()"


def _size_values(size: Size) -> dict[str, str]:
    """Return the values that depend on the size (width, height in pixels) of all images."""
    return {
        "short": str(min(size)),
        "long": str(max(size)),
        "fastflow_config": _FASTFLOW_CONFIGS.get(size[0], "resnet18"),
    }
