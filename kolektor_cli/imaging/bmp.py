"""Reader for the samples of uncompressed BMP files, beside the colours that OpenCV decodes."""

from __future__ import annotations

import struct

import numpy as np

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, Samples
from kolektor_cli.imaging.stored import Stored, from_palette

_LEAST_HEADER = 40
"""Bytes of the oldest header with a palette of four bytes an entry."""


def bmp_depth(data: bytes) -> int:
    """Return the bits of a pixel."""
    return int(struct.unpack_from("<H", data, 28)[0])


def read_indices(data: bytes, name: str) -> Stored:
    """Return the samples of a BMP with a palette, whose header and length were checked.

    Raises
    ------
    ImageError
        The palette is not all there, or pixels have colours that it does not have.
    """
    offset, size = struct.unpack_from("<II", data, 10)
    depth = bmp_depth(data)
    entries = struct.unpack_from("<I", data, 46)[0] or 1 << depth
    start = 14 + size
    if size < _LEAST_HEADER or start + 4 * entries > len(data):
        raise ImageError(f"{name}: is a damaged BMP, or of a kind that is not read")
    palette = np.frombuffer(data, np.uint8, 4 * entries, start).reshape(-1, 4)[:, 2::-1]
    rows, width = _rows(data, offset, depth)
    if depth < 8:
        bits = np.unpackbits(rows, axis=1).reshape(len(rows), -1, depth)
        rows = np.right_shift(np.packbits(bits, axis=2)[..., 0], 8 - depth, dtype=np.uint8)
    return from_palette(rows[:, :width], palette, name)


def read_alpha(data: bytes) -> Samples | None:
    """Return the samples beside the colours of a BMP of 16 or 32 bits a pixel; None for others.

    Zeros everywhere mean that there is no transparency, so this is None, too.
    """
    depth = bmp_depth(data)
    if depth not in (16, 32):
        return None
    rows, width = _rows(data, struct.unpack_from("<I", data, 10)[0], depth)
    bytes_each = depth // 8
    last = rows[:, bytes_each - 1 : width * bytes_each : bytes_each]
    # The first bit of 16 stands beside 5 bits for each colour.
    alpha = last if depth == 32 else np.where(last > 127, np.uint8(255), np.uint8(0))
    return alpha if alpha.any() else None


def _rows(data: bytes, offset: int, depth: int) -> tuple[Pixels, int]:
    """Return the bytes of the rows, top row first, and the width in pixels."""
    width, height = struct.unpack_from("<ii", data, 18)
    stride = (width * depth + 31) // 32 * 4
    rows = np.frombuffer(data, np.uint8, stride * abs(height), offset).reshape(-1, stride)
    return rows[::-1] if height > 0 else rows, width
