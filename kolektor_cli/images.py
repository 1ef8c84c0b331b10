"""The only place where pixels are decoded and encoded; every failure names the file.

Pixels are uint8 arrays, rows first: height x width where an image has one channel, height x width
x 3 in the order red, green, blue where it has three. JPEG is decoded by simplejpeg in its strict
mode, which raises where libjpeg only warns (on file descriptor 2, where nobody checks) and fills
the rest of a damaged picture with gray; PNG and BMP by OpenCV, once their structure has been
found whole.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
import simplejpeg
from isal import isal_zlib

from kolektor_cli import pngrows
from kolektor_cli.errors import ImageError
from kolektor_cli.pngrows import Pixels as Pixels

Format: TypeAlias = Literal["JPEG", "PNG", "BMP"]

MAX_PIXELS = 2**26
"""The largest image that is decoded, 67 megapixels: a hundred times a KolektorSDD image, and a
bound on the memory that a header can ask for."""

MAX_SCANS = 100
"""The most scans of a JPEG: encoders make about ten, and each takes as long as a whole decoding."""

MAX_CHUNKS = 2**17
"""The most chunks of a PNG: with the usual 8 kB in each, those of the largest image."""

_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_BMP_START = b"BM"
_GRAY, _RGB = 0, 2
"""Color types, as the PNG standard numbers them."""
_SOFTWARE_CHUNK = (b"tEXt", b"Software\0kolektor")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: format, width and height in pixels."""

    format: Format
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What a PNG says of itself; `color_type` as the PNG standard numbers them (0 gray, 2 RGB).

    `by_kolektor` tells whether it carries the text that `encode_png` puts there.
    """

    width: int
    height: int
    bit_depth: int
    color_type: int
    by_kolektor: bool


def read_header(data: bytes, name: str) -> Header:
    """Read the size of an image and check, without decoding it, that the file is whole.

    Raises
    ------
    ImageError
        The file is empty, cut short, damaged, larger than `MAX_PIXELS`, or no JPEG, PNG or BMP.
    """
    if not data:
        raise ImageError(f"{name}: is empty")
    if data.startswith(_JPEG_START):
        header = _read_jpeg_header(data, name)
    elif data.startswith(_PNG_START):
        png = read_png(data, name)
        header = _header("PNG", png.width, png.height, name)
    elif data.startswith(_BMP_START):
        header = _read_bmp_header(data, name)
    else:
        raise ImageError(f"{name}: is not a JPEG, PNG or BMP image, whatever its name says")
    return header


def _header(format_: Format, width: int, height: int, name: str) -> Header:
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"{name}: claims {width}x{height} pixels; no image has that many")
    return Header(format_, width, height)


def _read_jpeg_header(data: bytes, name: str) -> Header:
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    except ValueError as error:
        raise ImageError(f"{name}: is a damaged JPEG: {error}") from error
    if colorspace in ("CMYK", "YCCK"):
        raise ImageError(f"{name}: is a {colorspace} JPEG; save it as RGB or gray")
    # Entropy-coded data cannot hold the end marker; one that a scan follows is a thumbnail's.
    end = data.rfind(_JPEG_END)
    if end < 0 or _JPEG_SCAN in data[end:]:
        raise ImageError(f"{name}: is a JPEG cut short")
    scans = _count_markers(data, _JPEG_SCAN)
    if scans > MAX_SCANS:
        raise ImageError(f"{name}: is a JPEG of {scans} scans; no picture needs that many")
    return _header("JPEG", width, height, name)


def _count_markers(data: bytes, marker: bytes) -> int:
    """Count a marker of two bytes: in a KolektorSDD image 0.05 ms, by `bytes.count` 0.2 ms."""
    values = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((values[:-1] == marker[0]) & (values[1:] == marker[1])))


def read_png(data: bytes, name: str) -> PngHeader:
    """Read what a PNG says of itself, and check every chunk of it, without decoding pixels.

    Raises
    ------
    ImageError
        The file is no PNG, is cut short, a chunk does not fit its checksum, or bytes follow its
        end.
    """
    chunks = _png_chunks(data, name)
    kind, header = next(chunks)
    if kind != b"IHDR" or len(header) != 13:
        raise ImageError(f"{name}: is a damaged PNG: it does not start with its header")
    width, height, bit_depth, color_type = struct.unpack_from(">IIBB", header)
    # A list, not a search that ends when it finds: each chunk is to be checked.
    ours = [chunk == _SOFTWARE_CHUNK for chunk in chunks]
    return PngHeader(width, height, bit_depth, color_type, any(ours))


def _read_bmp_header(data: bytes, name: str) -> Header:
    if len(data) < 54:
        raise ImageError(f"{name}: is a BMP cut short")
    offset = struct.unpack_from("<I", data, 10)[0]
    width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    header = _header("BMP", width, abs(height), name)
    colors = struct.unpack_from("<I", data, 46)[0]
    if (
        compression != 0
        or depth not in (1, 4, 8, 16, 24, 32)
        or (depth <= 8 and colors > 1 << depth)
    ):
        raise ImageError(f"{name}: is a damaged BMP, or one of a kind that is not read")
    # Rows are padded to whole words of four bytes; negative heights mean top row first.
    rows = (width * depth + 31) // 32 * 4 * abs(height)
    if len(data) < offset + rows:
        raise ImageError(f"{name}: is a BMP cut short")
    return header


def _png_chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of each chunk, up to the end chunk, which must be the file's end."""
    if not data.startswith(_PNG_START):
        raise ImageError(f"{name}: is not a PNG")
    position, kind, number = len(_PNG_START), b"", 0
    while kind != b"IEND":
        number += 1
        if number > MAX_CHUNKS:
            raise ImageError(f"{name}: is a damaged PNG: it has more than {MAX_CHUNKS} chunks")
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        end = position + 8 + length
        if end + 4 > len(data):
            raise ImageError(f"{name}: is a PNG cut short")
        checksum = isal_zlib.crc32(memoryview(data)[position + 4 : end])
        if checksum != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"{name}: is a damaged PNG: a chunk does not fit its checksum")
        yield kind, data[position + 8 : end]
        position = end + 4
    if position != len(data):
        raise ImageError(f"{name}: has {len(data) - position} bytes behind the end of the PNG")


def decode_image(data: bytes, name: str) -> Pixels:
    """Decode an image to height x width where its file has one channel, else x 3 (RGB), uint8.

    16 bits are reduced to 8, transparency is dropped, and an orientation in EXIF is ignored: the
    pixels come as they are stored, which is how the masks are drawn.

    Raises
    ------
    ImageError
        The file cannot be decoded whole.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return _decode_jpeg(data, name)
    if header.format == "PNG":
        data = _only_pixels(data, name)
    return _decode_any_color(data, name)


def decode_gray(data: bytes, name: str) -> Pixels:
    """Decode an image to one channel, height x width, uint8; palettes are resolved to gray values.

    Raises
    ------
    ImageError
        The file cannot be decoded whole.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return to_gray(_decode_jpeg(data, name))
    if header.format == "PNG":
        data = _only_pixels(data, name)
    return _decode_with_opencv(data, name, cv2.IMREAD_GRAYSCALE)


def _only_pixels(data: bytes, name: str) -> bytes:
    """Leave of a PNG what its pixels are made of: profiles, gamma and orientation go."""
    needed = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
    return _join_png(chunk for chunk in _png_chunks(data, name) if chunk[0] in needed)


def decode_plain(data: bytes, name: str) -> Pixels:
    """Decode an image like `decode_image`; three channels that are all equal come as one.

    A PNG that is made as `encode_png` does is inflated by ISA-L: of 500x1240 pixels it is decoded
    in 3.0 ms and not 4.2 in gray, in 4.9 ms and not 9.6 in RGB, of which one channel is undone.
    All others, and whatever is damaged, take the usual way.

    Raises
    ------
    ImageError
        The file cannot be decoded whole.
    """
    own = _decode_own(data, name) if read_header(data, name).format == "PNG" else None
    return without_equal_channels(decode_image(data, name)) if own is None else own


def _decode_own(data: bytes, name: str) -> Pixels | None:
    chunks = list(_png_chunks(data, name))
    kinds = [kind for kind, _ in chunks]
    if kinds != [b"IHDR", b"tEXt", b"IDAT", b"IEND"] or chunks[1] != _SOFTWARE_CHUNK:
        return None
    width, height, *layout = struct.unpack(">IIBBBBB", chunks[0][1])
    if layout not in ([8, _GRAY, 0, 0, 0], [8, _RGB, 0, 0, 0]):
        return None
    rows = pngrows.unpack(chunks[2][1], width, height, 3 if layout[1] == _RGB else 1)
    if rows is None:
        return None
    # OpenCV undoes the filters: it is given the same rows, not deflated any more.
    plain = _png(width, height, zlib.compress(rows.data, 0), rgb=rows.shape[1] > 1 + width)
    return _decode_any_color(plain, name)


def _decode_jpeg(data: bytes, name: str) -> Pixels:
    gray = simplejpeg.decode_jpeg_header(data)[2].lower() == "gray"
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "GRAY" if gray else "RGB", strict=True)
    except ValueError as error:
        raise ImageError(f"{name}: is a damaged JPEG: {error}") from error
    return pixels[..., 0] if gray else pixels


def _decode_any_color(data: bytes, name: str) -> Pixels:
    pixels = _decode_with_opencv(data, name, cv2.IMREAD_ANYCOLOR)
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])


def _decode_with_opencv(data: bytes, name: str, mode: int) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(name) from error
        raise ImageError(f"{name}: cannot be decoded: {error.err}") from error
    if pixels is None:
        raise ImageError(f"{name}: cannot be decoded; the file is damaged")
    return pixels.astype(np.uint8, copy=False)


def to_gray(pixels: Pixels) -> Pixels:
    """Reduce RGB to one channel by the weights of ITU-R BT.601, as OpenCV does; gray stays gray."""
    if pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def to_rgb(pixels: Pixels) -> Pixels:
    """Make three equal channels of one; RGB stays as it is."""
    if pixels.ndim == 3:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def gray_values(pixels: Pixels) -> tuple[int, ...]:
    """List the values that occur, in ascending order; quick where most are 0, as in masks."""
    if not pixels.any():
        return (0,)
    marked = pixels[pixels > 0]
    background = (0,) if marked.size < pixels.size else ()
    return (*background, *np.flatnonzero(np.bincount(marked)).tolist())


def pixels_sha256(pixels: Pixels) -> str:
    """Hash an image's pixels: SHA-256 of the uint8 values, row-major, channels interleaved.

    Three equal channels count as one, so a gray image has one hash however it is stored.
    """
    return hashlib.sha256(np.ascontiguousarray(without_equal_channels(pixels)).data).hexdigest()


def without_equal_channels(pixels: Pixels) -> Pixels:
    """Reduce three channels that are all equal to one; anything else stays as it is."""
    if pixels.ndim == 2:
        return pixels
    first = cv2.extractChannel(pixels, 0)
    if any(not np.array_equal(first, cv2.extractChannel(pixels, other)) for other in (1, 2)):
        return pixels
    return first.astype(np.uint8, copy=False)


def encode_jpeg(pixels: Pixels, name: str) -> bytes:
    """Encode height x width uint8 as a gray JPEG of quality 100, that of the KolektorSDD images.

    Raises
    ------
    ImageError
        The image cannot be encoded.
    """
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
    if not done:
        raise ImageError(f"{name}: cannot be encoded as JPEG")
    return data.tobytes()


def encode_png(pixels: Pixels, *, rgb: bool) -> bytes:
    """Encode height x width, or height x width x 3 (RGB), uint8, as an 8-bit PNG.

    With `rgb`, one channel becomes three equal ones; without, three become one (see `to_gray`).
    The same pixels give the same bytes, and those carry the text ``Software: kolektor``.

    See `kolektor_cli.pngrows` for how rows are filtered and deflated, and what that takes.
    """
    if not rgb:
        pixels = to_gray(pixels)
    height, width = pixels.shape[:2]
    return _png(width, height, pngrows.pack(pixels, 3 if rgb else 1), rgb=rgb)


def _png(width: int, height: int, data: bytes, *, rgb: bool) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if rgb else _GRAY, 0, 0, 0)
    return _join_png([(b"IHDR", header), _SOFTWARE_CHUNK, (b"IDAT", data), (b"IEND", b"")])


def _join_png(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a PNG of the types and contents of its chunks; contents are copied once."""
    parts = [_PNG_START]
    for kind, contents in chunks:
        checksum = isal_zlib.crc32(contents, isal_zlib.crc32(kind))
        parts += (struct.pack(">I", len(contents)), kind, contents, struct.pack(">I", checksum))
    return b"".join(parts)
