"""Inflating by ISA-L, never to more than is asked for."""

from __future__ import annotations

import zlib

from isal import isal_zlib


def inflate(data: bytes, length: int, *, raw: bool = False) -> bytes | None:
    """Inflate a stream that holds exactly `length` bytes; never more, whatever it claims.

    `raw` streams are as in zip archives, without zlib's header and checksum. Returns None if `data`
    is not one whole stream, or of another length.
    """
    inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, length + 1)
    except isal_zlib.IsalError:  # type: ignore[misc]  # its stub takes the class for an instance
        return None
    whole = inflater.eof and not inflater.unused_data and len(inflated) == length
    return inflated if whole else None
