"""Reading of a sample's image and mask, unless they changed since the scan."""

from __future__ import annotations

import hashlib

from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.source import Source
from kolektor_cli.raw.masks import decode_marks
from kolektor_cli.samples import Sample


def read_image(source: Source, sample: Sample, depth: Depth = None) -> Pixels:
    """Return a sample's image: height x width uint8, or height x width x 3 (RGB) if in colour.

    An image of 16 bits is reduced by `depth`.

    Raises
    ------
    SourceError, ImageError
        The source file cannot be read or decoded, or changed since the scan.
    """
    data = _read_unchanged(source, sample.image, sample.image_sha256)
    return decode_image(data, sample.image, depth)


def read_mask(source: Source, sample: Sample) -> Pixels:
    """Return the mask of a sample that has one: height x width uint8, non-zero on defects.

    Raises
    ------
    SourceError, ImageError
        The source file cannot be read or decoded, or changed since the scan.
    """
    data = _read_unchanged(source, sample.mask, sample.mask_sha256)
    image_size = sample.width, sample.height
    return decode_marks(data, sample.mask, sample.mask_rule, image_size).pixels


def _read_unchanged(source: Source, name: str, sha256: str) -> bytes:
    data = source.read(name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(f"{name}: changed while this command ran; run it again")
    return data
