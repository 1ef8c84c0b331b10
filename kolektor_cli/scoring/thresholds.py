"""Ranks of scores among thresholds: how many good scores lie above and at each threshold."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Scores: TypeAlias = npt.NDArray[np.floating[Any]]
"""Scores of pixels, float32 or float64."""

Counts: TypeAlias = npt.NDArray[np.int64]

_CELLS_EACH = 12
"""Cells of the table for each threshold, so that few hold more than one or two."""

_MOST_CELLS = 2**21
"""The most cells: 8 MB, which still fit into a processor's cache."""


class Thresholds:
    """Distinct scores in rising order, and a table that ranks other scores among them.

    The rank of a score is the number of thresholds below it. The range of the thresholds is divided
    into cells. The table holds the rank of a cell's lower end, complemented if the cell holds a
    threshold: only scores in such a cell are searched for, between the ranks of its two ends. This
    is several times as fast as sorting or searching all scores, with the same result.

    Parameters
    ----------
    scores
        Scores of defects: finite, one or more, of float32 or float64.
    """

    def __init__(self, scores: Scores) -> None:
        self.values: Scores = np.unique(scores)
        self._low = self.values[0]
        self._number = min(_CELLS_EACH * len(self.values), _MOST_CELLS)
        with np.errstate(over="ignore"):
            span = float(self.values[-1]) - float(self._low)
            scale = self.values.dtype.type((self._number - 2) / span if span else 0)
        # A scale that vanishes puts all scores into one cell, where all are searched for.
        self._scale = scale if np.isfinite(scale) else self.values.dtype.type(0)
        cells = self._cells(self.values)
        self._table = np.searchsorted(cells, np.arange(self._number + 1)).astype(np.int32)
        self._table[cells] = ~self._table[cells]

    def __len__(self) -> int:
        return len(self.values)

    def _cells(self, scores: Scores) -> npt.NDArray[np.int32]:
        """Return the cells of scores, which never fall as scores rise; the outer two take the rest.

        Not even rounding makes them fall.
        """
        if not self._scale:
            return np.zeros(scores.shape, np.int32)
        with np.errstate(over="ignore"):
            places = (scores - self._low) * self._scale + 1
        cells: npt.NDArray[np.int32] = np.clip(places, 0, self._number - 1, out=places).astype(
            np.int32
        )
        return cells

    def count(self, scores: Scores) -> tuple[Counts, Counts]:
        """Return, for each threshold, the number of scores above it, and of those equal to it."""
        scores = scores.astype(self.values.dtype, copy=False)
        cells = self._cells(scores)
        ranks = self._table.take(cells)
        unsure = np.flatnonzero(ranks < 0)
        near = scores.take(unsure)
        ends = self._table.take(cells.take(unsure) + 1)
        found = self._search(near, ~ranks.take(unsure), np.where(ends < 0, ~ends, ends))
        ranks[unsure] = found
        by_rank = np.bincount(ranks, minlength=len(self) + 1)
        same = self.values.take(found, mode="clip") == near
        equal = np.bincount(found[same], minlength=len(self))
        return by_rank[:0:-1].cumsum()[::-1], equal

    def _search(
        self, scores: Scores, low: npt.NDArray[np.int32], high: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        """Return the ranks of scores, each known to lie from `low` to `high`."""
        while (low < high).any():
            # Where both ends have met, the middle is that end, and `high` stays.
            middle = (low + high) >> 1
            below = (self.values.take(middle, mode="clip") < scores) & (low < high)
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        return low
