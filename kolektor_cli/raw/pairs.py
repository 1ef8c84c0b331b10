"""The layout ``pairs``: images of one's own, with masks beside them or in folders of their own.

A file is a mask by its folder (``masks``, ``train_gt``), by the end of its name (``X_mask``), or
as ``X.json`` of labelme. It belongs to the image that has its path without these marks, or else to
the only one whose path with one folder less is that: ``train/masks/X`` belongs to
``train/images/X``, ``train_gt/X`` to ``train/X``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import get_args

from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source
from kolektor_cli.raw.labelme import decode_labelme
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.pairing import Candidate, Candidates
from kolektor_cli.raw.releases import Release, own_images
from kolektor_cli.raw.strays import (
    by_folder,
    stem_and_suffix,
    stray_findings,
    unread_images,
)
from kolektor_cli.samples import OfficialSplit

_FOLDERS = {
    *("mask", "masks", "ann", "annotations", "label", "labels"),
    *("gt", "ground_truth", "groundtruth"),
}
"""Names of folders of masks, in lower case."""

_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_gt")
"""Endings of masks and of folders of masks, in lower case."""

_JSON = ".json"


def own_release(source: Source) -> Release:
    """Return the release that stands for people's own images; its category is the source's name."""
    path = source.path.absolute()
    name = path.name if path.is_dir() else path.name.partition(".")[0]
    return own_images(re.sub(r"[^\w-]+", "_", name).strip("_") or "images")


def pair_own(
    source: Source, names: Iterable[str], options: LayoutOptions
) -> tuple[Candidates, list[Finding]]:
    """Return candidates by the paths of images without suffix, and findings on other files.

    Raises
    ------
    SourceError
        No image has a mask.
    """
    paired = _pair(names, options)
    _refuse_no_pair(source, paired.candidates, paired.unused, options)
    strays = by_folder([*paired.others, *paired.unused])
    findings = unread_images(strays, {name.rpartition("/")[0] for name in paired.used})
    message = "ignored, being no image or mask of a sample"
    return paired.candidates, [*findings, *stray_findings("warning", strays, message)]


def count_pairs(names: Iterable[str], options: LayoutOptions) -> tuple[int, list[str]]:
    """Return how many images have one mask, and the files that are no sample by the options."""
    return _counted(_pair(names, options).candidates, options)


def _counted(candidates: Candidates, options: LayoutOptions) -> tuple[int, list[str]]:
    found = candidates.values()
    numbers = {1} if options.no_mask is None else {0, 1}
    odd = [
        name
        for files in found
        if len(files.images) != 1 or len(files.masks) not in numbers or files.problem
        for name in (*files.images, *files.masks)
    ]
    return sum(len(files.images) == len(files.masks) == 1 for files in found), odd


def are_pairs(source: Source, names: Sequence[str], options: LayoutOptions) -> bool:
    """Return whether files are samples by the options, some of them with a mask.

    JSON is a mask if the first such file is labelme's.
    """
    candidates = _pair(names, options).candidates
    whole, odd = _counted(candidates, options)
    masks = (mask for files in candidates.values() for mask in files.masks)
    drawn = next((mask for mask in masks if mask.casefold().endswith(_JSON)), None)
    return whole > 0 and not odd and (drawn is None or _is_labelmes(source, drawn))


def _is_labelmes(source: Source, name: str) -> bool:
    try:
        # Where the file gives no size, any will do.
        decode_labelme(source.read(name), name, (1, 1))
    except (SourceError, ImageError):
        return False
    return True


def masks_of_images(names: Iterable[str], options: LayoutOptions) -> list[str]:
    """Return the files that are masks of images by their names."""
    found = _pair(names, options).candidates.values()
    return [mask for files in found if files.images for mask in files.masks]


@dataclass(frozen=True, slots=True)
class _Paired:
    """Files as they are paired by their names.

    `used` are all images and masks, `unused` those of JSON that are masks of no image, `others` all
    other files.
    """

    candidates: Candidates
    used: Sequence[str]
    unused: Sequence[str]
    others: Sequence[str]


def _pair(names: Iterable[str], options: LayoutOptions) -> _Paired:
    images, masks, others = [], {}, []
    for name in names:
        keys = _keys_of_mask(name, options)
        if keys:
            masks[name] = keys
        elif stem_and_suffix(name)[1]:
            images.append(name)
        else:
            others.append(name)
    candidates = candidates_of(images, options)
    unused = _give_masks(candidates, masks)
    return _Paired(candidates, [*images, *masks], unused, others)


def _refuse_no_pair(
    source: Source, candidates: Candidates, unused: Sequence[str], options: LayoutOptions
) -> None:
    if any(files.problem or (files.images and files.masks) for files in candidates.values()):
        return
    masks = [*(mask for files in candidates.values() for mask in files.masks), *unused]
    asked = {"--mask-suffix": options.mask_suffix, "--masks": options.masks}
    by = " and ".join(f"{option} {value}" for option, value in asked.items() if value)
    seen = f"no file is a mask{' by ' + by if by else ''}"
    if masks:
        seen = f"{masks[0]} is a mask, and no image has its name"
    raise SourceError(
        f"{source.path}: holds no image with a mask: {seen}; say with --mask-suffix how masks are "
        "called, as _mask, or with --masks in which folder they lie; without masks, --good and "
        "--defective name the folders of good and of defective images"
    )


def _keys_of_mask(name: str, options: LayoutOptions) -> list[str]:
    """Return the keys that the image of a mask may have, the surest first; none if it is no mask.

    The key of an image is its path without suffix, in lower case.
    """
    *folders, file = name.casefold().split("/")
    is_json = file.endswith(_JSON)
    stem = file.removesuffix(_JSON) if is_json else stem_and_suffix(file)[0]
    if stem == file:
        return []
    bases = _without_ending(file, stem, options.mask_suffix)
    places = list(_without_mask_folder(folders, options.masks))
    plain = [stem] if options.mask_suffix is None else []
    keys = [_join(place, base) for place in places for base in (*bases, *plain)]
    if options.masks is None:
        keys += [_join(folders, base) for base in (*bases, *(plain if is_json else ()))]
    return keys


def folder_parts(asked: str) -> list[str]:
    """Return the parts of a folder's name or path that is asked for, in lower case."""
    parts = asked.casefold().replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".")]


def _join(folders: Sequence[str], base: str) -> str:
    return "/".join((*folders, base))


def _without_ending(file: str, stem: str, asked: str | None) -> list[str]:
    """Return what the ending of a mask, or one that is known, leaves of a file's name."""
    if asked is None:
        return _cut(stem, _ENDINGS)
    # An ending with the suffix of a format is one of the whole name.
    whole = stem_and_suffix(f"x{asked}")[1] or asked.casefold().endswith(_JSON)
    return _cut(file if whole else stem, [asked.casefold()])


def _cut(text: str, endings: Iterable[str]) -> list[str]:
    return [text[: -len(end)] for end in endings if text.endswith(end) and len(text) > len(end)]


def _without_mask_folder(folders: Sequence[str], asked: str | None) -> Iterator[Sequence[str]]:
    """Yield folders without each one that holds masks, and without the ending of its name."""
    wanted = folder_parts(asked) if asked else []
    length = len(wanted) or 1
    for start in range(len(folders) - length + 1):
        found = list(folders[start : start + length])
        rest = folders[start + length :]
        shorter = _cut(found[-1], _ENDINGS)
        if found == wanted or (not wanted and (shorter or found[0] in _FOLDERS)):
            for base in shorter:
                yield [*folders[: start + length - 1], base, *rest]
            yield [*folders[:start], *rest]


def candidates_of(images: Sequence[str], options: LayoutOptions) -> Candidates:
    """Return a candidate for each image, without masks."""
    halves = {name: _half(name) for name in images}
    is_split = None not in halves.values()
    candidates: Candidates = {}
    spellings: dict[str, str] = {}
    for image in images:
        name = image.removesuffix(PurePosixPath(image).suffix)
        name = spellings.setdefault(name.casefold(), name)
        files = candidates.setdefault(name, _candidate(name, image, options))
        files.official_split = halves[image] if is_split else None
        files.images.append(image)
        if len(files.images) > 1:
            message = f"and {image} have one name; rename one"
            if options.has_masks:
                suffix = PurePosixPath(image).suffix
                message += f", or say with --mask-suffix {suffix} that these are masks"
            files.problem = Finding("error", "ambiguous", files.images[0], message)
    return candidates


def _half(name: str) -> OfficialSplit | None:
    """Return the half of a split that a path names, if it names one."""
    folders = name.casefold().split("/")[:-1]
    found = [half for half in get_args(OfficialSplit) if half in folders]
    return found[0] if len(found) == 1 else None


def _candidate(name: str, image: str, options: LayoutOptions) -> Candidate:
    if options.item is None:
        return Candidate(name)
    found = re.search(options.item, name)
    if found and found[1]:
        return Candidate(found[1])
    message = f"has no item: --item {options.item!r} is not found in {name}"
    return Candidate(name, problem=Finding("error", "no-item", image, message))


def _give_masks(candidates: Candidates, masks: Mapping[str, Sequence[str]]) -> list[str]:
    """Give candidates their masks; return the JSON files that are none.

    A mask without an image becomes a candidate of its own, which is an error.
    """
    keys = {name.casefold(): name for name in candidates}
    shorter: dict[str, list[str]] = defaultdict(list)
    for key, name in keys.items():
        *folders, base = key.split("/")
        for place in range(len(folders)):
            shorter[_join([*folders[:place], *folders[place + 1 :]], base)].append(name)
    unused = []
    for mask in sorted(masks, key=lambda name: name.casefold().endswith(_JSON)):
        is_json = mask.casefold().endswith(_JSON)
        wanted = masks[mask]
        found = next(([keys[key]] for key in wanted if key in keys), None)
        found = found or next((shorter[key] for key in wanted if key in shorter), [])
        if len(found) > 1:
            _doubt(candidates, mask, found)
        elif not found and not is_json:
            # An image X_mask.png.jpg has this name, too.
            candidates.setdefault(mask, Candidate(mask)).masks.append(mask)
        elif not found or (is_json and candidates[found[0]].masks):
            unused.append(mask)
        else:
            candidates[found[0]].masks.append(mask)
    return unused


def _doubt(candidates: Candidates, mask: str, images: Sequence[str]) -> None:
    """Give images a problem of which each may be that of a mask."""
    first, second = (candidates[name].images[0] for name in images[:2])
    message = f"may be the mask of {first} or of {second}; move the folder of one out of the source"
    problem = Finding("error", "ambiguous", mask, message)
    for name in images:
        candidates[name].problem = problem
