"""The test images of a tree with their defects, as scores are compared with them."""

from __future__ import annotations

import hashlib
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import OutputError, reason
from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.imaging.pixels import check_size
from kolektor_cli.imaging.png import PNG_START
from kolektor_cli.samples import Label
from kolektor_cli.tree.layout import (
    MANIFEST_NAME,
    is_mask,
    is_unread_image,
    mask_path,
    split_and_label,
)
from kolektor_cli.tree.manifest import FileEntry, Manifest, from_bytes
from kolektor_cli.tree.pairs import check_pairs
from kolektor_cli.tree.read import list_files, only_category, read_file
from kolektor_cli.tree.same import same_pictures


@dataclass(frozen=True, slots=True)
class TruthImage:
    """An image to be scored.

    Attributes
    ----------
    path
        Relative to the category folder, with forward slashes.
    label
        ``good`` or ``defective``.
    item
        The physical item, with those that share a picture with it; in a tree without a manifest,
        each image is its own.
    size
        Width and height in pixels.
    inside
        The part that is not padding: left, top, width and height.
    mask_sha256
        The SHA-256 of its mask's file by the manifest; None of a good image, or without a manifest.
    sample
        The name of its sample; None in a tree without a manifest.
    """

    path: str
    label: Label
    item: str
    size: Size
    inside: Rectangle
    mask_sha256: str | None = None
    sample: str | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A defect: an 8-connected component of a mask.

    `area` is in pixels; `box` is left, top, width and height.
    """

    image: str
    area: int
    box: Rectangle


@dataclass(frozen=True, slots=True)
class Defects:
    """The defect pixels of one image.

    Attributes
    ----------
    rows, columns
        Their places.
    regions
        For each pixel, the number of its region, from 0.
    found
        The regions, by number.
    """

    rows: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    regions: npt.NDArray[np.int32]
    found: tuple[Region, ...]


NO_DEFECTS = Defects(*3 * (np.empty(0, np.int32),), found=())
"""The defects of a good image."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What a tree has for truth.

    Attributes
    ----------
    folder
        The category folder.
    images
        The test images, by path.
    validation
        The validation images, by path.
    paths
        The paths of all images, of every split.
    fingerprint
        That of the manifest; None in a tree without one.
    release
        The release that the tree was made of; None in a tree without a manifest.
    leaks
        What is both trained on and tested, in words; None where it is not known.
    training
        The training images, by path, if they were asked for.
    has_masks
        Whether defective images have masks: by the manifest, or if there is any mask.
    """

    folder: Path
    images: tuple[TruthImage, ...]
    validation: tuple[TruthImage, ...]
    paths: tuple[str, ...]
    fingerprint: str | None
    release: str | None
    leaks: tuple[str, ...] | None
    training: tuple[TruthImage, ...] = ()
    has_masks: bool = True

    @property
    def category(self) -> str:
        """The name of the category folder, or that of the link by which it was opened."""
        # A code with a fixed list of categories is given a link, and names its maps by that.
        return Path(os.path.abspath(self.folder)).name  # noqa: PTH100 - resolve() follows links


def open_truth(path: Path, *, training: bool = False) -> GroundTruth:
    """Return the test images of a category folder, after a quick look whether it is whole.

    File names, image sizes and the manifest are compared; pixels are not read. With `training`,
    training images are looked at, too.

    Raises
    ------
    OutputError
        There is no category folder at `path`, or several; or files are missing, added or of
        another size.
    ManifestError
        The manifest cannot be read.
    """
    folder = only_category(path)
    # A tree may be made of links to images elsewhere.
    files = list_files(folder)
    for name in files:
        if is_unread_image(name):
            raise _not_whole(folder, f"{name} is no PNG")
    found = from_bytes(read_file(folder / MANIFEST_NAME)) if MANIFEST_NAME in files else None
    has_masks = found.has_masks if found else any(map(is_mask, files))
    for finding in check_pairs(files, need_masks=has_masks):
        raise _not_whole(folder, f"{finding.path} {finding.message}")
    entries = {entry.path: entry for entry in found.files} if found else {}
    pngs = sorted(name for name in files if name.endswith(".png"))
    for name in sorted(entries.keys() ^ set(pngs)) if found else ():
        missing = name in entries
        what = "in the manifest, not in the tree" if missing else "in the tree, not in the manifest"
        raise _not_whole(folder, f"{name} is {what}")
    images = [name for name in pngs if not is_mask(name) and split_and_label(name)]
    tested = tuple(_images(folder, images, "test", entries))
    if not tested:
        raise OutputError(f"{folder}: has no test images")
    return GroundTruth(
        folder=folder,
        images=tested,
        validation=tuple(_images(folder, images, "val", entries)),
        paths=tuple(images),
        fingerprint=found.fingerprint if found else None,
        release=found.release if found else None,
        leaks=tuple(_leaks(found)) if found else None,
        training=tuple(_images(folder, images, "train", entries)) if training else (),
        has_masks=has_masks,
    )


def _not_whole(folder: Path, what: str) -> OutputError:
    return OutputError(f"{folder}: {what}; 'kolektor verify {folder}' tells all")


def _images(
    folder: Path, paths: Iterable[str], split: str, entries: Mapping[str, FileEntry]
) -> Iterator[TruthImage]:
    for path in paths:
        place = split_and_label(path)
        if place is None or place[0] != split:
            continue
        size, entry = _size(folder, path), entries.get(path)
        if entry is not None and entry.geometry.size != size:
            width, height = entry.geometry.size
            message = f"{path} is {size[0]}x{size[1]} pixels, in the manifest {width}x{height}"
            raise _not_whole(folder, message)
        if entry is None:
            yield TruthImage(path, place[1], path, size, (0, 0, *size))
        else:
            mask = entries.get(mask_path(path)) if place[1] == "defective" else None
            sha256 = mask.sha256 if mask else None
            inside = entry.geometry.placement
            yield TruthImage(path, place[1], entry.group, size, inside, sha256, entry.sample)


def _size(folder: Path, path: str) -> Size:
    """Return width and height that a PNG declares."""
    try:
        with (folder / path).open("rb") as file:
            start = file.read(24)
    except OSError as error:
        raise OutputError(f"{folder / path}: cannot be read: {reason(error)}") from error
    if len(start) < 24 or not start.startswith(PNG_START):
        raise _not_whole(folder, f"{path} is no PNG")
    width, height = struct.unpack(">II", start[16:])
    check_size(width, height, str(folder / path))
    return width, height


def _leaks(found: Manifest) -> Iterator[str]:
    """Tell what a manifest has in training and in test: pictures with equal pixels, and items."""
    images = {e.path: (e.geometry.size, e.pixels_sha256) for e in found.files if e.role == "image"}
    for trained, tested in same_pictures(images):
        yield f"{tested} has the pixels of {trained}"
    items = defaultdict(set)
    for entry in found.files:
        items[entry.group].add(entry.split == "test")
    both = sum(len(sides) > 1 for sides in items.values())
    if both:
        yield f"{both} of {len(items)} physical items have images in training and in test"


def read_defects(truth: GroundTruth, image: TruthImage) -> Defects:
    """Return the defect pixels of an image; none of a good one, nor in a tree without masks.

    Raises
    ------
    OutputError, ImageError
        The mask cannot be read, was changed, has another size than its image, or marks nothing.
    """
    if image.label == "good" or not truth.has_masks:
        return NO_DEFECTS
    name = mask_path(image.path)
    data = read_file(truth.folder / name)
    if image.mask_sha256 and hashlib.sha256(data).hexdigest() != image.mask_sha256:
        raise _not_whole(truth.folder, f"{name} is not the file that was written")
    pixels = decode_mask(data, name).pixels
    if pixels.shape != (image.size[1], image.size[0]):
        message = f"{name} is {pixels.shape[1]}x{pixels.shape[0]} pixels, its image is not"
        raise _not_whole(truth.folder, message)
    marked = (pixels > 0).astype(np.uint8)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    if number < 2:
        raise _not_whole(truth.folder, f"{name} marks nothing")
    rows, columns = (places.astype(np.int32) for places in np.nonzero(marked))
    regions = tuple(
        Region(image.path, int(area), (int(left), int(top), int(width), int(height)))
        for left, top, width, height, area in stats[1:].tolist()
    )
    return Defects(rows, columns, np.asarray(labels, np.int32)[rows, columns] - 1, regions)
