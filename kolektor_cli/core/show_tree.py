"""Pictures of a tree: its images, and those that are in training and in test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kolektor_cli.core.show_plan import (
    ShowOptions,
    ShowPlan,
    caption_of,
    counted,
    is_chosen,
    refuse_nothing,
    require_known,
    side_of,
)
from kolektor_cli.errors import OutputError
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.reports.sheet import Cell, pair_cell, picture_cell
from kolektor_cli.tree.dataset import TreeImage, load_tree
from kolektor_cli.tree.layout import MANIFEST_NAME
from kolektor_cli.tree.manifest import from_bytes
from kolektor_cli.tree.read import read_file
from kolektor_cli.tree.same import same_pictures


def plan_tree(folder: Path, names: Sequence[str], options: ShowOptions) -> ShowPlan:
    """Return what a page of a tree is to show; file names and the manifest are read.

    Raises
    ------
    OutputError, ManifestError
        The tree cannot be read, there is no such image, or nothing to show.
    """
    images = list(load_tree(folder))
    if options.which == "pairs":
        return _plan_leaks(folder, images, names, options)
    chosen = choose_images(folder, images, names, options)
    side = side_of(options, len(chosen), longest_sides(chosen) if names else ())
    heading = counted(len(chosen), len(images), [image.label for image in chosen])
    return ShowPlan((heading,), [partial(_image_cell, image, side) for image in chosen], side)


def choose_images(
    folder: Path, images: Sequence[TreeImage], names: Sequence[str], options: ShowOptions
) -> list[TreeImage]:
    """Return the images that are named, else those that options choose.

    A name is the path of an image or its sample's name; a sample may have several images.

    Raises
    ------
    OutputError
        There is no such image, or nothing to show.
    """
    found = _named(folder, images, names)
    if not names:
        found = [image for image in images if is_chosen(options.which, image.label)]
    refuse_nothing(found, OutputError(str(folder)), options.which)
    return found


def longest_sides(images: Sequence[TreeImage]) -> list[int]:
    """Return the longest side of each image in pixels."""
    return [_longest(image) for image in images]


def _named(folder: Path, images: Sequence[TreeImage], names: Sequence[str]) -> list[TreeImage]:
    found: dict[str, list[TreeImage]] = {}
    for image in images:
        for name in {image.path, image.sample or image.path}:
            found.setdefault(name, []).append(image)
    require_known(names, found, OutputError(str(folder)))
    wanted = {image.path: image for name in names for image in found[name]}
    return list(wanted.values())


def _longest(image: TreeImage) -> int:
    if image.geometry is not None:
        return max(image.geometry.size)
    return int(max(image.image().shape[:2]))


def read_pair(image: TreeImage) -> tuple[Pixels, Pixels | None]:
    """Return an image with its mask, or None if it is good or has none.

    Raises
    ------
    OutputError, ImageError
        One of both cannot be read or decoded, or they differ in size.
    """
    pixels = image.image()
    if image.label == "good" or image.weak:
        return pixels, None
    mask = image.mask()
    if mask.shape != pixels.shape[:2]:
        raise OutputError(
            f"{image.folder / image.path}: has another size than its mask; "
            f"'kolektor verify {image.folder}' tells all"
        )
    return pixels, mask


def _image_cell(image: TreeImage, side: int) -> Cell:
    pixels, mask = read_pair(image)
    return picture_cell(pixels, mask, caption_of(image, mask), side)


def _plan_leaks(
    folder: Path, images: Sequence[TreeImage], names: Sequence[str], options: ShowOptions
) -> ShowPlan:
    _named(folder, images, names)
    pairs = [
        (first, second)
        for first, second in _leaks(images)
        if not names or {first.path, first.sample, second.path, second.sample} & {*names}
    ]
    if not pairs:
        raise OutputError(
            f"{folder}: no picture is both in training and in test, so there is nothing to show"
        )
    side = side_of(options, 2 * len(pairs))
    makes = [partial(_leak_cell, first, second, side) for first, second in pairs]
    return ShowPlan((f"{len(pairs)} pictures are in training and in test",), makes, side)


def _leaks(images: Sequence[TreeImage]) -> Iterator[tuple[TreeImage, TreeImage]]:
    """Yield the images of training and of test that have equal pixels by the manifest."""
    folder = images[0].folder if images else Path()
    if not images or not (folder / MANIFEST_NAME).is_file():
        raise OutputError(f"{folder}: has no {MANIFEST_NAME}, by which --pairs compares pixels")
    entries = from_bytes(read_file(folder / MANIFEST_NAME)).files
    known = {e.path: (e.geometry.size, e.pixels_sha256) for e in entries if e.role == "image"}
    by_path = {image.path: image for image in images}
    for trained, tested in same_pictures(known):
        if trained in by_path and tested in by_path:
            yield by_path[trained], by_path[tested]


def _leak_cell(first: TreeImage, second: TreeImage, side: int) -> Cell:
    pair = read_pair(first), read_pair(second)
    labels = caption_of(first, pair[0][1]), caption_of(second, pair[1][1])
    return pair_cell(*pair, labels, ("identical pixels",), side)
