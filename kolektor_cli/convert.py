"""From a plan to a tree: derived beside its place, checked, and put there by one rename."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from kolektor_cli import __version__, geometry, images, manifest, staging
from kolektor_cli.errors import OutputError, SourceError, UsageError, reason
from kolektor_cli.images import Pixels
from kolektor_cli.layout import check_category, paths_of
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import (
    Color,
    FileEntry,
    Geometry,
    Manifest,
    Plan,
    PlannedImage,
    Role,
    Sample,
)
from kolektor_cli.rules import MANIFEST_NAME
from kolektor_cli.source import Source
from kolektor_cli.tree import list_tree

_REPLACEABLE = {"train", "test", "validation", "ground_truth", MANIFEST_NAME}


def check_output(
    source: Path,
    out: Path,
    category: str,
    *,
    force: bool = False,
    beside: Collection[str] = (),
) -> None:
    """Check, before any work, that the category folder may be made, and the files `beside` it.

    Raises
    ------
    UsageError
        The category cannot be a folder's name; the output lies inside the source folder, or would
        replace the source.
    OutputError
        `out` is no folder; or the category folder or a file beside it exists and `force` is not
        given, or is something else than a dataset or a file.
    """
    target = _check_place(source, out, category)
    try:
        if os.path.lexists(target):
            _refuse_existing(target, force)
        for name in beside:
            _refuse_existing_file(out / name, force)
    except OSError as error:
        raise OutputError(f"{target}: cannot be looked into: {reason(error)}") from error


def clear_unfinished(source: Path, out: Path, category: str) -> None:
    """Remove what a killed conversion to the category folder left, if any did.

    What it was about to replace is put back, if it lost its name. `write_tree` does the same; to
    call this before `check_output` removes it, too, when that refuses.

    Raises
    ------
    UsageError
        See `check_output`.
    OutputError
        Another conversion to the folder is under way; or see `check_output`.
    """
    staging.clear_unfinished(_check_place(source, out, category))


def _check_place(source: Path, out: Path, category: str) -> Path:
    """Return the category folder's path, if it can be a folder outside of the source."""
    target = out / check_category(category)
    try:
        inside = source.resolve() if source.is_dir() else None
        if inside and target.resolve().is_relative_to(inside):
            raise UsageError(
                f"{out}: lies inside the source {source}; choose a place outside of it"
            )
        if source.resolve().is_relative_to(target.resolve()):
            raise UsageError(f"{target}: holds the source {source}; choose another place")
        existing = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
        if not existing.is_dir():
            raise OutputError(f"{existing}: is not a folder; choose another place for the output")
    except (OSError, RuntimeError, ValueError) as error:
        # Links in a circle, a path that is too long or holds a NUL.
        raise OutputError(f"{target}: cannot be a folder for the output: {error}") from error
    return target


def _refuse_existing(target: Path, force: bool) -> None:
    if not force:
        raise OutputError(f"{target}: exists already; --force replaces it")
    if target.is_symlink() or not target.is_dir():
        raise OutputError(f"{target}: is not a folder of a dataset; remove it yourself")
    others = sorted(path.name for path in target.iterdir() if path.name not in _REPLACEABLE)
    if others:
        raise OutputError(
            f"{target}: holds {others[0]}, so it is not a dataset's category folder, or not only; "
            "--force does not replace it"
        )


def _refuse_existing_file(path: Path, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputError(f"{path}: exists already; --force replaces it")
    if not path.is_file():
        raise OutputError(f"{path}: is no file; remove it yourself")


def write_beside(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside the category folder, each all or nothing; existing ones are replaced.

    Raises
    ------
    OutputError
        One cannot be written.
    """
    for name, data in files.items():
        staging.replace_file(out / name, data)


def write_tree(
    plan: Plan,
    source: Source,
    out: Path,
    *,
    force: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Manifest:
    """Write the tree of `plan` to the folder of its category in `out`, all or nothing.

    Files are written to a hidden folder beside the target, which takes the target's name by one
    rename when everything is there and found as planned. With `force` an existing category folder
    is replaced. On any error or interruption nothing is left behind, and an existing folder stays.

    Raises
    ------
    SourceError, ImageError
        A source file cannot be read or decoded, or is not what it was when it was scanned.
    OutputError, UsageError
        Something cannot be written, or see `check_output`.
    """
    clear_unfinished(source.path, out, plan.category)
    check_output(source.path, out, plan.category, force=force)
    with staging.staged(out / plan.category) as stage:
        for folder in sorted({Path(path).parent for i in plan.images for path in paths_of(i)}):
            (stage / folder).mkdir(parents=True, exist_ok=True)
        write = partial(_write_sample, source, plan.color, stage)
        written = parallel_map(write, _by_sample(plan.images), jobs, progress)
        entries = sorted((e for files in written for e in files), key=lambda entry: entry.path)
        result = _make_manifest(plan, entries)
        (stage / MANIFEST_NAME).write_bytes(manifest.to_bytes(result))
        _check_listing(stage, result)
        _put_in_place(stage, out / plan.category, force)
    return result


def _by_sample(planned_images: Iterable[PlannedImage]) -> list[list[PlannedImage]]:
    """Group planned images by sample, so that each source file is decoded once."""
    groups: dict[str, list[PlannedImage]] = defaultdict(list)
    for planned in planned_images:
        groups[planned.sample.name].append(planned)
    return list(groups.values())


def _write_sample(
    source: Source, color: Color, stage: Path, views: Sequence[PlannedImage]
) -> list[FileEntry]:
    """Derive and write all images of one sample, and the masks of those that are defective."""
    sample = views[0].sample
    pixels = read_image(source, sample)
    masked = any(planned.mask_path for planned in views)
    source_mask = read_mask(source, sample) if masked else None
    entries = []
    for planned in views:
        place = planned.view.geometry
        image = output_image(pixels, place, color)
        data = images.encode_png(image, rgb=color == "rgb")
        entries.append(_write_file(stage, planned, planned.path, "image", image, data))
        if planned.mask_path is not None and source_mask is not None:
            mask = geometry.transform_mask(source_mask, place)
            data = images.encode_png(mask, rgb=False)
            entries.append(_write_file(stage, planned, planned.mask_path, "mask", mask, data))
    return entries


def _write_file(
    stage: Path, planned: PlannedImage, path: str, role: Role, pixels: Pixels, data: bytes
) -> FileEntry:
    (stage / path).write_bytes(data)
    sample = planned.sample
    return FileEntry(
        path=path,
        role=role,
        sample=sample.name,
        group=sample.group,
        split=planned.split,
        label=planned.view.label,
        sha256=hashlib.sha256(data).hexdigest(),
        pixels_sha256=images.pixels_sha256(pixels),
        source_sha256=sample.image_sha256 if role == "image" else sample.mask_sha256,
        geometry=planned.view.geometry,
    )


def read_image(source: Source, sample: Sample) -> Pixels:
    """Decode a sample's image: height x width uint8, or x 3 (RGB) where the source has colour.

    Raises
    ------
    SourceError, ImageError
        The source file cannot be read or decoded, or is not what it was when it was scanned.
    """
    data = _read_unchanged(source, sample.image, sample.image_sha256)
    return images.decode_image(data, sample.image)


def read_mask(source: Source, sample: Sample) -> Pixels:
    """Decode a sample's mask: height x width uint8, non-zero where there is a defect.

    Raises
    ------
    SourceError, ImageError
        The source file cannot be read or decoded, or is not what it was when it was scanned.
    """
    data = _read_unchanged(source, sample.mask, sample.mask_sha256)
    return images.decode_gray(data, sample.mask)


def output_image(pixels: Pixels, place: Geometry, color: Color) -> Pixels:
    """Make the pixels of an output image: height x width, or x 3 (RGB) where there is colour."""
    pixels = geometry.transform_image(pixels, place)
    return images.to_gray(pixels) if color == "gray" else pixels


def _read_unchanged(source: Source, name: str, sha256: str) -> bytes:
    data = source.read(name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(f"{name}: changed while it was being converted; convert again")
    return data


def _make_manifest(plan: Plan, entries: list[FileEntry]) -> Manifest:
    return Manifest(
        kolektor=__version__,
        category=plan.category,
        release=plan.release,
        options=plan.options,
        protocol=plan.split.protocol,
        protocol_parameters=plan.split.parameters,
        lost=plan.lost,
        unused=plan.unused,
        left_out=plan.left_out,
        fingerprint=manifest.fingerprint((e.path, e.pixels_sha256) for e in entries),
        files=tuple(entries),
    )


def _check_listing(stage: Path, expected: Manifest) -> None:
    """Check that the files on disk are those of the manifest; what is in them is verify's work."""
    found = {path for path, kind in list_tree(stage).items() if kind != "folder"}
    wanted = {entry.path for entry in expected.files} | {MANIFEST_NAME}
    if found != wanted:
        path = min(found ^ wanted)
        raise OutputError(f"{stage / path}: was added or removed by someone else; convert again")


def _put_in_place(stage: Path, target: Path, force: bool) -> None:
    """Give the finished folder its name, unless someone else gave it to something meanwhile."""
    if os.path.lexists(target):
        _refuse_existing(target, force)
    staging.put_in_place(stage, target, replace=force)
