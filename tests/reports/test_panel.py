"""Panels: five pictures of an image, its mask and its scores."""

from __future__ import annotations

import numpy as np

from kolektor_cli.reports.overlay import (
    OUTLINE,
    PADDING,
    SECOND_OUTLINE,
    heat_map,
    outlined,
    to_rgb,
)
from kolektor_cli.reports.panel import panel_cell, predicted
from tests.conftest import draw_image

IMAGE = draw_image(1, 50, 30)


def scores_and_mask() -> tuple[np.ndarray, np.ndarray]:
    scores = draw_image(2, 50, 30).astype(np.float32)
    scores[:, :4] = np.nan
    mask = np.zeros((30, 50), np.uint8)
    mask[5:12, 8:20] = 255
    return scores, mask


def test_pictures_are_those_of_the_image_at_scale_one() -> None:
    scores, mask = scores_and_mask()
    parts = panel_cell(IMAGE, mask, scores, (10.0, 240.0), 130.0, ("name",), 50).parts
    image, truth, heat, bar, found, outlines = (part.pixels for part in parts)
    assert (image == to_rgb(IMAGE)).all()
    assert (truth == mask[:, :, None]).all()
    assert (heat[:, :4] == PADDING).all()
    assert (heat[:, 4:] == heat_map(scores[:, 4:], 10.0, 240.0)).all()
    assert bar.shape[0] == 30
    assert (found == predicted(scores, 130.0)[:, :, None]).all()
    both = outlined(outlined(IMAGE, mask, OUTLINE), found[:, :, 0], SECOND_OUTLINE)
    assert (outlines == both).all()
    assert parts[3].aside == ("240", "10")


def test_prediction_takes_in_the_threshold_and_no_padding() -> None:
    scores = np.array([[0.4, 0.5, 0.6, np.nan]])
    assert predicted(scores, 0.5).tolist() == [[0, 255, 255, 0]]


def test_good_image_has_an_empty_ground_truth() -> None:
    scores, _ = scores_and_mask()
    parts = panel_cell(IMAGE, None, scores, (0.0, 1.0), 999.0, (), 50).parts
    assert not parts[1].pixels.any()
    assert (parts[5].pixels == to_rgb(IMAGE)).all()
