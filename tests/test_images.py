"""Decoding and encoding: pixels are those that OpenCV and Pillow see, or the file is refused."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli import images, pngrows
from kolektor_cli.drawing import palette_bmp
from kolektor_cli.errors import ImageError
from kolektor_cli.images import (
    Header,
    Pixels,
    PngHeader,
    decode_gray,
    decode_image,
    encode_jpeg,
    encode_png,
    gray_values,
    pixels_sha256,
    read_header,
    read_png,
    to_gray,
    to_rgb,
)
from tests.conftest import draw_image

Reader = Callable[[bytes, str], object]

NAME = "kos01/Part 0 ü.jpg"
END_MARKER = b"\xff\xd9"
PNG_START = b"\x89PNG\r\n\x1a\n"

SHAPES = [(1, 1), (1, 7), (9, 1), (1, 16_384), (16_384, 1), (3, 5), (33, 17), (7, 16_384)]

every_reader = pytest.mark.parametrize("reader", [read_header, decode_image, decode_gray])
every_decoder = pytest.mark.parametrize("decoder", [decode_image, decode_gray])


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Hold every test to silence: libraries must not complain on file descriptor 2."""
    yield
    assert capfd.readouterr() == ("", "")


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


def color_picture(height: int = 60, width: int = 40) -> Pixels:
    return np.dstack([draw_image(seed, width, height) for seed in range(3)])


def seen_by_opencv(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., ::-1], np.uint8)


def seen_by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode in ("L", "RGB")
        return np.asarray(image)


def saved_by_pillow(picture: Pixels | Image.Image, kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind: bytes, contents: bytes) -> bytes:
    checksum = zlib.crc32(kind + contents)
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", checksum)


def gray_png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")]
    return PNG_START + b"".join(chunks)


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
PROGRESSIVE_JPEG = saved_by_pillow(color_picture(), "JPEG", progressive=True)
SMALL_PNG = encode_png(noise(4, 5), rgb=False)
SMALL_BMP = palette_bmp(noise(3, 5) % 2)


# Encoding


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
    np.testing.assert_array_equal(decode_gray(data, NAME), pixels, strict=True)


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
    assert read_png(data, NAME) == PngHeader(5, 4, 8, 2 if rgb else 0, by_kolektor=True)


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
    np.testing.assert_array_equal(decoded, decode_gray(data, NAME), strict=True)


# Headers


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("pixels", [noise(7, 13), noise(13, 7, 3)], ids=["gray", "rgb"])
def test_header_tells_format_and_size(kind: str, pixels: Pixels) -> None:
    header = read_header(saved_by_pillow(pixels, kind), NAME)
    height, width = pixels.shape[:2]
    assert (header.format, header.width, header.height) == (kind, width, height)


@pytest.mark.parametrize(
    ("mode", "bit_depth", "color_type"),
    [("L", 8, 0), ("RGB", 8, 2), ("P", 8, 3), ("LA", 8, 4), ("RGBA", 8, 6), ("1", 1, 0)],
)
def test_png_header_tells_depth_and_color_type(mode: str, bit_depth: int, color_type: int) -> None:
    data = saved_by_pillow(Image.fromarray(noise(20, 30)).convert(mode), "PNG")
    assert read_png(data, NAME) == PngHeader(30, 20, bit_depth, color_type, by_kolektor=False)


def test_header_of_the_largest_image_is_read_and_that_of_a_larger_one_refused() -> None:
    assert images.MAX_PIXELS == 8192 * 8192
    assert read_header(gray_png(8192, 8192, b""), NAME) == Header("PNG", 8192, 8192)
    assert "8193x8192" in complaint(read_header, gray_png(8193, 8192, b""))


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


# Decoding


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
    np.testing.assert_array_equal(decode_gray(data, NAME), to_gray(decoded), strict=True)


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
    np.testing.assert_array_equal(decode_gray(rotated, NAME), decode_gray(plain, NAME))


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


@every_decoder
def test_transparency_of_a_png_is_dropped_and_its_colors_stay(
    decoder: Callable[[bytes, str], Pixels],
) -> None:
    colors = color_picture()
    alpha = noise(60, 40)
    data = saved_by_pillow(np.dstack([colors, alpha]), "PNG")
    opaque = saved_by_pillow(colors, "PNG")
    np.testing.assert_array_equal(decoder(data, NAME), decoder(opaque, NAME), strict=True)
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
    np.testing.assert_array_equal(decode_gray(data, NAME), 255 * indices, strict=True)
    np.testing.assert_array_equal(decode_image(data, NAME), 255 * indices, strict=True)


def test_bmp_of_one_bit_decodes_to_black_and_white() -> None:
    marked = noise(21, 37) > 127
    data = saved_by_pillow(Image.fromarray(marked), "BMP")
    expected = np.where(marked, np.uint8(255), np.uint8(0))
    np.testing.assert_array_equal(decode_gray(data, NAME), expected, strict=True)


def test_color_bmp_decodes_to_rgb() -> None:
    pixels = noise(21, 37, 3)
    decoded = decode_image(saved_by_pillow(pixels, "BMP"), NAME)
    np.testing.assert_array_equal(decoded, pixels, strict=True)


def test_bmp_of_negative_height_has_its_top_row_first() -> None:
    upside_down = patched(SMALL_BMP, 22, "<i", -3)
    assert read_header(upside_down, NAME) == Header("BMP", 5, 3)
    expected = decode_gray(SMALL_BMP, NAME)[::-1]
    np.testing.assert_array_equal(decode_gray(upside_down, NAME), expected, strict=True)


# Damage


@every_reader
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"B",
        b"Thumbs",
        b"<html><body>404 Not Found</body></html>",
        saved_by_pillow(noise(8, 8), "GIF"),
        saved_by_pillow(noise(8, 8), "TIFF"),
        GRAY_JPEG[1:],
        SMALL_PNG[1:],
        b"\0" * 1000,
    ],
)
def test_what_is_no_jpeg_png_or_bmp_is_refused(reader: Reader, data: bytes) -> None:
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


def test_png_cut_short_is_told_from_a_damaged_one() -> None:
    for length in range(len(PNG_START), len(SMALL_PNG)):
        assert "cut short" in complaint(read_png, SMALL_PNG[:length])


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


@pytest.mark.parametrize("reader", [read_png, read_header, decode_image, decode_gray])
def test_png_with_any_one_bit_flipped_is_refused(reader: Reader) -> None:
    for position in range(len(SMALL_PNG)):
        for bit in range(8):
            complaint(reader, patched(SMALL_PNG, position, "B", SMALL_PNG[position] ^ 1 << bit))


@pytest.mark.parametrize("reader", [read_png, read_header, decode_image, decode_gray])
def test_png_with_any_one_byte_missing_or_doubled_is_refused(reader: Reader) -> None:
    for position in range(len(SMALL_PNG)):
        complaint(reader, SMALL_PNG[:position] + SMALL_PNG[position + 1 :])
        complaint(reader, SMALL_PNG[: position + 1] + SMALL_PNG[position:])


@pytest.mark.parametrize("reader", [read_png, read_header, decode_image, decode_gray])
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


# Pixels


def test_to_gray_weighs_the_channels_by_bt_601() -> None:
    pixels = noise(40, 50, 3)
    weighed = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_gray(pixels) - weighed).max() < 0.51
    pure = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert to_gray(pure).tolist() == [[76, 150, 29]]


def test_to_gray_and_to_rgb_leave_every_gray_value_as_it_is() -> None:
    every_value = np.arange(256, dtype=np.uint8).reshape(16, 16)
    three = to_rgb(every_value)
    np.testing.assert_array_equal(three, np.dstack([every_value] * 3), strict=True)
    np.testing.assert_array_equal(to_gray(three), every_value, strict=True)
    np.testing.assert_array_equal(to_gray(every_value), every_value, strict=True)


def test_to_rgb_leaves_rgb_as_it_is() -> None:
    pixels = noise(4, 5, 3)
    np.testing.assert_array_equal(to_rgb(pixels), pixels, strict=True)


@pytest.mark.parametrize(
    "values", [(0,), (255,), (0, 255), (0, 85, 255), (1, 2), tuple(range(256))], ids=str
)
def test_gray_values_lists_each_value_once_in_order(values: tuple[int, ...]) -> None:
    pixels = np.array([*values, *values[::-1]], np.uint8).reshape(2, -1)
    assert gray_values(pixels) == values


def test_pixels_hash_is_that_of_the_values_row_by_row() -> None:
    gray = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert pixels_sha256(gray) == hashlib.sha256(b"\1\2\3\4\5\6").hexdigest()
    assert pixels_sha256(gray.T) == hashlib.sha256(b"\1\4\2\5\3\6").hexdigest()
    rgb = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert pixels_sha256(rgb) == hashlib.sha256(b"\1\2\3\4\5\6").hexdigest()


def test_pixels_hash_of_three_equal_channels_is_that_of_one() -> None:
    gray = noise(9, 7)
    assert pixels_sha256(to_rgb(gray)) == pixels_sha256(gray)


@pytest.mark.parametrize("channel", range(3))
def test_pixels_hash_tells_one_value_in_one_channel(channel: int) -> None:
    pixels = to_rgb(noise(9, 7)).copy()
    pixels[8, 6, channel] ^= 1
    assert pixels_sha256(pixels) == hashlib.sha256(pixels.tobytes()).hexdigest()


# Decoding our own PNGs


def our_png(width: int, height: int, color_type: int, data: bytes, tail: bytes = b"") -> bytes:
    """Build a PNG that looks like ours around any pixel data; `tail` goes before its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    software = png_chunk(b"tEXt", b"Software\0kolektor")
    chunks = [png_chunk(b"IHDR", header), software, png_chunk(b"IDAT", data), tail]
    return PNG_START + b"".join([*chunks, png_chunk(b"IEND", b"")])


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
    expected = images.without_equal_channels(seen_by_opencv(data))
    # Not by the way that all others take: it must not be asked.
    monkeypatch.setattr(images, "decode_image", None)
    decoded = images.decode_plain(data, NAME)
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
        expected = images.without_equal_channels(seen_by_opencv(data))
        np.testing.assert_array_equal(images.decode_plain(data, NAME), expected, strict=True)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_our_png_with_one_other_value_in_one_channel_keeps_its_channels(channel: int) -> None:
    pixels = to_rgb(noise(40, 30))
    pixels[39, 29, channel] ^= 1
    assert np.array_equal(images.decode_plain(encode_png(pixels, rgb=True), NAME), pixels)


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
    assert complaint(images.decode_plain, data) == complaint(decode_image, data)
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
        SMALL_BMP,
        COLOR_JPEG,
    ],
    ids=["another filter", "another chunk", "two parts", "no software", *"1234", "color"],
)
def test_what_is_not_made_like_ours_decodes_all_the_same(data: bytes) -> None:
    expected = images.without_equal_channels(decode_image(data, NAME))
    assert np.array_equal(images.decode_plain(data, NAME), expected)


def test_our_png_with_any_one_bit_flipped_is_refused() -> None:
    for position in range(8 * len(SMALL_PNG)):
        flipped = bytearray(SMALL_PNG)
        flipped[position // 8] ^= 1 << position % 8
        complaint(images.decode_plain, bytes(flipped))


def test_pixel_data_that_inflate_to_more_than_the_image_has_are_not_inflated_on() -> None:
    bomb = zlib.compress(bytes(2**27), 9)
    tracemalloc.start()
    assert pngrows.unpack(bomb, 5, 4, 1) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
