"""Pictures to test on, the bytes of image files, and what other decoders see in them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.codec import encode_jpeg
from kolektor_cli.imaging.geometry import Rectangle, Size
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.raw.drawing import palette_bmp
from tests.conftest import draw_image

Reader = Callable[[bytes, str], object]

NAME = "kos01/Part 0 ü.jpg"
PNG_START = b"\x89PNG\r\n\x1a\n"

SHAPES = [(1, 1), (1, 7), (9, 1), (1, 16_384), (16_384, 1), (3, 5), (33, 17), (7, 16_384)]


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


def color_picture(height: int = 60, width: int = 40) -> Pixels:
    return np.dstack([draw_image(seed, width, height) for seed in range(3)])


def saved_by_pillow(picture: Pixels | Image.Image, kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def seen_by_opencv(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., ::-1], np.uint8)


def seen_by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode in ("L", "RGB")
        return np.asarray(image)


def png_chunk(kind: bytes, contents: bytes) -> bytes:
    checksum = zlib.crc32(kind + contents)
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", checksum)


def gray_png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")]
    return PNG_START + b"".join(chunks)


def our_png(width: int, height: int, color_type: int, data: bytes, tail: bytes = b"") -> bytes:
    """Build a PNG that looks like ours around any pixel data; `tail` goes before its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    software = png_chunk(b"tEXt", b"Software\0kolektor")
    chunks = [png_chunk(b"IHDR", header), software, png_chunk(b"IDAT", data), tail]
    return PNG_START + b"".join([*chunks, png_chunk(b"IEND", b"")])


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def complaint(reader: Reader, data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        reader(data, NAME)
    message = str(caught.value)
    assert message.startswith(f"{NAME}: ")
    return message


GRAY_JPEG = encode_jpeg(draw_image(1), NAME)
COLOR_JPEG = saved_by_pillow(color_picture(), "JPEG")
SMALL_PNG = encode_png(noise(4, 5), rgb=False)
SMALL_BMP = palette_bmp(noise(3, 5) % 2)
small_sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))


@st.composite
def rectangles_in(draw: st.DrawFn, size: Size) -> Rectangle:
    """Draw a rectangle that lies in an image of a size."""
    left, top = draw(st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1)))
    return left, top, draw(st.integers(1, size[0] - left)), draw(st.integers(1, size[1] - top))


def to_rgb(pixels: Pixels) -> Pixels:
    """Convert gray to RGB with three equal channels; RGB stays as it is."""
    if pixels.ndim == 3:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
