"""Decoding: pixels are those that OpenCV and Pillow see, or the file is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging import codec as images
from kolektor_cli.imaging.codec import (
    decode_image,
    decode_plain,
    encode_jpeg,
)
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.imaging.pixels import MAX_PIXELS, Pixels, to_gray, without_equal_channels
from kolektor_cli.imaging.png import encode_png, read_png
from kolektor_cli.raw.drawing import palette_bmp
from tests.conftest import draw_image
from tests.pictures import (
    COLOR_JPEG,
    GRAY_JPEG,
    NAME,
    SHAPES,
    SMALL_BMP,
    SMALL_PNG,
    Reader,
    color_picture,
    complaint,
    gray_png,
    noise,
    our_png,
    patched,
    png_chunk,
    saved_by_pillow,
    seen_by_opencv,
    seen_by_pillow,
    to_rgb,
)

END_MARKER = b"\xff\xd9"


def decode_tree_png(data: bytes, name: str) -> Pixels:
    return decode_plain(read_png(data, name), name)


def decode_marks(data: bytes, name: str) -> Pixels:
    return decode_mask(data, name).pixels


every_reader = pytest.mark.parametrize("reader", [decode_image, decode_marks])
every_decoder = pytest.mark.parametrize("decoder", [decode_image, decode_marks])
PROGRESSIVE_JPEG = saved_by_pillow(color_picture(), "JPEG", progressive=True)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (9, 1), (1, 16_384), (31, 17), (60, 40)], ids=str
)
def test_jpeg_has_one_channel_and_the_pixels_to_within_rounding(shape: tuple[int, int]) -> None:
    pixels = noise(*shape)
    data = encode_jpeg(pixels, NAME)
    decoded = decode_image(data, NAME)
    assert decoded.shape == shape
    np.testing.assert_allclose(decoded.astype(int), pixels, atol=2)
    np.testing.assert_array_equal(decoded, seen_by_opencv(data), strict=True)
    np.testing.assert_array_equal(decoded, seen_by_pillow(data), strict=True)
    np.testing.assert_array_equal(decoded, decode_marks(data, NAME), strict=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("pixels", [noise(7, 13), noise(13, 7, 3)], ids=["gray", "rgb"])
def test_decoded_image_has_the_stored_size_and_channels(kind: str, pixels: Pixels) -> None:
    assert decode_image(saved_by_pillow(pixels, kind), NAME).shape == pixels.shape


def test_header_of_the_largest_image_is_read_and_that_of_a_larger_one_refused() -> None:
    assert MAX_PIXELS == 8192 * 8192
    png = read_png(gray_png(8192, 8192, b""), NAME)
    assert (png.width, png.height) == (8192, 8192)
    assert "8193x8192" in complaint(read_png, gray_png(8193, 8192, b""))


@every_reader
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_header_that_claims_60000x60000_pixels_is_refused(reader: Reader, kind: str) -> None:
    run_length_coded = patched(SMALL_BMP, 30, "<I", 1)
    data = {
        "JPEG": patched(GRAY_JPEG, GRAY_JPEG.index(b"\xff\xc0") + 5, ">HH", 60_000, 60_000),
        "PNG": gray_png(60_000, 60_000, zlib.compress(b"")),
        "BMP": patched(run_length_coded, 18, "<ii", 60_000, 60_000),
    }[kind]
    assert "60000x60000" in complaint(reader, data)


@every_reader
@pytest.mark.parametrize(
    "data",
    [
        gray_png(0, 5, b""),
        gray_png(5, 0, b""),
        patched(SMALL_BMP, 18, "<ii", 0, 3),
        patched(SMALL_BMP, 18, "<ii", 5, 0),
        patched(SMALL_BMP, 18, "<ii", -5, 3),
    ],
)
def test_header_that_claims_no_pixels_is_refused(reader: Reader, data: bytes) -> None:
    complaint(reader, data)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2, "quality": 40}],
    ids=str,
)
def test_color_jpeg_decodes_as_in_opencv_and_pillow(options: dict[str, Any]) -> None:
    data = saved_by_pillow(color_picture(61, 43), "JPEG", **options)
    decoded = decode_image(data, NAME)
    np.testing.assert_array_equal(decoded, seen_by_opencv(data), strict=True)
    np.testing.assert_array_equal(decoded, seen_by_pillow(data), strict=True)
    np.testing.assert_array_equal(decode_marks(data, NAME), decoded.max(axis=2), strict=True)


def test_progressive_gray_jpeg_has_one_channel() -> None:
    data = saved_by_pillow(draw_image(1), "JPEG", progressive=True)
    decoded = decode_image(data, NAME)
    assert decoded.shape == (60, 40)
    np.testing.assert_array_equal(decoded, seen_by_pillow(data), strict=True)


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pixels_of_a_rotated_image_come_as_they_are_stored(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    plain = saved_by_pillow(color_picture(), kind)
    rotated = saved_by_pillow(color_picture(), kind, exif=exif)
    np.testing.assert_array_equal(decode_image(rotated, NAME), decode_image(plain, NAME))
    np.testing.assert_array_equal(decode_marks(rotated, NAME), decode_marks(plain, NAME))


@every_reader
def test_cmyk_jpeg_is_refused_by_name(reader: Reader) -> None:
    picture = Image.fromarray(color_picture()).convert("CMYK")
    assert "CMYK" in complaint(reader, saved_by_pillow(picture, "JPEG"))


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)], ids=["gray", "rgb"])
def test_png_of_16_bits_is_reduced_to_its_upper_8(shape: tuple[int, ...]) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    done, data = cv2.imencode(".png", deep)
    assert done
    upper = (deep >> 8).astype(np.uint8)
    expected = upper if upper.ndim == 2 else upper[..., ::-1]
    np.testing.assert_array_equal(decode_image(data.tobytes(), NAME), expected, strict=True)


def test_transparency_of_a_png_is_dropped_and_its_colors_stay() -> None:
    colors = color_picture()
    alpha = noise(60, 40)
    data = saved_by_pillow(np.dstack([colors, alpha]), "PNG")
    np.testing.assert_array_equal(decode_image(data, NAME), colors, strict=True)


def test_png_with_a_wrong_color_profile_decodes_to_the_same_pixels() -> None:
    header_end = SMALL_PNG.index(b"tEXt") - 4
    profile = png_chunk(b"iCCP", b"sRGB\0\0")
    profiled = SMALL_PNG[:header_end] + profile + SMALL_PNG[header_end:]
    np.testing.assert_array_equal(decode_image(profiled, NAME), noise(4, 5), strict=True)


@every_decoder
@pytest.mark.parametrize("kind", ["BMP", "PNG"])
def test_palette_is_resolved_to_gray_values(
    decoder: Callable[[bytes, str], Pixels], kind: str
) -> None:
    indices = noise(21, 31) % 3
    grays = np.array([0, 255, 85], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(np.repeat(grays, 3).tobytes())
    decoded = decoder(saved_by_pillow(image, kind), NAME)
    np.testing.assert_array_equal(to_gray(decoded), grays[indices], strict=True)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (9, 6), (9, 7), (9, 8)], ids=str)
def test_mask_of_palette_indices_decodes_to_black_and_white(shape: tuple[int, int]) -> None:
    indices = noise(*shape) % 2
    data = palette_bmp(indices)
    np.testing.assert_array_equal(decode_marks(data, NAME), 255 * indices, strict=True)
    np.testing.assert_array_equal(decode_image(data, NAME), 255 * indices, strict=True)


def test_bmp_of_one_bit_decodes_to_black_and_white() -> None:
    marked = noise(21, 37) > 127
    data = saved_by_pillow(Image.fromarray(marked), "BMP")
    expected = np.where(marked, np.uint8(255), np.uint8(0))
    np.testing.assert_array_equal(decode_marks(data, NAME), expected, strict=True)


def test_color_bmp_decodes_to_rgb() -> None:
    pixels = noise(21, 37, 3)
    decoded = decode_image(saved_by_pillow(pixels, "BMP"), NAME)
    np.testing.assert_array_equal(decoded, pixels, strict=True)


def test_bmp_of_negative_height_has_its_top_row_first() -> None:
    upside_down = patched(SMALL_BMP, 22, "<i", -3)
    expected = decode_marks(SMALL_BMP, NAME)[::-1]
    np.testing.assert_array_equal(decode_marks(upside_down, NAME), expected, strict=True)


@every_reader
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"B",
        b"Thumbs",
        b"<html><body>404 Not Found</body></html>",
        saved_by_pillow(noise(8, 8), "GIF"),
        GRAY_JPEG[1:],
        SMALL_PNG[1:],
        b"\0" * 1000,
    ],
)
def test_what_is_no_jpeg_png_bmp_or_tiff_is_refused(reader: Reader, data: bytes) -> None:
    complaint(reader, data)


@every_reader
@pytest.mark.parametrize(
    "data",
    [GRAY_JPEG, COLOR_JPEG, PROGRESSIVE_JPEG, SMALL_PNG, SMALL_BMP],
    ids=["gray JPEG", "color JPEG", "progressive JPEG", "PNG", "BMP"],
)
def test_file_cut_short_anywhere_is_refused(reader: Reader, data: bytes) -> None:
    for length in range(len(data)):
        complaint(reader, data[:length])


@every_decoder
@pytest.mark.parametrize("data", [GRAY_JPEG, COLOR_JPEG], ids=["gray", "color"])
def test_jpeg_cut_short_with_an_end_marker_behind_the_cut_is_refused(
    decoder: Reader, data: bytes
) -> None:
    for length in range(len(data) - len(END_MARKER)):
        complaint(decoder, data[:length] + END_MARKER)


@every_reader
def test_jpeg_cut_short_behind_the_end_of_its_thumbnail_is_refused(reader: Reader) -> None:
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(GRAY_JPEG)) + GRAY_JPEG
    whole = COLOR_JPEG[:2] + segment + COLOR_JPEG[2:]
    np.testing.assert_array_equal(decode_image(whole, NAME), decode_image(COLOR_JPEG, NAME))
    for length in range(2 + len(segment), len(whole)):
        complaint(reader, whole[:length])


def test_bytes_behind_the_end_of_a_jpeg_change_nothing() -> None:
    decoded = decode_image(GRAY_JPEG + b"\0camera", NAME)
    np.testing.assert_array_equal(decoded, decode_image(GRAY_JPEG, NAME), strict=True)


@every_decoder
def test_jpeg_with_a_hole_in_its_scan_is_refused(decoder: Reader) -> None:
    scan = COLOR_JPEG.index(b"\xff\xda")
    complaint(decoder, COLOR_JPEG[: scan + 40] + COLOR_JPEG[scan + 140 :])


@every_decoder
@pytest.mark.parametrize(
    "data",
    [
        b"no deflate stream",
        zlib.compress(bytes(6 * 4 - 1)),
        zlib.compress(bytes(6 * 4))[:-4],
        zlib.compress(bytes(6 * 4))[:-1] + b"\0",
        zlib.compress(b"\7" + bytes(6 * 4 - 1)),
    ],
    ids=["no deflate", "row short", "no checksum", "wrong checksum", "unknown filter"],
)
def test_png_of_right_chunks_that_hold_wrong_data_is_refused(
    decoder: Reader, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    complaint(decoder, gray_png(5, 4, data))
    capfd.readouterr()  # libpng has its say on file descriptor 2


@every_decoder
@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [(14, "<I", 7), (28, "<H", 7), (30, "<I", 99), (46, "<I", 300)],
    ids=["header size", "bit depth", "compression", "palette size"],
)
def test_bmp_with_an_impossible_header_is_refused(
    decoder: Reader, offset: int, layout: str, value: int
) -> None:
    complaint(decoder, patched(SMALL_BMP, offset, layout, value))


def test_pixels_too_wide_for_a_jpeg_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageError, match=f"^{NAME}: "):
        encode_jpeg(np.zeros((1, 70_000), np.uint8), NAME)
    capfd.readouterr()  # so has OpenCV, unless the command line silences it


def filtered_rows(pixels: Pixels, kind: int = 2) -> bytes:
    """Filter pixels by Up, and mark the rows with a `kind` of filter."""
    rows = pixels.reshape(len(pixels), -1)
    differences = rows - np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    return b"".join(bytes([kind]) + row.tobytes() for row in differences)


@pytest.mark.parametrize("rgb", [False, True], ids=["gray", "rgb"])
@pytest.mark.parametrize("depth", [(), (3,)], ids=["plane", "color"])
@pytest.mark.parametrize("shape", [*SHAPES, (31, 5), (32, 5), (65, 99), (1240, 500)], ids=str)
def test_our_png_decodes_to_what_opencv_sees(
    shape: tuple[int, int], depth: tuple[int, ...], rgb: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode_png(noise(*shape, *depth), rgb=rgb)
    expected = without_equal_channels(seen_by_opencv(data))
    # Not by the way that all others take: it must not be asked.
    monkeypatch.setattr(images, "_decode_png", None)
    decoded = decode_tree_png(data, NAME)
    assert decoded.shape == expected.shape
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])
@pytest.mark.parametrize("filters", [*((kind,) for kind in range(5)), range(5)], ids=str)
def test_our_png_decodes_whatever_its_filters(filters: Sequence[int], channels: int) -> None:
    kinds = [filters[row % len(filters)] for row in range(20)]
    # Any bytes are differences: once equal in all channels, once not in the last one.
    plane = noise(20, 9)
    for last in (plane, plane ^ (plane == plane[19, 8])):
        differences = np.dstack([plane, plane, last][-channels:]).reshape(20, -1)
        rows = np.column_stack((np.array(kinds, np.uint8), differences)).tobytes()
        data = our_png(9, 20, 2 if channels == 3 else 0, zlib.compress(rows))
        expected = without_equal_channels(seen_by_opencv(data))
        np.testing.assert_array_equal(decode_tree_png(data, NAME), expected, strict=True)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_our_png_with_one_other_value_in_one_channel_keeps_its_channels(channel: int) -> None:
    pixels = to_rgb(noise(40, 30))
    pixels[39, 29, channel] ^= 1
    assert np.array_equal(decode_tree_png(encode_png(pixels, rgb=True), NAME), pixels)


PLANE = noise(4, 5)
DEFLATED = zlib.compress(filtered_rows(PLANE))


@pytest.mark.parametrize(
    "data",
    [
        our_png(5, 4, 0, zlib.compress(filtered_rows(PLANE)[:-1])),
        our_png(5, 4, 0, zlib.compress(filtered_rows(PLANE)[:-6])),
        our_png(5, 4, 0, DEFLATED[:-1]),
        our_png(5, 4, 0, DEFLATED[:-4]),
        our_png(5, 4, 0, DEFLATED[:-1] + bytes([DEFLATED[-1] ^ 1])),
        our_png(5, 4, 0, zlib.compress(filtered_rows(PLANE, kind=7))),
        our_png(5, 4, 0, b""),
        our_png(5, 4, 0, b"no deflate stream"),
        our_png(5, 4, 2, DEFLATED),
        our_png(5, 4, 5, DEFLATED),
        our_png(5, 4, 0, DEFLATED)[:-12],
        our_png(5, 4, 0, DEFLATED) + b"\0",
    ],
    ids=[
        *("byte short", "row short", "checksum cut", "no checksum", "wrong checksum"),
        *("unknown filter", "empty", "no deflate", "rgb claimed", "unknown color type"),
        *("no end", "bytes behind the end"),
    ],
)
def test_damaged_png_of_ours_is_refused_as_any(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert complaint(decode_tree_png, data) == complaint(decode_image, data)
    capfd.readouterr()  # libpng has its say on file descriptor 2


@pytest.mark.parametrize(
    "data",
    [
        our_png(5, 4, 0, zlib.compress(filtered_rows(PLANE * 0, kind=1))),
        our_png(5, 4, 0, DEFLATED, png_chunk(b"tIME", bytes(7))),
        our_png(5, 4, 0, DEFLATED[:9], png_chunk(b"IDAT", DEFLATED[9:])),
        gray_png(5, 4, DEFLATED),
        saved_by_pillow(color_picture(), "PNG"),
        saved_by_pillow(to_rgb(draw_image(3)), "PNG"),
        saved_by_pillow(draw_image(3), "PNG"),
    ],
    ids=["another filter", "another chunk", "two parts", "no software", "color", "three", "one"],
)
def test_what_is_not_made_like_ours_decodes_all_the_same(data: bytes) -> None:
    expected = without_equal_channels(decode_image(data, NAME))
    assert np.array_equal(decode_tree_png(data, NAME), expected)


def test_our_png_with_any_one_bit_flipped_is_refused() -> None:
    for position in range(8 * len(SMALL_PNG)):
        flipped = bytearray(SMALL_PNG)
        flipped[position // 8] ^= 1 << position % 8
        complaint(decode_tree_png, bytes(flipped))
