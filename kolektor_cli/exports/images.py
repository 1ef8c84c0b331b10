"""The images of a tree under the names of an export, and the defects in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np

from kolektor_cli.errors import OutputError
from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.layout import kind_of, mask_path, split_path
from kolektor_cli.tree.read import read_file
from kolektor_cli.tree.truth import GroundTruth, TruthImage, read_defects


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image of a tree and its place in an export.

    Attributes
    ----------
    source
        The image in the tree.
    split
        ``train``, ``val`` or ``test``.
    kind
        ``good``, or the type of its defects: the name of its folder in the tree.
    file
        The path of the image in the export, with forward slashes.
    weak
        Whether it is a defective training image without a mask, so defective somewhere.
    """

    source: TruthImage
    split: SplitName
    kind: str
    file: str
    weak: bool = False

    @property
    def stem(self) -> str:
        """The name of its files, without suffix; no other image of the split has it."""
        return PurePosixPath(self.file).stem

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.source.size


@dataclass(frozen=True, slots=True)
class ExportedTree:
    """What an export is made of.

    Attributes
    ----------
    category
        The name of the category folder.
    images
        By split and path.
    classes
        The types of defects, sorted; the number of a class is its place.
    unlabelled
        The paths of defective images that have no mask, and are no part of the export.
    """

    category: str
    images: tuple[ExportedImage, ...]
    classes: tuple[str, ...]
    unlabelled: tuple[str, ...]

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits that have images."""
        return tuple(dict.fromkeys(image.split for image in self.images))


@dataclass(frozen=True, slots=True)
class Instance:
    """A defect of an image: an 8-connected region of its mask.

    Attributes
    ----------
    box
        Left, top, width and height in pixels.
    area
        Its pixels.
    mask
        Height x width uint8 of the box; 1 on the defect, else 0.
    """

    box: Rectangle
    area: int
    mask: Pixels


Reader: TypeAlias = Callable[[ExportedImage], Sequence[Instance]]
"""Returns the defects of an image."""

Files: TypeAlias = Iterator[tuple[str, str | bytes]]
"""Files of an export: path, with forward slashes, and contents."""


def list_images(truth: GroundTruth, *, weak: bool = False) -> ExportedTree:
    """Return the images of a tree that was opened with its training images.

    They are named ``images/SPLIT/KIND_NAME.png``. Defective images without a mask are left out: an
    image without labels would count as good. With `weak` those to train on stay.

    Raises
    ------
    OutputError
        No image is defective, but for those that are left out; or the tree has no masks at all.
    """
    parts: tuple[tuple[SplitName, Sequence[TruthImage]], ...] = (
        ("train", truth.training),
        ("val", truth.validation),
        ("test", truth.images),
    )
    images, unlabelled = [], []
    for split, found in parts:
        for image in found:
            labelled = image.label == "good" or (truth.folder / mask_path(image.path)).is_file()
            if labelled or (weak and split == "train"):
                images.append(_exported(image, split, weak=not labelled))
            else:
                unlabelled.append(image.path)
    classes = {image.kind for image in images if image.source.label == "defective"}
    if not classes or not truth.has_masks:
        raise OutputError(f"{truth.folder}: has no image with a mask, so nothing to label")
    return ExportedTree(truth.category, tuple(images), tuple(sorted(classes)), tuple(unlabelled))


def _exported(image: TruthImage, split: SplitName, *, weak: bool) -> ExportedImage:
    kind, stem = kind_of(image.path), split_path(image.path)[1]
    file = f"images/{split}/{kind.replace('/', '_')}_{stem}.png"
    return ExportedImage(image, split, kind, file, weak)


def refuse_same_names(folder: Path, images: Sequence[ExportedImage]) -> None:
    """Refuse images of a tree that would have one name in an export.

    Raises
    ------
    OutputError
        Two images would have one name.
    """
    seen: dict[str, str] = {}
    for image in images:
        # Some file systems ignore case.
        other = seen.setdefault(image.file.casefold(), image.source.path)
        if other != image.source.path:
            raise OutputError(
                f"{folder}: {other} and {image.source.path} would both be {image.file}; rename one"
            )


def read_instances(truth: GroundTruth, image: ExportedImage) -> list[Instance]:
    """Return the defects of an image; none of a good one.

    Raises
    ------
    OutputError, ImageError
        See `read_defects`; so the image must not be `weak`.
    """
    defects = read_defects(truth, image.source)
    regions = np.zeros(image.size[::-1], np.int32)
    regions[defects.rows, defects.columns] = defects.regions + 1
    found = []
    for number, region in enumerate(defects.found, 1):
        left, top, width, height = region.box
        cut = regions[top : top + height, left : left + width]
        found.append(Instance(region.box, region.area, (cut == number).astype(np.uint8)))
    return found


def place_image(source: Path, target: Path) -> bool:
    """Give a file of a tree a second name, or copy it; return whether it has a second name.

    Raises
    ------
    OutputError
        It cannot be read.
    OSError
        It cannot be written.
    """
    # A hard link of a link would be a link.
    real = source.resolve()
    # Files are opened for writing when they are flushed to disk: those that cannot be are copied.
    if os.access(real, os.W_OK):
        with suppress(OSError):  # another drive, or no hard links there
            target.hardlink_to(real)
            return True
    target.write_bytes(read_file(real))
    return False
