"""Counts of all test images together, from which the exact figures and their intervals come.

Maps are read twice, so that no more than a few are in memory: first for the scores of defects,
which are the thresholds; then to count the good scores above and at each of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from kolektor_cli.scoring.figures import Overlaps, Steps
from kolektor_cli.scoring.placing import Placed
from kolektor_cli.scoring.thresholds import Counts, Scores, Thresholds
from kolektor_cli.tree.truth import Defects, TruthImage

GROUPS = 1024
"""Steps of the curves from which intervals are drawn; each takes in as many defect pixels."""


@dataclass(frozen=True, slots=True)
class DefectScores:
    """The scores of one image's defect pixels; `seen` tells which of them the map covers."""

    scores: Scores
    seen: npt.NDArray[np.bool_]


def defect_scores(placed: Placed, defects: Defects) -> DefectScores:
    """Return the scores of the defect pixels that a map covers."""
    rows, columns, seen = _in_window(placed, defects)
    return DefectScores(placed.scores[rows[seen], columns[seen]], seen)


def good_scores(placed: Placed, defects: Defects) -> Scores:
    """Return the scores of the pixels that a map covers and that are no defect."""
    scores = np.ascontiguousarray(placed.scores).ravel()
    if not len(defects.rows):
        return scores
    rows, columns, seen = _in_window(placed, defects)
    good = np.ones(scores.size, np.bool_)
    good[rows[seen] * placed.window[2] + columns[seen]] = False
    return scores[good]


def _in_window(
    placed: Placed, defects: Defects
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    left, top, width, height = placed.window
    rows, columns = defects.rows - top, defects.columns - left
    seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows, columns, seen


class Tally:
    """Counts of good scores at the thresholds, added image by image from any number of threads.

    Parameters
    ----------
    images
        The test images.
    defects, scores
        The defects of each, and their scores, in the same order; one pixel or more is seen.
    by_item
        Whether to count for each item, too, as intervals need it.

    Attributes
    ----------
    thresholds
        The distinct scores of defects.
    shown
        The scores that were given.
    ranks
        For each image, the ranks of the scores of its defects, from 0 for the highest threshold.
    edges
        The ranks at which the coarser steps start, and the number of thresholds.
    """

    def __init__(
        self,
        images: Sequence[TruthImage],
        defects: Sequence[Defects],
        scores: Sequence[DefectScores],
        *,
        by_item: bool,
    ) -> None:
        self.thresholds = Thresholds(np.concatenate([found.scores for found in scores]))
        number = len(self.thresholds)
        # From the highest threshold, since curves begin there.
        self.ranks = [
            (number - 1 - np.searchsorted(self.thresholds.values, found.scores)).astype(np.int32)
            for found in scores
        ]
        self.shown = list(scores)
        self._parts = list(zip(images, defects, scores, self.ranks, strict=True))
        self._lock = Lock()
        items = {item: row for row, item in enumerate(dict.fromkeys(i.item for i in images))}
        self._units = [_Units(dict.fromkeys(items, 0), np.arange(number + 1), self.thresholds)]
        self.edges = _edges(np.concatenate(self.ranks), number)
        if by_item:
            self._units.append(_Units(items, self.edges, self.thresholds))

    def add(self, image: TruthImage, scores: Scores, pixels: int) -> None:
        """Count the scores of an image's good pixels; it has `pixels` of them, seen or not."""
        above, equal = self.thresholds.count(scores)
        with self._lock:
            for units in self._units:
                units.add(image, above, equal, len(scores), pixels)

    def together(self) -> tuple[Steps, Overlaps]:
        """Return the exact curve of all images: a step for each threshold, a single unit."""
        return self._units[0].curves(self._parts)

    def by_item(self) -> tuple[Steps, Overlaps]:
        """Return a coarser curve with a unit for each item."""
        return self._units[1].curves(self._parts)


def _edges(ranks: npt.NDArray[np.int32], number: int) -> npt.NDArray[np.intp]:
    """Return where each of at most `GROUPS` steps starts, with about as many defects in each."""
    found = np.bincount(ranks, minlength=number).cumsum()
    wanted = np.arange(1, GROUPS) * (found[-1] / GROUPS)
    return np.unique([0, *(np.searchsorted(found, wanted) + 1).tolist(), number]).astype(np.intp)


class _Units:
    """Counts at steps, for each of several units; `edges` are the ranks where steps start."""

    def __init__(
        self, rows: Mapping[str, int], edges: npt.NDArray[np.intp], thresholds: Thresholds
    ) -> None:
        number = len(thresholds)
        self._rows, self._edges = rows, edges
        # In rising order, as thresholds are counted.
        self._first, self._last = number - 1 - edges[:-1], number - edges[1:]
        self._values = thresholds.values[self._last].astype(np.float64)
        shape = (max(rows.values()) + 1, len(edges) - 1)
        self._above, self._down_to = np.zeros(shape), np.zeros(shape)
        self._clean_above, self._clean_down_to = np.zeros(shape), np.zeros(shape)
        self._seen, self._good = np.zeros(shape[0]), np.zeros(shape[0])
        self._clean_seen, self._clean = np.zeros(shape[0]), np.zeros(shape[0])

    def add(self, image: TruthImage, above: Counts, equal: Counts, seen: int, pixels: int) -> None:
        row = self._rows[image.item]
        over, reached = above[self._first], above[self._last] + equal[self._last]
        self._above[row] += over
        self._down_to[row] += reached
        self._seen[row] += seen
        self._good[row] += pixels
        if image.label == "good":
            self._clean_above[row] += over / pixels
            self._clean_down_to[row] += reached / pixels
            self._clean_seen[row] += seen / pixels
            self._clean[row] += 1

    def curves(
        self, parts: Sequence[tuple[TruthImage, Defects, DefectScores, npt.NDArray[np.int32]]]
    ) -> tuple[Steps, Overlaps]:
        """Return the curves; what no map covers is one more step, below all others."""
        units, steps = self._above.shape
        hits, shares, image_shares = (np.zeros((units, steps + 1)) for _ in range(3))
        regions, images = np.zeros(units), np.zeros(units)
        for image, defects, scores, ranks in parts:
            if not defects.found:
                continue
            row = self._rows[image.item]
            step = np.full(len(scores.seen), steps)
            step[scores.seen] = np.searchsorted(self._edges, ranks, "right") - 1
            areas = np.array([region.area for region in defects.found])[defects.regions]
            hits[row] += np.bincount(step, minlength=steps + 1)
            shares[row] += np.bincount(step, 1 / areas, minlength=steps + 1)
            image_shares[row] += np.bincount(step, minlength=steps + 1) / len(step)
            regions[row] += len(defects.found)
            images[row] += 1
        # A step that takes in nothing changes no figure.
        return (
            Steps(
                thresholds=np.append(self._values, -np.inf),
                above=np.column_stack((self._above, self._seen)),
                down_to=np.column_stack((self._down_to, self._good)),
                good=self._good,
                hits=hits,
            ),
            Overlaps(
                region_shares=shares,
                regions=regions,
                image_shares=image_shares,
                images=images,
                clean_above=np.column_stack((self._clean_above, self._clean_seen)),
                clean_down_to=np.column_stack((self._clean_down_to, self._clean)),
                clean=self._clean,
            ),
        )
