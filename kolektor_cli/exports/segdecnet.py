"""SegDecNet's own layout, which is KolektorSDD2's: numbered images, a mask each, and pickles."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from kolektor_cli.exports.images import ExportedImage, ExportedTree, Files, Instance, Reader
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.raw.releases import kolektorsdd2
from kolektor_cli.splits.pickles import pickle_numbers
from kolektor_cli.splits.split import SplitName

_FIRST = 10000
"""The lowest number in KolektorSDD2."""


def numbered(tree: ExportedTree) -> ExportedTree:
    """Return a tree whose images are called ``SPLIT/NUMBER.png``.

    An image of KolektorSDD2 keeps its number. If an image has none, or two images share one, all
    are numbered from 10000 on, by split and path. No number occurs in two splits.
    """
    numbers = _official_numbers(tree.images) or count(_FIRST)
    images = (
        replace(image, file=f"{image.split}/{number}.png")
        for image, number in zip(tree.images, numbers, strict=False)
    )
    return replace(tree, images=tuple(images))


def _official_numbers(images: Sequence[ExportedImage]) -> list[str]:
    """Return the numbers in the names of the samples; none if they do not tell images apart."""
    names = [image.source.sample for image in images]
    official = kolektorsdd2().names
    numbers = [name.rpartition("/")[2] for name in names if name in official]
    return numbers if len(set(numbers)) == len(images) else []


def segdecnet_files(tree: ExportedTree, read: Reader) -> Files:
    """Yield ``SPLIT/NUMBER_GT.png`` of each image, the split as pickles, and ``images.csv``.

    A mask is black on a good image, and white everywhere on a `weak` one: SegDecNet takes from it
    that there is a defect, and no more. The pickle lies where SegDecNet and where SuperSimpleNet
    look for it.
    """
    for image in tree.images:
        instances = [] if image.weak else read(image)
        mask = encode_png(_mask(image, instances), rgb=False)
        yield image.file.removesuffix(".png") + "_GT.png", mask
    pickled = pickle_numbers(_listed(tree, "train"), _listed(tree, "test"))
    number = _count_segmented(tree)
    yield f"split_weakly_{number}.pyb", pickled
    yield f"splits/KSDD2/split_{number}.pyb", pickled
    yield "images.csv", _table(tree)


def _mask(image: ExportedImage, instances: Sequence[Instance]) -> Pixels:
    mask = np.full(image.size[::-1], 255 if image.weak else 0, np.uint8)
    for instance in instances:
        left, top, width, height = instance.box
        mask[top : top + height, left : left + width] |= 255 * instance.mask
    return mask


def _count_segmented(tree: ExportedTree) -> int:
    """Return how many defective training images have a mask, as the authors name their pickles."""
    return sum(
        image.split == "train" and image.source.label == "defective" and not image.weak
        for image in tree.images
    )


def _listed(tree: ExportedTree, split: SplitName) -> list[tuple[int, bool]]:
    """Return the numbers of a split's images, each with whether its pixel labels are to be used."""
    return [(int(image.stem), not image.weak) for image in tree.images if image.split == split]


def _table(tree: ExportedTree) -> str:
    """Return, as CSV, which image of the tree is which of the export."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "image", "sample"))
    for image in tree.images:
        writer.writerow((image.file, image.source.path, image.source.sample))
    return text.getvalue()
