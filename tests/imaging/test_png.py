"""PNG files: what is encoded reads back bit for bit, and what is damaged is refused."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib
from PIL import Image

from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.imaging.pixels import to_gray, without_equal_channels
from kolektor_cli.imaging.png import decode_own, encode_png, read_png
from tests.conftest import draw_image
from tests.pictures import (
    GRAY_JPEG,
    NAME,
    PNG_START,
    SHAPES,
    SMALL_BMP,
    SMALL_PNG,
    Reader,
    color_picture,
    complaint,
    noise,
    our_png,
    patched,
    png_chunk,
    saved_by_pillow,
    seen_by_opencv,
    seen_by_pillow,
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gray_png_reads_back_bit_for_bit(shape: tuple[int, int]) -> None:
    pixels = noise(*shape)
    data = encode_png(pixels, rgb=False)
    for seen in (seen_by_opencv(data), seen_by_pillow(data), decode_image(data, NAME)):
        np.testing.assert_array_equal(seen, pixels, strict=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rgb_png_reads_back_bit_for_bit(shape: tuple[int, int]) -> None:
    pixels = noise(*shape, 3)
    data = encode_png(pixels, rgb=True)
    for seen in (seen_by_opencv(data), seen_by_pillow(data), decode_image(data, NAME)):
        np.testing.assert_array_equal(seen, pixels, strict=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gray_pixels_in_an_rgb_png_read_back_as_three_equal_channels(
    shape: tuple[int, int],
) -> None:
    pixels = noise(*shape)
    data = encode_png(pixels, rgb=True)
    for seen in (seen_by_opencv(data), seen_by_pillow(data), decode_image(data, NAME)):
        np.testing.assert_array_equal(seen, np.dstack([pixels] * 3), strict=True)
    np.testing.assert_array_equal(decode_mask(data, NAME).pixels, pixels, strict=True)


def test_rgb_pixels_in_a_gray_png_are_reduced_as_to_gray_does() -> None:
    pixels = color_picture()
    data = encode_png(pixels, rgb=False)
    np.testing.assert_array_equal(seen_by_pillow(data), to_gray(pixels), strict=True)


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_png_of_one_value_reads_back_bit_for_bit(value: int) -> None:
    pixels = np.full((1240, 500), value, np.uint8)
    data = encode_png(pixels, rgb=False)
    np.testing.assert_array_equal(seen_by_opencv(data), pixels, strict=True)
    np.testing.assert_array_equal(seen_by_pillow(data), pixels, strict=True)


def test_png_of_a_view_is_that_of_its_copy_and_leaves_the_pixels_alone() -> None:
    pixels = noise(20, 30)
    before = pixels.copy()
    view = pixels[::2, ::-3]
    assert encode_png(view, rgb=True) == encode_png(view.copy(), rgb=True)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(("rgb", "mode"), [(False, "L"), (True, "RGB")])
def test_png_says_what_it_is_and_which_software_wrote_it(rgb: bool, mode: str) -> None:
    data = encode_png(noise(4, 5), rgb=rgb)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.mode, image.size, image.info) == (mode, (5, 4), {"Software": "kolektor"})
    png = read_png(data, NAME)
    assert (png.width, png.height, png.bit_depth, png.color_type) == (5, 4, 8, 2 if rgb else 0)
    assert png.by_kolektor


@pytest.mark.parametrize(
    ("mode", "bit_depth", "color_type"),
    [("L", 8, 0), ("RGB", 8, 2), ("P", 8, 3), ("LA", 8, 4), ("RGBA", 8, 6), ("1", 1, 0)],
)
def test_png_header_tells_depth_and_color_type(mode: str, bit_depth: int, color_type: int) -> None:
    data = saved_by_pillow(Image.fromarray(noise(20, 30)).convert(mode), "PNG")
    png = read_png(data, NAME)
    assert (png.width, png.height, png.bit_depth, png.color_type) == (30, 20, bit_depth, color_type)
    assert not png.by_kolektor


def test_png_cut_short_is_told_from_a_damaged_one() -> None:
    for length in range(len(PNG_START), len(SMALL_PNG)):
        assert "truncated" in complaint(read_png, SMALL_PNG[:length])


@pytest.mark.parametrize("reader", [read_png, decode_image, decode_mask])
def test_png_with_any_one_bit_flipped_is_refused(reader: Reader) -> None:
    for position in range(len(SMALL_PNG)):
        for bit in range(8):
            complaint(reader, patched(SMALL_PNG, position, "B", SMALL_PNG[position] ^ 1 << bit))


@pytest.mark.parametrize("reader", [read_png, decode_image, decode_mask])
def test_png_with_any_one_byte_missing_or_doubled_is_refused(reader: Reader) -> None:
    for position in range(len(SMALL_PNG)):
        complaint(reader, SMALL_PNG[:position] + SMALL_PNG[position + 1 :])
        complaint(reader, SMALL_PNG[: position + 1] + SMALL_PNG[position:])


@pytest.mark.parametrize("reader", [read_png, decode_image, decode_mask])
@pytest.mark.parametrize("tail", [b"\0", b"\n", SMALL_PNG], ids=["zero", "newline", "PNG"])
def test_png_with_bytes_behind_its_end_is_refused(reader: Reader, tail: bytes) -> None:
    assert f"{len(tail)} bytes" in complaint(reader, SMALL_PNG + tail)


@pytest.mark.parametrize(
    "chunks",
    [
        [png_chunk(b"IEND", b"")],
        [png_chunk(b"IHDR", b""), png_chunk(b"IEND", b"")],
        [png_chunk(b"tEXt", b"13 characters"), png_chunk(b"IEND", b"")],
        [png_chunk(b"IHDR", bytes(13))],
    ],
    ids=["only an end", "empty header", "no header", "no end"],
)
def test_png_whose_first_chunk_is_no_header_or_that_has_no_end_is_refused(
    chunks: list[bytes],
) -> None:
    complaint(read_png, PNG_START + b"".join(chunks))


@pytest.mark.parametrize("data", [b"", b"text", GRAY_JPEG, SMALL_BMP])
def test_what_is_no_png_is_refused_as_one(data: bytes) -> None:
    assert "not a PNG" in complaint(read_png, data)


def test_pixel_data_that_inflate_to_more_than_the_image_has_are_not_inflated_on() -> None:
    png = read_png(our_png(5, 4, 0, zlib.compress(bytes(2**27), 9)), NAME)
    tracemalloc.start()
    assert decode_own(png) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 50))
def test_pixel_data_are_one_whole_stream_of_the_right_length_or_none(
    row: bytes, times: int
) -> None:
    row *= times
    packed, width = zlib.compress(b"\2" + row), len(row)

    def decoded(width: int, data: bytes) -> bytes | None:
        pixels = decode_own(read_png(our_png(width, 1, 0, data), NAME))
        return None if pixels is None else pixels.tobytes()

    assert decoded(width, packed) == row
    assert decoded(width + 1, packed) is None
    assert decoded(width, packed + b"\0") is None
    assert decoded(width, packed[:-1]) is None
    if width > 1:
        assert decoded(width - 1, packed) is None


def test_pixel_data_without_the_header_of_zlib_are_none() -> None:
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(b"\2" + bytes(range(255))) + packer.flush()
    assert decode_own(read_png(our_png(255, 1, 0, data), NAME)) is None


@given(st.integers(1, 130), st.integers(1, 9), st.sampled_from([(), (3,)]))
def test_pixels_of_any_height_come_back(height: int, width: int, depth: tuple[int, ...]) -> None:
    pixels = noise(height, width, *depth)
    found = decode_own(read_png(encode_png(pixels, rgb=pixels.ndim == 3), NAME))
    assert found is not None
    np.testing.assert_array_equal(found, without_equal_channels(pixels), strict=True)


@pytest.mark.parametrize(
    ("height", "width", "small"), [(257, 254, True), (256, 255, False)], ids=["small", "large"]
)
def test_small_images_are_deflated_by_zlib_and_large_ones_by_isal(
    height: int, width: int, small: bool
) -> None:
    data = encode_png(draw_image(1, width, height).astype(np.uint8), rgb=False)
    packed = read_png(data, NAME).contents(b"IDAT")
    assert packed is not None
    rows = zlib.decompress(packed)
    # The least that ISA-L gets are 64 KiB.
    assert len(rows) == 2**16 - small
    by_zlib, by_isal = zlib.compress(rows, 1), isal_zlib.compress(rows, 2)
    assert by_zlib != by_isal
    assert packed == (by_zlib if small else by_isal)
