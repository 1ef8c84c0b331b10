"""Decoders for JPEG, PNG, BMP and TIFF and an encoder for JPEG; every error names the file.

Pixels are uint8 arrays, rows first: height x width for one channel, height x width x 3 in RGB order
for three. simplejpeg decodes JPEG in its strict mode: it raises an error where libjpeg only prints
a warning to file descriptor 2 and fills the rest of a damaged picture with gray. OpenCV decodes PNG
and BMP, after a check that the file is complete. `kolektor_cli.imaging.tiff` decodes TIFF.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import cv2
import numpy as np
import simplejpeg

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.bmp import bmp_depth, read_alpha, read_indices
from kolektor_cli.imaging.depth import Depth, to_8_bits
from kolektor_cli.imaging.orientation import in_exif, in_jpeg
from kolektor_cli.imaging.pixels import Pixels, Samples, check_size, without_equal_channels
from kolektor_cli.imaging.png import (
    GRAY_ALPHA,
    PALETTE,
    PNG_START,
    RGB_ALPHA,
    Png,
    decode_own,
    only_pixels,
    read_png,
    with_indices,
)
from kolektor_cli.imaging.stored import Stored, from_palette
from kolektor_cli.imaging.tiff import TIFF_STARTS, decode_tiff

MAX_SCANS = 100
"""Maximum number of scans in a JPEG: encoders write about ten, and each costs a full decoding."""

_JPEG_START = b"\xff\xd8"

_JPEG_SCAN = b"\xff\xda"

_JPEG_END = b"\xff\xd9"

_BMP_START = b"BM"


def decode_image(data: bytes, name: str, depth: Depth = None) -> Pixels:
    """Return the pixels of an image: height x width for one channel, else x 3 (RGB), uint8.

    Values of 16 bits are reduced to 8 (see `Depth`) and transparency is dropped. An orientation in
    EXIF is ignored, because the masks match the pixels as they are stored.

    Raises
    ------
    ImageError
        See `decode_stored`.
    """
    return to_8_bits(decode_stored(data, name).colors, depth)


def decode_stored(data: bytes, name: str) -> Stored:
    """Return the samples of an image, nothing reduced and nothing dropped.

    Raises
    ------
    ImageError
        The file is empty, truncated, damaged, larger than `MAX_PIXELS`, or not a JPEG, PNG, BMP
        or TIFF that is read.
    """
    if not data:
        raise ImageError(f"{name}: is empty")
    if data.startswith(_JPEG_START):
        return _decode_jpeg(data, name)
    if data.startswith(PNG_START):
        return _decode_png(read_png(data, name), name)
    if data.startswith(_BMP_START):
        return _decode_bmp(data, name)
    if data.startswith(TIFF_STARTS):
        return decode_tiff(data, name)
    raise ImageError(f"{name}: is not a JPEG, PNG, BMP or TIFF image, whatever its name says")


def decode_plain(png: Png, name: str) -> Pixels:
    """Return the pixels of a PNG like `decode_image`, but three equal channels as one.

    Raises
    ------
    ImageError
        The file cannot be decoded completely.
    """
    own = decode_own(png)
    if own is not None:
        return own
    return without_equal_channels(to_8_bits(_decode_png(png, name).colors, None))


def _decode_jpeg(data: bytes, name: str) -> Stored:
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    except ValueError as error:
        raise ImageError(f"{name}: is a damaged JPEG: {error}") from error
    _check_jpeg(data, colorspace, name)
    check_size(width, height, name)
    gray = colorspace.lower() == "gray"
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "GRAY" if gray else "RGB", strict=True)
    except ValueError as error:
        raise ImageError(f"{name}: is a damaged JPEG: {error}") from error
    return Stored(pixels[..., 0] if gray else pixels, orientation=in_jpeg(data))


def _check_jpeg(data: bytes, colorspace: str, name: str) -> None:
    if colorspace in ("CMYK", "YCCK"):
        raise ImageError(f"{name}: is a {colorspace} JPEG; save it as RGB or gray")
    # Entropy-coded data never holds the end marker; one before a scan belongs to a thumbnail.
    end = data.rfind(_JPEG_END)
    if end < 0 or _JPEG_SCAN in data[end:]:
        raise ImageError(f"{name}: is a truncated JPEG")
    scans = _count_markers(data, _JPEG_SCAN)
    if scans > MAX_SCANS:
        raise ImageError(f"{name}: is a JPEG of {scans} scans; that is too many")


def _count_markers(data: bytes, marker: bytes) -> int:
    """Count a marker of two bytes, faster than `bytes.count` does."""
    values = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((values[:-1] == marker[0]) & (values[1:] == marker[1])))


def _decode_png(png: Png, name: str) -> Stored:
    orientation, key = in_exif(png.contents(b"eXIf") or b""), png.contents(b"tRNS")
    if png.color_type == PALETTE:
        indices = _decode_with_opencv(with_indices(png), name, cv2.IMREAD_GRAYSCALE)
        table = np.frombuffer(png.contents(b"PLTE") or b"", np.uint8)
        palette = table[: table.size // 3 * 3].reshape(-1, 3)
        stored = from_palette(indices.astype(np.uint8, copy=False), palette, name, key)
        return replace(stored, orientation=orientation)
    samples = _decode_with_opencv(only_pixels(png), name, cv2.IMREAD_UNCHANGED)
    if png.color_type in (GRAY_ALPHA, RGB_ALPHA):
        gray = png.color_type == GRAY_ALPHA
        colors = samples[..., 0] if gray else samples[..., 2::-1]
        return Stored(np.ascontiguousarray(colors), samples[..., 3], orientation=orientation)
    colors = samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., ::-1])
    return Stored(colors, _keyed(colors, key, png.bit_depth), orientation=orientation)


def _keyed(colors: Samples, key: memoryview | None, bits: int) -> Samples | None:
    """Return the transparency of a PNG in which one colour is transparent, or None."""
    channels = 1 if colors.ndim == 2 else 3
    if key is None or len(key) != 2 * channels:
        return None
    # OpenCV scales values below 8 bits up to 8.
    scale = 1 if bits >= 8 else 255 // ((1 << bits) - 1)
    wanted = np.array(struct.unpack(f">{channels}H", key)) * scale
    is_key = colors == wanted[0] if channels == 1 else (colors == wanted).all(axis=2)
    return np.where(is_key, np.uint8(0), np.uint8(255))


def _decode_bmp(data: bytes, name: str) -> Stored:
    _check_bmp(data, name)
    if bmp_depth(data) <= 8:
        return read_indices(data, name)
    pixels = _decode_with_opencv(data, name, cv2.IMREAD_COLOR).astype(np.uint8, copy=False)
    return Stored(np.ascontiguousarray(pixels[..., ::-1]), read_alpha(data))


def _check_bmp(data: bytes, name: str) -> None:
    if len(data) < 54:
        raise ImageError(f"{name}: is a truncated BMP")
    offset = struct.unpack_from("<I", data, 10)[0]
    width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    check_size(width, abs(height), name)
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
