"""Decoders for JPEG, PNG, BMP and TIFF and an encoder for JPEG; every error names the file.

Pixels are uint8 arrays, rows first: height x width for one channel, height x width x 3 in RGB order
for three. simplejpeg decodes JPEG in its strict mode: it raises an error where libjpeg only prints
a warning to file descriptor 2 and fills the rest of a damaged picture with gray. OpenCV decodes PNG
and BMP, after a check that the file is complete. `kolektor_cli.imaging.tiff` decodes TIFF.
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
from kolektor_cli.imaging.bmp import bmp_depth, read_alpha, read_indices
from kolektor_cli.imaging.depth import Depth, to_8_bits
from kolektor_cli.imaging.pixels import Pixels, Samples, without_equal_channels
from kolektor_cli.imaging.png import (
    GRAY,
    GRAY_ALPHA,
    PALETTE,
    PNG_START,
    RGB,
    RGB_ALPHA,
    SOFTWARE_CHUNK,
    only_pixels,
    png,
    png_chunks,
    read_png,
    unpack,
    with_indices,
)
from kolektor_cli.imaging.stored import Stored, from_palette
from kolektor_cli.imaging.tiff import TIFF_STARTS, decode_tiff, read_tiff

Format: TypeAlias = Literal["JPEG", "PNG", "BMP", "TIFF"]

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
    """Format of a file, with the width and height in pixels that it declares.

    `bits` are 16 if a channel has more than 8, else 8. `alpha` tells whether the file may hold
    transparency.
    """

    format: Format
    width: int
    height: int
    bits: int = 8
    alpha: bool = False


def read_header(data: bytes, name: str) -> Header:
    """Return format and size of an image, after a check that its file is complete.

    Decodes no pixels.

    Raises
    ------
    ImageError
        The file is empty, truncated, damaged, larger than `MAX_PIXELS`, or not a JPEG, PNG, BMP
        or TIFF.
    """
    if not data:
        raise ImageError(f"{name}: is empty")
    if data.startswith(_JPEG_START):
        header = _read_jpeg_header(data, name)
    elif data.startswith(PNG_START):
        png = read_png(data, name)
        header = _header("PNG", png.width, png.height, name, png.bit_depth, alpha=png.alpha)
    elif data.startswith(_BMP_START):
        header = _read_bmp_header(data, name)
    elif data.startswith(TIFF_STARTS):
        tiff = read_tiff(data, name)
        header = _header("TIFF", tiff.width, tiff.height, name, tiff.bits, alpha=tiff.alpha)
    else:
        raise ImageError(f"{name}: is not a JPEG, PNG, BMP or TIFF image, whatever its name says")
    return header


def _header(
    format_: Format, width: int, height: int, name: str, bits: int = 8, *, alpha: bool = False
) -> Header:
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"{name}: claims {width}x{height} pixels; that is too large")
    return Header(format_, width, height, 16 if bits == 16 else 8, alpha)


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
    header = _header("BMP", width, abs(height), name, alpha=depth in (16, 32))
    colors = struct.unpack_from("<I", data, 46)[0]
    if compression in (1, 2, 3, 6):
        kind = "compressed" if compression < 3 else "with bit masks, as for transparency"
        raise ImageError(f"{name}: is a BMP {kind}, which is not read; save it as a usual one")
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


def decode_image(data: bytes, name: str, depth: Depth = None) -> Pixels:
    """Return the pixels of an image: height x width for one channel, else x 3 (RGB), uint8.

    Values of 16 bits are reduced to 8 (see `Depth`) and transparency is dropped. An orientation in
    EXIF is ignored, because the masks match the pixels as they are stored.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    return to_8_bits(decode_samples(data, name), depth)


def decode_samples(data: bytes, name: str) -> Samples:
    """Return an image like `decode_image`, but one of 16 bits as uint16.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return _decode_jpeg(data, name)
    if header.bits == 16 or header.format == "TIFF":
        return decode_stored(data, name).colors
    if header.format == "PNG":
        data = only_pixels(data, name)
    return _decode_any_color(data, name)


def decode_stored(data: bytes, name: str) -> Stored:
    """Return the samples of an image, nothing reduced and nothing dropped.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    header = read_header(data, name)
    if header.format == "JPEG":
        return Stored(_decode_jpeg(data, name))
    if header.format == "TIFF":
        return decode_tiff(data, name)
    if header.format == "PNG":
        return _stored_png(data, name)
    if bmp_depth(data) <= 8:
        return read_indices(data, name)
    return Stored(_decode_any_color(data, name), read_alpha(data))


def _stored_png(data: bytes, name: str) -> Stored:
    header = read_png(data, name)
    chunks = dict(reversed(list(png_chunks(data, name))))
    key = chunks.get(b"tRNS")
    if header.color_type == PALETTE:
        indices = _decode_with_opencv(with_indices(data, name), name, cv2.IMREAD_GRAYSCALE)
        table = np.frombuffer(chunks.get(b"PLTE", b""), np.uint8)
        palette = table[: table.size // 3 * 3].reshape(-1, 3)
        return from_palette(indices.astype(np.uint8, copy=False), palette, name, key)
    samples = _decode_with_opencv(only_pixels(data, name), name, cv2.IMREAD_UNCHANGED)
    if header.color_type in (GRAY_ALPHA, RGB_ALPHA):
        gray = header.color_type == GRAY_ALPHA
        colors = samples[..., 0] if gray else samples[..., 2::-1]
        return Stored(np.ascontiguousarray(colors), samples[..., 3])
    colors = samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., ::-1])
    return Stored(colors, _keyed(colors, key, header.bit_depth))


def _keyed(colors: Samples, key: bytes | None, bits: int) -> Samples | None:
    """Return the transparency of a PNG in which one colour is transparent, or None."""
    channels = 1 if colors.ndim == 2 else 3
    if key is None or len(key) != 2 * channels:
        return None
    # OpenCV scales values below 8 bits up to 8.
    scale = 1 if bits >= 8 else 255 // ((1 << bits) - 1)
    wanted = np.array(struct.unpack(f">{channels}H", key)) * scale
    is_key = colors == wanted[0] if channels == 1 else (colors == wanted).all(axis=2)
    return np.where(is_key, np.uint8(0), np.uint8(255))


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
    pixels = _decode_with_opencv(data, name, cv2.IMREAD_ANYCOLOR).astype(np.uint8, copy=False)
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])


def _decode_with_opencv(data: bytes, name: str, mode: int) -> Samples:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(name) from error
        raise ImageError(f"{name}: cannot be decoded: {error.err}") from error
    if pixels is None:
        raise ImageError(f"{name}: cannot be decoded; the file is damaged")
    return pixels.astype(np.uint16 if pixels.dtype == np.uint16 else np.uint8, copy=False)


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
