"""Geometry: points and boxes map there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.imaging.geometry import (
    Geometry,
    Size,
    box_to_output,
    box_to_source,
    center_crop,
    pad,
    stretch,
    to_output,
    to_source,
)
from tests.pictures import rectangles_in, small_sizes

coordinates = st.floats(-20_000, 20_000)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Draw a window of a source image, and its placement in an output image."""
    width, height = draw(st.tuples(st.integers(1, 2000), st.integers(1, 2000)))
    size = draw(st.tuples(st.integers(1, 2000), st.integers(1, 2000)))
    window = draw(rectangles_in((width, height)))
    return Geometry((width, height), window, size, draw(rectangles_in(size)))


@given(geometries(), coordinates, coordinates)
def test_to_source_and_to_output_are_inverse(geometry: Geometry, x: float, y: float) -> None:
    assert to_source(geometry, *to_output(geometry, x, y)) == pytest.approx((x, y), abs=1e-6)
    assert to_output(geometry, *to_source(geometry, x, y)) == pytest.approx((x, y), abs=1e-6)


@given(geometries())
def test_window_and_placement_are_each_other_s_images(geometry: Geometry) -> None:
    assert box_to_output(geometry, geometry.window) == pytest.approx(geometry.placement)
    assert box_to_source(geometry, geometry.placement) == pytest.approx(geometry.window)


@given(geometries(), coordinates, coordinates, coordinates, coordinates)
def test_boxes_map_there_and_back(
    geometry: Geometry, x: float, y: float, width: float, height: float
) -> None:
    box = (x, y, width, height)
    assert box_to_source(geometry, box_to_output(geometry, box)) == pytest.approx(box, abs=1e-6)
    assert box_to_output(geometry, box_to_source(geometry, box)) == pytest.approx(box, abs=1e-6)


@given(small_sizes, small_sizes)
def test_pad_keeps_the_aspect_and_centres(source: Size, size: Size) -> None:
    geometry = pad(source, size)
    left, top, width, height = geometry.placement
    assert geometry.window == (0, 0, *source)
    assert (width == size[0] and height <= size[1]) or (height == size[1] and width <= size[0])
    scale = min(size[0] / source[0], size[1] / source[1])
    assert abs(width - source[0] * scale) <= 0.5 or width == 1
    assert abs(height - source[1] * scale) <= 0.5 or height == 1
    assert size[0] - width - 2 * left in (0, 1)
    assert size[1] - height - 2 * top in (0, 1)


def test_pad_of_real_size() -> None:
    assert pad((500, 1270), (512, 512)).placement == (155, 0, 202, 512)
    assert pad((1000, 500), (500, 500)).placement == (0, 125, 500, 250)


def test_center_crop_is_that_of_torchvision() -> None:
    # Resize(256) makes 256x634 of 500x1240, CenterCrop(224) begins at 16 and 205.
    x, y, width, height = center_crop((500, 1240), 256, 224)
    assert (x, width) == (16 * 500 / 256, 224 * 500 / 256)
    assert (y, height) == pytest.approx((205 * 1240 / 634, 224 * 1240 / 634))
    assert center_crop((256, 256), 256, 256) == (0, 0, 256, 256)


def test_point_is_scaled_by_each_axis_of_its_own() -> None:
    geometry = stretch((500, 1270), (250, 127))
    assert geometry.window == (0, 0, 500, 1270)
    assert to_output(geometry, 100.0, 100.0) == (50, 10)
    assert to_source(geometry, 50.0, 10.0) == (100, 100)


def test_arrays_of_points_map_like_single_points() -> None:
    geometry = Geometry((500, 1270), (10, 20, 300, 600), (224, 256), (12, 0, 200, 256))
    x, y = np.array([0.5, 77.25, 499.5]), np.array([1.5, 640.0, 1269.5])
    for mapping in (to_output, to_source):
        points = [mapping(geometry, *point) for point in zip(x.tolist(), y.tolist(), strict=True)]
        np.testing.assert_array_equal(np.transpose(mapping(geometry, x, y)), points)
