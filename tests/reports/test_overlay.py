"""Overlays: which pixels change, and to what."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.reports.overlay import (
    OUTLINE,
    PADDING,
    close_up,
    color_bar,
    fitted,
    heat_map,
    laid,
    outlined,
    to_rgb,
)
from tests.conftest import draw_image

masks = arrays.arrays(np.uint8, st.tuples(*2 * (st.integers(1, 14),)), elements=st.integers(0, 2))


def contour_pixels(mask: Pixels) -> np.ndarray:
    """Find the pixels that OpenCV has in contours, point by point."""
    found = np.zeros(mask.shape, np.bool_)
    marked = (mask > 0).astype(np.uint8)
    for contour in cv2.findContours(marked, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
        for x, y in contour.reshape(-1, 2):
            found[y, x] = True
    return found


@given(masks)
def test_only_contours_differ_from_the_image(mask: Pixels) -> None:
    height, width = mask.shape
    for image in (
        draw_image(1, width, height),
        np.dstack([draw_image(k, width, height) for k in range(3)]),
    ):
        before = image.copy()
        drawn = outlined(image, mask)
        contours = contour_pixels(mask)
        assert (drawn[contours] == OUTLINE).all()
        assert (drawn[~contours] == to_rgb(image)[~contours]).all()
        assert (image == before).all()


def test_no_mask_is_no_outline() -> None:
    image = draw_image(2)
    assert (outlined(image, None) == image[:, :, None]).all()


def test_colours_rise_from_low_to_high_and_are_clipped() -> None:
    colors = heat_map(np.array([[-9.0, 0.0, 0.5, 1.0, 9.0]]), 0.0, 1.0)[0].astype(int)
    assert (colors[0] == colors[1]).all()
    assert (colors[3] == colors[4]).all()
    # Cividis goes from blue to yellow.
    assert colors[1][2] > colors[1][0]
    assert colors[3][0] > colors[3][2]
    assert (np.diff(colors.sum(axis=1)) >= 0).all()


def test_constant_map_has_the_lowest_colour() -> None:
    colors = heat_map(np.full((2, 3), 7.0), 7.0, 7.0)
    assert (colors == heat_map(np.zeros((2, 3)), 0.0, 1.0)).all()


def test_bar_has_the_colours_of_maps_the_highest_on_top() -> None:
    bar = color_bar(256, 3)
    assert bar.shape == (256, 3, 3)
    assert (bar[:, 0] == heat_map(np.linspace(1, 0, 256)[:, None], 0, 1)[:, 0]).all()


@pytest.mark.parametrize("side", [5, 20, 60, 200])
@given(mask=masks)
def test_close_up_is_square_and_shows_the_largest_defect(side: int, mask: Pixels) -> None:
    shown = close_up(draw_image(3, *mask.shape[::-1]), mask, side)
    assert shown.shape == (side, side, 3)
    assert (shown == OUTLINE).all(axis=2).any() == mask.any()


def test_close_up_is_enlarged_by_whole_numbers() -> None:
    image, mask = draw_image(4, 40, 60), np.zeros((60, 40), np.uint8)
    mask[30:32, 20:24] = 1
    # Of eight pixels around it with a margin, five times.
    shown = close_up(image, mask, 45)
    blocks = shown.reshape(9, 5, 9, 5, 3)
    inside = (blocks != OUTLINE).any(axis=-1).all(axis=(1, 3))
    assert inside.sum() == 81 - 8
    assert (blocks == blocks[:, :1, :, :1])[inside.nonzero()[0], :, inside.nonzero()[1]].all()
    assert {*blocks[:, 0, :, 0][inside][:, 0].tolist()} <= {*image[26:36, 17:27].ravel().tolist()}


def test_beyond_the_edge_is_gray() -> None:
    mask = np.ones((4, 30), np.uint8)
    shown = close_up(np.zeros((4, 30), np.uint8), mask, 60)
    assert (shown[0] == PADDING).all()


@given(masks, st.integers(1, 40), st.integers(1, 40))
def test_fitted_fills_one_side_or_is_a_multiple(image: Pixels, width: int, height: int) -> None:
    shown = fitted(image, width, height)
    rows, columns = shown.shape
    assert rows <= height
    assert columns <= width
    if rows >= image.shape[0] and columns >= image.shape[1]:
        factor = rows // image.shape[0]
        assert (shown == np.kron(image, np.ones((factor, factor), np.uint8))).all()
    else:
        assert rows == height or columns == width


def test_image_of_the_right_size_stays() -> None:
    image = draw_image(5, 40, 60)
    assert (fitted(image, 60, 60) == image).all()


def test_tall_images_lie() -> None:
    tall = draw_image(6, 20, 31)
    assert (laid(tall) == np.rot90(tall)).all()
    for other in (draw_image(6, 20, 30), draw_image(6, 40, 20)):
        assert (laid(other) == other).all()
