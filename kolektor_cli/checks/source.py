"""The check of a tree against its source: every file is derived again and compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from kolektor_cli.errors import ImageError, SourceError, UsageError
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.depth import Depth, check_depth
from kolektor_cli.imaging.geometry import Size, stretch
from kolektor_cli.imaging.pixels import Pixels, pixels_sha256
from kolektor_cli.imaging.resample import transform_mask
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.layout_options import layout_of
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.raw.scan import Scan
from kolektor_cli.samples import Sample
from kolektor_cli.splits.protocols import PROTOCOLS, make_split
from kolektor_cli.tree.derive import derive_image
from kolektor_cli.tree.fit import fit_of
from kolektor_cli.tree.layout import (
    MANIFEST_NAME,
    Color,
    is_mask,
    kind_of,
    mask_path,
    split_and_label,
)
from kolektor_cli.tree.manifest import FileEntry, Manifest
from kolektor_cli.tree.read import PngFacts, Tree
from kolektor_cli.tree.views import Views, view_samples


def check_source(
    tree: Tree,
    source: Source,
    scan: Scan,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[Finding]:
    """Derive each file of a tree from the source again, and yield the differences.

    With a manifest, each file is derived from the sample and with the geometry that the manifest
    names. The split and the views are computed again, too, and the manifest must account for every
    sample and every view. Without a manifest, each image is compared with all samples, stretched to
    its size.
    """
    if tree.manifest is not None:
        yield from _check_by_manifest(tree, tree.manifest, source, scan, jobs, progress)
    else:
        yield from _check_by_pixels(tree, source, scan.samples, jobs, progress)


def _check_by_manifest(
    tree: Tree,
    found: Manifest,
    source: Source,
    scan: Scan,
    jobs: int | None,
    progress: Progress,
) -> list[Finding]:
    try:
        fit = fit_of(found.options)
        check_depth(found.options.get("depth"))
        layout_of(found.options)
    except UsageError as error:
        return [Finding("error", "wrong-options", MANIFEST_NAME, str(error))]
    used = {entry.sample for entry in found.files}
    samples = [sample for sample in scan.samples if sample.name in used]
    fitted = view_samples(fit, source, samples, jobs=jobs)
    findings = [
        *_check_split(found, scan),
        *_check_complete(found, scan.samples),
        *_check_views(found, fitted),
        *_check_files(tree, found, source, fitted, samples, jobs, progress),
    ]
    return _wrong_source(found, scan, findings) or findings


def _wrong_source(found: Manifest, scan: Scan, findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding in place of all others if the tree was not made from this source.

    So it is if most files differ, and most samples have image files that the source does not hold.
    """
    files = {entry.path for entry in found.files}
    differing = {f.path for f in findings if f.code != "other-source"} & files
    held = {sample.image_sha256 for sample in scan.samples}
    images = {e.sample: e.source_sha256 in held for e in found.files if e.role == "image"}
    there = sum(images.values())
    if 2 * len(differing) <= len(files) or 2 * there >= len(images):
        return []
    message = (
        f"{len(differing)} of {len(files)} files are not what the source gives; is it the source "
        f"of this tree? The tree was made from the release {found.release}, the source holds "
        f"{scan.release}, and {there} of the tree's {len(images)} samples are in it"
    )
    paths = sorted({finding.path for finding in findings})
    return [Finding("error", "wrong-source", "", message, tuple(paths))]


def _check_split(found: Manifest, scan: Scan) -> Iterator[Finding]:
    """Compute the split again and compare it, unless it came from a file."""
    if found.protocol not in PROTOCOLS:
        return
    samples = [sample for sample in scan.samples if sample.name not in found.left_out]
    pairs = [d for d in scan.duplicates if not {d.first, d.second} & found.left_out.keys()]
    try:
        split = make_split(found.protocol, samples, pairs, found.protocol_parameters)
    except (UsageError, TypeError) as error:
        message = f"has a split that cannot be made of this source: {error}"
        yield Finding("error", "wrong-split", MANIFEST_NAME, message)
        return
    for entry in found.files:
        wanted = split.assigned.get(entry.sample)
        if wanted is not None and wanted != entry.split:
            message = f"is {entry.sample}, which the protocol {found.protocol} puts in {wanted}"
            yield Finding("error", "wrong-split", entry.path, message)
    for name in found.unused:
        wanted = split.assigned.get(name, "unused")
        if wanted != "unused":
            message = f"is unused, and the protocol {found.protocol} puts it in {wanted}"
            yield Finding("error", "wrong-split", name, message)


def _check_complete(found: Manifest, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Yield an error for each sample that the manifest does not account for."""
    accounted = {entry.sample for entry in found.files} | {*found.unused, *found.left_out}
    for sample in samples:
        if sample.name not in accounted:
            message = "is in the source, and not accounted for in the manifest"
            yield Finding("error", "lost-sample", sample.name, message)


def _check_views(found: Manifest, fitted: Views) -> Iterator[Finding]:
    """Compare the files of the manifest with the views that the fit makes of the samples."""
    has_masks = found.has_masks
    known = {(n, view.geometry): view for n, views in fitted.views.items() for view in views}
    lost = {(*place, "image") for place in known}
    trained = {entry.sample for entry in found.files if entry.split == "train"}
    weak = {name for name in trained if not found.segmented.get(name, True)}
    lost |= {
        (*place, "mask")
        for place, view in known.items()
        if view.label == "defective" and has_masks and place[0] not in weak
    }
    wrong = set()
    for entry in found.files:
        view, kind = known.get((entry.sample, entry.geometry)), kind_of(entry.path)
        if view is None and entry.sample in fitted.views:
            wrong.add(entry.sample)
            message = f"has a geometry that --fit {fitted.fit.name} does not give to its source"
            yield Finding("error", "wrong-geometry", entry.path, message)
        elif view is not None and (view.label, view.kind) != (entry.label, kind):
            message = (
                f"is {entry.label} ({kind}) by the manifest, and {view.label} ({view.kind}) by its "
                "source"
            )
            yield Finding("error", "wrong-label", entry.path, message)
        lost.discard((entry.sample, entry.geometry, entry.role))
    for name, geometry, role in sorted(lost, key=lambda view: (view[0], view[1].window)):
        if name not in wrong:
            message = f"has no {role} of its window {geometry.window} in the manifest"
            yield Finding("error", "lost-view", name, message)


def _check_files(
    tree: Tree,
    found: Manifest,
    source: Source,
    fitted: Views,
    samples: Sequence[Sample],
    jobs: int | None,
    progress: Progress,
) -> Iterator[Finding]:
    """Derive each file of a known sample and geometry again, and compare pixels."""
    entries: dict[str, list[FileEntry]] = defaultdict(list)
    for entry in found.files:
        entries[entry.sample].append(entry)
    by_name = {sample.name: sample for sample in samples}
    for name in sorted(entries.keys() - by_name.keys()):
        for entry in entries[name]:
            message = f"was made from {name}, which is not a usable sample of the source"
            yield Finding("error", "no-source", entry.path, message)
    color: Color = "gray" if found.options.get("color") == "gray" else "rgb"
    depth = check_depth(found.options.get("depth"))
    check = partial(_check_sample, tree.pngs, source, fitted, color, depth, entries)
    for findings in parallel_map(check, samples, jobs, progress):
        yield from findings


def _check_sample(
    pngs: Mapping[str, PngFacts],
    source: Source,
    fitted: Views,
    color: Color,
    depth: Depth,
    entries: Mapping[str, Sequence[FileEntry]],
    sample: Sample,
) -> list[Finding]:
    """Compare the files of one sample; other checks report missing and unreadable files."""
    places = {view.geometry for view in fitted.views[sample.name]}
    known = [entry for entry in entries[sample.name] if entry.geometry in places]
    findings: list[Finding] = []
    try:
        image = read_image(source, sample, depth)
        mask = read_mask(source, sample) if any(e.role == "mask" for e in known) else None
    except (SourceError, ImageError) as error:
        return [Finding("error", "no-source", entry.path, str(error)) for entry in known]
    for entry in known:
        facts = pngs.get(entry.path)
        if facts is None or facts.problem:
            continue
        if entry.role == "mask" and mask is not None:
            pixels = transform_mask(mask, entry.geometry)
        else:
            pixels = derive_image(image, entry.geometry, color)
        findings += _compare(entry, facts, pixels, sample)
    return findings


def _compare(
    entry: FileEntry, facts: PngFacts, pixels: Pixels, sample: Sample
) -> Iterator[Finding]:
    source_sha256 = sample.image_sha256 if entry.role == "image" else sample.mask_sha256
    if pixels_sha256(pixels) != facts.pixels_sha256:
        message = f"does not have the pixels that {entry.sample} of the source gives"
        yield Finding("error", "other-pixels", entry.path, message)
    elif entry.source_sha256 != source_sha256:
        message = f"was made from another file than {entry.sample} of the source"
        yield Finding("error", "other-source", entry.path, message)


def _check_by_pixels(
    tree: Tree,
    source: Source,
    samples: Sequence[Sample],
    jobs: int | None,
    progress: Progress,
) -> Iterator[Finding]:
    """Match each image of a tree without a manifest with a sample of the source."""
    pngs = {path: f for path, f in tree.pngs.items() if not f.problem and not is_mask(path)}
    matches: dict[tuple[Size, str], list[Sample]] = defaultdict(list)
    for size in sorted({facts.size for facts in pngs.values()}):
        derive = partial(_image_hash, source, size)
        for sample, sha256 in zip(
            samples, parallel_map(derive, samples, jobs, progress), strict=True
        ):
            matches[size, sha256].append(sample)
    unknown = [p for p, f in pngs.items() if not matches.get((f.size, f.pixels_sha256))]
    if len(unknown) == len(pngs) > 1:
        message = (
            f"none of the {len(pngs)} images is one of the source's {len(samples)} samples, "
            "resized by bilinear stretch; is it the source of this tree, or were they resized "
            "otherwise?"
        )
        yield Finding("error", "wrong-source", "", message, tuple(unknown))
        return
    for path, facts in pngs.items():
        candidates = matches.get((facts.size, facts.pixels_sha256), [])
        mask = tree.pngs.get(mask_path(path))
        finding = _check_match(path, facts.size, mask, candidates, source)
        if finding:
            yield finding


def _image_hash(source: Source, size: Size, sample: Sample) -> str:
    geometry = stretch((sample.width, sample.height), size)
    return pixels_sha256(derive_image(read_image(source, sample), geometry, "rgb"))


def _check_match(
    path: str, size: Size, mask: PngFacts | None, candidates: Sequence[Sample], source: Source
) -> Finding | None:
    """Compare label and mask of an image with those of the samples that have its pixels."""
    if not candidates:
        message = (
            f"is not an image of the source, resized to {size[0]}x{size[1]} by bilinear stretch"
        )
        return Finding("error", "no-source", path, message)
    place = split_and_label(path)
    label = "defective" if place and place[1] == "defective" else "good"
    same_label = [sample for sample in candidates if sample.label == label]
    if not same_label:
        message = f"lies among the {label} images, but is {candidates[0].name}, which is not"
        return Finding("error", "wrong-label", path, message)
    if label == "good" or mask is None or mask.problem:
        return None
    for sample in (sample for sample in same_label if sample.is_marked):
        geometry = stretch((sample.width, sample.height), size)
        if pixels_sha256(transform_mask(read_mask(source, sample), geometry)) == mask.pixels_sha256:
            return None
    message = f"does not have the pixels that the mask of {same_label[0].name} gives"
    return Finding("error", "other-pixels", mask_path(path), message)
