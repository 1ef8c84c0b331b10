"""PNG, BMP and TIFF files built sample by sample, without any encoder of others."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tests.pictures import PNG_START, png_chunk

Raster = npt.NDArray[np.integer]
"""Height x width x channels, as the samples are stored: palettes as indices."""


def packed_rows(raster: Raster, bits: int, *, order: Literal["<", ">"] = ">") -> list[bytes]:
    """Pack each row of samples into bytes, the first sample in the upper bits."""
    rows = raster.reshape(len(raster), -1)
    if bits >= 8:
        return [row.astype("u1" if bits == 8 else f"{order}u2").tobytes() for row in rows]
    return [
        np.packbits([int(v) >> bit & 1 for v in row for bit in reversed(range(bits))]).tobytes()
        for row in rows
    ]


def png_of(
    raster: Raster, bits: int, color_type: int, *, palette: bytes = b"", transparent: bytes = b""
) -> bytes:
    height, width = raster.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row for row in packed_rows(raster, bits))
    chunks = [png_chunk(b"IHDR", header)]
    chunks += [png_chunk(b"PLTE", palette)] if palette else []
    chunks += [png_chunk(b"tRNS", transparent)] if transparent else []
    chunks += [png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return PNG_START + b"".join(chunks)


def bmp_of(raster: Raster, bits: int, *, palette: bytes = b"", upside_down: bool = False) -> bytes:
    """Build a BMP; samples are indices, 16-bit words, or blue, green, red (and a fourth)."""
    height, width = raster.shape[:2]
    depth = bits if bits <= 16 else 8
    rows = packed_rows(raster, depth, order="<")
    stride = (width * bits + 31) // 32 * 4
    body = b"".join(row.ljust(stride, b"\0") for row in (rows if upside_down else rows[::-1]))
    start = 54 + len(palette)
    info = (40, width, -height if upside_down else height, 1, bits, 0, len(body), 0, 0)
    header = struct.pack("<IiiHHIIII", *info) + struct.pack("<II", len(palette) // 4, 0)
    return struct.pack("<2sIII", b"BM", start + len(body), 0, start) + header + palette + body


_WIDTHS = np.repeat([9, 10, 11, 12], [254, 512, 1024, 2048])
"""Bits of each LZW code after a clear code; the table is full after the last."""


def lzw_compress(data: bytes) -> bytes:
    """Compress by LZW as TIFF 6.0 describes it; slow."""
    codes: list[int] = []
    table: dict[bytes, int] = {}
    text, since = b"", 0

    def put(code: int) -> None:
        nonlocal since
        codes.append(code)
        bits.append(9 if code == 256 and since == 0 else int(_WIDTHS[since - 1]))

    bits: list[int] = []
    put(256)
    for byte in data:
        longer = text + bytes([byte])
        if len(longer) == 1 or longer in table:
            text = longer
            continue
        since += 1
        put(table.get(text, text[0]))
        table[longer] = 258 + len(table)
        text = longer[-1:]
        if len(table) == 4094 - 258:
            since += 1
            put(256)
            table, since = {}, 0
    for code in ([table.get(text, text[0])] if text else []) + [257]:
        since += 1
        put(code)
    whole = "".join(f"{code:0{width}b}" for code, width in zip(codes, bits, strict=True))
    return int(whole.ljust(-(-len(whole) // 8) * 8, "0"), 2).to_bytes(-(-len(whole) // 8), "big")


def pack_bits(data: bytes) -> bytes:
    """Compress by PackBits: runs of the same byte, and what lies between as it is."""
    out, position = b"", 0
    while position < len(data):
        run = 1
        while run < 128 and data[position + run : position + run + 1] == data[position:][:1]:
            run += 1
        out += bytes([257 - run if run > 1 else 0, data[position]])
        position += run
    return out


COMPRESSIONS: dict[int, Callable[[bytes], bytes]] = {
    1: bytes,
    5: lzw_compress,
    8: zlib.compress,
    32946: zlib.compress,
    32773: pack_bits,
}

PREDICTED = (5, 8, 32946)
"""Compressions that go with a predictor."""


@dataclass(frozen=True)
class TiffKind:
    """How a TIFF is written; `changed` are tags that are not as they should be."""

    photometric: int = 1
    compression: int = 1
    order: Literal["<", ">"] = "<"
    predicted: bool = False
    rows: int = 2**32 - 1
    palette: tuple[int, ...] = ()
    changed: tuple[tuple[int, tuple[int, ...]], ...] = ()
    next_page: int = 0


def tiff_of(raster: Raster, bits: int, kind: TiffKind | None = None) -> bytes:
    kind = kind or TiffKind()
    height, width, channels = raster.shape
    stored = raster
    if kind.predicted:
        before = np.concatenate([np.zeros_like(raster[:, :1]), raster[:, :-1]], axis=1)
        stored = (raster.astype(np.int64) - before) % (1 << bits)
    rows = packed_rows(stored, bits, order=kind.order)
    step = min(kind.rows, height)
    strips = [
        COMPRESSIONS[kind.compression](b"".join(rows[top : top + step]))
        for top in range(0, height, step)
    ]
    places = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    tags: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (bits,) * channels,
        259: (kind.compression,),
        262: (kind.photometric,),
        273: tuple(places),
        277: (channels,),
        278: (kind.rows,),
        279: tuple(map(len, strips)),
        317: (2,) if kind.predicted else (1,),
        **({338: (2,)} if channels in (2, 4) else {}),
        **({320: kind.palette} if kind.palette else {}),
        **dict(kind.changed),
    }
    return _file(b"".join(strips), tags, kind)


def _file(body: bytes, tags: dict[int, tuple[int, ...]], kind: TiffKind) -> bytes:
    place = 8 + len(body)
    behind = place + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, numbers in sorted(tags.items()):
        layout, number = ("I", 4) if tag in (256, 257, 273, 278, 279) else ("H", 3)
        packed = struct.pack(f"{kind.order}{len(numbers)}{layout}", *numbers)
        if len(packed) > 4:
            at = struct.pack(f"{kind.order}I", behind + len(values))
            values += packed
        else:
            at = packed.ljust(4, b"\0")
        entries += struct.pack(f"{kind.order}HHI", tag, number, len(numbers)) + at
    start = struct.pack(f"{kind.order}2sHI", b"II" if kind.order == "<" else b"MM", 42, place)
    count = struct.pack(f"{kind.order}H", len(tags))
    end = struct.pack(f"{kind.order}I", kind.next_page)
    return start + body + count + entries + end + values


@st.composite
def rasters(draw: st.DrawFn, channels: int, bits: int) -> Raster:
    """Draw samples of which most are 0, some 1, some anything."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 19))
    raster = np.zeros((height, width, channels), np.int64)
    values = st.one_of(st.just(1), st.integers(0, (1 << bits) - 1))
    for _ in range(draw(st.integers(0, 4))):
        where = (
            draw(st.integers(0, height - 1)),
            draw(st.integers(0, width - 1)),
            draw(st.integers(0, channels - 1)),
        )
        raster[where] = draw(values)
    if draw(st.booleans()):
        # The last channel may be transparency, which is the same everywhere in most files.
        raster[..., -1] = draw(values)
    return raster
