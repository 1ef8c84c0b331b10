"""Pairing of images and masks by their names.

In a folder of samples, ``X`` with the release's ending for masks is the mask of ``X``, whatever the
two formats. The case of names does not matter, and the folders may lie at any depth.
`kolektor_cli.raw.layouts` says which folders are folders of samples. Where a file's own name names
its item, as in ``kos01_Part5.jpg``, the folder does not matter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.copies import (
    SameFiles,
    comparing,
    original_folder,
    originals_of,
    part_and_role,
    repeated,
    shares_files,
)
from kolektor_cli.raw.endings import misnamed_masks
from kolektor_cli.raw.layout_options import NoMask
from kolektor_cli.raw.releases import Release
from kolektor_cli.raw.strays import (
    Folders,
    authors_splits,
    last_part,
    stem_and_suffix,
    stray_findings,
    unread_images,
)
from kolektor_cli.samples import Label, OfficialSplit, natural_key

ITEM_NAME = re.compile(r"kos\d+", re.IGNORECASE | re.ASCII)
"""The name of an item's folder in KolektorSDD."""

ROOT_ITEM = "item"
"""The item of samples that lie at the top of a source, where no folder names it."""

FLAT_NAME = re.compile(r"(kos\d+)[ _-]+(part ?\d+.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
"""The stem of a file of KolektorSDD that lies outside its item's folder: item and part."""


@dataclass(slots=True)
class Candidate:
    """The files that belong to one sample by their names.

    `label` is the one that its folder gives, in a source without masks.
    `differs_from` is a file that one of them differs from, though it is named as its copy.
    `problem` is what keeps them from being a sample, if that is known.
    """

    item: str
    official_split: OfficialSplit | None = None
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    differs_from: str | None = None
    problem: Finding | None = None
    label: Label | None = None


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
    same = comparing(source)
    kept, settled = _settle_repeated(source, folders, release, same)
    files, strays = _images_in(names, kept, folders.keys() - kept.keys(), release)
    candidates: Candidates = {}
    spellings: dict[str, str] = {}
    for name in files:
        part, is_mask = part_and_role(stem_and_suffix(name)[0], release.mask_ending)
        sample = _sample_name(kept[name.rpartition("/")[0]], part, release)
        spelling = spellings.setdefault(sample.casefold(), sample)
        claims = candidates.setdefault(spelling, _new_candidate(spelling, release))
        (claims.masks if is_mask else claims.images).append(name)
    copies = _leave_out_copies(candidates, same)
    _doubt_second_masks(candidates, release)
    _group_misnamed(candidates, release)
    return candidates, [*settled, *strays, *copies]


def _sample_name(folder: str, part: str, release: Release) -> str:
    """Return a sample's name: by the file's own name if that says more than its folder's."""
    flat = None if release.splits else FLAT_NAME.fullmatch(part)
    item = last_part(folder).casefold()
    if flat and (item == flat[1].casefold() or not ITEM_NAME.fullmatch(item)):
        folder, part = release.official_name(flat[1]), flat[2]
    return release.official_name(f"{folder}/{part}")


def _leave_out_copies(candidates: Candidates, same: SameFiles) -> list[Finding]:
    """Leave out candidates that are named as copies and equal their originals, file by file.

    Those that differ stay: a sample of their own, or an error.
    """
    findings = []
    by_name = {name.casefold(): files for name, files in candidates.items()}
    for name, files in list(candidates.items()):
        for original in originals_of(name):
            first = by_name.get(original.casefold())
            if first is None:
                continue
            images = repeated(files.images, first.images, same)
            masks = repeated(files.masks, first.masks, same)
            if images is None or masks is None:
                differing = first.images if images is None else first.masks
                files.differs_from = files.differs_from or next(iter(differing), None)
                continue
            del candidates[name]
            for copy, repeats in (images | masks).items():
                message = f"repeats {repeats}, byte for byte; left out"
                findings.append(Finding("warning", "copy", copy, message))
            break
    return findings


def _doubt_second_masks(candidates: Candidates, release: Release) -> None:
    """Give an image a problem if there is another mask of it, such as ``Part5_label (1)``.

    Either may be the right one, so the image is not used with the other.
    """
    by_name = {name.casefold(): files for name, files in candidates.items()}
    for name, files in candidates.items():
        if files.masks and files.images:
            continue
        [other] = [*files.masks, *files.images][:1]
        before, ending, _ = name.casefold().rpartition(release.mask_ending.casefold())
        originals = [before] if ending and not files.masks else []
        originals += [original.casefold() for original in originals_of(name) if files.masks]
        for first in filter(None, map(by_name.get, originals)):
            if first is not files and first.images and first.masks and not first.problem:
                message = f"and {other} may both be the mask of {first.images[0]}; keep one"
                first.problem = Finding("error", "ambiguous", first.masks[0], message)


def _group_misnamed(candidates: Candidates, release: Release) -> None:
    """Give images whose masks have a wrong ending one problem, and drop these masks as images."""
    unpaired = [name for name, files in candidates.items() if not files.masks]
    for found in misnamed_masks(unpaired).values():
        pairs = {i: m for i, m in found.items() if {i, m} <= candidates.keys()}
        if not pairs:
            continue
        image, mask = next(iter(pairs.items()))
        file = candidates[mask].images[0]
        suffix = PurePosixPath(file).suffix
        message = (
            f"{len(pairs)} masks are called *{mask[len(image) :]}{suffix}; expected "
            f"*{release.mask_ending}{release.mask_suffix}: rename them"
        )
        for name, misnamed in pairs.items():
            candidates[name].problem = Finding("error", "mask-name", file, message)
            del candidates[misnamed]


def _new_candidate(sample: str, release: Release) -> Candidate:
    folder, _, part = sample.rpartition("/")
    for split in release.splits:
        if folder == split:
            return Candidate(part, split)
    return Candidate(folder)


def _images_in(
    names: Iterable[str], folders: Mapping[str, str], ignored: Iterable[str], release: Release
) -> tuple[list[str], list[Finding]]:
    """Return the images that lie in folders of samples, and findings about stray files."""
    ignored = set(ignored)
    names, findings = authors_splits(names)
    files: list[str] = []
    strays: Folders = defaultdict(list)
    for name in names:
        folder = name.rpartition("/")[0]
        if folder in folders and stem_and_suffix(name)[1]:
            files.append(name)
        elif folder not in ignored:
            strays[folder].append(name)
    findings += unread_images(strays, folders)
    taken = {last_part(folder).casefold() for folder in folders}
    for folder in [folder for folder, files in strays.items() if _pairs_in(files, release)]:
        findings.append(_lost_samples(folder, strays.pop(folder), release, taken))
    message = "ignored, being no image or mask of a sample"
    return files, [*findings, *stray_findings("warning", strays, message)]


def _pairs_in(files: Iterable[str], release: Release) -> int:
    """Return the number of images that have a mask beside them."""
    parts: tuple[set[str], set[str]] = (set(), set())
    for stem, suffix in map(stem_and_suffix, files):
        if suffix:
            part, is_mask = part_and_role(stem, release.mask_ending)
            parts[is_mask].add(part.casefold())
    misnamed = misnamed_masks(sorted(parts[0]))
    return len(parts[0] & parts[1]) or sum(map(len, misnamed.values()))


def _lost_samples(
    folder: str, files: Sequence[str], release: Release, taken: Collection[str]
) -> Finding:
    """Return a finding that names a folder with samples which are not read."""
    free = [split for split in sorted(release.splits) if split not in taken]
    place = " or ".join(sorted(release.splits)) if release.splits else "an item's"
    advice = f"rename {folder} to {free[0]}" if free else "move them to such a folder"
    message = (
        f"{_pairs_in(files, release)} images with masks lie in a folder whose name is not "
        f"{place}, such as {files[0]}; {advice}, or move them out of the source"
    )
    return Finding("error", "stray-samples", folder, message)


def _settle_repeated(
    source: Source, folders: Folders, release: Release, same: SameFiles
) -> tuple[dict[str, str], list[Finding]]:
    """Return the folders to use, each with its name, and findings about repeated ones.

    A folder inside another, or a copy of one beside it, is used if there is no other.
    """
    kept: dict[str, str] = {}
    findings = []
    originals = _originals(folders, release, same)
    for name, places in _places(folders, originals, release).items():
        second = [p for p in places if p in originals or _is_inside(p, folders)]
        first = [place for place in places if place not in second]
        if len(first) > 1:
            raise SourceError(
                f"{source.path}: holds {name} twice, in {first[0]} and in {first[1]}; "
                "give the folder that holds one dataset"
            )
        chosen = (first or second)[0]
        kept[chosen] = name
        if not first and not _is_flat(folders[chosen]):
            message = "lies inside another folder of samples; taken as if it lay beside it"
            findings.append(Finding("warning", "nested-item", chosen, message))
        if release.splits and last_part(chosen).casefold() != name and chosen not in originals:
            message = f"is named as a copy, but no {name} is here; taken for it"
            findings.append(Finding("warning", "nested-item", chosen, message))
        others = [place for place in places if place != chosen]
        findings += [_compare_folders(chosen, p, folders, release, same) for p in others]
    return kept, findings


def _originals(folders: Folders, release: Release, same: SameFiles) -> dict[str, str]:
    """Map each folder that is a copy to its original, of the folders beside it.

    An item's folder is one only if it has an image of the original: file managers number folders of
    different items, too.
    """
    found = {}
    for folder in folders:
        original = original_folder(folder, folders)
        if original is not None and (
            release.splits
            or shares_files(_images(folders[folder], release), folders[original], same)
        ):
            found[folder] = original
    for folder in found:
        while found[folder] in found:
            found[folder] = found[found[folder]]
    return found


def _images(files: Iterable[str], release: Release) -> list[str]:
    stems = ((name, *stem_and_suffix(name)) for name in files)
    return [n for n, stem, suf in stems if suf and not part_and_role(stem, release.mask_ending)[1]]


def _places(
    folders: Folders, originals: Mapping[str, str], release: Release
) -> dict[str, list[str]]:
    """Map each name to the folders that claim it."""
    places: dict[str, list[str]] = defaultdict(list)
    spellings: dict[str, str] = {}
    for folder in sorted(folders, key=natural_key):
        name = _folder_name(originals.get(folder, folder), folders, release)
        places[spellings.setdefault(name.casefold(), name)].append(folder)
    return places


def _folder_name(folder: str, folders: Folders, release: Release) -> str:
    """Return the name that a folder gives to its samples."""
    if not release.splits and _is_flat(folders[folder]):
        return folder
    if not folder:
        return ROOT_ITEM
    name = last_part(folder)
    halves = [n for n in (name, *originals_of(name)) if n.casefold() in release.splits]
    return release.official_name(halves[0] if halves else name)


def _is_flat(files: Iterable[str]) -> bool:
    """Return whether all images in a folder name their items themselves."""
    stems = [stem for stem, suffix in map(stem_and_suffix, files) if suffix]
    return bool(stems) and all(map(FLAT_NAME.fullmatch, stems))


def _is_inside(folder: str, folders: Folders) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(folder).parents)


def _compare_folders(
    kept: str, copy: str, folders: Folders, release: Release, same: SameFiles
) -> Finding:
    """Report a second copy of a folder, which is left out: an error if its files differ."""
    originals = {last_part(name).casefold(): name for name in folders[kept]}
    if not shares_files(_images(folders[copy], release), folders[kept], same):
        message = (
            f"has the name of {kept} and other files; give each folder of samples its own name"
        )
        return Finding("error", "nested-item", copy, message)
    for name in folders[copy]:
        original = originals.get(last_part(name).casefold())
        if original is None or not same(original, name):
            message = f"is another copy of {kept}, but {last_part(name)} differs; keep one"
            return Finding("error", "nested-item", copy, message)
    message = f"repeats files of {kept}, byte for byte; left out"
    return Finding("warning", "nested-item", copy, message)


def pairing_problem(
    name: str, files: Candidate, release: Release, *, no_mask: NoMask | None = None
) -> Finding | None:
    """Return what keeps a candidate from being one image and one mask, or None.

    With `no_mask`, an image without a mask is none the less a sample.
    """
    if files.problem:
        return files.problem
    part = last_part(name)
    hint = f"; as a copy, it differs from {files.differs_from}" if files.differs_from else ""
    if not files.masks and no_mask is None and files.label is None:
        missing = f": {part}{release.mask_ending}{release.mask_suffix} is missing"
        what = missing if release.names else ""
        message = f"has no mask{what}{hint} ('--no-mask good' takes such images for good)"
        return Finding("error", "image-without-mask", files.images[0], message)
    if not files.images:
        missing = f": {part}{release.image_suffix} is missing" if release.names else ""
        message = f"is a mask without its image{missing}{hint}"
        return Finding("error", "mask-without-image", files.masks[0], message)
    for same in (files.images, files.masks):
        if len(same) > 1:
            message = f"and {same[1]} claim to be the same file of {name}; keep one"
            return Finding("error", "ambiguous", same[0], message)
    return None
