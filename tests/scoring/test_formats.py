"""Files of maps: their values come as they are, or the file is refused by name."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.scoring.formats import read_map
from tests.pictures import color_picture, noise, saved_by_pillow

Array = np.ndarray[Any, Any]
SCORES = np.random.default_rng(0).normal(size=(12, 7))


def tiff(scores: Array, compression: int = 1) -> bytes:
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    done, data = cv2.imencode(".tiff", scores, options)
    assert done
    return data.tobytes()


def npy(scores: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, scores, **options)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def half_tiff(scores: Array) -> bytes:
    """Make a TIFF of float16 of one of int16: the same bits, with another sample format."""
    data = bytearray(tiff(scores.astype(np.float16).view(np.int16)))
    entry = data.index(struct.pack("<HHI", 339, 3, 1))
    struct.pack_into("<H", data, entry + 8, 3)
    return bytes(data)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773], ids=["none", "LZW", "deflate", "bits"])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint16, np.uint8])
def test_tiff_comes_as_it_is(kind: type, compression: int) -> None:
    scores: Array = (SCORES * 20 + 100).astype(kind)
    found, note = read_map(tiff(scores, compression), "map.tiff")
    wanted = np.float64 if kind is np.float64 else np.float32
    np.testing.assert_array_equal(found, scores.astype(wanted), strict=True)
    assert bool(note) == (kind is np.uint8)


def test_tiff_of_16_bit_floats_comes_by_its_bits() -> None:
    scores = np.array([[0.1, -2.5, 65504, 6e-8]], np.float16)
    found, _ = read_map(half_tiff(scores), "map.tif")
    np.testing.assert_array_equal(found, scores.astype(np.float32), strict=True)


@pytest.mark.parametrize("shape", [(12, 7), (1, 12, 7), (12, 7, 1), (1, 1, 12, 7)], ids=str)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.bool_, np.int64])
def test_numpy_file_comes_as_it_is(shape: tuple[int, ...], kind: type) -> None:
    scores: Array = (SCORES * 9).astype(kind)
    for data, name in ((npy(scores.reshape(shape)), "m.npy"), (npz(a=scores), "m.npz")):
        found, _ = read_map(data, name)
        assert found.dtype in (np.float32, np.float64)
        np.testing.assert_array_equal(found, scores)


def test_uniad_file_holds_its_map_as_pred() -> None:
    data = npz(filename="metal/test/defect/000.png", pred=SCORES[None], mask=SCORES, height=12)
    found, _ = read_map(data, "000.npz")
    np.testing.assert_array_equal(found, SCORES, strict=True)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_gray_png_comes_as_it_is(kind: type) -> None:
    scores: Array = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (9, 5)).astype(kind)
    done, data = cv2.imencode(".png", scores)
    assert done
    found, note = read_map(data.tobytes(), "map.png")
    np.testing.assert_array_equal(found, scores.astype(np.float32), strict=True)
    assert bool(note) == (kind is np.uint8)


def pages() -> bytes:
    file = io.BytesIO()
    first, second = (Image.fromarray(SCORES.astype(np.float32)) for _ in range(2))
    first.save(file, "TIFF", save_all=True, append_images=[second])
    return file.getvalue()


def damaged_lzw() -> bytes:
    # By Pillow: older versions of OpenCV write floats uncompressed.
    picture = Image.fromarray(SCORES.astype(np.float32))
    data = bytearray(saved_by_pillow(picture, "TIFF", compression="tiff_lzw"))
    start = data.index(struct.pack("<HHI", 259, 3, 1))
    assert struct.unpack_from("<H", data, start + 8) == (5,)
    entry = data.index(struct.pack("<HHI", 273, 4, 1))
    [strip] = struct.unpack_from("<I", data, entry + 8)
    data[strip + 20 : strip + 120] = 100 * b"\xff"
    return bytes(data)


def white_is_0() -> bytes:
    data = bytearray(tiff(noise(6, 5)))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    struct.pack_into("<H", data, entry + 8, 0)
    return bytes(data)


FLOATS = SCORES.astype(np.float32)
WRONG = {
    "empty": ("m.tiff", b"", "is empty"),
    "no TIFF": ("m.tiff", b"text", "is not a TIFF"),
    "PNG called TIFF": ("m.tif", saved_by_pillow(noise(4, 4), "PNG"), "is not a TIFF"),
    "cut TIFF": ("m.tiff", tiff(FLOATS)[:150], "truncated"),
    "damaged LZW": ("m.tiff", damaged_lzw(), "damaged"),
    "pages": ("m.tiff", pages(), "several pages"),
    "color TIFF": ("m.tiff", saved_by_pillow(color_picture(), "TIFF"), "a picture, not a map"),
    "damaged header": ("m.npy", npy(FLOATS).replace(b"<f4", b"<x4"), "header is damaged"),
    "open header": ("m.npy", npy(FLOATS).replace(b", }", b"   "), "header is damaged"),
    "white as 0": ("m.tiff", white_is_0(), "white as 0"),
    "turned": ("m.tiff", saved_by_pillow(noise(4, 6), "TIFF", tiffinfo={274: 6}), "is turned"),
    "cut npy": ("m.npy", npy(FLOATS)[:-5], "damaged"),
    "pickle in npy": ("m.npy", npy(np.array([{}], object), allow_pickle=True), "can run code"),
    "text npy": ("m.npy", npy(np.array([["a"]])), "type <U1"),
    "complex": ("m.npy", npy(SCORES + 1j), "type complex128"),
    "large whole numbers": ("m.npy", npy(np.array([[2**53 + 1]])), "type int64"),
    "one number": ("m.npy", npy(np.float64(3)), "a single value"),
    "many maps": ("m.npy", npy(np.zeros((5, 4, 6))), "not one map: its shape is 5 x 4 x 6"),
    "picture": ("m.npy", npy(np.zeros((5, 4, 3))), "a picture, not a map"),
    "no values": ("m.npy", npy(np.zeros((0, 4))), "is empty"),
    "two arrays": ("m.npz", npz(a=SCORES, b=SCORES), "2 arrays"),
    "no npz": ("m.npz", b"text", "is no .npz"),
    "cut npz": ("m.npz", npz(a=SCORES)[:200], "is no .npz"),
    "RGB PNG": ("m.png", saved_by_pillow(color_picture(), "PNG"), "a picture, not a map"),
    "1-bit PNG": ("m.png", saved_by_pillow(Image.new("1", (4, 4)), "PNG"), "a picture"),
    "palette PNG": ("m.png", saved_by_pillow(Image.new("P", (4, 4)), "PNG"), "a picture"),
    "cut PNG": ("m.png", saved_by_pillow(noise(9, 9), "PNG")[:-20], "truncated"),
    "PyTorch": ("m.pt", b"PK", "can run code"),
    "pickle": ("m.pkl", b"\x80\x04", "can run code"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_map_is_refused_by_name(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    name, data, part = WRONG[what]
    with pytest.raises(ImageError) as caught:
        read_map(data, name)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert part in message
    assert "\n" not in message
    capfd.readouterr()  # libtiff has its say on file descriptor 2


def test_claims_of_a_header_take_no_memory() -> None:
    data = npy(np.zeros((4, 4)))
    huge = data.replace(b"(4, 4), }          ", b"(999999, 999999), }")
    assert len(huge) == len(data)
    with pytest.raises(ImageError, match=r"^m\.npy: "):
        read_map(huge, "m.npy")
