"""Decompression of LZW as TIFF files have it (TIFF 6.0, section 13)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_CLEAR, _END, _FIRST = 256, 257, 258
"""The two control codes, and the first code of the table."""

_WIDTHS = np.repeat(np.array([9, 10, 11, 12]), [254, 512, 1024, 2048])
"""Bits of each code after a clear code; the table is full after the last."""

_STARTS = np.concatenate(([0], np.cumsum(_WIDTHS)[:-1]))
"""Where each code starts, in bits after the clear code."""


def lzw_decompress(data: bytes, length: int) -> bytes:
    """Return at least the first `length` bytes of an LZW stream.

    Raises
    ------
    ValueError
        The stream is damaged, or ends before.
    """
    padded = np.frombuffer(data + b"\0\0\0", np.uint8).astype(np.uint32)
    out = bytearray()
    position, bits = 0, 8 * len(data)
    while len(out) < length:
        codes = _read_codes(padded, position, bits)
        stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
        used = int(stops[0]) if stops.size else len(codes)
        _expand(codes[:used].tolist(), out)
        if not stops.size or codes[used] == _END:
            break
        position += int(_STARTS[used] + _WIDTHS[used])
    if len(out) < length:
        raise ValueError("the LZW data ends too early")
    return bytes(out)


def _read_codes(padded: npt.NDArray[np.uint32], position: int, bits: int) -> npt.NDArray[np.uint32]:
    """Return the whole codes from a bit position on, as if no clear code followed."""
    starts, widths = _STARTS + position, _WIDTHS
    whole = int(np.searchsorted(starts + widths, bits, side="right"))
    starts, widths = starts[:whole], widths[:whole]
    first = starts >> 3
    three = padded[first] << 16 | padded[first + 1] << 8 | padded[first + 2]
    shifts = (24 - widths - (starts & 7)).astype(np.uint32)
    masks = ((1 << widths) - 1).astype(np.uint32)
    codes: npt.NDArray[np.uint32] = three >> shifts & masks
    return codes


def _expand(codes: list[int], out: bytearray) -> None:
    """Append what codes without control codes stand for.

    Table entry `e` is the output of code `e` and the first byte of the next code's.
    """
    places: list[int] = []
    for number, code in enumerate(codes):
        places.append(len(out))
        if code < _CLEAR:
            out.append(code)
            continue
        entry = code - _FIRST
        if entry >= number:
            raise ValueError("the LZW data has a code that is not in its table")
        text = out[places[entry] : places[entry + 1] + 1]
        # The newest entry ends with the first byte of the text that it stands for here.
        out += text if entry < number - 1 else text + text[:1]
