"""Windows over defects: every defect in one, few of them, and centred."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kolektor_cli.imaging.geometry import Rectangle
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.windows import windows_over_defects

sides = st.integers(1, 14)
sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))
masks = sizes.flatmap(
    lambda size: arrays(np.uint8, size, elements=st.sampled_from([0, 1, 255]), fill=st.just(0))
).filter(lambda mask: mask.any())


def draw(size: tuple[int, int], *boxes: Rectangle) -> Pixels:
    """Draw defects as boxes (x, y, width, height) on a mask of a size (width, height)."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for left, top, width, height in boxes:
        mask[top : top + height, left : left + width] = 1
    return mask


def boxes_of(mask: Pixels) -> list[Rectangle]:
    _, _, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    return [tuple(box[:4]) for box in stats[1:].tolist()]


def holds(window: Rectangle, box: Rectangle) -> bool:
    return (
        window[0] <= box[0]
        and window[1] <= box[1]
        and box[0] + box[2] <= window[0] + window[2]
        and box[1] + box[3] <= window[1] + window[3]
    )


@given(masks, sides)
def test_every_marked_pixel_lies_in_a_window(mask: Pixels, side: int) -> None:
    left_out = mask.copy()
    for left, top, width, height in windows_over_defects(mask, side):
        assert (width, height) == (side, side)
        left_out[max(top, 0) : top + height, max(left, 0) : left + width] = 0
    assert not left_out.any()


@given(masks, sides)
def test_every_defect_that_fits_lies_whole_in_a_window(mask: Pixels, side: int) -> None:
    windows = windows_over_defects(mask, side)
    for box in boxes_of(mask):
        if max(box[2:]) <= side:
            assert any(holds(window, box) for window in windows)


@given(masks, sides)
def test_windows_stay_in_the_image_and_are_all_different(mask: Pixels, side: int) -> None:
    windows = windows_over_defects(mask, side)
    assert len(set(windows)) == len(windows)
    assert windows == sorted(windows, key=lambda window: (window[1], window[0]))
    for window in windows:
        for start, length in zip(window[:2], mask.shape[::-1], strict=True):
            if length >= side:
                assert 0 <= start <= length - side
            else:
                assert start == (length - side) // 2


def fewest(boxes: list[Rectangle], side: int) -> int:
    """Find by brute force how many windows it takes to hold each box whole."""
    places = [(box[0], other[1], side, side) for box in boxes for other in boxes]
    for count in range(1, len(boxes) + 1):
        for windows in combinations(places, count):
            if all(any(holds(window, box) for window in windows) for box in boxes):
                return count
    raise AssertionError("a window for each box is always enough")


few_boxes = st.lists(
    st.tuples(st.integers(0, 34), st.integers(0, 34), st.integers(1, 5), st.integers(1, 5)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200)
@given(few_boxes, st.integers(40, 45))
def test_windows_as_wide_as_the_image_are_as_few_as_can_be(
    boxes: list[Rectangle], side: int
) -> None:
    mask = np.repeat(draw((40, 40), *boxes), 4, axis=0)
    assert len(windows_over_defects(mask, side)) == fewest(boxes_of(mask), side)


@given(few_boxes, st.integers(5, 20))
def test_windows_are_no_more_than_defects(boxes: list[Rectangle], side: int) -> None:
    mask = draw((40, 40), *boxes)
    defects = boxes_of(mask)
    if all(max(box[2:]) <= side for box in defects):
        assert fewest(defects, side) <= len(windows_over_defects(mask, side)) <= len(defects)


def test_first_window_holds_the_topmost_defect_and_as_many_others_as_it_can() -> None:
    below = [(left, 16, 1, 1) for left in (12, 28, 30, 32, 34, 48)]
    windows = windows_over_defects(draw((60, 60), (30, 0, 1, 1), *below), 20)
    # It takes the four in the middle, and leaves one alone on each side.
    assert windows == [(21, 0, 20, 20), (2, 6, 20, 20), (38, 6, 20, 20)]


def test_window_is_centred_on_what_it_covers() -> None:
    mask = draw((500, 1260), (200, 300, 41, 21), (100, 500, 11, 9))
    assert windows_over_defects(mask, 500) == [(0, 300 + 209 // 2 - 250, 500, 500)]
    assert windows_over_defects(mask, 100) == [(200 - 30, 300 - 40, 100, 100), (55, 454, 100, 100)]


def test_window_does_not_leave_the_image() -> None:
    mask = draw((500, 1260), (0, 10, 5, 5), (495, 1250, 5, 5))
    assert windows_over_defects(mask, 200) == [(0, 0, 200, 200), (300, 1060, 200, 200)]


def test_image_smaller_than_the_window_lies_in_its_middle() -> None:
    assert windows_over_defects(draw((230, 630), (3, 600, 9, 9)), 500) == [(-135, 130, 500, 500)]
    assert windows_over_defects(draw((31, 20), (3, 3, 9, 9)), 40) == [(-5, -10, 40, 40)]


def test_defect_larger_than_a_window_is_covered_piece_by_piece() -> None:
    mask = draw((500, 1260), (10, 100, 480, 900))
    windows = windows_over_defects(mask, 500)
    assert [window[1] for window in windows] == [100, 550]
    ring = draw((60, 60), (0, 0, 60, 60))
    ring[1:-1, 1:-1] = 0
    assert (20, 20, 20, 20) not in windows_over_defects(ring, 20)


@pytest.mark.parametrize("side", [1, 3, 16, 500])
def test_mask_full_of_specks_is_covered(side: int) -> None:
    mask = np.zeros((150, 100), np.uint8)
    mask[::3, ::3] = 255
    left_out = mask.copy()
    for left, top, width, height in windows_over_defects(mask, side):
        left_out[max(top, 0) : top + height, max(left, 0) : left + width] = 0
    assert not left_out.any()
