"""The layouts of KolektorSDD and KolektorSDD2: how a source is recognised and its files are paired.

KolektorSDD has item folders. An item folder is named like ``kos01``, or holds an image named like
``Part0.jpg`` or ``Part0_label.bmp``, or an image ``X`` with its mask ``X_label``. Any folder may
hold files named like ``kos01_Part0.jpg``, if one of them is a mask.

KolektorSDD2 has folders ``train`` and ``test`` with ``X.png`` and ``X_GT.png``. One of them must
hold a mask; then both are folders of samples, and so are copies beside them.

Masks may have another ending, if every image has one of it (`common_ending`).

People's own images (`kolektor_cli.raw.pairs`) are read where they are asked for, and where a source
that is no Kolektor dataset holds nothing but images with one mask each, or none by ``--no-mask``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.findings import Finding, first_names
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import original_folder, originals_of, part_and_role
from kolektor_cli.raw.endings import common_ending
from kolektor_cli.raw.labelled import label_own
from kolektor_cli.raw.layout_options import (
    KOLEKTOR_LAYOUT,
    LayoutOptions,
    check_layout,
    option_of,
)
from kolektor_cli.raw.pairing import FLAT_NAME, ITEM_NAME, Candidates, pair_files
from kolektor_cli.raw.pairs import are_pairs, count_pairs, own_release, pair_own
from kolektor_cli.raw.refusals import PAIRS_ADVICE, looks_like_kolektor, not_a_dataset, refuse_apart
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
        The layout's options are impossible, or do not go with the dataset that is recognised.
    SourceError
        The source holds no known dataset, or two.
    """
    names, _ = without_droppings(source.names)
    layout, kolektor = _settle(source, names, layout)
    if kolektor is not None:
        return kolektor[0]
    if layout.layout is None:
        raise _not_recognised(source, names, layout)
    return own_release(source)


@dataclass(frozen=True, slots=True)
class Found:
    """What a source holds by the names of its files.

    `layout` has the name of the layout that was asked for or recognised, `candidates` are its
    images and masks as paired.
    """

    release: Release
    layout: LayoutOptions
    candidates: Candidates
    findings: Sequence[Finding]


def find_candidates(source: Source, layout: LayoutOptions = KOLEKTOR_LAYOUT) -> Found:
    """Return the release of a source, its images and masks paired as candidates, and findings.

    Raises
    ------
    UsageError
        The layout's options are impossible, or do not go with the dataset that is recognised.
    SourceError
        The source holds no known dataset, or two, or a folder of samples in two places; or with
        the layout ``pairs`` no image with a mask, or none in the folders that are labels.
    """
    names, droppings = without_droppings(source.names)
    asked, (layout, kolektor) = layout, _settle(source, names, layout)
    beside = [*not_files(source), *droppings]
    if kolektor is not None:
        candidates, findings = _find_kolektor(source, names, *kolektor)
        return Found(kolektor[0], layout, candidates, [*beside, *findings])
    if layout.layout is None:
        raise _not_recognised(source, names, layout)
    find = pair_own if layout.has_masks else label_own
    candidates, findings = find(source, names, layout)
    asked_for = asked.layout or asked.of_pairs
    told = [] if asked_for else [Finding("info", "layout", "", _RECOGNISED)]
    return Found(own_release(source), layout, candidates, [*beside, *told, *findings])


def _not_recognised(source: Source, names: Sequence[str], layout: LayoutOptions) -> SourceError:
    """Return the error about a source without a known dataset; it may be pairs but for a file."""
    message = not_a_dataset(source, names)
    whole, odd = count_pairs(names, replace(layout, layout="pairs"))
    if not whole or not odd:
        return SourceError(message)
    partner = f"{first_names(odd)} {'has' if len(odd) == 1 else 'have'} no partner"
    if PAIRS_ADVICE in message:
        message += f"; {partner}"
    elif not looks_like_kolektor(source, names):
        message += f" ({whole} images have masks: read them {PAIRS_ADVICE}; {partner})"
    return SourceError(message)


_RECOGNISED = "no Kolektor dataset, but images with masks: read as with --layout pairs"


def _find_kolektor(
    source: Source, names: Sequence[str], release: Release, folders: Folders
) -> tuple[Candidates, list[Finding]]:
    refuse_apart(source, folders, release)
    candidates, findings = pair_files(source, names, folders, release)
    findings = [*_other_ending(release), *findings]
    if not candidates:
        raise SourceError(
            f"{source.path}: holds no sample: {findings[0].path} {findings[0].message}"
            if findings
            else not_a_dataset(source, names)
        )
    return candidates, findings


_Kolektor: TypeAlias = tuple[Release, Folders]
"""A Kolektor dataset, and its folders of samples."""


def _settle(
    source: Source, names: Sequence[str], layout: LayoutOptions
) -> tuple[LayoutOptions, _Kolektor | None]:
    """Return a layout with its name, and the Kolektor dataset that is recognised.

    The name is missing, and there is no dataset, where nothing is recognised.
    """
    if check_layout(layout).layout == "pairs":
        return layout, None
    kolektor = _recognise(source, names)
    if kolektor is not None and layout.of_pairs:
        raise UsageError(
            f"--{option_of(layout.of_pairs[0])} is for images of your own, and {source.path} is "
            f"recognised as {kolektor[0].name}; give --layout pairs to read it as such"
        )
    if kolektor is None:
        own = replace(layout, layout="pairs")
        asked = bool(layout.of_pairs)
        if asked or (not looks_like_kolektor(source, names) and are_pairs(source, names, own)):
            layout = own
    return layout, kolektor


def _other_ending(release: Release) -> list[Finding]:
    """Return a finding if the masks have another ending than officially."""
    usual = kolektorsdd2() if release.splits else kolektorsdd()
    if release.mask_ending == usual.mask_ending:
        return []
    message = f"every image has a mask that ends in {release.mask_ending}, not {usual.mask_ending}"
    return [Finding("info", "mask-ending", "", message)]


def _recognise(source: Source, names: Sequence[str]) -> _Kolektor | None:
    """Return the Kolektor dataset in a source, or None.

    Raises
    ------
    SourceError
        There are two.
    """
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
    return None if other is None else (_with_ending(kolektorsdd2(), other), halves)


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
