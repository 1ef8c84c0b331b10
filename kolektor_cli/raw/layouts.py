"""The layouts of KolektorSDD and KolektorSDD2: how a source is recognised and its files are paired.

KolektorSDD has item folders. An item folder is named like ``kos01``, or holds an image named like
``Part0.jpg`` or ``Part0_label.bmp``, or an image ``X`` with its mask ``X_label``. Any folder may
hold files named like ``kos01_Part0.jpg``, if one of them is a mask.

KolektorSDD2 has folders ``train`` and ``test`` with ``X.png`` and ``X_GT.png``. One of them must
hold a mask; then both are folders of samples, and so are copies beside them.

Masks may have another ending, if every image has one of it (`common_ending`).

People's own images are read only where they are asked for (`kolektor_cli.raw.pairs`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import original_folder, originals_of, part_and_role
from kolektor_cli.raw.endings import common_ending
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions, check_layout
from kolektor_cli.raw.pairing import FLAT_NAME, ITEM_NAME, Candidates, pair_files
from kolektor_cli.raw.pairs import own_release, pair_own
from kolektor_cli.raw.refusals import not_a_dataset, refuse_apart
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

_PART_NAME = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)


def recognise(source: Source, layout: LayoutOptions = KOLEKTOR_LAYOUT) -> Release:
    """Return the release that a source holds, by the names of its files.

    KolektorSDD-boxes has the names of KolektorSDD, which is returned for both.

    Raises
    ------
    UsageError
        The layout's options are impossible.
    SourceError
        The source holds no known dataset, or two.
    """
    if check_layout(layout).layout == "pairs":
        return own_release(source)
    names, _ = without_droppings(source.names)
    return _recognise(source, names)[0]


def find_candidates(
    source: Source, layout: LayoutOptions = KOLEKTOR_LAYOUT
) -> tuple[Release, Candidates, list[Finding]]:
    """Return the release of a source, its images and masks paired as candidates, and findings.

    Raises
    ------
    UsageError
        The layout's options are impossible.
    SourceError
        The source holds no known dataset, or two, or a folder of samples in two places; or with
        the layout ``pairs`` no image with a mask.
    """
    names, droppings = without_droppings(source.names)
    if check_layout(layout).layout == "pairs":
        candidates, findings = pair_own(source, names, layout)
        return own_release(source), candidates, [*not_files(source), *droppings, *findings]
    release, folders = _recognise(source, names)
    refuse_apart(source, folders, release)
    candidates, findings = pair_files(source, names, folders, release)
    findings = [*_other_ending(release), *findings]
    if not candidates:
        raise SourceError(
            f"{source.path}: holds no sample: {findings[0].path} {findings[0].message}"
            if findings
            else not_a_dataset(source, names)
        )
    return release, candidates, [*not_files(source), *droppings, *findings]


def _other_ending(release: Release) -> list[Finding]:
    """Return a finding if the masks have another ending than officially."""
    usual = kolektorsdd2() if release.splits else kolektorsdd()
    if release.mask_ending == usual.mask_ending:
        return []
    message = f"every image has a mask that ends in {release.mask_ending}, not {usual.mask_ending}"
    return [Finding("info", "mask-ending", "", message)]


def _recognise(source: Source, names: Sequence[str]) -> tuple[Release, Folders]:
    splits = split_folders(names)
    items = {folder: files for folder, files in item_folders(names).items() if folder not in splits}
    if items and splits:
        item, split = (min(folders, key=natural_key) for folders in (items, splits))
        raise SourceError(
            f"{source.path}: holds KolektorSDD (as {item}) and KolektorSDD2 (as {split}); "
            "give the folder of one of them"
        )
    for release, folders in ((kolektorsdd2(), splits), (kolektorsdd(), items)):
        if folders:
            ending = common_ending(folders, release.mask_ending) or release.mask_ending
            return _with_ending(release, ending), folders
    halves = _named_halves(names)
    other = common_ending(halves, kolektorsdd2().mask_ending)
    if other is None:
        raise SourceError(not_a_dataset(source, names))
    return _with_ending(kolektorsdd2(), other), halves


def _with_ending(release: Release, ending: str) -> Release:
    """Return a release whose masks have another ending."""
    return release if ending == release.mask_ending else replace(release, mask_ending=ending)


def item_folders(names: Iterable[str]) -> Folders:
    """Return the item folders of KolektorSDD, each with its files."""
    folders = by_folder(names)
    flat = _flat_folders(folders)
    return {
        folder: files
        for folder, files in folders.items()
        if folder in flat
        or _is_item_name(last_part(folder))
        or _holds_samples(files, at_top=not folder)
    }


def _is_item_name(name: str) -> bool:
    return any(map(ITEM_NAME.fullmatch, (name, *originals_of(name))))


def _flat_folders(folders: Folders) -> set[str]:
    """Return the folders with files named like ``kos01_Part0.jpg``; none if none is a mask."""
    flat = {
        folder: [stem for stem, suffix in map(stem_and_suffix, files) if suffix]
        for folder, files in folders.items()
    }
    flat = {folder: list(filter(FLAT_NAME.fullmatch, stems)) for folder, stems in flat.items()}
    ending = kolektorsdd().mask_ending
    masks = any(part_and_role(stem, ending)[1] for stems in flat.values() for stem in stems)
    found = {folder for folder, stems in flat.items() if stems}
    if masks or common_ending({folder: folders[folder] for folder in found}, ending):
        return found
    return set()


def _holds_samples(files: Iterable[str], *, at_top: bool) -> bool:
    """Return whether files are pairs, or named like KolektorSDD's parts.

    Such parts at the top of a source are those of one item: its parent is the dataset.
    """
    ending = kolektorsdd().mask_ending
    stems = [stem for stem, suffix in map(stem_and_suffix, files) if suffix]
    roles: tuple[set[str], set[str]] = (set(), set())
    for part, is_mask in (part_and_role(stem, ending) for stem in stems):
        roles[is_mask].add(part.casefold())
    are_pairs = bool(roles[0] & roles[1])
    are_parts = any(map(_PART_NAME.fullmatch, stems))
    return are_pairs and not are_parts if at_top else are_pairs or are_parts


def split_folders(names: Iterable[str]) -> Folders:
    """Return the folders of KolektorSDD2, each with its files; none if there is no mask."""
    folders = _folders_of_images(names)
    named = _named_halves(names)
    if not any(map(is_ksdd2_mask, (name for files in named.values() for name in files))):
        return {}
    copies = {f: files for f, files in folders.items() if original_folder(f, named)}
    return {**named, **copies}


def _named_halves(names: Iterable[str]) -> Folders:
    """Return the folders of images named train or test, or as copies of such that are not there."""
    folders = _folders_of_images(names)
    halves = kolektorsdd2().splits
    named = {f: files for f, files in folders.items() if last_part(f).casefold() in halves}
    alone = {
        folder: files
        for folder, files in folders.items()
        if any(name.casefold() in halves for name in originals_of(last_part(folder)))
        and not original_folder(folder, named)
    }
    return {**named, **alone}


def _folders_of_images(names: Iterable[str]) -> Folders:
    return {
        folder: files
        for folder, files in by_folder(names).items()
        if any(stem_and_suffix(name)[1] for name in files)
    }


def is_ksdd2_mask(name: str) -> bool:
    """Return whether a file is named like a mask of KolektorSDD2."""
    stem, suffix = stem_and_suffix(name)
    return bool(suffix) and part_and_role(stem, kolektorsdd2().mask_ending)[1]
