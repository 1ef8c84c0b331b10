"""TIFF: the samples that are stored, or the file is refused."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.codec import decode_image, decode_stored
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
from tests.rasters import COMPRESSIONS, PREDICTED, TiffKind, rasters, tiff_of

COMPRESSED = [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"]
readers = pytest.mark.parametrize("reader", [decode_image, decode_mask])


@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize(
    "pixels", [draw_image(1), color_picture(61, 43), noise(90, 131)], ids=["gray", "rgb", "noise"]
)
def test_tiff_of_pillow_decodes_to_its_pixels(compression: str | None, pixels: np.ndarray) -> None:
    options = {"compression": compression} if compression else {}
    data = saved_by_pillow(pixels, "TIFF", **options)
    np.testing.assert_array_equal(decode_image(data, NAME), pixels, strict=True)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((1, 1), dtype) for dtype in (np.uint8, np.uint16)),
        *(((300, 257), dtype) for dtype in (np.uint8, np.uint16)),
        ((40, 51, 3), np.uint8),
    ],
    ids=str,
)
def test_tiff_of_opencv_decodes_to_its_pixels(shape: tuple[int, ...], dtype: type) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    done, data = cv2.imencode(".tif", pixels)
    assert done
    expected = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    np.testing.assert_array_equal(decode_stored(data.tobytes(), NAME).colors, expected, strict=True)


def test_tiff_of_one_bit_and_of_a_palette_decode_like_a_png() -> None:
    marked = Image.fromarray(noise(21, 37) > 127)
    image = Image.fromarray(noise(21, 31) % 3)
    image.putpalette(bytes([0, 0, 0, 255, 255, 255, 200, 10, 30]))
    for picture in (marked, image):
        expected = decode_image(saved_by_pillow(picture, "PNG"), NAME)
        np.testing.assert_array_equal(
            decode_image(saved_by_pillow(picture, "TIFF"), NAME), expected, strict=True
        )


@pytest.mark.parametrize(
    ("bits", "channels"), [(8, 1), (16, 1), (8, 3), (8, 4), (4, 1), (2, 1), (1, 1)]
)
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
    predicted = predicted and bits >= 8 and compression in PREDICTED
    kind = TiffKind(photometric, compression, order, predicted, rows)
    decoded = decode_stored(tiff_of(raster, bits, kind), NAME).colors
    wanted = raster[..., 0] if channels == 1 else raster[..., :3]
    np.testing.assert_array_equal(decoded, wanted * (255 // ((1 << bits) - 1) if bits < 8 else 1))
    assert decoded.dtype == (np.uint16 if bits == 16 else np.uint8)


def whole(compression: int) -> bytes:
    return tiff_of(noise(9, 14)[..., np.newaxis], 8, TiffKind(compression=compression, rows=4))


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_tiff_cut_short_anywhere_is_refused(compression: int) -> None:
    data = whole(compression)
    for length in range(len(data)):
        complaint(decode_image, data[:length])


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
@pytest.mark.parametrize("lacking", [1, 2, 9, 40])
def test_tiff_whose_last_strip_is_short_is_refused(
    compression: int, lacking: int, capfd: pytest.CaptureFixture[str]
) -> None:
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
    capfd.readouterr()  # libtiff has its say on file descriptor 2


def test_tiff_with_a_damaged_strip_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    raster = noise(9, 14)[..., np.newaxis]
    data = bytearray(tiff_of(raster, 8, TiffKind(compression=8)))
    data[40] ^= 1
    complaint(decode_image, bytes(data))
    lzw = bytearray(tiff_of(raster, 8, TiffKind(compression=5)))
    lzw[9:13] = b"\xff\xff\xff\xff"
    complaint(decode_image, bytes(lzw))
    capfd.readouterr()  # libtiff has its say on file descriptor 2


@readers
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({339: (2,)}, "signed"),
        ({262: (0,)}, "0"),
        ({262: (0,), 258: (1,)}, "white as 0"),
        ({262: (6,)}, "neither gray, palette nor RGB"),
        ({258: (32,)}, "32 bits"),
        ({258: (12,)}, "12 bits"),
        ({259: (7,)}, "compression jpeg"),
        ({259: (4,)}, "compression group4"),
        ({259: (50_000,)}, "compression zstd"),
        ({317: (2,)}, "predictor"),
        ({266: (2,)}, "reversed"),
        ({322: (16,), 323: (16,)}, "tiles"),
        ({277: (3,)}, "TIFF"),
        ({278: (3,)}, "strips"),
        ({278: (0,)}, "damaged"),
        ({273: (10**6,)}, "truncated"),
        ({256: (60_000,), 257: (60_000,), 278: (60_000,)}, "truncated"),
        ({256: (60_000,), 257: (60_000,), 278: (60_000,), 259: (5,)}, "60000x60000"),
        ({256: (0,)}, "TIFF"),
    ],
    ids=str,
)
def test_tiff_that_is_not_read_is_refused_with_the_reason(
    reader: Reader, changed: dict[int, tuple[int, ...]], said: str
) -> None:
    data = tiff_of(noise(9, 14)[..., np.newaxis], 8, TiffKind(changed=tuple(changed.items())))
    assert said in complaint(reader, data)


@readers
@pytest.mark.parametrize("compression", [1, 5])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_rgb_of_16_bits_is_refused_because_pillow_reduces_it(
    reader: Reader, channels: int, order: Literal["<", ">"], compression: int
) -> None:
    raster = np.full((4, 5, channels), 1)
    said = complaint(reader, tiff_of(raster, 16, TiffKind(2, compression, order)))
    assert f"{channels} channels of 16 bits" in said
    assert "save it as one page of 8 or 16 bits gray or 8 bits RGB" in said


@readers
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize(("photometric", "channels"), [(1, 2), (2, 4)])
def test_channel_that_pillow_drops_or_divides_by_is_refused(
    reader: Reader, photometric: int, channels: int, extra: int
) -> None:
    kind = TiffKind(photometric, changed=((338, (extra,)),))
    # Some versions of Pillow do not know some of them.
    said = complaint(reader, tiff_of(noise(4, 5, channels), 8, kind))
    assert "neither color nor transparency" in said or "unknown pixel mode" in said


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
@pytest.mark.parametrize("mode", ["F", "I", "CMYK", "YCbCr", "LAB"])
def test_other_kinds_of_pixels_are_refused(reader: Reader, mode: str) -> None:
    image = Image.new(mode, (14, 9))
    assert "which is not read; save it" in complaint(reader, saved_by_pillow(image, "TIFF"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiff_is_read_in_the_usual_byte_order(order: str) -> None:
    pixels = noise(9, 14)
    tags = {256: 14, 257: 9, 258: 8, 259: 1, 262: 1, 273: 16, 277: 1, 278: 9, 279: pixels.size}
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(f"{order}2sHHHQ", mark, 43, 8, 0, 16 + pixels.size)
    entries = [struct.pack(f"{order}HHQQ", tag, 16, 1, value) for tag, value in tags.items()]
    count = struct.pack(f"{order}Q", len(tags))
    data = start + pixels.tobytes() + count + b"".join(entries) + bytes(8)
    if order == ">":
        assert "of a kind that is not read" in complaint(decode_image, data)
        return
    np.testing.assert_array_equal(decode_image(data, NAME), pixels, strict=True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("pixels", [noise(9, 14), noise(9, 14, 3), noise(9, 14, 4)], ids=str)
def test_samples_stay_as_stored_whatever_the_orientation(
    pixels: np.ndarray, compression: str, orientation: int
) -> None:
    options = {"compression": compression, "tiffinfo": {274: orientation}}
    data = saved_by_pillow(pixels, "TIFF", **options)
    np.testing.assert_array_equal(
        decode_image(data, NAME), pixels[..., :3] if pixels.ndim == 3 else pixels, strict=True
    )


def test_orientation_in_xmp_turns_nothing() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    data = saved_by_pillow(noise(9, 14), "TIFF", tiffinfo={700: xmp})
    np.testing.assert_array_equal(decode_image(data, NAME), noise(9, 14), strict=True)


def test_deflate_with_any_bit_changed_is_refused_or_the_same() -> None:
    """libtiff alone accepts some."""
    raster = np.where(noise(30, 40, 1) > 200, noise(30, 40, 1), 0)
    data = tiff_of(raster, 8, TiffKind(compression=8, rows=7))
    expected = decode_image(data, NAME)
    for place in range(8, read_end(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        try:
            decoded = decode_image(bytes(changed), NAME)
        except ImageError:
            continue
        np.testing.assert_array_equal(decoded, expected)


def read_end(data: bytes) -> int:
    """Return where the strips end and the tags begin."""
    return int(struct.unpack_from("<I", data, 4)[0])


def test_threads_decode_at_the_same_time() -> None:
    pictures = [noise(40 + n, 30) for n in range(40)]
    files = [saved_by_pillow(picture, "TIFF", compression="tiff_lzw") for picture in pictures]
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        decoded = list(pool.map(lambda data: decode_image(data, NAME), files))
    for one, picture in zip(decoded, pictures, strict=True):
        np.testing.assert_array_equal(one, picture, strict=True)
    assert list(warnings.filters) == before


DECODE_ALL = """
import contextlib, struct, sys
from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.marks import decode_mask
data = sys.stdin.buffer.read()
for place in range(8, len(data)):
    for damaged in (data[:place], data[:place] + b"\\xff" + data[place + 1 :]):
        with contextlib.suppress(ImageError):
            decode_mask(damaged, "a")
"""


def test_damaged_header_prints_nothing() -> None:
    """Neither a warning nor what Pillow logs; pytest would take both."""
    command = [sys.executable, "-c", DECODE_ALL]
    done = subprocess.run(command, input=whole(1), capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_dark_palette_color_beside_bright_ones_is_marked() -> None:
    raster = np.array([[[0], [1]], [[2], [0]]])
    palette = (0, 100, 65535, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    mask = decode_mask(tiff_of(raster, 2, TiffKind(3, palette=palette)), NAME)
    assert mask.pixels.astype(bool).tolist() == [[False, True], [True, False]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tiff_with_any_byte_changed_is_read_or_refused_and_never_crashes(
    data: st.DataObject, capfd: pytest.CaptureFixture[str]
) -> None:
    made = bytearray(whole(data.draw(st.sampled_from([1, 5, 8, 32773]))))
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(4, len(made) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageError):
        decode_mask(bytes(made), NAME)
    capfd.readouterr()  # libtiff has its say on file descriptor 2


def test_colors_under_transparency_are_not_dimmed() -> None:
    pixels = noise(20, 30, 4)
    data = saved_by_pillow(pixels, "TIFF")
    np.testing.assert_array_equal(decode_image(data, NAME), pixels[..., :3], strict=True)
    gray = saved_by_pillow(noise(20, 30, 2), "TIFF")
    np.testing.assert_array_equal(decode_image(gray, NAME), noise(20, 30, 2)[..., 0], strict=True)


def test_pixels_agree_with_opencv_where_it_reads_them_whole() -> None:
    data = saved_by_pillow(color_picture(), "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(decode_image(data, NAME), seen_by_opencv(data), strict=True)
