"""The figures of a test set, exact, from counts at the scores of its defects.

A curve over all thresholds gains height only at the score of a defect. So the counts of good scores
above and at each of these are enough; no threshold is sampled. Scores are those of pixels, or of
whole images.

Ties are linear: where `hits` defects and some good scores share a score, the curve is a straight
line between its points before and after them. That is the convention of the Mann-Whitney statistic
(a tie counts half), and of scikit-learn's ROC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

PIMO_BOUNDS = (1e-5, 1e-4)
"""Bounds of the false-positive rate for AUPIMO (Bertoldo et al., 2024, section 4)."""

FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "image_auroc": "image AUROC",
        "image_ap": "image AP",
        "image_f1_max": "image F1-max",
        "image_fp_at_fn0": "FP@FN=0",
        "pixel_auroc": "pixel AUROC",
        "pixel_ap": "pixel AP",
        "pixel_f1_max": "pixel F1-max",
        "aupro_0.3": "AUPRO@0.3",
        "aupro_0.05": "AUPRO@0.05",
        "aupimo": "AUPIMO",
    }
)
"""The figures by key, with their names, in the order of the table."""


DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "image_auroc": "area under the ROC curve of image scores; ties count half",
        "image_ap": "average precision of image scores, without interpolation",
        "image_f1_max": "highest F1 of image scores over all thresholds, chosen on the test set",
        "image_fp_at_fn0": "good images that score as high as the lowest defective image",
        "pixel_auroc": "area under the ROC curve of all pixels of the test set; ties count half",
        "pixel_ap": "average precision of all pixels, without interpolation",
        "pixel_f1_max": "highest F1 of all pixels over all thresholds, chosen on the test set",
        "aupro_0.3": "mean over 8-connected regions of the overlap, integrated over the "
        "false-positive rate from 0 to 0.3 and divided by 0.3; every threshold counts",
        "aupro_0.05": "the same to a false-positive rate of 0.05",
        "aupimo": "mean over defective images of the recall, integrated over the logarithm of the "
        "mean false-positive rate of good images from 1e-5 to 1e-4, divided by its length",
    }
)
"""What each figure is, by key."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Counts at falling thresholds, for each of several units, such as physical items.

    A step takes in the defects whose scores lie from its first threshold down to its last one; most
    often that is a single score.

    Attributes
    ----------
    thresholds
        The last threshold of each step, float64, falling.
    above, down_to
        Units x steps: good scores above the first threshold of each step, and down to its last.
    good
        For each unit, the number of its good scores.
    hits
        Units x steps: defects taken in by each step.
    """

    thresholds: Floats
    above: Floats
    down_to: Floats
    good: Floats
    hits: Floats


@dataclass(frozen=True, slots=True)
class Overlaps:
    """What the region-wise figures need beside the `Steps` of pixels; arrays are units x steps.

    Attributes
    ----------
    region_shares, regions
        Sums over regions of the share of the region that a step takes in; the number of regions.
    image_shares, images
        The same over the defective images.
    clean_above, clean_down_to, clean
        Sums over good images of the share of the image above and down to each step; the number of
        good images.
    """

    region_shares: Floats
    regions: Floats
    image_shares: Floats
    images: Floats
    clean_above: Floats
    clean_down_to: Floats
    clean: Floats


@dataclass(frozen=True, slots=True)
class Rates:
    """Points of curves for some weights of the units; arrays are draws x steps.

    `before` and `after` are the false-positive rates before and after each step, `hits` the
    (weighted) defects that it takes in, `found` all defects so far, `false` all false positives.
    """

    before: Floats
    after: Floats
    hits: Floats
    found: Floats
    false: Floats


def rates(steps: Steps, weights: Floats) -> Rates:
    """Return the curves for `weights`, draws x units."""
    good = (weights @ steps.good)[:, None]
    above, false = weights @ steps.above, weights @ steps.down_to
    hits = weights @ steps.hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return Rates(above / good, false / good, hits, hits.cumsum(axis=1), false)


def detection_figures(curve: Rates) -> dict[str, Floats]:
    """Return AUROC, AP and F1-max for each draw; NaN where a draw has only one class."""
    total = curve.found[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        # All of a step's defects have the same rank, so the area is a sum over the steps.
        auroc = (curve.hits * (1 - (curve.before + curve.after) / 2)).sum(axis=1) / total[:, 0]
        precision = curve.found / (curve.found + curve.false)
        ap = (curve.hits * np.nan_to_num(precision)).sum(axis=1) / total[:, 0]
        f1 = _f1(curve).max(axis=1)
    one_class = np.isnan(auroc)
    return {
        "auroc": _share(auroc),
        "ap": _share(np.where(one_class, np.nan, ap)),
        "f1_max": np.where(one_class, np.nan, f1),
    }


def _f1(curve: Rates) -> Floats:
    return 2 * curve.found / (curve.found + curve.false + curve.found[:, -1:])


def best_threshold(curve: Rates, thresholds: Floats) -> float | None:
    """Return the threshold of the F1-max of a single draw; scores from it on are positive.

    None if all pixels must be positive, even those that no map shows.
    """
    best = float(thresholds[np.argmax(_f1(curve))])
    return best if np.isfinite(best) else None


def false_alarms(curve: Rates) -> Floats:
    """Return how many good scores reach the lowest score of a defect, for each draw."""
    draws, steps = curve.hits.shape
    last = steps - 1 - np.argmax(curve.hits[:, ::-1] > 0, axis=1)
    alarms = curve.false[np.arange(draws), last]
    return np.where(curve.found[:, -1] > 0, alarms, np.nan)


def overlap_figures(curve: Rates, overlaps: Overlaps, weights: Floats) -> dict[str, Floats]:
    """Return AUPRO to the limits 0.3 and 0.05, and AUPIMO, for each draw.

    `curve` is that of the pixels for the same `weights`, draws x units.

    Sources: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 5.2 (PRO);
    Bertoldo et al., "AUPIMO", BMVC 2024.
    """
    shares, regions = weights @ overlaps.region_shares, weights @ overlaps.regions
    found = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for limit in (0.3, 0.05):
            areas = area_to(limit, curve.before, curve.after)
            found[f"aupro_{limit}"] = _share((shares * areas).sum(axis=1) / (limit * regions))
        clean = (weights @ overlaps.clean)[:, None]
        before, after = (
            weights @ counted / clean for counted in (overlaps.clean_above, overlaps.clean_down_to)
        )
        shares, images = weights @ overlaps.image_shares, weights @ overlaps.images
        areas = log_area_between(*PIMO_BOUNDS, before, after)
        width = np.log(PIMO_BOUNDS[1] / PIMO_BOUNDS[0])
        found["aupimo"] = _share((shares * areas).sum(axis=1) / (width * images))
    return found


def _share(values: Floats) -> Floats:
    """Take off what rounding adds beyond 0 and 1."""
    return np.clip(values, 0, 1)


def area_to(limit: float, before: Floats, after: Floats) -> Floats:
    """Return the area below a step of height 1, from the false-positive rate 0 to `limit`.

    The step rises in a straight line from the rate `before` to the rate `after`.
    """
    rise = np.where(after > before, after - before, 1)
    cut = (limit - before) ** 2 / (2 * rise)
    whole = limit - (before + after) / 2
    return np.where(after <= limit, whole, np.where(before >= limit, 0, cut))


def log_area_between(low: float, high: float, before: Floats, after: Floats) -> Floats:
    """Return the area below a step of height 1, over the logarithm of the false-positive rate.

    The step rises in a straight line, over the rate itself, from `before` to `after`; the rate runs
    from `low` to `high`.
    """
    start, end = np.clip(before, low, high), np.clip(after, low, high)
    rise = np.where(after > before, after - before, 1)
    sloped = ((end - start) - before * np.log(end / start)) / rise
    return np.where(after > before, sloped, 0) + np.log(high / end)


Measure: TypeAlias = Callable[[Floats], Mapping[str, Floats]]
"""Figures by key for weights, draws x units; a figure has a value for each draw."""
