"""Masks: whatever is set in a file, in any channel and bit, is marked, or the file is refused."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.marks import Mask, decode_mask
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.raw.drawing import palette_bmp
from tests.pictures import NAME, complaint, noise, saved_by_pillow
from tests.rasters import PREDICTED, Raster, TiffKind, bmp_of, png_of, rasters, tiff_of


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def decoded_or_refused(data: bytes) -> Mask | None:
    try:
        return decode_mask(data, NAME)
    except ImageError as error:
        message = str(error)
    assert "transparen" in message or "palette" in message
    return None


def require_nothing_lost(raster: Raster, colors: int, data: bytes) -> None:
    """Require that what is set in the first `colors` channels is marked exactly, or refused.

    Where only the other channel, transparency, is set, the file may also be all good, if that is
    the same everywhere: an opaque black picture marks nothing.
    """
    mask = decoded_or_refused(data)
    if mask is None:
        assert raster.any()
        return
    expected = raster[..., :colors].any(axis=2)
    np.testing.assert_array_equal(mask.pixels != 0, expected)
    if not expected.any():
        assert len(np.unique(raster[..., colors:])) <= 1


PNG_KINDS = [
    *((0, bits, 1) for bits in (1, 2, 4, 8, 16)),
    *((color_type, bits, n) for color_type, n in ((2, 3), (4, 2), (6, 4)) for bits in (8, 16)),
]


@pytest.mark.parametrize(("color_type", "bits", "channels"), PNG_KINDS, ids=str)
@given(data=st.data())
def test_no_sample_of_a_png_mask_is_lost(
    color_type: int, bits: int, channels: int, data: st.DataObject
) -> None:
    raster = data.draw(rasters(channels, bits))
    colors = channels - (color_type in (4, 6))
    require_nothing_lost(raster, colors, png_of(raster, bits, color_type))


@pytest.mark.parametrize(("color_type", "bits", "channels"), PNG_KINDS[:7], ids=str)
@given(data=st.data())
def test_no_sample_of_a_png_mask_with_a_transparent_color_is_lost(
    color_type: int, bits: int, channels: int, data: st.DataObject
) -> None:
    raster = data.draw(rasters(channels, bits))
    key = data.draw(st.lists(st.integers(0, 1), min_size=channels, max_size=channels))
    transparent = np.array(key, ">u2").tobytes()
    made = png_of(raster, bits, color_type, transparent=transparent)
    alpha = (raster != key).any(axis=2)[..., np.newaxis].astype(int)
    require_nothing_lost(np.dstack([raster, alpha]), channels, made)


colors = st.one_of(st.just(b"\0\0\0"), st.just(b"\0\0\1"), st.binary(min_size=3, max_size=3))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@given(data=st.data())
def test_no_index_of_a_png_mask_with_a_palette_is_lost(bits: int, data: st.DataObject) -> None:
    raster = data.draw(rasters(1, bits))
    size = data.draw(st.integers(1, 1 << bits))
    palette = [data.draw(colors) for _ in range(min(size, 3))] + [b"\0\0\0"] * (size - 3)
    transparent = data.draw(st.binary(max_size=min(size, 2)))
    made = png_of(raster, bits, 3, palette=b"".join(palette), transparent=transparent)
    require_no_index_lost(raster[..., 0], palette, made)


@pytest.mark.parametrize("bits", [1, 4, 8])
@given(data=st.data(), upside_down=st.booleans())
def test_no_index_of_a_bmp_mask_is_lost(bits: int, upside_down: bool, data: st.DataObject) -> None:
    raster = data.draw(rasters(1, bits))
    size = data.draw(st.integers(1, 1 << bits))
    palette = [data.draw(colors) for _ in range(min(size, 3))] + [b"\0\0\0"] * (size - 3)
    entries = b"".join(color[::-1] + b"\0" for color in palette)
    made = bmp_of(raster, bits, palette=entries, upside_down=upside_down)
    require_no_index_lost(raster[..., 0], palette, made)


def require_no_index_lost(indices: Raster, palette: list[bytes], data: bytes) -> None:
    """Require a mark where the palette has a colour; if an index but 0 has none, an error.

    Unless 0 is a colour and one index black: then black is no mark, as in an inverted palette.
    """
    mask = decoded_or_refused(data)
    used = set(np.unique(indices).tolist())
    if mask is None:
        return
    assert max(used) < len(palette)
    lit = np.array([any(color) for color in palette])
    np.testing.assert_array_equal(mask.pixels != 0, lit[indices])
    dark = {index for index in used if not lit[index]}
    assert dark <= {0} or (len(dark) == 1 and lit[0])


@pytest.mark.parametrize("bits", [16, 24, 32])
@given(data=st.data(), upside_down=st.booleans())
def test_no_sample_of_a_color_bmp_mask_is_lost(
    bits: int, upside_down: bool, data: st.DataObject
) -> None:
    if bits == 16:
        raster = data.draw(rasters(1, 16))
        split = np.dstack([raster[..., 0] & 0x7FFF, raster[..., 0] >> 15])
        require_nothing_lost(split, 1, bmp_of(raster, bits, upside_down=upside_down))
        return
    raster = data.draw(rasters(bits // 8, 8))
    require_nothing_lost(raster, 3, bmp_of(raster, bits, upside_down=upside_down))


TIFF_KINDS = [(1, bits, 1) for bits in (1, 2, 4, 8, 16)] + [
    (photometric, 8, n) for photometric, n in ((1, 2), (2, 3), (2, 4))
]


@pytest.mark.parametrize(("photometric", "bits", "channels"), TIFF_KINDS, ids=str)
@given(
    data=st.data(),
    compression=st.sampled_from([1, 5, 8, 32773]),
    order=st.sampled_from(["<", ">"]),
    predicted=st.booleans(),
    rows=st.integers(1, 7),
)
def test_no_sample_of_a_tiff_mask_is_lost(
    photometric: int,
    bits: int,
    channels: int,
    data: st.DataObject,
    compression: int,
    order: Literal["<", ">"],
    predicted: bool,
    rows: int,
) -> None:
    raster = data.draw(rasters(channels, bits))
    predicted = predicted and bits >= 8 and compression in PREDICTED
    kind = TiffKind(photometric, compression, order, predicted, rows)
    require_nothing_lost(raster, channels - (channels in (2, 4)), tiff_of(raster, bits, kind))


@pytest.mark.parametrize("bits", [1, 4, 8])
@given(data=st.data(), small=st.booleans())
def test_no_index_of_a_tiff_mask_with_a_palette_is_lost(
    bits: int, small: bool, data: st.DataObject
) -> None:
    raster = data.draw(rasters(1, bits))
    size = 1 << bits
    palette = [data.draw(colors) for _ in range(min(size, 3))] + [b"\0\0\0"] * (size - 3)
    # Some programs write 8 bits where TIFF wants 16.
    table = [color[n] * (1 if small else 257) for n in range(3) for color in palette]
    made = tiff_of(raster, bits, TiffKind(photometric=3, palette=tuple(table)))
    require_no_index_lost(raster[..., 0], palette, made)


def test_mask_of_one_color_that_rounds_to_gray_0_is_marked() -> None:
    pixels = np.zeros((5, 6, 3), np.uint8)
    pixels[2, 3] = (1, 0, 0)
    mask = decode_mask(encoded(pixels), NAME)
    assert np.argwhere(mask.pixels).tolist() == [[2, 3]]
    assert (mask.values, mask.color_bits) == ((0, 1), 8)


@pytest.mark.parametrize("value", [1, 255, 256, 65535])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_mask_of_16_bits_has_the_values_that_are_stored(suffix: str, value: int) -> None:
    pixels = np.zeros((5, 6), np.uint16)
    pixels[2, 3] = value
    mask = decode_mask(encoded(pixels, suffix), NAME)
    assert np.argwhere(mask.pixels).tolist() == [[2, 3]]
    assert (mask.values, mask.color_bits) == ((0, value), 0)


def test_colors_are_told_apart_however_alike_in_gray() -> None:
    pixels = np.zeros((5, 6, 3), np.uint16)
    pixels[2, 3], pixels[2, 4] = (0, 0, 300), (0, 300, 0)  # blue, green, red
    mask = decode_mask(encoded(pixels), NAME)
    assert mask.values == (0, 300 << 16, 300 << 32)
    assert mask.color_bits == 16


def test_gray_saved_as_color_has_gray_values() -> None:
    gray = noise(5, 6) % 3
    mask = decode_mask(encoded(cv2.merge([gray] * 3)), NAME)
    np.testing.assert_array_equal(mask.pixels, gray)
    assert (mask.values, mask.color_bits) == ((0, 1, 2), 0)


def drawn() -> Pixels:
    pixels = np.zeros((6, 7), np.uint8)
    pixels[1:3, 2:5] = 255
    return pixels


BLACK = np.zeros((6, 7), np.uint8)
IN_ALPHA = {
    "RGBA": saved_by_pillow(np.dstack([BLACK, BLACK, BLACK, drawn()]), "PNG"),
    "gray": saved_by_pillow(np.dstack([BLACK, drawn()]), "PNG"),
    "holes": saved_by_pillow(np.dstack([BLACK, 255 - drawn()]), "PNG"),
    "16 bits": encoded(np.dstack([BLACK, BLACK, BLACK, drawn()]).astype(np.uint16)),
    "TIFF": saved_by_pillow(np.dstack([BLACK, BLACK, BLACK, drawn()]), "TIFF"),
    "BMP": bmp_of(np.dstack([BLACK, BLACK, BLACK, drawn()]), 32),
    "palette": png_of(
        drawn()[..., np.newaxis] // 255, 1, 3, palette=bytes(6), transparent=b"\0\xff"
    ),
    "color": png_of(drawn()[..., np.newaxis], 8, 0, transparent=b"\0\xff"),
    "beside colors": saved_by_pillow(
        np.dstack([np.roll(drawn(), 1), BLACK, BLACK, drawn()]), "PNG"
    ),
}


@pytest.mark.parametrize("kind", IN_ALPHA)
def test_mask_drawn_in_its_transparency_is_refused(kind: str) -> None:
    message = complaint(decode_mask, IN_ALPHA[kind])
    assert "black and white" in message


@pytest.mark.parametrize("alpha", [255, 0])
def test_transparency_that_is_the_same_everywhere_changes_nothing(alpha: int) -> None:
    data = np.dstack([drawn(), drawn(), drawn(), np.full_like(BLACK, alpha)])
    np.testing.assert_array_equal(decode_mask(saved_by_pillow(data, "PNG"), NAME).pixels, drawn())


def test_transparency_around_colored_marks_changes_nothing() -> None:
    data = saved_by_pillow(np.dstack([drawn(), BLACK, BLACK, drawn()]), "PNG")
    np.testing.assert_array_equal(decode_mask(data, NAME).pixels, drawn())


def test_palette_of_black_alone_is_refused() -> None:
    image = Image.fromarray(drawn() // 255)
    image.putpalette(bytes(768))
    for kind in ("PNG", "BMP"):
        assert "palette" in complaint(decode_mask, saved_by_pillow(image, kind))


def test_inverted_palette_of_one_bit_marks_what_is_white() -> None:
    raster = drawn()[..., np.newaxis] // 255
    data = bmp_of(1 - raster, 1, palette=b"\xff\xff\xff\0\0\0\0\0")
    np.testing.assert_array_equal(decode_mask(data, NAME).pixels, drawn())
    black = bmp_of(np.ones_like(raster), 1, palette=b"\xff\xff\xff\0\0\0\0\0")
    assert decode_mask(black, NAME).values == (0,)


def test_mask_like_those_of_the_release_is_read_as_ever() -> None:
    indices = noise(31, 27) % 2
    mask = decode_mask(palette_bmp(indices), NAME)
    np.testing.assert_array_equal(mask.pixels, 255 * indices, strict=True)
    assert mask.values == (0, 255)


def test_index_beyond_the_palette_is_refused() -> None:
    raster = np.full((2, 3, 1), 2)
    assert "palette" in complaint(decode_mask, png_of(raster, 2, 3, palette=b"\0\0\0\xff\xff\xff"))
    assert "palette" in complaint(decode_mask, bmp_of(raster, 8, palette=bytes(4) + b"\xff" * 4))
