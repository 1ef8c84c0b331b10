"""The size of a network's input keeps the aspect of the images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.consumers.input_size import input_size
from kolektor_cli.imaging.geometry import Size

sides = st.integers(1, 16_384)


@pytest.mark.parametrize(
    ("image_size", "size"),
    [
        ((500, 1240), (160, 416)),
        ((1240, 500), (416, 160)),
        ((230, 630), (160, 416)),
        ((500, 500), (256, 256)),
        ((1, 10_000), (32, 25_600)),
    ],
)
def test_sides_are_whole_multiples_of_about_the_aspect(image_size: Size, size: Size) -> None:
    assert input_size(image_size) == size


def test_area_and_multiple_may_be_chosen() -> None:
    assert input_size((500, 1240), area=518 * 518, multiple=14) == (322, 812)


@given(sides, sides)
def test_no_side_is_further_off_than_rounding_takes_it(width: int, height: int) -> None:
    exact = [side * (256 * 256 / (width * height)) ** 0.5 for side in (width, height)]
    for side, wanted in zip(input_size((width, height)), exact, strict=True):
        assert side % 32 == 0
        assert side >= 32
        assert abs(side - wanted) <= max(16.001, 32 - wanted)
