"""Maps on their images: the same scores as by PyTorch's rule, in the right pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.imaging.geometry import CenterCrop, center_crop
from kolektor_cli.scoring.placing import place, within

Array = np.ndarray[Any, Any]


def drawn(height: int, width: int, kind: type = np.float64) -> Array:
    return np.random.default_rng(height).normal(size=(height, width)).astype(kind)


def test_map_of_the_images_size_stays_as_it_is() -> None:
    scores = drawn(7, 5, np.float32)
    placed = place(scores, (5, 7), (0, 0, 5, 7))
    assert placed.window == (0, 0, 5, 7)
    np.testing.assert_array_equal(placed.scores, scores, strict=True)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(50, 124), (7, 9), (33, 20), (256, 320), (1, 1)], ids=str)
def test_map_is_resized_as_by_opencv_with_half_pixel_centres(
    size: tuple[int, int], kind: type
) -> None:
    scores = drawn(32, 20, kind)
    placed = place(scores, size, (0, 0, *size))
    expected = cv2.resize(scores, size, interpolation=cv2.INTER_LINEAR)
    assert placed.scores.dtype == kind
    np.testing.assert_allclose(placed.scores, expected, atol=2e-5)


def test_resized_scores_do_not_go_beyond_the_maps() -> None:
    placed = place(drawn(5, 5), (40, 40), (0, 0, 40, 40))
    assert placed.scores.max() <= drawn(5, 5).max()
    assert placed.scores.min() >= drawn(5, 5).min()


def test_padding_gets_no_scores() -> None:
    scores = drawn(10, 8)
    placed = place(scores, (8, 10), (2, 1, 5, 7))
    assert placed.window == (2, 1, 5, 7)
    np.testing.assert_array_equal(placed.scores, scores[1:8, 2:7])
    np.testing.assert_array_equal(within(scores, (8, 10), (2, 1, 5, 7)), scores[1:8, 2:7])


def test_padding_of_a_map_of_another_size_is_left_out_of_its_maximum() -> None:
    scores = np.zeros((4, 4))
    scores[:, 0] = 9
    # A quarter of the width is padding: all of the first column, none of the second.
    assert within(scores, (100, 100), (25, 0, 75, 100)).max() == 0
    assert within(scores, (100, 100), (10, 0, 90, 100)).max() == 9
    assert within(np.ones((1, 1)), (100, 100), (60, 0, 40, 100)).shape == (1, 1)


def test_crop_covers_the_pixels_whose_centres_lie_in_it() -> None:
    # 21 pixels become 10; the middle 7 of them start at 2, so at pixel 4.2 of the image.
    placed = place(drawn(7, 7), (21, 21), (0, 0, 21, 21), CenterCrop("test", 10, 7))
    left, top, width, height = center_crop((21, 21), 10, 7)
    centres = np.arange(21) + 0.5
    inside = np.flatnonzero((centres >= left) & (centres < left + width))
    assert left % 1 > 0
    assert placed.window == (inside[0], inside[0], len(inside), len(inside))
    assert (top, height) == (left, width)


def test_map_of_a_center_crop_lies_in_its_window() -> None:
    # The shorter side becomes 10 pixels, then the middle 8 of 10 and of 20 are kept: of an image of
    # 20 x 40 pixels, 16 x 16 in the middle.
    scores = drawn(8, 8)
    placed = place(scores, (20, 40), (0, 0, 20, 40), CenterCrop("test", 10, 8))
    assert placed.window == (2, 12, 16, 16)
    expected = cv2.resize(scores, (16, 16), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(placed.scores, expected, atol=1e-12)
