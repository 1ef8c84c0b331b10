"""The layouts of KolektorSDD and KolektorSDD2: how a source is recognised and its files are paired.

KolektorSDD has item folders. An item folder is named like ``kos01``, or holds an image named like
``Part0.jpg`` or ``Part0_label.bmp``, or an image ``X`` with its mask ``X_label``.

KolektorSDD2 has folders ``train`` and ``test`` with ``X.png`` and ``X_GT.png``. One of them must
hold a mask; then both are folders of samples, and so are copies beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import original_folder
from kolektor_cli.raw.pairing import Candidates, pair_files, without_mask_ending
from kolektor_cli.raw.refusals import not_a_dataset, refuse_apart, unread_halves
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
    refuse_apart(source, folders, release)
    candidates, findings = pair_files(source, names, folders, release)
    if not candidates:
        raise SourceError(
            f"{source.path}: holds no sample: {findings[0].path} {findings[0].message}"
            if findings
            else not_a_dataset(source, names)
        )
    findings = unread_halves(names, folders, release, findings)
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
        raise SourceError(not_a_dataset(source, names))
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
