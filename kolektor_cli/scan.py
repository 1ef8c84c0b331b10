"""From a source to its samples and to findings about everything that is not as it should be.

An item folder is one named like KolektorSDD's (``kos01``), or one that holds a file named like its
parts (``Part0.jpg``, ``Part0_label.bmp``) or an image with its mask (``X.jpg``, ``X_label.bmp``).
In an item folder, ``X_label`` is the mask of ``X``, whatever the two formats; the case of names
does not matter. Item folders may lie at any depth.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np

from kolektor_cli import images
from kolektor_cli.deviations import deviations
from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import Finding, Sample, Scan, Severity, natural_key
from kolektor_cli.releases import Release, kolektorsdd
from kolektor_cli.source import Source

MAX_MASK_VALUES = 4
"""The most gray values a mask may have. A mask is drawn with a palette of few colours (the real
ones use two, in one file three); a photograph, or a mask saved as JPEG, has dozens."""

MAX_DEFECT_SHARE = 0.5
"""The largest share of an image that a mask may mark; more means that it is inverted. The largest
real defect covers 1 %."""

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_MASK_ENDING = "_label"
_ITEM_NAME = re.compile(r"kos\d+", re.IGNORECASE | re.ASCII)
_PART_NAME = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)
_DROPPINGS = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"}

ItemFolders: TypeAlias = dict[str, list[str]]
"""Names of files by the folder in which they lie."""


@dataclass
class _Files:
    """The files that claim to be one sample's, told apart by their names."""

    item: str
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Examined:
    """What became of one candidate: a sample, or findings that say why it is none."""

    name: str
    sample: Sample | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _MaskFacts:
    """Size in pixels, number of marked pixels and the gray values of one mask."""

    width: int
    height: int
    defect_pixels: int
    values: tuple[int, ...]


def scan_source(
    source: Source,
    *,
    decode: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Scan:
    """Find the samples of a source.

    Every mask is decoded. Of every image the whole file is read and hashed and its structure
    checked, so that an empty, cut or foreign file is found; with `decode` its pixels are decoded
    too, which finds what else can be found. `jobs` defaults to the number of processors.

    Raises
    ------
    SourceError
        The source holds no sample in a layout that is known, or holds two datasets.
    """
    release = kolektorsdd()
    names, findings = _without_droppings(source.names)
    folders = _item_folders(names)
    kept, nested = _settle_nested(source, folders, release)
    candidates, strays = _candidates(names, kept, set(folders) - set(kept), release)
    if not candidates:
        raise SourceError(_not_a_dataset(source))
    ordered = sorted(candidates, key=natural_key)
    examine = partial(_examine, source, candidates, decode)
    examined = parallel_map(examine, ordered, jobs, progress)
    samples, repeated = _without_repeats(
        [result.sample for result in examined if result.sample], release
    )
    findings += nested + strays + [finding for _, finding in repeated]
    findings += [finding for result in examined for finding in result.findings]
    findings += deviations(release, samples, candidates)
    left_out = {r.name: r.findings[0].code for r in examined if not r.sample}
    left_out |= {name: finding.code for name, finding in repeated}
    return Scan(
        release=release.name if release.samples.keys() & candidates.keys() else "unknown",
        samples=tuple(samples),
        left_out=left_out,
        findings=tuple(sorted(findings, key=_finding_key)),
        official_images=sum(release.has_image(sample) for sample in samples),
        official_masks=sum(release.has_mask(sample) for sample in samples),
    )


def _finding_key(finding: Finding) -> tuple[object, ...]:
    severities: tuple[Severity, ...] = ("error", "warning", "info")
    return (severities.index(finding.severity), natural_key(finding.path), finding.code)


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
        by_item[release.official_name(_last(folder))].append(folder)
    kept: ItemFolders = {}
    findings = []
    for item, places in by_item.items():
        nested = [place for place in places if _is_inside_another(place, folders)]
        outer = [place for place in places if place not in nested]
        if len(outer) > 1:
            raise SourceError(
                f"{source.path}: holds {item} twice, in {outer[0]} and in {outer[1]}; "
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


def _candidates(
    names: Iterable[str], folders: ItemFolders, ignored: set[str], release: Release
) -> tuple[dict[str, _Files], list[Finding]]:
    """Pair images and masks by name, as candidates by sample name; all other files are stray."""
    candidates: dict[str, _Files] = {}
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
        item = release.official_name(_last(folder))
        files = candidates.setdefault(release.official_name(f"{item}/{part}"), _Files(item))
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


def _examine(
    source: Source, candidates: Mapping[str, _Files], decode: bool, name: str
) -> _Examined:
    """Make a sample of a candidate, or say why it is none."""
    files = candidates[name]
    problem = _pairing_problem(name, files)
    if problem:
        return _Examined(name, None, (problem,))
    [image], [mask] = files.images, files.masks
    findings = []
    try:
        image_sha256, width, height = _read_image(source, image, decode)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(image, error))
    try:
        mask_sha256, facts = _read_mask(source, mask)
    except (SourceError, ImageError) as error:
        findings.append(_unreadable(mask, error))
    if findings:
        return _Examined(name, None, tuple(findings))
    findings = list(_mask_findings(mask, facts, (width, height)))
    if any(finding.severity == "error" for finding in findings):
        return _Examined(name, None, tuple(findings))
    sample = Sample(
        name, files.item, image, mask, width, height, facts.defect_pixels, image_sha256, mask_sha256
    )
    return _Examined(name, sample, tuple(findings))


def _pairing_problem(name: str, files: _Files) -> Finding | None:
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


def _read_image(source: Source, name: str, decode: bool) -> tuple[str, int, int]:
    """Return hash, width and height of an image that was found whole."""
    data = source.read(name)
    header = images.read_header(data, name)
    if decode:
        images.decode_image(data, name)
    return hashlib.sha256(data).hexdigest(), header.width, header.height


def _read_mask(source: Source, name: str) -> tuple[str, _MaskFacts]:
    data = source.read(name)
    mask = images.decode_gray(data, name)
    facts = _MaskFacts(
        width=mask.shape[1],
        height=mask.shape[0],
        defect_pixels=int(np.count_nonzero(mask)),
        values=images.gray_values(mask),
    )
    return hashlib.sha256(data).hexdigest(), facts


def _unreadable(name: str, error: Exception) -> Finding:
    message = str(error).removeprefix(f"{name}: ")
    return Finding("error", "unreadable", name, message)


def _mask_findings(name: str, facts: _MaskFacts, image_size: tuple[int, int]) -> Iterator[Finding]:
    if (facts.width, facts.height) != image_size:
        message = (
            f"is {facts.width}x{facts.height} pixels, its image "
            f"{image_size[0]}x{image_size[1]}: not the mask of this image"
        )
        yield Finding("error", "size-mismatch", name, message)
    if len(facts.values) > MAX_MASK_VALUES:
        message = f"has {len(facts.values)} gray values: a picture or a lossy copy, not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif facts.defect_pixels > MAX_DEFECT_SHARE * facts.width * facts.height:
        share = facts.defect_pixels / (facts.width * facts.height)
        message = f"marks {share:.0%} of the image: inverted, or not a mask"
        yield Finding("error", "not-a-mask", name, message)
    elif not set(facts.values) <= {0, 255}:
        values = ", ".join(map(str, facts.values))
        message = f"has the gray values {values}; every non-zero pixel counts as defect"
        yield Finding("info", "mask-values", name, message)


def _without_repeats(
    samples: Iterable[Sample], release: Release
) -> tuple[list[Sample], list[tuple[str, Finding]]]:
    """Leave out parts that the release does not have and whose image repeats one of their item."""
    samples = list(samples)
    official = {
        (sample.item, sample.image_sha256): sample
        for sample in samples
        if sample.name in release.samples
    }
    kept, repeated = [], []
    for sample in samples:
        original = official.get((sample.item, sample.image_sha256))
        if original and sample.name not in release.samples:
            same = "" if sample.mask_sha256 == original.mask_sha256 else ", with another mask"
            message = f"repeats {original.image}, byte for byte{same}; left out"
            finding = Finding("warning", "repeated-part", sample.image, message)
            repeated.append((sample.name, finding))
        else:
            kept.append(sample)
    return kept, repeated


def require_usable(found: Scan, *, skip_bad: bool) -> None:
    """Refuse a scan with errors, or with `skip_bad` one that leaves no sample.

    Raises
    ------
    SourceError
        There are errors and `skip_bad` is not given; or no sample is usable.
    """
    if not found.errors or (skip_bad and found.samples):
        return
    first = found.errors[0]
    more = len(found.errors) - 1
    others = f" (and {more} more errors, see 'kolektor inspect')" if more else ""
    advice = "mend the source" if skip_bad else "mend the source, or leave it out with --skip-bad"
    raise SourceError(f"{first.path}: {first.message}{others}; {advice}")
