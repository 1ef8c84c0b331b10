"""Exports: the split and the geometry of a tree in the formats of segmentation."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import UsageError, require_one_of
from kolektor_cli.exports.coco import coco_files
from kolektor_cli.exports.images import (
    ExportedImage,
    ExportedTree,
    Files,
    Instance,
    Reader,
    list_images,
    place_image,
    read_instances,
    refuse_same_names,
)
from kolektor_cli.exports.labelme import labelme_files
from kolektor_cli.exports.options import EXPORT_FORMATS, ExportFormat
from kolektor_cli.exports.segdecnet import numbered, segdecnet_files
from kolektor_cli.exports.yolo import yolo_files
from kolektor_cli.io.places import inputs_at, refuse_folder, refuse_inputs
from kolektor_cli.io.staging import clear_unfinished, put_in_place, staged
from kolektor_cli.scoring.given import binding_of
from kolektor_cli.splits.split import Counts, SplitName
from kolektor_cli.tree.truth import GroundTruth, open_truth

MARK_NAME = "export.json"
"""In an export: of which tree it is."""

_FORMATS: Mapping[ExportFormat, Callable[[ExportedTree, Reader], Files]] = {
    "yolo": yolo_files,
    "coco": coco_files,
    "labelme": labelme_files,
    "segdecnet": segdecnet_files,
}


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was written.

    Attributes
    ----------
    tree
        The category folder.
    folder
        What was written.
    file_format
        ``yolo``, ``coco``, ``labelme`` or ``segdecnet``.
    counts
        Numbers of images by split and label.
    instances
        Numbers of defects (8-connected regions of masks) by split.
    classes
        The types of defects; the number of a class is its place, from 0, of ``coco`` from 1.
    linked
        How many images are the tree's own files, by hard links; the others are copies.
    unlabelled
        The paths in the tree of defective images that have no mask, and are left out.
    weak
        The paths in the tree of defective training images that have no mask, and are labelled as
        defective somewhere: ``segdecnet`` alone knows such labels.
    """

    tree: Path
    folder: Path
    file_format: ExportFormat
    counts: Counts
    instances: Mapping[SplitName, int]
    classes: tuple[str, ...]
    linked: int
    unlabelled: tuple[str, ...]
    weak: tuple[str, ...]


def export(
    tree: str | os.PathLike[str],
    file_format: ExportFormat,
    folder: str | os.PathLike[str] | None = None,
    *,
    polygons: bool = False,
    force: bool = False,
    progress: StepProgress = no_steps,
) -> Export:
    """Write a tree as YOLO segmentation, COCO instances, labelme's files or SegDecNet's.

    Splits, images and masks are those of the tree. Images are hard-linked where that can be. The
    folder appears complete, or not at all.

    Parameters
    ----------
    tree
        A category folder, or a folder that holds exactly one; any MVTec-AD-style tree.
    file_format
        ``yolo``, ``coco``, ``labelme`` or ``segdecnet``.
    folder
        The folder to make; by default ``metal-yolo`` in the current folder, for a category
        ``metal``.
    polygons
        For ``coco``: polygons in place of run lengths.
    force
        Replace an export that is there.
    progress
        Called with step, number done and total.

    Raises
    ------
    UsageError
        There is no such format, or it has no choice of polygons; or `folder` lies in the tree.
    OutputError, ManifestError, ImageError
        The tree cannot be read, is not whole or has no masks; or `folder` exists, or cannot be
        written.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> exported = kolektor.export("data/metal", "coco")
    >>> exported.folder.name, exported.classes, exported.counts["test", "defective"]
    ('metal-coco', ('defect',), 4)
    """
    require_one_of("format", file_format, EXPORT_FORMATS)
    if polygons and file_format != "coco":
        raise UsageError(f"--polygons is for coco, not for {file_format}")
    truth = open_truth(Path(tree), training=True)
    images = _list_images(truth, file_format)
    place = Path(f"{truth.category}-{file_format}" if folder is None else folder)
    target = place.absolute()
    refuse_inputs(target, inputs_at(truth.folder))
    clear_unfinished(target)
    refuse_folder(target, MARK_NAME, "export", force=force)
    make_files = partial(coco_files, polygons=True) if polygons else _FORMATS[file_format]
    found: Counter[SplitName] = Counter()
    with staged(target) as stage:
        linked = _place_images(truth, images, stage, progress)
        labelled = sum(not image.weak for image in images.images)
        reader = _reader(truth, found, labelled, partial(progress, "labelling"))
        for name, contents in make_files(images, reader):
            _write(stage / name, contents)
        _write(stage / MARK_NAME, _mark(truth, file_format))
        put_in_place(stage, target, replace=force)
    return Export(
        tree=truth.folder,
        folder=place,
        file_format=file_format,
        counts=Counter((image.split, image.source.label) for image in images.images),
        instances=found,
        classes=images.classes,
        linked=linked,
        unlabelled=images.unlabelled,
        weak=tuple(image.source.path for image in images.images if image.weak),
    )


def _list_images(truth: GroundTruth, file_format: ExportFormat) -> ExportedTree:
    if file_format == "segdecnet":
        return numbered(list_images(truth, weak=True))
    images = list_images(truth)
    refuse_same_names(truth.folder, images.images)
    return images


def _place_images(
    truth: GroundTruth, images: ExportedTree, stage: Path, progress: StepProgress
) -> int:
    """Put the images into an export; return how many are hard links."""
    linked = 0
    for done, image in enumerate(images.images, 1):
        place = stage / image.file
        place.parent.mkdir(parents=True, exist_ok=True)
        linked += place_image(truth.folder / image.source.path, place)
        progress("placing images", done, len(images.images))
    return linked


def _reader(
    truth: GroundTruth,
    found: Counter[SplitName],
    total: int,
    progress: Callable[[int, int], None],
) -> Reader:
    """Return what reads the defects of an image, and counts them."""
    done = 0

    def read(image: ExportedImage) -> list[Instance]:
        nonlocal done
        instances = read_instances(truth, image)
        found[image.split] += len(instances)
        done += 1
        progress(done, total)
        return instances

    return read


def _write(file: Path, contents: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, str):
        # Names of folders that are not UTF-8 stay readable.
        contents = contents.encode(errors="backslashreplace")
    file.write_bytes(contents)


def _mark(truth: GroundTruth, file_format: ExportFormat) -> str:
    return json.dumps(binding_of(truth) | {"format": file_format}, indent=2) + "\n"
