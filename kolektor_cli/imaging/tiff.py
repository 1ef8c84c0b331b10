"""Reader for TIFF files of one page: gray, palette or RGB of 1 to 16 bits, exactly as stored.

OpenCV is not used: of 8 bits it multiplies colours by their transparency, and it fills the rest of
a damaged file with zeros. Numbers are those of TIFF 6.0.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.lzw import lzw_decompress
from kolektor_cli.imaging.pixels import Pixels, Samples
from kolektor_cli.imaging.stored import Stored, from_palette

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF, and of a BigTIFF."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _OFFSETS, _ORIENTATION, _CHANNELS, _ROWS, _COUNTS = 266, 273, 274, 277, 278, 279
_PLANAR, _PREDICTOR, _COLOR_MAP, _TILE_WIDTH, _FORMAT = 284, 317, 320, 322, 339

_NEEDED = {
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _OFFSETS, _ORIENTATION),
    *(_CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR, _COLOR_MAP, _TILE_WIDTH, _FORMAT),
}

_GRAY, _RGB, _PALETTE = 1, 2, 3

_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 8, 32946, 32773

_ADVICE = "save it with 8 or 16 bits a channel, gray or RGB, uncompressed, LZW or deflate"

_Tags: TypeAlias = dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Tiff:
    """Header of a TIFF; `channels` counts colours and transparency.

    `bits` are those of a channel, `strips` the places (offset, length in bytes) of the pixels, each
    but the last of `rows` rows. `palette` is n x 3 uint16, or None.
    """

    width: int
    height: int
    bits: int
    channels: int
    order: Literal["<", ">"]
    compression: int
    predicted: bool
    rows: int
    strips: tuple[tuple[int, int], ...]
    palette: Samples | None
    orientation: int

    @property
    def alpha(self) -> bool:
        """Whether the last channel is transparency."""
        return self.channels in (2, 4)


def read_tiff(data: bytes, name: str) -> Tiff:
    """Return the header of a TIFF, after a check that its strips are there; decodes no pixels.

    Raises
    ------
    ImageError
        The file is damaged or truncated, has several pages, or is of a kind that is not read.
    """
    if data[2:4] in (b"+\0", b"\0+"):
        raise ImageError(f"{name}: is a BigTIFF, which is not read; save it as a usual TIFF")
    order: Literal["<", ">"] = "<" if data.startswith(b"II") else ">"
    try:
        tags, following = _read_tags(data, order)
    except struct.error as error:
        raise ImageError(f"{name}: is a truncated TIFF") from error
    if following:
        raise ImageError(f"{name}: is a TIFF of several pages; save one page as one file")
    reason = _not_read(tags)
    if reason:
        raise ImageError(f"{name}: is a TIFF {reason}; {_ADVICE}")
    header = _header(tags, order)
    problem = _misfit(header, tags, len(data))
    if problem:
        raise ImageError(f"{name}: is a {problem}")
    return header


def _read_tags(data: bytes, order: str) -> tuple[_Tags, int]:
    """Return the needed tags of the first page, and the place of the next page, 0 if none."""
    [place] = struct.unpack_from(f"{order}I", data, 4)
    [count] = struct.unpack_from(f"{order}H", data, place)
    tags: _Tags = {}
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, entry)
        layout = {1: "B", 3: "H", 4: "I"}.get(kind)
        if tag not in _NEEDED or layout is None:
            continue
        size = struct.calcsize(layout) * length
        start = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, entry + 8)[0]
        if start + size > len(data):
            raise struct.error("a value lies behind the end")
        tags[tag] = struct.unpack_from(f"{order}{length}{layout}", data, start)
    [following] = struct.unpack_from(f"{order}I", data, place + 2 + 12 * count)
    return tags, following


def _first(tags: _Tags, tag: int, default: int) -> int:
    return (tags.get(tag) or (default,))[0]


def _not_read(tags: _Tags) -> str | None:
    """Return the first trait of a TIFF that this module does not read, or None."""
    bits, channels = set(tags.get(_BITS, (1,))), _first(tags, _CHANNELS, 1)
    photometric = _first(tags, _PHOTOMETRIC, -1)
    colors = 3 if photometric == _RGB else 1
    depth = max(bits, default=1)
    if set(tags.get(_FORMAT, (1,))) != {1}:
        return f"of signed or floating-point values of {depth} bits, which is not read"
    if len(bits) != 1 or depth not in (1, 2, 4, 8, 16) or (depth < 8 and channels > 1):
        return f"of {channels} channels of {depth} bits, which is not read"
    if photometric == 0:
        return "whose value 0 is white, which is not read"
    if photometric not in (_GRAY, _RGB, _PALETTE):
        return "that is neither gray, palette nor RGB, which is not read"
    if not colors <= channels <= colors + 1 or (photometric == _PALETTE and depth == 16):
        return f"of {channels} channels, which is not read"
    if _TILE_WIDTH in tags or (_first(tags, _PLANAR, 1) != 1 and channels > 1):
        return "in tiles, or with a plane for each channel, which is not read"
    known = (_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS)
    if _first(tags, _COMPRESSION, 1) not in known:
        return "with a compression that is not read"
    predictor = _first(tags, _PREDICTOR, 1)
    if predictor not in (1, 2) or (predictor == 2 and depth < 8):
        return "with a predictor that is not read"
    return None if _first(tags, _FILL_ORDER, 1) == 1 else "of reversed bits, which is not read"


def _header(tags: _Tags, order: Literal["<", ">"]) -> Tiff:
    height = _first(tags, _HEIGHT, 0)
    palette = None
    if _first(tags, _PHOTOMETRIC, -1) == _PALETTE:
        table = np.array(tags.get(_COLOR_MAP, ()), np.uint16)
        palette = table[: table.size // 3 * 3].reshape(3, -1).T
    return Tiff(
        width=_first(tags, _WIDTH, 0),
        height=height,
        bits=_first(tags, _BITS, 1),
        channels=_first(tags, _CHANNELS, 1),
        order=order,
        compression=_first(tags, _COMPRESSION, 1),
        predicted=_first(tags, _PREDICTOR, 1) == 2,
        rows=min(_first(tags, _ROWS, height), height),
        strips=tuple(zip(tags.get(_OFFSETS, ()), tags.get(_COUNTS, ()), strict=False)),
        palette=palette,
        orientation=_first(tags, _ORIENTATION, 1),
    )


def _misfit(header: Tiff, tags: _Tags, length: int) -> str | None:
    """Return what a TIFF whose header does not fit its file is, or None."""
    counts = {len(tags.get(_OFFSETS, ())), len(tags.get(_COUNTS, ()))}
    if header.palette is not None and len(header.palette) != 1 << header.bits:
        return "damaged TIFF: its palette has a wrong length"
    # Sizes that are 0 or too large are reported by the caller, like those of other formats.
    strips = -(-header.height // header.rows) if header.rows else 0
    if counts != {strips}:
        return "damaged TIFF: its strips do not fill it"
    if any(offset + size > length for offset, size in header.strips):
        return "truncated TIFF"
    return None


def decode_tiff(data: bytes, name: str) -> Stored:
    """Return the samples of a TIFF, uint8 or uint16.

    Raises
    ------
    ImageError
        See `read_tiff`; or the pixels are damaged or not all there.
    """
    header = read_tiff(data, name)
    samples = _samples(data, header, name)
    alpha = samples[..., -1] if header.alpha else None
    if header.palette is not None:
        indices = samples[..., 0] if header.alpha else samples
        found = from_palette(indices.astype(np.uint8), _palette_of_8_bits(header.palette), name)
        return replace(found, alpha=alpha)
    if header.channels >= 3:
        samples = np.ascontiguousarray(samples[..., :3])
    return Stored(samples[..., 0] if header.channels == 2 else samples, alpha)


def _palette_of_8_bits(palette: Samples) -> Pixels:
    """Reduce a palette to 8 bits; some programs write it so. What is not black stays so."""
    reduced = palette >> 8 if palette.max() > 255 else palette
    return np.maximum(reduced, palette > 0).astype(np.uint8)


def _samples(data: bytes, header: Tiff, name: str) -> Samples:
    """Return height x width (x channels); values of 1, 2 and 4 bits are scaled to 8.

    Values of a palette are its indices, not scaled.
    """
    row = -(-header.width * header.channels * header.bits // 8)
    try:
        rows = b"".join(_strips(data, header, row))
    except (ValueError, zlib.error) as error:
        raise ImageError(f"{name}: is a damaged or truncated TIFF: {error}") from error
    if header.bits < 8:
        return _unpacked(np.frombuffer(rows, np.uint8).reshape(header.height, row), header)
    kind = np.uint8 if header.bits == 8 else np.dtype(f"{header.order}u2")
    samples = np.frombuffer(rows, kind).reshape(header.height, header.width, header.channels)
    made: Samples = samples.astype(np.uint8 if header.bits == 8 else np.uint16)
    if header.predicted:
        np.cumsum(made, axis=1, dtype=made.dtype, out=made)
    return made[..., 0] if header.channels == 1 else made


def _strips(data: bytes, header: Tiff, row: int) -> Iterator[bytes]:
    for number, (offset, size) in enumerate(header.strips):
        rows = min(header.rows, header.height - number * header.rows)
        length = rows * row
        strip = _decompressed(data[offset : offset + size], header.compression, length)
        if len(strip) < length:
            raise ValueError("a strip is too short")
        yield strip[:length]


def _decompressed(data: bytes, compression: int, length: int) -> bytes:
    if compression == _PLAIN:
        return data
    if compression == _LZW:
        return lzw_decompress(data, length)
    if compression == _PACKBITS:
        return _unpack_bits(data, length)
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(data, length)
    # One more byte, if only to reach the checksum at the end.
    more = inflater.decompress(inflater.unconsumed_tail, 1)
    if not inflater.eof and not more:
        raise ValueError("a strip is too short")
    return inflated


def _unpack_bits(data: bytes, length: int) -> bytes:
    """Decompress PackBits (TIFF 6.0, section 9)."""
    out, position = bytearray(), 0
    while len(out) < length and position + 1 < len(data):
        count = data[position]
        if count < 128:
            out += data[position + 1 : position + 2 + count]
            position += 2 + count
        else:
            # 128 does nothing.
            out += data[position + 1 : position + 2] * (257 - count if count > 128 else 0)
            position += 2 if count > 128 else 1
    return bytes(out)


def _unpacked(rows: Samples, header: Tiff) -> Samples:
    """Return the samples of rows with several samples a byte."""
    bits = np.unpackbits(rows.astype(np.uint8), axis=1).reshape(len(rows), -1, header.bits)
    weights: Sequence[int] = [1 << place for place in reversed(range(header.bits))]
    samples = (bits * np.array(weights, np.uint8)).sum(axis=2, dtype=np.uint8)[:, : header.width]
    scale = 1 if header.palette is not None else 255 // ((1 << header.bits) - 1)
    scaled: Samples = samples * np.uint8(scale)
    return scaled
