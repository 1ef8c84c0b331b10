"""What a fit loses is red, and windows are drawn on the source."""

from __future__ import annotations

import numpy as np

from kolektor_cli.imaging.geometry import cut, stretch
from kolektor_cli.reports.before_after import fit_cell, lost_by
from kolektor_cli.reports.overlay import LOST, OUTLINE, SECOND_OUTLINE, outlined
from tests.conftest import draw_image

IMAGE = draw_image(1, 50, 40)
MASK = np.zeros((40, 50), np.uint8)
MASK[10:14, 5:30] = 1
PLACE = cut((50, 40), (20, 5, 24, 20))


def test_defect_outside_of_the_window_is_red() -> None:
    before, after = (part.pixels for part in fit_cell(IMAGE, MASK, [PLACE], (), 50).parts)
    lost = np.zeros((40, 50), np.bool_)
    lost[10:14, 5:20] = True
    assert ((before == LOST).all(axis=2) == lost).all()
    assert (lost_by(MASK, [PLACE]) == 255 * lost).all()
    for row, column in ((5, 20), (24, 43), (5, 43), (24, 20)):
        assert (before[row, column] == SECOND_OUTLINE).all()
    assert (before[0, 0] == IMAGE[0, 0]).all()
    assert (after == outlined(IMAGE[5:25, 20:44], MASK[5:25, 20:44])).all()


def test_output_is_as_large_as_its_window_on_the_source() -> None:
    enlarged = fit_cell(IMAGE, MASK, [PLACE], (), 200).parts
    assert [part.pixels.shape for part in enlarged] == [(160, 200, 3), (80, 96, 3)]
    halved = fit_cell(IMAGE, MASK, [stretch((50, 40), (25, 20))], (), 50).parts
    assert [part.pixels.shape for part in halved] == [(40, 50, 3), (40, 50, 3)]
    shrunk = fit_cell(IMAGE, MASK, [PLACE], (), 25).parts
    assert [part.pixels.shape for part in shrunk] == [(20, 25, 3), (10, 12, 3)]


def test_whole_image_loses_nothing() -> None:
    before = fit_cell(IMAGE, MASK, [stretch((50, 40), (20, 30))], (), 50).parts[0].pixels
    assert not (before == LOST).all(axis=2).any()
    assert (before == OUTLINE).all(axis=2).any()


def test_tall_source_and_outputs_are_turned_alike() -> None:
    tall, mask = draw_image(1, 20, 60), np.zeros((60, 20), np.uint8)
    mask[30:33, 5:9] = 1
    place = cut((20, 60), (0, 25, 20, 20))
    parts = fit_cell(tall, mask, [place], (), 60).parts
    assert parts[0].pixels.shape == (20, 60, 3)
    assert (parts[1].pixels == np.rot90(outlined(tall[25:45], mask[25:45]))).all()
