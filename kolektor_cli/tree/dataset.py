"""A tree as a sequence of images with their masks, for training and inspection."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from kolektor_cli.errors import OutputError
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.geometry import Box, Geometry, box_to_source, to_source
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.imaging.pixels import Pixels, binary
from kolektor_cli.samples import Label
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.layout import MANIFEST_NAME, is_mask, mask_path, split_and_label
from kolektor_cli.tree.manifest import FileEntry, from_bytes
from kolektor_cli.tree.read import list_tree, only_category, read_file


@dataclass(frozen=True, slots=True)
class TreeImage:
    """One image of a tree; `image` and `mask` read its pixels.

    Attributes
    ----------
    folder
        The category folder.
    path
        The image, relative to the category folder, with forward slashes.
    split
        ``train``, ``val`` or ``test``.
    label
        ``good`` or ``defective``.
    sample
        The name of its sample; None in a tree without a manifest.
    geometry
        How the source image was mapped to the image; None in a tree without a manifest.
    weak
        Whether it is defective and has no mask, so that only its label is known: an image to train
        on, or one of a tree without masks.
    """

    folder: Path
    path: str
    split: SplitName
    label: Label
    sample: str | None
    geometry: Geometry | None
    weak: bool = False

    def image(self) -> Pixels:
        """Return the image: height x width uint8, or height x width x 3 (RGB).

        Raises
        ------
        OutputError, ImageError
            The file cannot be read or decoded.
        """
        path = self.folder / self.path
        return decode_image(read_file(path), str(path))

    def mask(self) -> Pixels:
        """Return the mask: height x width uint8, 255 on defects, else 0.

        Raises
        ------
        OutputError, ImageError
            The mask of a defective image, or a good image itself, cannot be read or decoded; or
            the image is `weak`.
        """
        if self.label == "good":
            return np.zeros(self.image().shape[:2], np.uint8)
        if self.weak:
            raise OutputError(f"{self.folder / self.path}: is defective somewhere, but has no mask")
        path = self.folder / mask_path(self.path)
        mask = decode_mask(read_file(path), str(path)).pixels
        return binary(mask)


class TreeDataset(Sequence[TreeImage]):
    """The images of one category folder, sorted by path and indexed by number or path.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> tree = kolektor.load_tree("data/metal")
    >>> image = tree["test/defect/000.png"]
    >>> image.label, image.sample, image.image().shape, image.mask().shape
    ('defective', 'kos01/Part5', (1240, 500, 3), (1240, 500))
    >>> tree.point_to_source("test/defect/000.png", 0, 620)
    (0.0, 635.0)
    """

    def __init__(self, images: Sequence[TreeImage]) -> None:
        self._images = images
        self._by_path = {image.path: image for image in images}

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[TreeImage]:
        return iter(self._images)

    def __contains__(self, key: object) -> bool:
        """Whether there is such an image, or an image of such a path."""
        return key in self._by_path if isinstance(key, str) else key in self._images

    @overload
    def __getitem__(self, key: int | str) -> TreeImage: ...

    @overload
    def __getitem__(self, key: slice) -> Sequence[TreeImage]: ...

    def __getitem__(self, key: int | str | slice) -> TreeImage | Sequence[TreeImage]:
        """Return an image by number or path, or several by a slice.

        Raises
        ------
        IndexError, KeyError
            There is no such image.
        """
        return self._by_path[key] if isinstance(key, str) else self._images[key]

    def point_to_source(self, path: str, x: float, y: float) -> tuple[float, float]:
        """Return the point (x, y) of the source image that a point of an image shows, in pixels.

        The origin is the outer corner of the top left pixel in both images.

        Raises
        ------
        KeyError
            There is no such image.
        OutputError
            The tree has no manifest, so the geometry is not known.
        """
        return to_source(self._geometry(path), x, y)

    def box_to_source(self, path: str, box: Box) -> Box:
        """Return the box of the source image that a box of an image shows.

        Boxes are (x, y, width, height) in pixels, with the origin of `point_to_source`.

        Raises
        ------
        KeyError, OutputError
            See `point_to_source`.
        """
        return box_to_source(self._geometry(path), box)

    def _geometry(self, path: str) -> Geometry:
        geometry = self._by_path[path].geometry
        if geometry is None:
            raise OutputError(
                f"{path}: its source is not known, as the tree has no {MANIFEST_NAME}"
            )
        return geometry


def load_tree(path: str | os.PathLike[str]) -> TreeDataset:
    """Return the images of a category folder; only file names and the manifest are read.

    Any tree in the MVTec-AD layout will do. Without a manifest, samples and geometries are None.
    `kolektor_cli.verify` checks a tree.

    Parameters
    ----------
    path
        A category folder, or a folder that holds exactly one.

    Raises
    ------
    OutputError
        There is no category folder at `path`, or there are several.
    ManifestError
        The manifest cannot be read.
    """
    folder = only_category(Path(path))
    listing = list_tree(folder)
    entries: dict[str, FileEntry] = {}
    has_masks = any(map(is_mask, listing))
    if MANIFEST_NAME in listing:
        manifest = from_bytes(read_file(folder / MANIFEST_NAME))
        entries = {entry.path: entry for entry in manifest.files}
        has_masks = manifest.has_masks
    return TreeDataset(list(_images(folder, listing.keys(), entries, has_masks=has_masks)))


def _images(
    folder: Path, files: Collection[str], entries: Mapping[str, FileEntry], *, has_masks: bool
) -> Iterator[TreeImage]:
    for path in sorted(files):
        place = split_and_label(path)
        if place is None or not path.endswith(".png"):
            continue
        split, label = place
        entry = entries.get(path)
        sample, geometry = (entry.sample, entry.geometry) if entry else (None, None)
        # A test image must have its mask where the tree has masks: there it is lost, not unknown.
        may_lack = label == "defective" and (split == "train" or not has_masks)
        weak = may_lack and mask_path(path) not in files
        yield TreeImage(folder, path, split, label, sample, geometry, weak)
