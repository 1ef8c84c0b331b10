"""Pixels: channels, gray values and hashes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kolektor_cli.imaging.pixels import gray_values, pixels_sha256, to_gray
from tests.pictures import noise, to_rgb


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
