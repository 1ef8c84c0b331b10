"""Reduction of 16 bits to 8: monotone, and exactly the upper bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.depth import (
    Depth,
    check_depth,
    parse_depth,
    spread_to_8_bits,
    to_8_bits,
)
from tests.pictures import noise

EVERY_VALUE = np.arange(2**16, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("depth", [None, "full", *range(8, 17)])
def test_no_two_values_change_places(depth: Depth) -> None:
    reduced = to_8_bits(EVERY_VALUE, depth)
    assert reduced.dtype == np.uint8
    assert (np.diff(reduced.ravel().astype(int)) >= 0).all()
    assert (reduced.min(), reduced.max()) == (0, 255)


@given(st.integers(8, 16), st.data())
def test_depth_keeps_the_upper_8_bits_of_so_many(depth: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 2**depth - 1))
    reduced = to_8_bits(np.array([[value]], np.uint16), depth)
    assert reduced.item() == value // 2 ** (depth - 8)


def test_full_and_none_keep_the_upper_byte() -> None:
    for depth in ("full", None, 16):
        np.testing.assert_array_equal(
            to_8_bits(EVERY_VALUE, depth), (EVERY_VALUE >> 8).astype(np.uint8), strict=True
        )


@pytest.mark.parametrize("depth", [None, "full", 8, 12])
def test_images_of_8_bits_stay_as_they_are(depth: Depth) -> None:
    np.testing.assert_array_equal(to_8_bits(noise(5, 6, 3), depth), noise(5, 6, 3), strict=True)
    np.testing.assert_array_equal(spread_to_8_bits(noise(5, 6)), noise(5, 6), strict=True)


@pytest.mark.parametrize("largest", [0, 1, 255, 4095, 65535])
def test_spread_uses_the_whole_range(largest: int) -> None:
    samples = np.array([[0, largest // 2, largest]], np.uint16)
    spread = spread_to_8_bits(samples)
    assert spread[0, 2] == (255 if largest else 0)
    assert (np.diff(spread.astype(int)) >= 0).all()


@pytest.mark.parametrize("depth", [7, 17, 0, -1, True, 12.0, "12", "half", ""])
def test_what_is_no_depth_is_refused(depth: object) -> None:
    with pytest.raises(UsageError, match=r"--depth .* is neither full nor a number from 8 to 16"):
        check_depth(depth)


def test_depth_is_parsed() -> None:
    assert [parse_depth(text) for text in (None, "full", "8", "16")] == [None, "full", 8, 16]
    for text in ("", "7", "17", "twelve", "1e1", "-8", "²"):
        with pytest.raises(UsageError, match="--depth"):
            parse_depth(text)
