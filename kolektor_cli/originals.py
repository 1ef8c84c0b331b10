"""The files of a sample, decoded, if they still are what they were when the source was scanned."""

from __future__ import annotations

import hashlib

from kolektor_cli import images
from kolektor_cli.errors import SourceError
from kolektor_cli.images import Pixels
from kolektor_cli.records import Sample
from kolektor_cli.source import Source


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


def _read_unchanged(source: Source, name: str, sha256: str) -> bytes:
    data = source.read(name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(f"{name}: changed while this command ran; run it again")
    return data
