"""Which release a source holds, and in which layout: by names alone, before any file is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from kolektor_cli.errors import SourceError
from kolektor_cli.itemfolders import item_folders
from kolektor_cli.pairing import Candidates, Folders, not_files, pair_files, without_droppings
from kolektor_cli.records import Finding, natural_key
from kolektor_cli.releases import Release, kolektorsdd, kolektorsdd2
from kolektor_cli.source import Source
from kolektor_cli.splitfolders import is_mask, split_folders


def recognise(source: Source) -> Release:
    """Tell which release a source holds; KolektorSDD's boxes have its names, and so its name.

    Raises
    ------
    SourceError
        The source holds no dataset that is known, or two.
    """
    names, _ = without_droppings(source.names)
    return _recognise(source, names)[0]


def find_candidates(source: Source) -> tuple[Release, Candidates, list[Finding]]:
    """Recognise a source and pair its images and masks, as candidates; all else is a finding.

    Raises
    ------
    SourceError
        The source holds no dataset that is known, or two, or a folder of samples in two places.
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


def _not_a_dataset(source: Source, names: Sequence[str]) -> str:
    """Say what a source without samples looks like instead."""
    advice = (
        "give the folder or zip with the item folders kos01, kos02, ..., or with KolektorSDD2's "
        "folders train and test"
    )
    folders = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    if any(map(is_mask, names)):
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
            f"{source.path}: looks like KolektorSDD2 without its masks, as 10000_GT.png; {advice}"
        )
    return f"{source.path}: is not a dataset in the layout of KolektorSDD or KolektorSDD2; {advice}"


def _has_numbered_images(names: Sequence[str]) -> bool:
    """Tell whether a folder train or test holds images that are named like KolektorSDD2's."""
    release = kolektorsdd2()
    stems = (PurePosixPath(name).with_suffix("") for name in names)
    return any("/".join(stem.parts[-2:]).casefold() in release.names for stem in stems)
