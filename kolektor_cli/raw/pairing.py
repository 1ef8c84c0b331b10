"""Pairing of images and masks by their names.

In a folder of samples, ``X`` with the release's ending for masks is the mask of ``X``, whatever the
two formats. The case of names does not matter, and the folders may lie at any depth.
`kolektor_cli.raw.layouts` says which folders are folders of samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import original_folder, without_copies
from kolektor_cli.raw.releases import Release
from kolektor_cli.raw.strays import Folders, last_part, stem_and_suffix, stray_findings
from kolektor_cli.samples import OfficialSplit, natural_key


@dataclass(slots=True)
class Candidate:
    """The files that belong to one sample by their names."""

    item: str
    official_split: OfficialSplit | None = None
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)


Candidates: TypeAlias = dict[str, Candidate]
"""Candidates by sample name."""


def pair_files(
    source: Source, names: Iterable[str], folders: Folders, release: Release
) -> tuple[Candidates, list[Finding]]:
    """Return candidates for the images and masks in folders of samples, and findings on the rest.

    Raises
    ------
    SourceError
        Two folders have one name, and neither lies inside another or is named as a copy.
    """
    kept, settled = _settle_repeated(source, folders, release)
    files, strays = _images_in(names, kept, folders.keys() - kept.keys())
    files, copies = without_copies(source, files, release.mask_ending)
    candidates: Candidates = {}
    spellings: dict[str, str] = {}
    for name in files:
        stem = stem_and_suffix(name)[0]
        part = without_mask_ending(stem, release)
        sample = release.official_name(f"{kept[name.rpartition('/')[0]]}/{part}")
        spelling = spellings.setdefault(sample.casefold(), sample)
        claims = candidates.setdefault(spelling, _new_candidate(spelling, release))
        (claims.images if part == stem else claims.masks).append(name)
    return candidates, [*settled, *strays, *copies]


def without_mask_ending(stem: str, release: Release) -> str:
    """Return the stem without the release's ending for masks, if it has one."""
    ending = release.mask_ending
    is_mask = stem.casefold().endswith(ending.casefold())
    return stem[: -len(ending)] if is_mask else stem


def _new_candidate(sample: str, release: Release) -> Candidate:
    folder, _, part = sample.rpartition("/")
    for split in release.splits:
        if folder == split:
            return Candidate(part, split)
    return Candidate(folder)


def _images_in(
    names: Iterable[str], folders: Mapping[str, str], ignored: Iterable[str]
) -> tuple[list[str], list[Finding]]:
    """Return the images that lie in folders of samples, and findings about stray files."""
    ignored = set(ignored)
    files: list[str] = []
    strays: Folders = defaultdict(list)
    for name in names:
        folder = name.rpartition("/")[0]
        if folder in folders and stem_and_suffix(name)[1]:
            files.append(name)
        elif folder not in ignored:
            strays[folder].append(name)
    message = "ignored, being no image or mask of a sample"
    return files, list(stray_findings("warning", strays, message))


def _settle_repeated(
    source: Source, folders: Folders, release: Release
) -> tuple[dict[str, str], list[Finding]]:
    """Return the folders to use, each with its name, and findings about repeated ones.

    A folder inside another, or named as a copy of one beside it, is used if there is no other.
    """
    kept: dict[str, str] = {}
    findings = []
    for name, places in _places(folders, release).items():
        second = [place for place in places if _is_second(place, folders)]
        first = [place for place in places if place not in second]
        if len(first) > 1:
            raise SourceError(
                f"{source.path}: holds {name} twice, in {first[0]} and in {first[1]}; "
                "give the folder that holds one dataset"
            )
        chosen = (first or second)[0]
        kept[chosen] = name
        if not first:
            message = "lies inside another folder of samples; taken as if it lay beside it"
            findings.append(Finding("warning", "nested-item", chosen, message))
        findings += [
            _compare_folders(source, chosen, place, folders) for place in places if place != chosen
        ]
    return kept, findings


def _places(folders: Folders, release: Release) -> dict[str, list[str]]:
    """Map each name to the folders that claim it."""
    places: dict[str, list[str]] = defaultdict(list)
    spellings: dict[str, str] = {}
    for folder in sorted(folders, key=natural_key):
        original = original_folder(folder, folders) or folder
        name = release.official_name(last_part(original))
        places[spellings.setdefault(name.casefold(), name)].append(folder)
    return places


def _is_second(folder: str, folders: Folders) -> bool:
    inside = any(str(parent) in folders for parent in PurePosixPath(folder).parents)
    return inside or original_folder(folder, folders) is not None


def _compare_folders(source: Source, kept: str, copy: str, folders: Folders) -> Finding:
    """Report a second copy of a folder, which is left out: an error if its files differ."""
    originals = {last_part(name).casefold(): name for name in folders[kept]}
    for name in folders[copy]:
        original = originals.get(last_part(name).casefold())
        if original is None or source.read(original) != source.read(name):
            message = f"is another copy of {kept}, but {last_part(name)} differs; keep one"
            return Finding("error", "nested-item", copy, message)
    message = f"repeats files of {kept}, byte for byte; left out"
    return Finding("warning", "nested-item", copy, message)


def pairing_problem(name: str, files: Candidate, release: Release) -> Finding | None:
    """Return what keeps a candidate from being one image and one mask, or None."""
    part = last_part(name)
    if not files.masks:
        missing = f"{part}{release.mask_ending}{release.mask_suffix}"
        message = f"has no mask: {missing} is missing"
        return Finding("error", "image-without-mask", files.images[0], message)
    if not files.images:
        message = f"is a mask without its image: {part}{release.image_suffix} is missing"
        return Finding("error", "mask-without-image", files.masks[0], message)
    for same in (files.images, files.masks):
        if len(same) > 1:
            message = f"and {same[1]} claim to be the same file of {name}; keep one"
            return Finding("error", "ambiguous", same[0], message)
    return None
