"""PNG files: a check of their chunks, an encoder, and a fast decoder for what it writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from isal import isal_zlib

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, check_size, to_gray, without_equal_channels

MAX_CHUNKS = 2**17
"""Maximum number of chunks in a PNG: enough for the largest image in the usual chunks of 8 kB."""

PNG_START = b"\x89PNG\r\n\x1a\n"

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Color types, by their numbers in the PNG standard."""

SOFTWARE_CHUNK = (b"tEXt", b"Software\0kolektor")
"""The chunk that marks PNGs of `encode_png`."""

Channels: TypeAlias = Literal[1, 3]

_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")

_UP = 2
"""Number of the filter Up in the PNG standard. NumPy undoes it fast; Average saves few bytes more
(see docs/speed.md)."""

_LEAST_FOR_ISAL = 2**16
"""Bytes of rows from which ISA-L deflates; for fewer, it gains little over zlib."""

_ISAL_LEVEL = 2
"""Level 1 was seen to compress the same small input in more than one way, level 2 never."""


class Chunk(NamedTuple):
    """A chunk of a PNG: its type, its contents, and all its bytes as they lie in the file."""

    kind: bytes
    contents: memoryview
    whole: memoryview


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG whose chunks were checked; `color_type` is a number of the PNG standard (2 is RGB)."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    chunks: tuple[Chunk, ...]

    @property
    def by_kolektor(self) -> bool:
        """Whether `encode_png` made it: it has the chunk `SOFTWARE_CHUNK`."""
        return any(
            (chunk.kind, bytes(chunk.contents)) == SOFTWARE_CHUNK
            for chunk in self.chunks
            if chunk.kind == SOFTWARE_CHUNK[0]
        )

    def contents(self, kind: bytes) -> memoryview | None:
        """Return the contents of the first chunk of a type, or None if there is none."""
        return next((chunk.contents for chunk in self.chunks if chunk.kind == kind), None)


def read_png(data: bytes, name: str) -> Png:
    """Return the header and the chunks of a PNG, after a check of each; decodes no pixels.

    Raises
    ------
    ImageError
        The file is not a PNG, is truncated, larger than `MAX_PIXELS`, has a chunk that does not
        match its checksum, or has bytes after its end.
    """
    chunks = tuple(_chunks(data, name))
    kind, header, _ = chunks[0]
    if kind != b"IHDR" or len(header) != 13:
        raise ImageError(f"{name}: is a damaged PNG: it does not start with its header")
    width, height, bit_depth, color_type = struct.unpack_from(">IIBB", header)
    check_size(width, height, name)
    return Png(width, height, bit_depth, color_type, chunks)


def _chunks(data: bytes, name: str) -> Iterator[Chunk]:
    if not data.startswith(PNG_START):
        raise ImageError(f"{name}: is not a PNG")
    position, kind, number, view = len(PNG_START), b"", 0, memoryview(data)
    while kind != b"IEND":
        number += 1
        if number > MAX_CHUNKS:
            raise ImageError(f"{name}: is a damaged PNG: it has more than {MAX_CHUNKS} chunks")
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        end = position + 8 + length
        if end + 4 > len(data):
            raise ImageError(f"{name}: is a truncated PNG")
        checksum = isal_zlib.crc32(view[position + 4 : end])
        if checksum != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"{name}: is a damaged PNG: a chunk does not match its checksum")
        if kind == b"acTL":
            raise ImageError(f"{name}: is an animated PNG; save one frame as one file")
        yield Chunk(kind, view[position + 8 : end], view[position : end + 4])
        position = end + 4
    if position != len(data):
        raise ImageError(f"{name}: has {len(data) - position} bytes after the end of the PNG")


def only_pixels(png: Png) -> bytes:
    """Return a PNG without the chunks, such as profile and gamma, that do not hold its pixels."""
    needed = (chunk.whole for chunk in png.chunks if chunk.kind in _PIXEL_CHUNKS)
    return b"".join([PNG_START, *needed])


def with_indices(png: Png) -> bytes:
    """Return a PNG with a palette as one whose gray values are the palette's indices."""
    ramp = np.repeat(np.arange(1 << png.bit_depth, dtype=np.uint8), 3).tobytes()
    return _join_png(
        (chunk.kind, ramp if chunk.kind == b"PLTE" else chunk.contents)
        for chunk in png.chunks
        if chunk.kind in _PIXEL_CHUNKS
    )


def encode_png(pixels: Pixels, *, rgb: bool) -> bytes:
    """Encode height x width, or height x width x 3 (RGB), uint8, as an 8-bit PNG.

    With `rgb`, a single channel becomes three equal ones; without, three become one (see
    `to_gray`). The same pixels give the same bytes. The PNG has the chunk `SOFTWARE_CHUNK`.
    """
    if not rgb:
        pixels = to_gray(pixels)
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, RGB if rgb else GRAY, 0, 0, 0)
    data = _deflate(_filtered_rows(pixels, 3 if rgb else 1))
    return _join_png([(b"IHDR", header), SOFTWARE_CHUNK, (b"IDAT", data), (b"IEND", b"")])


def _join_png(chunks: Iterable[tuple[bytes, bytes | memoryview]]) -> bytes:
    """Join the types and contents of chunks to a PNG; copies contents only once."""
    parts: list[bytes | memoryview] = [PNG_START]
    for kind, contents in chunks:
        checksum = isal_zlib.crc32(contents, isal_zlib.crc32(kind))
        parts += (struct.pack(">I", len(contents)), kind, contents, struct.pack(">I", checksum))
    return b"".join(parts)


def _filtered_rows(pixels: Pixels, channels: Channels) -> Pixels:
    """Return the rows of a PNG: from each value, the one above it is subtracted, modulo 256.

    `pixels` are height x width (x 3); a single channel may become three.
    """
    height, width = pixels.shape[:2]
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = _UP
    differences = pixels.copy()
    differences[1:] -= pixels[:-1]
    if channels == 3 and pixels.ndim == 2:
        # Equal channels have equal differences, so those of one are enough.
        places = rows[:, 1:].reshape(height, width, 3)
        if cv2.cvtColor(differences, cv2.COLOR_GRAY2RGB, places) is not places:
            raise RuntimeError("OpenCV did not write to the given array")
    else:
        rows[:, 1:] = differences.reshape(height, -1)
    return rows


def _deflate(rows: Pixels) -> bytes:
    if rows.nbytes < _LEAST_FOR_ISAL:
        return zlib.compress(rows.data, 1)
    return isal_zlib.compress(rows, _ISAL_LEVEL)


def decode_own(png: Png) -> Pixels | None:
    """Return the pixels of a PNG laid out like those of `encode_png`, or None for any other one.

    They are height x width, or height x width x 3 (RGB), uint8; three equal channels come as one.
    This is faster than a general decoder, which then reports what is wrong with a damaged file.
    """
    [header, *rest] = png.chunks
    if [chunk.kind for chunk in rest] != [b"tEXt", b"IDAT", b"IEND"] or not png.by_kolektor:
        return None
    layout = [*header.contents[8:]]
    if layout not in ([8, GRAY, 0, 0, 0], [8, RGB, 0, 0, 0]):
        return None
    channels = 3 if png.color_type == RGB else 1
    inflated = _inflate(rest[1].contents, png.height * (1 + png.width * channels))
    if inflated is None:
        return None
    rows = np.frombuffer(inflated, np.uint8).reshape(png.height, -1)
    if (rows[:, 0] != _UP).any():
        return None
    if channels == 1:
        return _summed(rows[:, 1:])
    # Channels are equal if their differences are.
    differences = without_equal_channels(rows[:, 1:].reshape(png.height, png.width, 3))
    return _summed(differences.reshape(png.height, -1)).reshape(differences.shape)


def _summed(differences: Pixels) -> Pixels:
    """Return the cumulative sums down each column, modulo 256; undoes the filter Up.

    Sums first within blocks of rows, all blocks at a time, then from block to block: this is faster
    than row by row, and than `numpy.cumsum`.
    """
    height, width = differences.shape
    length = isqrt(height)
    blocks = np.zeros((-(-height // length), length, width), np.uint8)
    pixels = blocks.reshape(-1, width)[:height]
    pixels[:] = differences
    for row in range(1, length):
        blocks[:, row] += blocks[:, row - 1]
    for block in range(1, len(blocks)):
        blocks[block] += blocks[block - 1, -1]
    return pixels


def _inflate(data: memoryview, length: int) -> bytes | None:
    """Return the `length` bytes of a zlib stream, or None if it is damaged or of another length.

    Never inflates more than `length` + 1 bytes.
    """
    inflater = isal_zlib.decompressobj(zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, length + 1)
    except isal_zlib.IsalError:  # type: ignore[misc]  # the stub declares the class as an instance
        return None
    whole = inflater.eof and not inflater.unused_data and len(inflated) == length
    return inflated if whole else None
