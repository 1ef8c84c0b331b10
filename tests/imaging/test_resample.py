"""Resampling: pixels are those of cv2.resize, and no defect is lost."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kolektor_cli.imaging.geometry import Geometry, Size, cut, stretch, to_source
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.resample import transform_image, transform_mask
from tests.pictures import rectangles_in, small_sizes

Marked = npt.NDArray[np.bool_]

REAL_SIZE = (500, 1270)
label_values = st.sampled_from([0, 1, 2, 85, 255])
sparse_masks = small_sizes.flatmap(
    lambda size: arrays(np.uint8, size, elements=label_values, fill=st.just(0))
)
dense_masks = small_sizes.flatmap(lambda size: arrays(np.uint8, size, elements=label_values))


def size_of(pixels: Pixels) -> Size:
    return pixels.shape[1], pixels.shape[0]


def resized_and_cut(mask: Pixels, size: Size) -> Marked:
    """Return what the resize alone makes of a mask."""
    binary = np.where(mask > 0, np.uint8(255), np.uint8(0))
    return np.asarray(cv2.resize(binary, size) > 127)


def components_of(mask: Pixels) -> list[Marked]:
    count, labels = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
    return [np.asarray(labels == label) for label in range(1, count)]


def overlaps(outputs: int, sources: int) -> npt.NDArray[np.float32]:
    """Tell along one axis, outputs x sources, which output pixel covers part of which source."""
    output = np.arange(outputs)[:, np.newaxis]
    source = np.arange(sources)
    starts_before_end = output * sources < (source + 1) * outputs
    ends_after_start = (output + 1) * sources > source * outputs
    return (starts_before_end & ends_after_start).astype(np.float32)


def footprint(component: Marked, size: Size) -> Marked:
    """Return the output pixels that cover any part of a component."""
    width, height = size
    rows = overlaps(height, component.shape[0])
    columns = overlaps(width, component.shape[1])
    return np.asarray(rows @ component @ columns.T > 0)


def at_centers(component: Marked, size: Size) -> Marked:
    """Return the output pixels whose centre falls into a component."""
    width, height = size
    rows = (2 * np.arange(height) + 1) * component.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * component.shape[1] // (2 * width)
    return component[np.ix_(rows, columns)]


@st.composite
def cuts(draw: st.DrawFn) -> Geometry:
    """Draw a window that shares a pixel with the source, and may reach beyond it."""
    width, height = draw(small_sizes)
    window_width, window_height = draw(small_sizes)
    left = draw(st.integers(1 - window_width, width - 1))
    top = draw(st.integers(1 - window_height, height - 1))
    return cut((width, height), (left, top, window_width, window_height))


@given(cuts(), st.sampled_from([(), (3,)]), st.integers(0, 2**32))
def test_cut_moves_pixels_and_changes_none(
    geometry: Geometry, channels: tuple[int, ...], seed: int
) -> None:
    width, height = geometry.source_size
    pixels = np.random.default_rng(seed).integers(1, 256, (height, width, *channels), np.uint8)
    output = transform_image(pixels, geometry)
    assert output.shape == (geometry.size[1], geometry.size[0], *channels)
    for row, column in np.ndindex(output.shape[:2]):
        x, y = to_source(geometry, column + 0.5, row + 0.5)
        if 0 <= x < width and 0 <= y < height:
            np.testing.assert_array_equal(output[row, column], pixels[int(y), int(x)])
        else:
            assert not output[row, column].any()


@given(sparse_masks | dense_masks, st.data())
def test_marked_points_of_a_cut_are_those_of_the_source(mask: Pixels, data: st.DataObject) -> None:
    source = size_of(mask)
    geometry = cut(source, data.draw(rectangles_in(source)))
    output = transform_mask(mask, geometry)
    rows, columns = np.nonzero(output)
    x, y = to_source(geometry, columns + 0.5, rows + 0.5)
    assert (mask[y.astype(int), x.astype(int)] > 0).all()
    left, top, width, height = geometry.window
    assert rows.size == np.count_nonzero(mask[top : top + height, left : left + width])


@settings(max_examples=200)
@given(sparse_masks | dense_masks, small_sizes, st.data())
def test_every_defect_in_the_window_leaves_a_pixel_in_the_placement(
    mask: Pixels, size: Size, data: st.DataObject
) -> None:
    source = size_of(mask)
    window, placement = data.draw(rectangles_in(source)), data.draw(rectangles_in(size))
    geometry = Geometry(source, window, size, placement)
    output = transform_mask(mask, geometry)
    assert set(np.unique(output)) <= {0, 255}
    left, top, width, height = placement
    inside = output[top : top + height, left : left + width] > 0
    assert np.count_nonzero(inside) == np.count_nonzero(output)
    x, y, window_width, window_height = window
    for component in components_of(mask[y : y + window_height, x : x + window_width]):
        assert (inside & footprint(component, (width, height))).any()


@given(small_sizes, small_sizes, st.sampled_from([(), (3,)]), st.integers(0, 2**32))
def test_image_is_what_resize_makes_of_it(
    source: Size, size: Size, channels: tuple[int, ...], seed: int
) -> None:
    shape = (source[1], source[0], *channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    resized = transform_image(pixels, stretch(source, size))
    assert resized.shape == (size[1], size[0], *channels)
    np.testing.assert_array_equal(resized, cv2.resize(pixels, size), strict=True)


@pytest.mark.parametrize("height", [1235, 1240, 1285])
def test_image_of_real_size_is_what_resize_makes_of_it(height: int) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, 500), np.uint8)
    resized = transform_image(pixels, stretch((500, height), (500, 1240)))
    np.testing.assert_array_equal(resized, cv2.resize(pixels, (500, 1240)), strict=True)


@given(sparse_masks | dense_masks)
def test_mask_of_the_same_size_is_the_source_in_black_and_white(mask: Pixels) -> None:
    size = size_of(mask)
    expected = np.where(mask > 0, np.uint8(255), np.uint8(0))
    np.testing.assert_array_equal(transform_mask(mask, stretch(size, size)), expected, strict=True)


@settings(max_examples=250)
@given(sparse_masks | dense_masks, small_sizes)
def test_every_defect_leaves_a_pixel_where_it_was(mask: Pixels, size: Size) -> None:
    output = transform_mask(mask, stretch(size_of(mask), size))
    assert size_of(output) == size
    assert output.dtype == np.uint8
    assert set(np.unique(output)) <= {0, 255}
    for component in components_of(mask):
        assert output[footprint(component, size)].any()


@settings(max_examples=250)
@given(sparse_masks | dense_masks, small_sizes)
@example(np.ones((24, 24), np.uint8), (5, 7))
def test_mask_is_what_the_resize_makes_of_it_but_for_lost_defects(mask: Pixels, size: Size) -> None:
    output = transform_mask(mask, stretch(size_of(mask), size)) > 0
    resized = resized_and_cut(mask, size)
    lost = [
        component
        for component in components_of(mask)
        if not resized[at_centers(component, size)].any()
    ]
    assert output[resized].all()
    added = output & ~resized
    assert added.sum() <= len(lost)
    near_lost = np.any([footprint(component, size) for component in lost], axis=0)
    assert not (added & ~near_lost).any()


@pytest.mark.parametrize("size", [(500, 1240), (224, 224), (256, 256), (7, 3), (1, 1), (600, 1500)])
def test_scattered_single_pixels_of_a_real_size_all_leave_one(size: Size) -> None:
    mask = np.zeros(REAL_SIZE[::-1], np.uint8)
    spots = np.random.default_rng(0).integers(0, REAL_SIZE, (20, 2))
    mask[spots[:, 1], spots[:, 0]] = 1
    output = transform_mask(mask, stretch(REAL_SIZE, size))
    for component in components_of(mask):
        assert output[footprint(component, size)].any()


@pytest.mark.parametrize("value", [1, 2, 85, 127, 128, 255])
def test_every_value_but_zero_counts_as_defect(value: int) -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[20:40, 10:30] = value
    output = transform_mask(mask, stretch((40, 60), (20, 30)))
    expected = np.zeros((30, 20), np.uint8)
    expected[10:20, 5:15] = 255
    np.testing.assert_array_equal(output, expected, strict=True)


def test_black_mask_stays_black() -> None:
    output = transform_mask(np.zeros((60, 40), np.uint8), stretch((40, 60), (7, 11)))
    np.testing.assert_array_equal(output, np.zeros((11, 7), np.uint8), strict=True)


@pytest.mark.parametrize(
    ("spot", "kept"), [((13, 22), (3, 5)), ((0, 0), (0, 0)), ((39, 59), (9, 14))]
)
def test_lost_pixel_is_set_where_it_falls_in_the_output(spot: Size, kept: Size) -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[spot[1], spot[0]] = 1
    assert not resized_and_cut(mask, (10, 15)).any()
    output = transform_mask(mask, stretch((40, 60), (10, 15)))
    assert np.argwhere(output).tolist() == [[kept[1], kept[0]]]


def test_lost_line_leaves_the_pixel_of_its_middle() -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[24, 20:37] = 1
    output = transform_mask(mask, stretch((40, 60), (10, 15)))
    assert np.argwhere(output).tolist() == [[6, 7]]


def test_lost_ring_and_the_lost_spot_in_its_middle_leave_a_pixel_each() -> None:
    ring, spot = np.zeros((60, 40), np.uint8), np.zeros((60, 40), np.uint8)
    cv2.rectangle(ring, (4, 4), (24, 24), 1)
    spot[12, 12] = 1
    assert not resized_and_cut(ring + spot, (10, 15)).any()
    output = transform_mask(ring + spot, stretch((40, 60), (10, 15)))
    assert np.count_nonzero(output) == 2
    assert output[footprint(ring > 0, (10, 15))].any()
    assert output[footprint(spot > 0, (10, 15))].any()


def test_lost_defect_beside_a_kept_one_leaves_its_own_pixel() -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[40:56, 20:36] = 1
    resized = resized_and_cut(mask, (10, 15))
    mask[4, 4] = 1
    output = transform_mask(mask, stretch((40, 60), (10, 15)))
    assert np.argwhere((output > 0) & ~resized).tolist() == [[1, 1]]
    assert output[resized].all()


def test_mask_given_is_left_as_it_is() -> None:
    mask = np.full((6, 4), 2, np.uint8)
    transform_mask(mask, stretch((4, 6), (3, 3)))[:] = 0
    transform_mask(mask, stretch((4, 6), (4, 6)))[:] = 0
    assert (mask == 2).all()
