"""The orientation that an image file asks viewers to show it in (EXIF 2.3, tag 274)."""

from __future__ import annotations

import struct

_EXIF = b"Exif\0\0"


def in_jpeg(data: bytes) -> int:
    """Return the orientation of a JPEG: 1 if it is to be shown as it is stored.

    5 to 8 swap width and height. A damaged EXIF gives 1, as in viewers.
    """
    return in_exif(_jpeg_exif(data))


def _jpeg_exif(data: bytes) -> bytes:
    """Return the EXIF of a JPEG, or nothing; it stands before the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in (0xDA, 0xD9):
            break
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 1 if marker == 0xFF else 2
            continue
        [length] = struct.unpack_from(">H", data, position + 2)
        contents = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and contents.startswith(_EXIF):
            return contents
        position += 2 + length
    return b""


def in_exif(exif: bytes | memoryview) -> int:
    """Return the orientation in an EXIF, with or without its start; 1 if there is none."""
    exif = bytes(exif).removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        [place] = struct.unpack_from(f"{order}I", exif, 4)
        [count] = struct.unpack_from(f"{order}H", exif, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == 274 and kind == 3:
                return known(value)
    except struct.error:
        return 1
    return 1


def known(orientation: int) -> int:
    """Return an orientation if there is such a one, else 1."""
    return orientation if 1 <= orientation <= 8 else 1
