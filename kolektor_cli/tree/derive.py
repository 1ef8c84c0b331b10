"""Output files of one sample, written before their paths in the tree are known.

The bytes of an output file depend on its sample, the fit and the color, but not on the split. So
the scan can write them, from the pixels that it decodes anyway. They lie in one folder under random
names until `kolektor_cli.tree.write` moves them to their paths.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.geometry import Geometry
from kolektor_cli.imaging.pixels import Pixels, pixels_sha256, to_gray
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.imaging.resample import transform_image, transform_mask
from kolektor_cli.io.atomic import write_file
from kolektor_cli.samples import Sample
from kolektor_cli.tree.fit import Fit
from kolektor_cli.tree.layout import Color
from kolektor_cli.tree.views import View, views_of

FOLDER = "derived"
"""Name of the folder of derived files in an unfinished tree."""


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """A PNG in the folder of derived files.

    `length` is in bytes. `sha256` hashes the bytes, `pixels_sha256` the pixels.
    """

    name: str
    length: int
    sha256: str
    pixels_sha256: str


@dataclass(frozen=True, slots=True)
class DerivedView:
    """The files of one view of a sample; `mask` is None if the view is good."""

    geometry: Geometry
    image: DerivedFile
    mask: DerivedFile | None


def make_folder(stage: Path) -> Path:
    """Return the folder of derived files in an unfinished tree, and create it if needed."""
    folder = stage / FOLDER
    folder.mkdir(exist_ok=True)
    return folder


def share_derived(stage: Path, other: Path) -> None:
    """Give the derived files of one unfinished tree to another one, too.

    They are hard links where the file system has them, else copies.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    folder = make_folder(other)
    for path in make_folder(stage).iterdir():
        _link_or_copy(path, folder / path.name)


def _link_or_copy(path: Path, place: Path) -> None:
    try:
        place.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, place)


def derive_sample(
    folder: Path, fit: Fit, color: Color, sample: Sample, image: Pixels, mask: Pixels | None
) -> tuple[DerivedView, ...]:
    """Derive the views of a sample and write them to a folder; none if the fit cannot make them.

    Parameters
    ----------
    image
        height x width uint8, or height x width x 3 (RGB).
    mask
        height x width uint8, or None if the sample is good.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    try:
        views = views_of(fit, sample, mask)
    except SourceError:
        # `view_samples` raises it again if the sample is still used by then.
        return ()
    return write_views(folder, views, image, mask, color)


def write_views(
    folder: Path, views: Sequence[View], image: Pixels, mask: Pixels | None, color: Color
) -> tuple[DerivedView, ...]:
    """Derive and write the images of one sample, and the masks of the defective ones.

    `mask` may be None if no view is defective.
    """
    return tuple(_write_view(folder, view, image, mask, color) for view in views)


def _write_view(
    folder: Path, view: View, image: Pixels, mask: Pixels | None, color: Color
) -> DerivedView:
    output = derive_image(image, view.geometry, color)
    image_file = _write_file(folder, output, rgb=color == "rgb")
    if view.label == "good" or mask is None:
        return DerivedView(view.geometry, image_file, None)
    output = transform_mask(mask, view.geometry)
    return DerivedView(view.geometry, image_file, _write_file(folder, output, rgb=False))


def _write_file(folder: Path, pixels: Pixels, *, rgb: bool) -> DerivedFile:
    """Write one file under a name that is never used again, so a lost worker's files do no harm."""
    data = encode_png(pixels, rgb=rgb)
    name = f"{secrets.token_hex(8)}.png"
    write_file(folder / name, data)
    return DerivedFile(name, len(data), hashlib.sha256(data).hexdigest(), pixels_sha256(pixels))


def derive_image(pixels: Pixels, place: Geometry, color: Color) -> Pixels:
    """Return an output image, uint8: height x width, or height x width x 3 (RGB) if in colour."""
    pixels = transform_image(pixels, place)
    return to_gray(pixels) if color == "gray" else pixels
