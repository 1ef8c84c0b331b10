"""The layouts of KolektorSDD and KolektorSDD2: how a source is recognised and its files are paired.

KolektorSDD has item folders. An item folder is named like ``kos01``, or holds an image named like
``Part0.jpg`` or ``Part0_label.bmp``, or an image ``X`` with its mask ``X_label``.

KolektorSDD2 has folders ``train`` and ``test`` with ``X.png`` and ``X_GT.png``. One of them must
hold a mask; then both are folders of samples, and so are copies beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import original_folder
from kolektor_cli.raw.pairing import Candidates, pair_files, without_mask_ending
from kolektor_cli.raw.releases import Release, kolektorsdd, kolektorsdd2
from kolektor_cli.raw.strays import (
    Folders,
    by_folder,
    last_part,
    not_files,
    stem_and_suffix,
    without_droppings,
)
from kolektor_cli.samples import natural_key

_ITEM_NAME = re.compile(r"kos\d+", re.IGNORECASE | re.ASCII)

_PART_NAME = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)


def recognise(source: Source) -> Release:
    """Return the release that a source holds, by the names of its files.

    KolektorSDD-boxes has the names of KolektorSDD, which is returned for both.

    Raises
    ------
    SourceError
        The source holds no known dataset, or two.
    """
    names, _ = without_droppings(source.names)
    return _recognise(source, names)[0]


def find_candidates(source: Source) -> tuple[Release, Candidates, list[Finding]]:
    """Return the release of a source, its images and masks paired as candidates, and findings.

    Raises
    ------
    SourceError
        The source holds no known dataset, or two, or a folder of samples in two places.
    """
    names, droppings = without_droppings(source.names)
    release, folders = _recognise(source, names)
    candidates, findings = pair_files(source, names, folders, release)
    if not candidates:
        raise SourceError(
            f"{source.path}: holds no sample: {findings[0].path} {findings[0].message}"
            if findings
            else _not_a_dataset(source, names)
        )
    return release, candidates, [*not_files(source), *droppings, *findings]


def _recognise(source: Source, names: Sequence[str]) -> tuple[Release, Folders]:
    items, splits = item_folders(names), split_folders(names)
    if items and splits:
        item, split = (min(folders, key=natural_key) for folders in (items, splits))
        raise SourceError(
            f"{source.path}: holds KolektorSDD (as {item}) and KolektorSDD2 (as {split}); "
            "give the folder of one of them"
        )
    if not items and not splits:
        raise SourceError(_not_a_dataset(source, names))
    return (kolektorsdd2(), splits) if splits else (kolektorsdd(), items)


def item_folders(names: Iterable[str]) -> Folders:
    """Return the item folders of KolektorSDD, each with its files."""
    return {
        folder: files
        for folder, files in by_folder(names).items()
        if folder and (_ITEM_NAME.fullmatch(last_part(folder)) or _holds_samples(files))
    }


def _holds_samples(files: Iterable[str]) -> bool:
    ending = kolektorsdd().mask_ending
    stems = {stem.casefold() for stem, suffix in map(stem_and_suffix, files) if suffix}
    return any(_PART_NAME.fullmatch(stem) or stem + ending in stems for stem in stems)


def split_folders(names: Iterable[str]) -> Folders:
    """Return the folders of KolektorSDD2, each with its files; none if there is no mask."""
    folders = {
        folder: files
        for folder, files in by_folder(names).items()
        if any(stem_and_suffix(name)[1] for name in files)
    }
    named = {folder for folder in folders if last_part(folder).casefold() in kolektorsdd2().splits}
    if not any(map(is_ksdd2_mask, (name for folder in named for name in folders[folder]))):
        return {}
    return {
        folder: files
        for folder, files in folders.items()
        if folder in named or original_folder(folder, named)
    }


def is_ksdd2_mask(name: str) -> bool:
    """Return whether a file is named like a mask of KolektorSDD2."""
    stem, suffix = stem_and_suffix(name)
    return bool(suffix) and without_mask_ending(stem, kolektorsdd2()) != stem


def _not_a_dataset(source: Source, names: Sequence[str]) -> str:
    """Return a message that says what a source without samples looks like."""
    advice = (
        "give the folder or zip with the item folders kos01, kos02, ..., or with KolektorSDD2's "
        "folders train and test"
    )
    folders = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    if any(map(is_ksdd2_mask, names)):
        return (
            f"{source.path}: looks like KolektorSDD2, but its images are not in folders named "
            "train and test; give the folder that holds these two"
        )
    if folders >= {"train", "good"}:
        return (
            f"{source.path}: looks like an MVTec-style tree, not like the raw dataset; {advice}, "
            "or check the tree with 'kolektor verify'"
        )
    if _has_numbered_images(names):
        return (
            f"{source.path}: looks like KolektorSDD2 without its masks, such as 10000_GT.png; "
            f"{advice}"
        )
    return f"{source.path}: is not a dataset in the layout of KolektorSDD or KolektorSDD2; {advice}"


def _has_numbered_images(names: Sequence[str]) -> bool:
    """Return whether a folder train or test holds images named like KolektorSDD2's."""
    release = kolektorsdd2()
    stems = (PurePosixPath(name).with_suffix("") for name in names)
    return any("/".join(stem.parts[-2:]).casefold() in release.names for stem in stems)
