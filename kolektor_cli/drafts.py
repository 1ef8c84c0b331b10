"""Output files that are written before their places in the tree are known.

The bytes of an output file depend on its sample, the fit and the colour, and not on the split. So
they can be made when the source is scanned, from the pixels that the scan has decoded: on the real
dataset, to decode each file once and not twice makes 2.4 s of 3.0 s. Drafts lie in one
folder under names of their own; `kolektor_cli.convert` gives those that are planned their places.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kolektor_cli import atomic, geometry, images
from kolektor_cli.errors import SourceError
from kolektor_cli.fits import views_of
from kolektor_cli.images import Pixels
from kolektor_cli.records import Color, Fit, Geometry, Sample, View

FOLDER = "drafts"
"""Where drafts lie in the folder of an unfinished tree."""


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A PNG in the folder of drafts, with the SHA-256 of its bytes and that of its pixels."""

    name: str
    sha256: str
    pixels_sha256: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The files of one view of a sample; `mask` is None where it is good."""

    geometry: Geometry
    image: DraftFile
    mask: DraftFile | None


class Drafts:
    """Drafts of the samples of a source, by name, all of one fit and colour.

    `stage` is the folder of the unfinished tree that they are for.
    """

    def __init__(self, stage: Path, fit: Fit, color: Color) -> None:
        self.stage = stage
        self.color = color
        self.by_sample: dict[str, tuple[Draft, ...]] = {}
        self._fit = fit
        make_folder(stage)

    def write(self, sample: Sample, image: Pixels, mask: Pixels | None) -> None:
        """Write all views of a sample, given its decoded files; in any number of threads at once.

        Raises
        ------
        OSError
            Something cannot be written.
        """
        # An image that the fit cannot make is told of where samples are fitted, if still used then.
        with suppress(SourceError):
            views = views_of(self._fit, sample, mask)
            folder = self.stage / FOLDER
            self.by_sample[sample.name] = write_drafts(folder, views, image, mask, self.color)


def make_folder(stage: Path) -> Path:
    """Make the folder of drafts in that of an unfinished tree, if it is not there."""
    folder = stage / FOLDER
    folder.mkdir(exist_ok=True)
    return folder


def write_drafts(
    folder: Path, views: Sequence[View], image: Pixels, mask: Pixels | None, color: Color
) -> tuple[Draft, ...]:
    """Derive and write the images of one sample, and the masks of those that are defective.

    `mask` may be missing where no view is defective.
    """
    return tuple(_write_draft(folder, view, image, mask, color) for view in views)


def _write_draft(
    folder: Path, view: View, image: Pixels, mask: Pixels | None, color: Color
) -> Draft:
    output = output_image(image, view.geometry, color)
    image_file = _write_file(folder, output, rgb=color == "rgb")
    if view.label == "good" or mask is None:
        return Draft(view.geometry, image_file, None)
    output = geometry.transform_mask(mask, view.geometry)
    return Draft(view.geometry, image_file, _write_file(folder, output, rgb=False))


def _write_file(folder: Path, pixels: Pixels, *, rgb: bool) -> DraftFile:
    """Write one file under a name that no other gets: a lost worker's is simply not used."""
    data = images.encode_png(pixels, rgb=rgb)
    name = f"{secrets.token_hex(8)}.png"
    atomic.write_file(folder / name, data)
    return DraftFile(name, hashlib.sha256(data).hexdigest(), images.pixels_sha256(pixels))


def output_image(pixels: Pixels, place: Geometry, color: Color) -> Pixels:
    """Make the pixels of an output image: height x width, or x 3 (RGB) where there is colour."""
    pixels = geometry.transform_image(pixels, place)
    return images.to_gray(pixels) if color == "gray" else pixels
