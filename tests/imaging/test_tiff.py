"""TIFF: the pixels that Pillow and OpenCV see, or the file is refused."""

from __future__ import annotations

import struct
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.codec import Header, decode_image, decode_samples, read_header
from kolektor_cli.imaging.lzw import lzw_decompress
from kolektor_cli.imaging.marks import decode_mask
from tests.conftest import draw_image
from tests.pictures import (
    NAME,
    Reader,
    color_picture,
    complaint,
    noise,
    saved_by_pillow,
    seen_by_opencv,
)
from tests.rasters import COMPRESSIONS, TiffKind, lzw_compress, rasters, tiff_of

COMPRESSED = [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"]
readers = pytest.mark.parametrize("reader", [read_header, decode_image, decode_mask])


@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize(
    "pixels", [draw_image(1), color_picture(61, 43), noise(90, 131)], ids=["gray", "rgb", "noise"]
)
def test_tiff_of_pillow_decodes_to_its_pixels(compression: str | None, pixels: np.ndarray) -> None:
    options = {"compression": compression} if compression else {}
    data = saved_by_pillow(pixels, "TIFF", **options)
    height, width = pixels.shape[:2]
    assert read_header(data, NAME) == Header("TIFF", width, height)
    np.testing.assert_array_equal(decode_image(data, NAME), pixels, strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (40, 51), (300, 257), (40, 51, 3)], ids=str)
def test_tiff_of_opencv_decodes_to_its_pixels(shape: tuple[int, ...], dtype: type) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    done, data = cv2.imencode(".tif", pixels)
    assert done
    expected = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    np.testing.assert_array_equal(decode_samples(data.tobytes(), NAME), expected, strict=True)


def test_tiff_of_one_bit_and_of_a_palette_decode_like_a_png() -> None:
    marked = Image.fromarray(noise(21, 37) > 127)
    image = Image.fromarray(noise(21, 31) % 3)
    image.putpalette(bytes([0, 0, 0, 255, 255, 255, 200, 10, 30]))
    for picture in (marked, image):
        expected = decode_image(saved_by_pillow(picture, "PNG"), NAME)
        np.testing.assert_array_equal(
            decode_image(saved_by_pillow(picture, "TIFF"), NAME), expected, strict=True
        )


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (8, 3), (16, 3), (8, 4), (2, 1)])
@given(
    data=st.data(),
    compression=st.sampled_from([1, 5, 8, 32946, 32773]),
    order=st.sampled_from(["<", ">"]),
    predicted=st.booleans(),
    rows=st.integers(1, 7),
)
def test_samples_come_as_they_were_stored(
    bits: int,
    channels: int,
    data: st.DataObject,
    compression: int,
    order: Literal["<", ">"],
    predicted: bool,
    rows: int,
) -> None:
    raster = data.draw(rasters(channels, bits))
    photometric = 1 if channels == 1 else 2
    kind = TiffKind(photometric, compression, order, predicted and bits >= 8, rows)
    decoded = decode_samples(tiff_of(raster, bits, kind), NAME)
    wanted = raster[..., 0] if channels == 1 else raster[..., :3]
    np.testing.assert_array_equal(decoded, wanted * (85 if bits == 2 else 1))
    assert decoded.dtype == (np.uint16 if bits == 16 else np.uint8)


@given(st.binary(max_size=300), st.integers(1, 60))
def test_lzw_gives_back_what_went_in(text: bytes, times: int) -> None:
    data = text * times
    assert lzw_decompress(lzw_compress(data), len(data))[: len(data)] == data


def test_lzw_with_a_full_table_gives_back_what_went_in() -> None:
    for data in (noise(150, 120).tobytes(), bytes(100_000), draw_image(2, 200, 200).tobytes()):
        assert lzw_decompress(lzw_compress(data), len(data)) == data


def whole(compression: int) -> bytes:
    return tiff_of(noise(9, 14)[..., np.newaxis], 8, TiffKind(compression=compression, rows=4))


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_tiff_cut_short_anywhere_is_refused(compression: int) -> None:
    data = whole(compression)
    for length in range(len(data)):
        complaint(decode_image, data[:length])


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
@pytest.mark.parametrize("lacking", [1, 2, 9, 40])
def test_tiff_whose_last_strip_is_short_is_refused(compression: int, lacking: int) -> None:
    """The header is right about the strips, and they are all there: only decoding tells."""
    raster = noise(9, 14)[..., np.newaxis]
    data = tiff_of(raster, 8, TiffKind(compression=compression))
    packed = COMPRESSIONS[compression](raster.tobytes())
    # LZW ends with a code that carries nothing.
    kept = len(packed) - lacking - (compression == 5)
    changed = ((279, (kept,)),)
    short = tiff_of(raster, 8, TiffKind(compression=compression, changed=changed))
    assert len(short) == len(data)
    assert "TIFF" in complaint(decode_image, short)
    complaint(decode_mask, short)


def test_tiff_with_a_damaged_strip_is_refused() -> None:
    raster = noise(9, 14)[..., np.newaxis]
    data = bytearray(tiff_of(raster, 8, TiffKind(compression=8)))
    data[40] ^= 1
    complaint(decode_image, bytes(data))
    lzw = bytearray(tiff_of(raster, 8, TiffKind(compression=5)))
    lzw[9:13] = b"\xff\xff\xff\xff"
    complaint(decode_image, bytes(lzw))


@readers
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({339: (3,), 258: (32,)}, "floating-point"),
        ({339: (2,)}, "signed"),
        ({258: (32,)}, "32 bits"),
        ({262: (0,)}, "0 is white"),
        ({262: (5,)}, "gray, palette nor RGB"),
        ({262: (6,)}, "gray, palette nor RGB"),
        ({259: (7,)}, "compression"),
        ({259: (4,)}, "compression"),
        ({317: (3,)}, "predictor"),
        ({266: (2,)}, "reversed"),
        ({322: (16,)}, "tiles"),
        ({277: (3,)}, "channels"),
        ({278: (3,)}, "strips"),
        ({278: (0,)}, "strips"),
        ({273: (10**6,)}, "truncated"),
        ({256: (60_000,), 257: (60_000,), 278: (60_000,)}, "60000x60000"),
        ({256: (0,)}, "0x9"),
    ],
    ids=str,
)
def test_tiff_that_is_not_read_is_refused_with_the_reason(
    reader: Reader, changed: dict[int, tuple[int, ...]], said: str
) -> None:
    data = tiff_of(noise(9, 14)[..., np.newaxis], 8, TiffKind(changed=tuple(changed.items())))
    assert said in complaint(reader, data)


@readers
def test_tiff_of_several_pages_is_refused(reader: Reader) -> None:
    pages = [Image.fromarray(noise(9, 14)) for _ in range(2)]
    data = saved_by_pillow(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert "pages" in complaint(reader, data)
    assert "pages" in complaint(
        reader,
        tiff_of(noise(9, 14)[..., np.newaxis], 8, TiffKind(next_page=8)),
    )


@readers
def test_float_tiff_and_big_tiff_are_refused(reader: Reader) -> None:
    float_tiff = saved_by_pillow(Image.fromarray(draw_image(1).astype(np.float32)), "TIFF")
    assert "floating-point" in complaint(reader, float_tiff)
    big = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + bytes(40)
    assert "BigTIFF" in complaint(reader, big)


@given(st.data())
def test_tiff_with_any_byte_changed_is_read_or_refused_and_never_crashes(
    data: st.DataObject,
) -> None:
    made = bytearray(whole(data.draw(st.sampled_from([1, 5, 8, 32773]))))
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(4, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_mask(bytes(made), NAME)
    except ImageError:
        return


def test_colors_under_transparency_are_not_dimmed() -> None:
    pixels = noise(20, 30, 4)
    data = saved_by_pillow(pixels, "TIFF")
    np.testing.assert_array_equal(decode_image(data, NAME), pixels[..., :3], strict=True)
    gray = saved_by_pillow(noise(20, 30, 2), "TIFF")
    np.testing.assert_array_equal(decode_image(gray, NAME), noise(20, 30, 2)[..., 0], strict=True)


def test_pixels_agree_with_opencv_where_it_reads_them_whole() -> None:
    data = saved_by_pillow(color_picture(), "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(decode_image(data, NAME), seen_by_opencv(data), strict=True)
