"""Inflating: one whole stream of the length that is asked for, or nothing."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.inflate import inflate


def deflate(data: bytes, *, raw: bool) -> bytes:
    packer = zlib.compressobj(wbits=-15 if raw else 15)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=3000), st.integers(1, 50), st.booleans())
def test_what_zlib_deflates_comes_back(data: bytes, times: int, raw: bool) -> None:
    data *= times
    packed = deflate(data, raw=raw)
    assert inflate(packed, len(data), raw=raw) == data
    assert inflate(packed, len(data) + 1, raw=raw) is None
    assert inflate(packed + b"\0", len(data), raw=raw) is None
    assert inflate(packed[:-1], len(data), raw=raw) is None
    if data:
        assert inflate(packed, len(data) - 1, raw=raw) is None


@pytest.mark.parametrize("raw", [False, True])
def test_the_other_kind_of_stream_is_none(raw: bool) -> None:
    data = bytes(range(256))
    assert inflate(deflate(data, raw=not raw), len(data), raw=raw) is None
