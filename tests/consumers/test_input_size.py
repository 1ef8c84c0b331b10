"""The input of a network that keeps the aspect of the images."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.consumers.input_size import input_size
from kolektor_cli.imaging.geometry import Size

sides = st.integers(40, 4000)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((500, 1240), (160, 416)),  # KolektorSDD
        ((230, 630), (160, 416)),  # KolektorSDD2
        ((1240, 500), (416, 160)),
        ((700, 700), (256, 256)),
    ],
)
def test_sizes_of_known_images(image: Size, expected: Size) -> None:
    assert input_size(image) == expected


def test_patches_decide_the_multiple() -> None:
    width, height = input_size((500, 1240), area=392**2, multiple=14)
    assert (width % 14, height % 14) == (0, 0)
    assert (width, height) == (252, 616)


@given(sides, sides, st.sampled_from((14, 16, 32)))
def test_each_side_is_within_half_a_multiple_of_the_exact_one(
    width: int, height: int, multiple: int
) -> None:
    scale = math.sqrt(256 * 256 / (width * height))
    for side, found in zip(
        (width, height), input_size((width, height), multiple=multiple), strict=True
    ):
        assert found % multiple == 0
        assert abs(found - side * scale) <= multiple / 2 or found == multiple > side * scale


@given(sides, sides)
def test_a_turned_image_has_a_turned_input(width: int, height: int) -> None:
    assert input_size((height, width)) == input_size((width, height))[::-1]
