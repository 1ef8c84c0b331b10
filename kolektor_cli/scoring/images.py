"""Figures of whole images, from their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kolektor_cli.scoring.figures import (
    Floats,
    Rates,
    Steps,
    best_threshold,
    detection_figures,
    false_alarms,
    rates,
)
from kolektor_cli.scoring.intervals import drawn_figures
from kolektor_cli.scoring.results import Curve, whole_curve
from kolektor_cli.scoring.thresholds import Scores
from kolektor_cli.tree.truth import TruthImage


@dataclass(frozen=True, slots=True)
class ImageFigures:
    """Figures by key, their values in each draw, the threshold of the F1-max, and curves by name.

    All are empty, and the threshold None, where not both classes are there.
    """

    exact: Mapping[str, float]
    drawn: Mapping[str, Floats]
    threshold: float | None
    curves: Mapping[str, Curve]


def image_score(scores: Scores, top: int | None = None) -> float:
    """Return the highest score of a map, or the mean of its `top` highest ones."""
    if top is None or top == 1:
        return float(scores.max())
    flat = scores.ravel()
    top = min(top, flat.size)
    return float(np.partition(flat, flat.size - top)[-top:].mean(dtype=np.float64))


def image_figures(
    images: Sequence[TruthImage], scores: Sequence[float], weights: Floats | None
) -> ImageFigures:
    """Return the figures of images, whose `scores` are in the same order.

    `weights`, draws x items, say how often each item is drawn; None for no draws.
    """
    if len({image.label for image in images}) < 2:
        return ImageFigures({}, {}, None, {})
    steps = image_steps(images, scores)
    curve = rates(steps, np.ones((1, len(steps.good))))
    exact = {key: float(value[0]) for key, value in _measure(curve).items()}
    drawn: Mapping[str, Floats] = {}
    if weights is not None:
        drawn = drawn_figures(lambda drawn: _measure(rates(steps, drawn)), exact, weights)
    recall = curve.found[0] / curve.found[0, -1]
    roc = whole_curve("true-positive rate", steps.thresholds.tolist(), curve.after[0], recall)
    return ImageFigures(exact, drawn, best_threshold(curve, steps.thresholds), {"image_roc": roc})


def _measure(curve: Rates) -> dict[str, Floats]:
    found = {f"image_{key}": value for key, value in detection_figures(curve).items()}
    return {**found, "image_fp_at_fn0": false_alarms(curve)}


def image_steps(images: Sequence[TruthImage], scores: Sequence[float]) -> Steps:
    """Return the curve of image scores, with a unit for each physical item.

    There must be a defective image. The steps are the distinct scores of defective images.
    """
    rows = {item: row for row, item in enumerate(dict.fromkeys(image.item for image in images))}
    found = [score for image, score in zip(images, scores, strict=True) if image.label != "good"]
    thresholds = np.unique(np.asarray(found, np.float64))[::-1]
    shape = (len(rows), len(thresholds))
    above, down_to, hits = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    good = np.zeros(len(rows))
    for image, score in zip(images, scores, strict=True):
        row = rows[image.item]
        if image.label == "good":
            above[row] += score > thresholds
            down_to[row] += score >= thresholds
            good[row] += 1
        else:
            hits[row] += score == thresholds
    return Steps(thresholds, above, down_to, good, hits)
