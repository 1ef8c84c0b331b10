"""Files that hold an anomaly map: TIFF, NumPy's and PNG, each read to its values as they are."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePath
from tokenize import TokenError
from typing import IO, Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.png import GRAY, only_pixels, read_png
from kolektor_cli.scoring.thresholds import Scores

MAP_SUFFIXES = (".tif", ".tiff", ".npy", ".npz", ".png")

REFUSED_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle")
"""Files that run code when they are read."""

MAX_BYTES = 2**30
"""The most bytes of one map."""

Values: TypeAlias = npt.NDArray[Any]

_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = 258, 262, 274, 339
"""Tags of TIFF 6.0."""

_DEFLATE = 8
"""Value of the tag Compression; TIFF Technical Note 2."""

_FLOAT, _UNSIGNED = 3, 1
"""Values of the tag SampleFormat."""


class NotAMapError(ImageError):
    """A file or an array was read, and is not one map of scores."""

    exit_code = 1


def read_map(data: bytes, name: str) -> tuple[Scores, str]:
    """Return the map in a file, height x width, float32 or float64, and a note or ``""``.

    Raises
    ------
    ImageError
        The file is damaged, or not one map.
    """
    suffix = PurePath(name).suffix.casefold()
    if suffix in REFUSED_SUFFIXES:
        raise NotAMapError(f"{name}: is not read, since such a file can run code; save it as .npy")
    if not data:
        raise ImageError(f"{name}: is empty")
    read = {".npy": _read_npy, ".npz": _read_npz, ".png": _read_png}.get(suffix, _read_tiff)
    values = read(data, name)
    note = "8 bits: scores were rounded to 256 values" if values.dtype == np.uint8 else ""
    return as_map(values, name), note


def write_map(values: npt.NDArray[np.float32]) -> bytes:
    """Return a TIFF of one page with a map, height x width.

    Raises
    ------
    ImageError
        OpenCV does not encode it.
    """
    done, data = cv2.imencode(".tiff", values, [cv2.IMWRITE_TIFF_COMPRESSION, _DEFLATE])
    if not done:
        raise ImageError(f"a map of {' x '.join(map(str, values.shape))} cannot be encoded")
    return data.tobytes()


def as_map(values: Values, name: str) -> Scores:
    """Return an array as a map, height x width, float32 or float64, with the same values.

    Arrays of shape (H, W), (1, H, W), (H, W, 1) and (1, 1, H, W) are maps.

    Raises
    ------
    ImageError
        It has another shape, is empty, or holds values that are no scores or would be rounded.
    """
    shape = values.shape
    if len(shape) == 4 and shape[:2] == (1, 1):
        values = values[0, 0]
    elif len(shape) == 3 and 1 in (shape[0], shape[2]):
        values = values[0] if shape[0] == 1 else values[..., 0]
    if values.ndim != 2:
        what = " x ".join(map(str, shape)) or "a single value"
        picture = values.ndim == 3 and shape[2] in (3, 4)
        kind = "a picture, not a map; save the model's scores" if picture else "not one map"
        raise NotAMapError(f"{name}: is {kind}: its shape is {what}")
    if not values.size:
        raise NotAMapError(f"{name}: is empty: its shape is {' x '.join(map(str, shape))}")
    return _as_floats(values, name)


def _as_floats(values: Values, name: str) -> Scores:
    """Return values as float32 or float64, whichever holds all of them."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "f" and size <= 8:
        return values.astype(np.float64 if size == 8 else np.float32, copy=False)
    if kind in "iub" and size <= 4:
        return values.astype(np.float64 if size == 4 else np.float32)
    if kind in "iu":
        floats = values.astype(np.float64)
        if max(abs(int(values.min())), abs(int(values.max()))) <= 2**53:
            return floats
    raise NotAMapError(f"{name}: holds values of type {values.dtype}, not scores; save float32")


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """The header of an .npy: shape and type of its values, and whether columns come first."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool

    @property
    def length(self) -> int:
        """The bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_array_header(stream: IO[bytes]) -> ArrayHeader:
    """Return the header of an .npy, and leave the stream at its first value.

    Raises
    ------
    ValueError
        It is damaged, or the array holds Python objects, whose reading can run code.
    """
    try:
        version = np.lib.format.read_magic(stream)
        old = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(stream)
    except (ValueError, SyntaxError, TokenError, TypeError, LookupError, EOFError) as error:
        raise ValueError("its header is damaged") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which can run code")
    return ArrayHeader(shape, dtype, by_column)


def read_array(stream: IO[bytes]) -> Values:
    """Return the array of an .npy.

    Raises
    ------
    ValueError
        It is damaged, longer than its header says, or holds Python objects.
    """
    header = read_array_header(stream)
    # One byte more than wanted tells of others; a header may claim more than memory holds.
    data = stream.read(min(header.length, MAX_BYTES) + 1)
    if len(data) != header.length:
        raise ValueError("it is truncated, or longer than its header says")
    order: Literal["F", "C"] = "F" if header.by_column else "C"
    return np.frombuffer(data, header.dtype).reshape(header.shape, order=order)


def _read_npy(data: bytes, name: str) -> Values:
    try:
        return read_array(io.BytesIO(data))
    except ValueError as error:
        raise ImageError(f"{name}: is no .npy file, or damaged: {error}") from error


NPZ_ERRORS = (
    *(ValueError, EOFError, OSError, KeyError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What reading an .npz raises if it is damaged, encrypted, or packed in an unknown way."""


def _read_npz(data: bytes, name: str) -> Values:
    """Return the only array in a file, or UniAD's ``pred`` beside its ``filename``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            is_uniad = {"pred.npy", "filename.npy"} <= set(names)
            if not is_uniad and len(names) != 1:
                raise NotAMapError(f"{name}: holds {len(names)} arrays, not one map")
            with archive.open("pred.npy" if is_uniad else names[0]) as stream:
                return read_array(stream)
    except NPZ_ERRORS as error:
        raise ImageError(f"{name}: is no .npz file, or damaged: {error}") from error


def npz_filename(data: bytes) -> str | None:
    """Return the image that an .npz names as its own, as UniAD's do, or None."""
    try:
        with (
            zipfile.ZipFile(io.BytesIO(data)) as archive,
            archive.open("filename.npy") as stream,
        ):
            named = read_array(stream)
            return str(named.item()) if named.size == 1 else None
    except NPZ_ERRORS:
        # `read_map` reports a damaged file; others name no image.
        return None


def _read_png(data: bytes, name: str) -> Values:
    png = read_png(data, name)
    if png.color_type != GRAY or png.bit_depth < 8:
        raise NotAMapError(f"{name}: is a picture, not a map: a PNG map has 8 or 16 bits of gray")
    return _decoded(only_pixels(png), name)


def _read_tiff(data: bytes, name: str) -> Values:
    """Return the values of a TIFF of one page, which OpenCV decodes; float16 by its bits."""
    tags, more = _tiff_tags(data, name)
    if more:
        raise NotAMapError(f"{name}: has several pages; save one map a file")
    if tags.get(_PHOTOMETRIC, (0, 1))[1] == 0 or tags.get(_ORIENTATION, (0, 1))[1] != 1:
        raise NotAMapError(f"{name}: has white as 0, or is turned; save the plain scores")
    place, bits = tags.get(_SAMPLE_FORMAT), tags.get(_BITS)
    if place is None or bits is None or (place[1], bits[1]) != (_FLOAT, 16):
        return _decoded(data, name)
    # OpenCV reads no float16: let it read the same bits as whole numbers.
    order = "<H" if data[:2] == b"II" else ">H"
    whole = bytearray(data)
    struct.pack_into(order, whole, place[0], _UNSIGNED)
    return _decoded(bytes(whole), name).view(np.float16)


def _tiff_tags(data: bytes, name: str) -> tuple[dict[int, tuple[int, int]], bool]:
    """Return place and value of the short tags of a TIFF's first page, and whether more follow."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    kind = data[2:4]
    if order is None or struct.unpack(f"{order}H", kind.ljust(2, b"\0"))[0] not in (42, 43):
        raise ImageError(f"{name}: is not a TIFF, whatever its name says")
    big = struct.unpack(f"{order}H", kind)[0] == 43
    # BigTIFF has numbers of 8 bytes where TIFF has 4, and counts tags by 8 instead of 2.
    number, count, length = ("Q", "Q", 20) if big else ("I", "H", 12)
    value_at = 12 if big else 8
    try:
        [page] = struct.unpack_from(order + number, data, 8 if big else 4)
        [tags] = struct.unpack_from(order + count, data, page)
        first = page + struct.calcsize(order + count)
        found = {}
        for entry in range(first, first + length * tags, length):
            tag, type_ = struct.unpack_from(f"{order}HH", data, entry)
            if type_ == 3:
                place = entry + value_at
                found[tag] = (place, struct.unpack_from(f"{order}H", data, place)[0])
        [more] = struct.unpack_from(order + number, data, first + length * tags)
    except struct.error as error:
        raise ImageError(f"{name}: is a truncated TIFF") from error
    return found, more != 0


def _decoded(data: bytes, name: str) -> Values:
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageError(f"{name}: cannot be decoded: {error.err}") from error
    if values is None:
        raise ImageError(f"{name}: is truncated, damaged, or of a kind that is not read")
    return values
