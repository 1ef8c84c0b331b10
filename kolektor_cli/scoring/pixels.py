"""Figures of pixels and regions, from maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import OutputError
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.scoring.figures import (
    PIMO_BOUNDS,
    Floats,
    Overlaps,
    Rates,
    Steps,
    area_to,
    best_threshold,
    detection_figures,
    log_area_between,
    overlap_figures,
    rates,
)
from kolektor_cli.scoring.intervals import drawn_figures
from kolektor_cli.scoring.looks import Look
from kolektor_cli.scoring.maps import Maps
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.placing import place
from kolektor_cli.scoring.results import Curve, RegionScore, Segmentation, whole_curve
from kolektor_cli.scoring.tally import Tally, good_scores
from kolektor_cli.scoring.thresholds import Scores
from kolektor_cli.tree.truth import Defects, TruthImage

FEW_VALUES = 256
"""Distinct values up to which scores look rounded to 8 bits."""


@dataclass(frozen=True, slots=True)
class PixelFigures:
    """Figures by key, their values in each draw, and what belongs to them.

    Attributes
    ----------
    exact, drawn, threshold, curves
        As of `ImageFigures`.
    regions
        Each defect.
    aupimo
        That of each defective image, by path.
    segmentation
        The figures of a threshold that was given.
    few_values
        Whether the maps have no more than `FEW_VALUES` distinct values.
    """

    exact: Mapping[str, float]
    drawn: Mapping[str, Floats]
    threshold: float | None
    curves: Mapping[str, Curve]
    regions: tuple[RegionScore, ...] = ()
    aupimo: Mapping[str, float] | None = None
    segmentation: Segmentation | None = None
    few_values: bool = False


def pixel_figures(
    images: Sequence[TruthImage],
    defects: Mapping[str, Defects],
    maps: Maps,
    looks: Mapping[str, Look],
    options: ScoreOptions,
    threshold: tuple[float, str] | None = None,
    weights: Floats | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> PixelFigures:
    """Return the figures of pixels and regions; a map covers a defect pixel or more.

    Parameters
    ----------
    images, defects
        The test images and, by path, their defects.
    maps, looks
        The maps and, by path, what was seen of them.
    options
        How maps are scored.
    threshold
        A threshold for segmentation, and where it comes from.
    weights
        How often each item is drawn, draws x items; None for no draws.
    """
    ordered = [defects[image.path] for image in images]
    shown = [looks[image.path].defects for image in images]
    tally = Tally(images, ordered, shown, by_item=weights is not None)
    second = _SecondReading(tally, defects, maps, looks, options, threshold)
    by_path = {image.path: image for image in images}
    wanted = [by_path[path] for path in maps.paths if path in by_path]
    parallel_map(second.count, wanted, 1 if maps.in_order else jobs, progress)
    steps, overlaps = tally.together()
    once = np.ones((1, 1))
    curve = rates(steps, once)
    exact = {key: float(value[0]) for key, value in _measure(curve, overlaps, once).items()}
    drawn: Mapping[str, Floats] = {}
    if weights is not None:
        coarse, shares = tally.by_item()
        drawn = drawn_figures(
            lambda drawn: _measure(rates(coarse, drawn), shares, drawn), exact, weights
        )
    return PixelFigures(
        exact=exact,
        drawn=drawn,
        threshold=best_threshold(curve, steps.thresholds),
        curves=_curves(steps, overlaps, curve, tally.edges[1:] - 1),
        regions=tuple(_regions(tally, ordered, curve)),
        aupimo=_aupimo(tally, images, overlaps),
        segmentation=second.segmentation(),
        few_values=second.few_values(),
    )


def _measure(curve: Rates, overlaps: Overlaps, weights: Floats) -> dict[str, Floats]:
    found = {f"pixel_{key}": value for key, value in detection_figures(curve).items()}
    return {**found, **overlap_figures(curve, overlaps, weights)}


class _SecondReading:
    """Reads each map again, and counts its good scores."""

    def __init__(
        self,
        tally: Tally,
        defects: Mapping[str, Defects],
        maps: Maps,
        looks: Mapping[str, Look],
        options: ScoreOptions,
        threshold: tuple[float, str] | None,
    ) -> None:
        self._tally, self._defects, self._maps = tally, defects, maps
        self._looks, self._options, self._threshold = looks, options, threshold
        self._false = 0
        # More are counted only where the defects have as few.
        self._values: set[float] | None = set() if len(tally.thresholds) <= FEW_VALUES else None
        self._lock = Lock()

    def count(self, image: TruthImage) -> None:
        read, look = self._maps.read(image.path).scores, self._looks[image.path]
        if (float(read.min()), float(read.max())) != (look.lowest, look.highest):
            raise OutputError(f"{image.path}: its map changed while it was scored; score it again")
        defects = self._defects[image.path]
        placed = place(read, image.size, image.inside, self._options.crop)
        scores = good_scores(placed, defects)
        good = image.inside[2] * image.inside[3] - len(defects.rows)
        self._tally.add(image, scores, good)
        with self._lock:
            if self._threshold is not None:
                self._false += int(np.count_nonzero(_from(scores, self._threshold[0])))
            if self._values is not None:
                self._values.update(np.unique(scores)[: 2 * FEW_VALUES].tolist())
                self._values = self._values if len(self._values) <= FEW_VALUES else None

    def few_values(self) -> bool:
        """Return whether good and defective pixels have few distinct scores together."""
        if self._values is None:
            return False
        return len(self._values.union(self._tally.thresholds.values.tolist())) <= FEW_VALUES

    def segmentation(self) -> Segmentation | None:
        """Return the figures of the threshold that was given."""
        if self._threshold is None:
            return None
        threshold, origin = self._threshold
        looks = self._looks.values()
        found = sum(int(np.count_nonzero(_from(look.defects.scores, threshold))) for look in looks)
        total = sum(len(look.defects.seen) for look in looks)
        marked = found + self._false
        precision = found / marked if marked else None
        return Segmentation(
            threshold, origin, precision, found / total, 2 * found / (marked + total)
        )


def _from(scores: Scores, threshold: float) -> npt.NDArray[np.bool_]:
    """Return which scores reach a threshold, which is not rounded to their type."""
    return scores.astype(np.float64, copy=False) >= threshold


def _region_areas(tally: Tally, index: int, areas: Floats) -> Floats:
    """Return the value of each defect pixel of an image: that of its step, the last if not seen."""
    seen = tally.shown[index].seen
    values = np.full(len(seen), areas[-1])
    values[seen] = areas[tally.ranks[index]]
    return values


def _regions(tally: Tally, defects: Sequence[Defects], curve: Rates) -> list[RegionScore]:
    to_03, to_005 = (area_to(limit, curve.before[0], curve.after[0]) for limit in (0.3, 0.05))
    found = []
    for index, marked in enumerate(defects):
        sizes = np.array([region.area for region in marked.found])
        overlaps = [
            np.bincount(marked.regions, _region_areas(tally, index, areas), len(sizes))
            / (limit * sizes)
            for areas, limit in ((to_03, 0.3), (to_005, 0.05))
            if len(sizes)
        ]
        for number, region in enumerate(marked.found):
            pro_03, pro_005 = (float(overlap[number]) for overlap in overlaps)
            found.append(RegionScore(region.image, region.area, region.box, pro_03, pro_005))
    return found


def _aupimo(tally: Tally, images: Sequence[TruthImage], overlaps: Overlaps) -> dict[str, float]:
    clean = float(overlaps.clean.sum())
    if not clean:
        return {}
    before, after = overlaps.clean_above[0] / clean, overlaps.clean_down_to[0] / clean
    areas = log_area_between(*PIMO_BOUNDS, before, after)
    width = np.log(PIMO_BOUNDS[1] / PIMO_BOUNDS[0])
    return {
        image.path: float(_region_areas(tally, index, areas).mean() / width)
        for index, image in enumerate(images)
        if image.label == "defective"
    }


def _curves(
    steps: Steps, overlaps: Overlaps, curve: Rates, places: npt.NDArray[np.intp]
) -> dict[str, Curve]:
    """Return exact points of the curves, at as many thresholds as intervals use."""
    thresholds = tuple(steps.thresholds[places].tolist())
    found, false = curve.found[0, places], curve.false[0, places]
    rate, recall = curve.after[0, places], found / curve.found[0, -1]
    overlap = overlaps.region_shares[0].cumsum()[places] / overlaps.regions[0]

    precision = tuple((found / (found + false)).tolist())
    return {
        "pixel_roc": whole_curve("true-positive rate", thresholds, rate, recall),
        "pixel_pr": Curve("recall", "precision", thresholds, tuple(recall.tolist()), precision),
        "pro": whole_curve("per-region overlap", thresholds, rate, overlap),
    }


def validation_threshold(
    images: Sequence[TruthImage], maps: Maps, options: ScoreOptions
) -> tuple[float, str]:
    """Return the mean of the maps of validation images plus three standard deviations, and a name.

    Means and squares are merged image by image (Chan, Golub and LeVeque, 1983): a sum of squares
    would cancel where the scores are all large.

    Raises
    ------
    ImageError, OutputError
        A map cannot be read, or its scores are too large for a standard deviation.
    """
    number, mean, squares = 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for image in images:
            read = maps.read(image.path).scores.astype(np.float64)
            scores = place(read, image.size, image.inside, options.crop).scores
            total = number + scores.size
            step = float(scores.mean()) - mean
            squares += float(scores.var()) * scores.size
            squares += step * step * number * scores.size / total
            mean += step * scores.size / total
            number = total
        threshold = mean + 3 * (squares / number) ** 0.5
    if not np.isfinite(threshold):
        message = "its map has scores too large for a standard deviation; scale all maps alike"
        raise OutputError(f"{images[0].path}: {message}")
    return threshold, "mean + 3 standard deviations of the validation images"
