"""Polygons of regions: whoever fills one gets the region back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given

from kolektor_cli.exports.polygons import polygon_of
from kolektor_cli.imaging.pixels import Pixels
from tests.exports.regions import FILLS, cut, masks, regions, ring_with_a_dot


def polygons(mask: Pixels) -> list[tuple[np.ndarray, Pixels]]:
    return [(polygon_of(cut(whole, box)) + box[:2], whole) for box, whole in regions(mask)]


@pytest.mark.parametrize("reader", FILLS)
@given(mask=masks())
def test_every_reader_fills_a_polygon_to_the_pixels_of_its_region(
    reader: str, mask: Pixels
) -> None:
    size = mask.shape[1], mask.shape[0]
    for points, whole in polygons(mask):
        assert (FILLS[reader](points.round(2), size) == whole).all()


@given(mask=masks())
def test_a_polygon_lies_in_its_pixels_and_has_nearly_their_area(mask: Pixels) -> None:
    for points, whole in polygons(mask):
        columns, rows = np.floor(points).astype(int).T
        assert whole[rows, columns].all()
        box = points.min(axis=0), points.max(axis=0)
        rows, columns = np.nonzero(whole)
        assert box[0] == pytest.approx((columns.min() + 1 / 6, rows.min() + 1 / 6))
        assert box[1] == pytest.approx((columns.max() + 5 / 6, rows.max() + 5 / 6))
        area = cv2.contourArea(points.astype(np.float32))
        assert 4 / 9 * whole.sum() <= area + 1e-3
        assert area <= whole.sum()


def test_a_single_pixel_has_four_corners() -> None:
    [(points, _)] = polygons(np.ones((1, 1), np.uint8))
    assert sorted(points.round(3).tolist()) == [
        *([0.167, 0.167], [0.167, 0.833]),
        *([0.833, 0.167], [0.833, 0.833]),
    ]


def test_a_hole_is_cut_open_straight_to_the_left() -> None:
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    [(points, _)] = polygons(ring)
    cut_open, back = [1, 7], [5, 7]
    hole = [[7, 5], [11, 5], [13, 7], [13, 11], [11, 13], [7, 13], [5, 11]]
    assert (6 * points).round().tolist() == [
        *([1, 1], cut_open, back),
        *hole,
        *(back, cut_open, [1, 17], [17, 17], [17, 1]),
    ]


def test_a_dot_in_a_hole_is_a_polygon_of_its_own() -> None:
    found = polygons(ring_with_a_dot())
    assert sorted(len(points) == 4 for points, _ in found) == [False, True]
    for points, whole in found:
        assert (FILLS["ultralytics"](points, (11, 9)) == whole).all()


def test_straight_lines_have_no_points_between_their_ends() -> None:
    [(points, _)] = polygons(np.ones((40, 3), np.uint8))
    assert len(points) == 4
