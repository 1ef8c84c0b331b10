"""The orientation of EXIF, where files have it."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from kolektor_cli.imaging.codec import decode_stored
from tests.pictures import (
    COLOR_JPEG,
    GRAY_JPEG,
    NAME,
    SMALL_BMP,
    SMALL_PNG,
    color_picture,
    saved_by_pillow,
)


def oriented(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x110] = "camera"
    exif[0x112] = orientation
    return saved_by_pillow(color_picture(), kind, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientation_is_read(kind: str, orientation: int) -> None:
    assert decode_stored(oriented(kind, orientation), NAME).orientation == orientation


def exif_jpeg(order: str, mark: bytes, value: int, *, before: bytes = b"") -> bytes:
    tiff = struct.pack(f"{order}2sHIHHHIHHI", mark, 42, 8, 1, 274, 3, 1, value, 0, 0)
    body = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return GRAY_JPEG[:2] + before + segment + GRAY_JPEG[2:]


def test_orientation_in_both_byte_orders_and_behind_other_segments_is_read() -> None:
    comment = b"\xff\xfe\0\x06note"
    assert decode_stored(exif_jpeg("<", b"II", 6), NAME).orientation == 6
    assert decode_stored(exif_jpeg(">", b"MM", 8, before=comment), NAME).orientation == 8
    xmp = b"\xff\xe1\0\x07http:"
    assert decode_stored(exif_jpeg(">", b"MM", 3, before=xmp + b"\xff"), NAME).orientation == 3


@pytest.mark.parametrize("data", [GRAY_JPEG, COLOR_JPEG, SMALL_PNG, SMALL_BMP])
def test_file_without_exif_is_as_stored(data: bytes) -> None:
    assert decode_stored(data, NAME).orientation == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_that_does_not_exist_is_none(value: int) -> None:
    assert decode_stored(exif_jpeg("<", b"II", value), NAME).orientation == 1


def test_damaged_exif_says_nothing() -> None:
    data = exif_jpeg("<", b"II", 6)
    start = data.index(b"II*\0")
    for position in range(start, start + 14):
        for value in (0, 255):
            changed = bytearray(data)
            changed[position] = value
            assert 1 <= decode_stored(bytes(changed), NAME).orientation <= 8
