"""Which files of a source are one sample's: by their names alone, before any is read.

An item folder is one named like KolektorSDD's (``kos01``), or one that holds a file named like its
parts (``Part0.jpg``, ``Part0_label.bmp``) or an image with its mask (``X.jpg``, ``X_label.bmp``).
In an item folder, ``X_label`` is the mask of ``X``, whatever the two formats; the case of names
does not matter. Item folders may lie at any depth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

from kolektor_cli.errors import SourceError
from kolektor_cli.records import Finding, natural_key
from kolektor_cli.releases import Release
from kolektor_cli.source import Source

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_MASK_ENDING = "_label"
_ITEM_NAME = re.compile(r"kos\d+", re.IGNORECASE | re.ASCII)
_PART_NAME = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)
_DROPPINGS = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"}

ItemFolders: TypeAlias = dict[str, list[str]]
"""Names of files by the folder in which they lie."""


@dataclass
class Candidate:
    """The files that claim to be one sample's, told apart by their names."""

    item: str
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)


def find_candidates(source: Source, release: Release) -> tuple[dict[str, Candidate], list[Finding]]:
    """Pair the images and masks of a source, as candidates by sample name; all else is a finding.

    Raises
    ------
    SourceError
        The source holds no item folder, or an item in two places.
    """
    names, droppings = _without_droppings(source.names)
    folders = _item_folders(names)
    kept, nested = _settle_nested(source, folders, release)
    candidates, strays = _pair(names, kept, set(folders) - set(kept), release)
    if not candidates:
        raise SourceError(_not_a_dataset(source))
    return candidates, [*_not_files(source), *droppings, *nested, *strays]


def _not_files(source: Source) -> Iterator[Finding]:
    """Report what a source does not read, and folders that are named like images."""
    for unread in source.unread:
        if unread.harmless:
            yield Finding("info", "not-read", unread.name, f"{unread.why}; not read again")
        else:
            yield Finding("error", "not-read", unread.name, unread.why)
    for folder in source.folders:
        if _stem_and_suffix(folder)[1]:
            message = "is a folder, though its name is an image's"
            yield Finding("warning", "not-a-file", folder, message)


def _without_droppings(names: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """Leave out what operating systems drop into folders and archives."""
    kept, findings = [], []
    for name in names:
        path = PurePosixPath(name)
        if (
            path.name.casefold() in _DROPPINGS
            or path.name.startswith("._")
            or "__MACOSX" in path.parts
        ):
            message = "was put here by an operating system; not part of the dataset"
            findings.append(Finding("info", "stray-file", name, message))
        else:
            kept.append(name)
    return kept, findings


def _item_folders(names: Iterable[str]) -> ItemFolders:
    """Group files by folder, and keep the folders that are items."""
    folders: ItemFolders = defaultdict(list)
    for name in names:
        folders[name.rpartition("/")[0]].append(name)
    return {
        folder: files
        for folder, files in folders.items()
        if folder and (_ITEM_NAME.fullmatch(_last(folder)) or _holds_samples(files))
    }


def _holds_samples(files: Iterable[str]) -> bool:
    stems = {stem.casefold() for stem, suffix in map(_stem_and_suffix, files) if suffix}
    return any(_PART_NAME.fullmatch(stem) or stem + _MASK_ENDING in stems for stem in stems)


def _stem_and_suffix(name: str) -> tuple[str, str]:
    """Split a file's name; the suffix is empty unless it is that of an image."""
    path = PurePosixPath(name)
    suffix = path.suffix.casefold()
    return (path.stem, suffix) if suffix in _IMAGE_SUFFIXES else (path.name, "")


def _item_name(folder: str, release: Release) -> str:
    return release.official_name(_last(folder))


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]


def _settle_nested(
    source: Source, folders: ItemFolders, release: Release
) -> tuple[ItemFolders, list[Finding]]:
    """Decide about item folders inside item folders: kept if the item lies nowhere else.

    Raises
    ------
    SourceError
        An item lies in two folders of which neither is inside another item's.
    """
    by_item: dict[str, list[str]] = defaultdict(list)
    for folder in sorted(folders, key=natural_key):
        by_item[_item_name(folder, release).casefold()].append(folder)
    kept: ItemFolders = {}
    findings = []
    for places in by_item.values():
        nested = [place for place in places if _is_inside_another(place, folders)]
        outer = [place for place in places if place not in nested]
        if len(outer) > 1:
            raise SourceError(
                f"{source.path}: holds {_last(outer[0])} twice, in {outer[0]} and in {outer[1]}; "
                "give the folder that holds one dataset"
            )
        chosen = (outer or nested)[0]
        kept[chosen] = folders[chosen]
        if not outer:
            message = "lies inside another item's folder; taken as an item of its own"
            findings.append(Finding("warning", "nested-item", chosen, message))
        findings += [
            _compare_copies(source, chosen, place, folders) for place in places if place != chosen
        ]
    return kept, findings


def _is_inside_another(folder: str, folders: ItemFolders) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(folder).parents)


def _compare_copies(source: Source, kept: str, copy: str, folders: ItemFolders) -> Finding:
    """Say what a second copy of an item is, which is left out: the same, or something else."""
    originals = {_basename(name): name for name in folders[kept]}
    for name in folders[copy]:
        original = originals.get(_basename(name))
        if original is None or source.read(original) != source.read(name):
            message = f"is another copy of the item {kept}, but {_basename(name)} differs; keep one"
            return Finding("error", "nested-item", copy, message)
    message = f"repeats files of {kept}, byte for byte; left out"
    return Finding("warning", "nested-item", copy, message)


def _basename(name: str) -> str:
    return PurePosixPath(name).name.casefold()


def _pair(
    names: Iterable[str], folders: ItemFolders, ignored: set[str], release: Release
) -> tuple[dict[str, Candidate], list[Finding]]:
    """Pair images and masks by name, as candidates by sample name; all other files are stray."""
    candidates: dict[str, Candidate] = {}
    spellings: dict[str, str] = {}
    findings = []
    for name in names:
        folder = name.rpartition("/")[0]
        if folder in ignored:
            continue
        stem, suffix = _stem_and_suffix(name)
        if folder not in folders or not suffix:
            message = "is no image or mask of an item; ignored"
            findings.append(Finding("warning", "stray-file", name, message))
            continue
        is_mask = stem.casefold().endswith(_MASK_ENDING)
        part = stem[: -len(_MASK_ENDING)] if is_mask else stem
        item = _item_name(folder, release)
        sample = release.official_name(f"{item}/{part}")
        spelling = spellings.setdefault(sample.casefold(), sample)
        files = candidates.setdefault(spelling, Candidate(item))
        (files.masks if is_mask else files.images).append(name)
    return candidates, findings


def _not_a_dataset(source: Source) -> str:
    """Say what a source without samples looks like instead."""
    advice = "give the folder or zip with the item folders kos01, kos02, ..."
    folders = {part for name in source.names for part in PurePosixPath(name).parts[:-1]}
    if any(name.endswith("_GT.png") for name in source.names):
        return f"{source.path}: looks like KolektorSDD2, which this version does not read; {advice}"
    if folders >= {"train", "good"}:
        return (
            f"{source.path}: looks like an MVTec-style tree, not like the raw dataset; {advice}, "
            "or check the tree with 'kolektor verify'"
        )
    return f"{source.path}: is not a dataset in KolektorSDD's layout; {advice}"


def pairing_problem(name: str, files: Candidate) -> Finding | None:
    """Report a candidate that is not exactly one image and one mask."""
    if not files.masks:
        message = f"has no mask: {PurePosixPath(name).name}{_MASK_ENDING}.bmp is missing"
        return Finding("error", "image-without-mask", files.images[0], message)
    if not files.images:
        message = f"is a mask without its image: {PurePosixPath(name).name}.jpg is missing"
        return Finding("error", "mask-without-image", files.masks[0], message)
    for same in (files.images, files.masks):
        if len(same) > 1:
            message = f"and {same[1]} claim to be the same file of {name}; keep one"
            return Finding("error", "ambiguous", same[0], message)
    return None
