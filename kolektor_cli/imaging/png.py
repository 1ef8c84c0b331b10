"""PNG files: a check of their chunks, an encoder, and a fast reader for what it writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from isal import isal_zlib

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, to_gray

MAX_CHUNKS = 2**17
"""Maximum number of chunks in a PNG: enough for the largest image in the usual chunks of 8 kB."""

PNG_START = b"\x89PNG\r\n\x1a\n"

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Color types, by their numbers in the PNG standard."""

SOFTWARE_CHUNK = (b"tEXt", b"Software\0kolektor")
"""The chunk that marks PNGs of `encode_png`."""

Channels: TypeAlias = Literal[1, 3]

_AVERAGE = 3
"""Number of the filter Average in the PNG standard."""

_LEAST_FOR_ISAL = 2**16
"""Bytes of rows from which ISA-L deflates; for fewer, it gains little over zlib."""

_ISAL_LEVEL = 2
"""Level 1 was seen to compress the same small input in more than one way, level 2 never."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """Header of a PNG; `color_type` is a number of the PNG standard (0 gray, 2 RGB).

    `by_kolektor` is True if the file has the chunk `SOFTWARE_CHUNK`, `alpha` if it may hold
    transparency.
    """

    width: int
    height: int
    bit_depth: int
    color_type: int
    by_kolektor: bool
    alpha: bool = False


def read_png(data: bytes, name: str) -> PngHeader:
    """Return the header of a PNG, after a check of every chunk; decodes no pixels.

    Raises
    ------
    ImageError
        The file is not a PNG, is truncated, has a chunk that does not match its checksum, or has
        bytes after its end.
    """
    chunks = png_chunks(data, name)
    kind, header = next(chunks)
    if kind != b"IHDR" or len(header) != 13:
        raise ImageError(f"{name}: is a damaged PNG: it does not start with its header")
    width, height, bit_depth, color_type = struct.unpack_from(">IIBB", header)
    ours, alpha = False, color_type in (GRAY_ALPHA, RGB_ALPHA)
    # To the end, so that every chunk is checked.
    for chunk in chunks:
        ours = ours or chunk == SOFTWARE_CHUNK
        alpha = alpha or chunk[0] == b"tRNS"
    return PngHeader(width, height, bit_depth, color_type, ours, alpha)


def png_chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of each chunk; raise ImageError if the PNG is damaged."""
    if not data.startswith(PNG_START):
        raise ImageError(f"{name}: is not a PNG")
    position, kind, number = len(PNG_START), b"", 0
    while kind != b"IEND":
        number += 1
        if number > MAX_CHUNKS:
            raise ImageError(f"{name}: is a damaged PNG: it has more than {MAX_CHUNKS} chunks")
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        end = position + 8 + length
        if end + 4 > len(data):
            raise ImageError(f"{name}: is a truncated PNG")
        checksum = isal_zlib.crc32(memoryview(data)[position + 4 : end])
        if checksum != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"{name}: is a damaged PNG: a chunk does not match its checksum")
        if kind == b"acTL":
            raise ImageError(f"{name}: is an animated PNG; save one frame as one file")
        yield kind, data[position + 8 : end]
        position = end + 4
    if position != len(data):
        raise ImageError(f"{name}: has {len(data) - position} bytes after the end of the PNG")


def only_pixels(data: bytes, name: str) -> bytes:
    """Return a PNG without the chunks, such as profile and gamma, that do not hold its pixels."""
    needed = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
    return _join_png(chunk for chunk in png_chunks(data, name) if chunk[0] in needed)


def with_indices(data: bytes, name: str) -> bytes:
    """Return a PNG with a palette as one whose gray values are the palette's indices."""
    ramp = np.repeat(np.arange(1 << read_png(data, name).bit_depth, dtype=np.uint8), 3).tobytes()
    chunks = png_chunks(only_pixels(data, name), name)
    return _join_png((kind, ramp if kind == b"PLTE" else text) for kind, text in chunks)


def encode_png(pixels: Pixels, *, rgb: bool) -> bytes:
    """Encode height x width, or height x width x 3 (RGB), uint8, as an 8-bit PNG.

    With `rgb`, a single channel becomes three equal ones; without, three become one (see
    `to_gray`). The same pixels give the same bytes. The PNG has the chunk `SOFTWARE_CHUNK`.
    """
    if not rgb:
        pixels = to_gray(pixels)
    height, width = pixels.shape[:2]
    return png(width, height, pack(pixels, 3 if rgb else 1), rgb=rgb)


def png(width: int, height: int, data: bytes, *, rgb: bool) -> bytes:
    """Return an 8-bit PNG, given its filtered and deflated rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, RGB if rgb else GRAY, 0, 0, 0)
    return _join_png([(b"IHDR", header), SOFTWARE_CHUNK, (b"IDAT", data), (b"IEND", b"")])


def _join_png(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Join the types and contents of chunks to a PNG; copies contents only once."""
    parts = [PNG_START]
    for kind, contents in chunks:
        checksum = isal_zlib.crc32(contents, isal_zlib.crc32(kind))
        parts += (struct.pack(">I", len(contents)), kind, contents, struct.pack(">I", checksum))
    return b"".join(parts)


def pack(pixels: Pixels, channels: Channels) -> bytes:
    """Filter and deflate pixels, height x width (x 3) uint8; a single channel may become three.

    The same pixels give the same bytes.
    """
    height, width = pixels.shape[:2]
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = _AVERAGE
    filtered = _filtered(pixels)
    if channels == 3 and filtered.ndim == 2:
        # Equal channels have equal differences, so one filtered plane is enough.
        places = rows[:, 1:].reshape(height, width, 3)
        if cv2.cvtColor(filtered, cv2.COLOR_GRAY2RGB, places) is not places:
            raise RuntimeError("OpenCV did not write to the given array")
    else:
        rows[:, 1:] = filtered.reshape(height, -1)
    return _deflate(rows)


def _filtered(pixels: Pixels) -> Pixels:
    """Subtract from each value the mean of its left and upper neighbours, modulo 256.

    Neighbours beyond the edges are 0; means are rounded down (PNG standard, section 9.4).
    """
    left, above = pixels[1:, :-1], pixels[:-1, 1:]
    filtered = pixels.copy()
    filtered[0, 1:] -= pixels[0, :-1] >> 1
    filtered[1:, 0] -= pixels[:-1, 0] >> 1
    # The mean in eight bits: the bits of both, plus half of the bits of only one.
    filtered[1:, 1:] -= (left & above) + ((left ^ above) >> 1)
    return filtered


def _deflate(rows: Pixels) -> bytes:
    if rows.nbytes < _LEAST_FOR_ISAL:
        return zlib.compress(rows.data, 1)
    return isal_zlib.compress(rows, _ISAL_LEVEL)


def unpack(data: bytes, width: int, height: int, channels: Channels) -> Pixels | None:
    """Return filtered rows, height x (1 + width x channels) uint8; equal channels come as one.

    Channels are equal if their differences are, whatever the filters. Returns None if `data` is not
    exactly one deflate stream of that many rows; the general decoder then reports the error.
    """
    inflated = _inflate(data, height * (1 + width * channels))
    if inflated is None:
        return None
    rows = np.frombuffer(inflated, np.uint8).reshape(height, -1)
    if channels == 1:
        return rows
    differences = rows[:, 1:].reshape(height, width, 3)
    first = cv2.extractChannel(differences, 0)
    if not np.array_equal(cv2.cvtColor(first, cv2.COLOR_GRAY2RGB), differences):
        return rows
    return np.column_stack((rows[:, 0], first))


def _inflate(data: bytes, length: int) -> bytes | None:
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
