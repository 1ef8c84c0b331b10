"""Intervals: items are drawn, alike for all models, and each item once gives the plain figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.scoring import score
from kolektor_cli.scoring.figures import (
    Floats,
    Overlaps,
    Steps,
    detection_figures,
    overlap_figures,
    rates,
)
from kolektor_cli.scoring.images import image_steps
from kolektor_cli.scoring.intervals import draw_items, drawn_figures, interval
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.placing import Placed
from kolektor_cli.scoring.tally import Tally, defect_scores, good_scores
from kolektor_cli.tree.truth import TruthImage, open_truth, read_defects
from tests.scoring.cases import Case, by_scikit, random_case

Curves = tuple[Steps, Overlaps]
DRAWS = ScoreOptions(draws=200, seed=3)


def overlaps_of(curves: Curves, weights: Floats) -> dict[str, Floats]:
    return overlap_figures(rates(curves[0], weights), curves[1], weights)


def tally_of(case: Case, items: dict[str, str]) -> tuple[Tally, list[TruthImage]]:
    """Count a case's scores, with an item for each image that is named."""
    truth = open_truth(case.tree)
    images = [replace(i, item=items.get(i.path, i.path)) for i in truth.images]
    defects = [read_defects(truth, image) for image in images]
    placed = [Placed(case.maps[i.path].astype(np.float64), (0, 0, *i.size)) for i in images]
    shown = [defect_scores(*pair) for pair in zip(placed, defects, strict=True)]
    tally = Tally(images, defects, shown, by_item=True)
    for image, at, marked in zip(images, placed, defects, strict=True):
        scores = good_scores(at, marked)
        tally.add(image, scores, len(scores))
    return tally, images


def test_each_draw_has_as_many_items_as_there_are() -> None:
    drawn = draw_items(47, 500, seed=1)
    assert drawn.shape == (500, 47)
    assert set(drawn.sum(axis=1)) == {47}
    assert np.array_equal(drawn, draw_items(47, 500, seed=1))
    assert not np.array_equal(drawn, draw_items(47, 500, seed=2))
    # An item is left out of a draw with probability (1 - 1/47)^47.
    assert np.mean(drawn == 0) == pytest.approx((1 - 1 / 47) ** 47, abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_each_item_once_gives_the_exact_figures(tmp_path: Path, seed: int) -> None:
    tally, images = tally_of(random_case(tmp_path, seed), {})
    once = np.ones((1, len(images)))
    exact = {k: float(v[0]) for k, v in overlaps_of(tally.together(), once[:, :1]).items()}
    coarse = tally.by_item()
    drawn = drawn_figures(lambda weights: overlaps_of(coarse, weights), exact, once)
    assert {key: float(value[0]) for key, value in drawn.items()} == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_drawing_an_item_twice_counts_its_images_twice(tmp_path: Path, seed: int) -> None:
    case = random_case(tmp_path, seed)
    images = open_truth(case.tree).images
    scores = [float(case.maps[image.path].max()) for image in images]
    weights = (np.arange(len(images)) % 3 + 1).astype(np.float64)
    steps = image_steps(images, scores)
    found = detection_figures(rates(steps, weights[None]))
    times = weights.astype(int)
    labels = np.repeat([image.label == "defective" for image in images], times)
    for key, value in by_scikit(labels, np.repeat(scores, times)).items():
        assert float(found[key][0]) == pytest.approx(value, abs=1e-12)


def test_coarse_curves_are_close_to_the_exact_ones(tmp_path: Path) -> None:
    # So many defect pixels that several share a step.
    case = random_case(tmp_path, 2, good=3, defective=5, shape=(300, 200))
    tally, images = tally_of(case, {})
    assert len(tally.thresholds) > 4 * len(tally.edges)
    once = np.ones((1, len(images)))
    exact, coarse = (
        overlaps_of(curves, weights)
        for curves, weights in ((tally.together(), once[:, :1]), (tally.by_item(), once))
    )
    for key in exact:
        assert float(coarse[key][0]) == pytest.approx(float(exact[key][0]), abs=2e-4)
        assert float(coarse[key][0]) != float(exact[key][0])
    # How much they differ is taken off the draws.
    values = {key: float(value[0]) for key, value in exact.items()}
    curves = tally.by_item()
    drawn = drawn_figures(lambda weights: overlaps_of(curves, weights), values, once)
    assert {key: float(value[0]) for key, value in drawn.items()} == pytest.approx(
        values, abs=1e-12
    )


def test_interval_holds_the_middle_of_the_draws() -> None:
    drawn = np.append(np.arange(1001.0), np.nan)
    assert interval(drawn) == pytest.approx((25, 975))
    assert interval(np.array([np.nan, np.nan])) is None


def test_figures_lie_in_their_intervals_and_the_seed_decides(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, good=12, defective=12)
    first, again = (score(case.tree, case.maps, options=DRAWS) for _ in range(2))
    assert first == again
    other = score(case.tree, case.maps, options=replace(DRAWS, seed=4))
    assert other.models[0].figures != first.models[0].figures
    for figure in first.models[0].figures.values():
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high


def test_models_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, good=12, defective=12)
    # A model that is the other with thresholds moved has the same figures in each draw.
    moved = {path: 2 * scores + 1 for path, scores in case.maps.items()}
    found = score(case.tree, [case.maps, moved], options=DRAWS)
    [difference] = found.differences
    assert (difference.first, difference.second) == ("maps 1", "maps 2")
    for figure in difference.figures.values():
        assert figure.value == pytest.approx(0, abs=1e-12)
        assert figure.low == pytest.approx(0, abs=1e-12)
        assert figure.high == pytest.approx(0, abs=1e-12)
