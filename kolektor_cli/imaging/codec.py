"""Decoders for JPEG, PNG and BMP and an encoder for JPEG; every error names the file.

Pixels are uint8 arrays, rows first: height x width for one channel, height x width x 3 in RGB order
for three. simplejpeg decodes JPEG in its strict mode: it raises an error where libjpeg only prints
a warning to file descriptor 2 and fills the rest of a damaged picture with gray. OpenCV decodes PNG
and BMP, after a check that the file is complete.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
import simplejpeg

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, to_gray, without_equal_channels
from kolektor_cli.imaging.png import (
    GRAY,
    PNG_START,
    RGB,
    SOFTWARE_CHUNK,
    only_pixels,
    png,
    png_chunks,
    read_png,
    unpack,
)

Format: TypeAlias = Literal["JPEG", "PNG", "BMP"]

MAX_PIXELS = 2**26
"""Largest image to decode, in pixels: a hundred times a KolektorSDD image. It bounds the memory
that a header can claim."""

MAX_SCANS = 100
"""Maximum number of scans in a JPEG: encoders write about ten, and each costs a full decoding."""

_JPEG_START = b"\xff\xd8"

_JPEG_SCAN = b"\xff\xda"

_JPEG_END = b"\xff\xd9"

_BMP_START = b"BM"


@dataclass(frozen=True, slots=True)
class Header:
    """Format of a file, with the width and height in pixels that it declares."""

    format: Format
    width: int
    height: int


def read_header(data: bytes, name: str) -> Header:
    """Return format and size of an image, after a check that its file is complete.

    Decodes no pixels.

    Raises
    ------
    ImageError
        The file is empty, truncated, damaged, larger than `MAX_PIXELS`, or not a JPEG, PNG or BMP.
    """
    if not data:
        raise ImageError(f"{name}: is empty")
    if data.startswith(_JPEG_START):
        header = _read_jpeg_header(data, name)
    elif data.startswith(PNG_START):
        png = read_png(data, name)
        header = _header("PNG", png.width, png.height, name)
    elif data.startswith(_BMP_START):
        header = _read_bmp_header(data, name)
    else:
        raise ImageError(f"{name}: is not a JPEG, PNG or BMP image, whatever its name says")
    return header


def _header(format_: Format, width: int, height: int, name: str) -> Header:
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"{name}: claims {width}x{height} pixels; that is too large")
    return Header(format_, width, height)


def _read_jpeg_header(data: bytes, name: str) -> Header:
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    except ValueError as error:
        raise ImageError(f"{name}: is a damaged JPEG: {error}") from error
    if colorspace in ("CMYK", "YCCK"):
        raise ImageError(f"{name}: is a {colorspace} JPEG; save it as RGB or gray")
    # Entropy-coded data never holds the end marker; one before a scan belongs to a thumbnail.
    end = data.rfind(_JPEG_END)
    if end < 0 or _JPEG_SCAN in data[end:]:
        raise ImageError(f"{name}: is a truncated JPEG")
    scans = _count_markers(data, _JPEG_SCAN)
    if scans > MAX_SCANS:
        raise ImageError(f"{name}: is a JPEG of {scans} scans; that is too many")
    return _header("JPEG", width, height, name)


def _count_markers(data: bytes, marker: bytes) -> int:
    """Count a marker of two bytes, faster than `bytes.count` does."""
    values = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((values[:-1] == marker[0]) & (values[1:] == marker[1])))


def _read_bmp_header(data: bytes, name: str) -> Header:
    if len(data) < 54:
        raise ImageError(f"{name}: is a truncated BMP")
    offset = struct.unpack_from("<I", data, 10)[0]
    width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    header = _header("BMP", width, abs(height), name)
    colors = struct.unpack_from("<I", data, 46)[0]
    if (
        compression != 0
        or depth not in (1, 4, 8, 16, 24, 32)
        or (depth <= 8 and colors > 1 << depth)
    ):
        raise ImageError(f"{name}: is a damaged BMP, or of a kind that is not read")
    # Rows are padded to multiples of four bytes; a negative height means top row first.
    rows = (width * depth + 31) // 32 * 4 * abs(height)
    if len(data) < offset + rows:
        raise ImageError(f"{name}: is a truncated BMP")
    return header


def decode_image(data: bytes, name: str) -> Pixels:
    """Return the pixels of an image: height x width for one channel, else x 3 (RGB), uint8.

    Values of 16 bits are reduced to 8 and transparency is dropped. An orientation in EXIF is
    ignored, because the masks match the pixels as they are stored.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return _decode_jpeg(data, name)
    if header.format == "PNG":
        data = only_pixels(data, name)
    return _decode_any_color(data, name)


def decode_gray(data: bytes, name: str) -> Pixels:
    """Return the gray values of an image, height x width uint8; palettes are resolved.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return to_gray(_decode_jpeg(data, name))
    if header.format == "PNG":
        data = only_pixels(data, name)
    return _decode_with_opencv(data, name, cv2.IMREAD_GRAYSCALE)


def decode_plain(data: bytes, name: str) -> Pixels:
    """Return the pixels of an image like `decode_image`, but three equal channels as one.

    ISA-L inflates PNGs laid out like those of `encode_png`, and only one of three equal channels is
    unfiltered; this is faster than OpenCV alone. All other files go to `decode_image`.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    own = _decode_own(data, name) if read_header(data, name).format == "PNG" else None
    return without_equal_channels(decode_image(data, name)) if own is None else own


def _decode_own(data: bytes, name: str) -> Pixels | None:
    chunks = list(png_chunks(data, name))
    kinds = [kind for kind, _ in chunks]
    if kinds != [b"IHDR", b"tEXt", b"IDAT", b"IEND"] or chunks[1] != SOFTWARE_CHUNK:
        return None
    width, height, *layout = struct.unpack(">IIBBBBB", chunks[0][1])
    if layout not in ([8, GRAY, 0, 0, 0], [8, RGB, 0, 0, 0]):
        return None
    rows = unpack(chunks[2][1], width, height, 3 if layout[1] == RGB else 1)
    if rows is None:
        return None
    # OpenCV undoes the filters: pass it the same rows in a PNG without compression.
    plain = png(width, height, zlib.compress(rows.data, 0), rgb=rows.shape[1] > 1 + width)
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


def encode_jpeg(pixels: Pixels, name: str) -> bytes:
    """Encode height x width uint8 as a gray JPEG of quality 100, like the KolektorSDD images.

    Raises
    ------
    ImageError
        The image cannot be encoded.
    """
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
    if not done:
        raise ImageError(f"{name}: cannot be encoded as JPEG")
    return data.tobytes()
