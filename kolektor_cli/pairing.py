"""Which files of a source are one sample's: by their names alone, before any is read.

This is what the layouts have in common (see `itemfolders` and `splitfolders`). In a folder of
samples, ``X`` with the release's ending for masks is the mask of ``X``, whatever the two formats;
the case of names does not matter. The folders may lie at any depth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from kolektor_cli.copies import original_folder, without_copies
from kolektor_cli.errors import SourceError
from kolektor_cli.records import Finding, OfficialSplit, natural_key
from kolektor_cli.releases import Release
from kolektor_cli.source import Source

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_DROPPINGS = {
    *(".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db"),
    *("desktop.ini", ".directory"),
}
_DROPPED_FOLDERS = {
    *("__macosx", ".spotlight-v100", ".trashes", ".fseventsd", ".appledouble", "@eadir"),
    *("$recycle.bin", "system volume information"),
}

_MANY = 10
"""From more stray files than this in one folder on, the folder is told of and not each file."""

Folders: TypeAlias = dict[str, list[str]]
"""Names of files by the folder in which they lie."""


@dataclass(slots=True)
class Candidate:
    """The files that claim to be one sample's, told apart by their names."""

    item: str
    official_split: OfficialSplit | None = None
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)


Candidates: TypeAlias = dict[str, Candidate]
"""Candidates by sample name."""


def not_files(source: Source) -> Iterator[Finding]:
    """Report what a source does not read, and folders that are named like images."""
    for unread in source.unread:
        if unread.harmless:
            yield Finding("info", "not-read", unread.name, f"{unread.why}; not read again")
        else:
            yield Finding("error", "not-read", unread.name, unread.why)
    for folder in source.folders:
        if stem_and_suffix(folder)[1]:
            message = "is a folder, though its name is an image's"
            yield Finding("warning", "not-a-file", folder, message)


def without_droppings(names: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """Leave out what operating systems drop into folders and archives."""
    kept: list[str] = []
    dropped: Folders = defaultdict(list)
    for name in names:
        folder = _dropped_folder(name)
        if folder is None:
            kept.append(name)
        else:
            dropped[folder].append(name)
    message = "put here by an operating system; not part of the dataset"
    return kept, list(_tell_strays("info", dropped, message))


def _dropped_folder(name: str) -> str | None:
    """Return the folder that is dropped, or in which a file is that is; None for other files."""
    path = PurePosixPath(name)
    for depth, part in enumerate(path.parts[:-1], 1):
        if part.casefold() in _DROPPED_FOLDERS:
            return "/".join(path.parts[:depth])
    if (
        path.name.casefold() in _DROPPINGS
        or path.name.startswith("._")
        # Where Windows says that a file was downloaded, as it looks from elsewhere.
        or path.name.endswith(":Zone.Identifier")
    ):
        return name.rpartition("/")[0]
    return None


def _tell_strays(
    severity: Literal["warning", "info"], folders: Folders, message: str
) -> Iterator[Finding]:
    for folder, names in folders.items():
        if len(names) > _MANY:
            text = f"{len(names)} files in it, as {names[0]}, were {message}"
            yield Finding(severity, "stray-file", folder, text)
        else:
            for name in names:
                yield Finding(severity, "stray-file", name, f"was {message}")


def by_folder(names: Iterable[str]) -> Folders:
    """Group files by folder; those at the top of the source are in the folder named ``""``."""
    folders: Folders = defaultdict(list)
    for name in names:
        folders[name.rpartition("/")[0]].append(name)
    return folders


def last_part(path: str) -> str:
    """Return the name of a file or folder without what it lies in."""
    return path.rpartition("/")[2]


def stem_and_suffix(name: str) -> tuple[str, str]:
    """Split a file's name; the suffix is empty unless it is that of an image."""
    path = PurePosixPath(name)
    suffix = path.suffix.casefold()
    return (path.stem, suffix) if suffix in _IMAGE_SUFFIXES else (path.name, "")


def pair_files(
    source: Source, names: Iterable[str], folders: Folders, release: Release
) -> tuple[Candidates, list[Finding]]:
    """Pair the images and masks in folders of samples, as candidates; all else is a finding.

    Raises
    ------
    SourceError
        Two folders have one name, and neither is inside another one or named as a copy.
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
    """Return the stem of a mask's image; that of an image stays as it is."""
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
    """Take the images that lie in folders of samples; other files are stray."""
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
    return files, list(_tell_strays("warning", strays, message))


def _settle_repeated(
    source: Source, folders: Folders, release: Release
) -> tuple[dict[str, str], list[Finding]]:
    """Name the folders to use, and leave out those that are there a second time.

    A folder inside another one, or named as a copy of one beside it, is used if there is no other.
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
    """List the folders that claim one name, by this name."""
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
    """Say what a second copy of a folder is, which is left out: the same, or something else."""
    originals = {last_part(name).casefold(): name for name in folders[kept]}
    for name in folders[copy]:
        original = originals.get(last_part(name).casefold())
        if original is None or source.read(original) != source.read(name):
            message = f"is another copy of {kept}, but {last_part(name)} differs; keep one"
            return Finding("error", "nested-item", copy, message)
    message = f"repeats files of {kept}, byte for byte; left out"
    return Finding("warning", "nested-item", copy, message)


def pairing_problem(name: str, files: Candidate, release: Release) -> Finding | None:
    """Report a candidate that is not exactly one image and one mask."""
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
