"""Intervals of figures, by drawing physical items with replacement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kolektor_cli.scoring.figures import Floats, Measure

_AT_ONCE = 50
"""Draws to compute at a time, which bounds the memory."""

LEVEL = 0.95
"""The share of draws inside an interval."""


def draw_items(items: int, draws: int, seed: int) -> Floats:
    """Return how often each item is drawn, draws x items; each row sums to the number of items.

    Source: Efron, "Bootstrap Methods", 1979. Items are drawn and not images, since images of one
    item are not independent.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(items, np.full(items, 1 / items), size=draws).astype(np.float64)


def drawn_figures(
    measure: Measure, exact: Mapping[str, float], weights: Floats
) -> dict[str, Floats]:
    """Return the figures of each draw.

    `measure` may be coarser than the exact figures: how much it differs from them without drawing
    is taken off, so that a draw of each item once gives the exact figures.
    """
    once = measure(np.ones((1, weights.shape[1])))
    parts = [measure(weights[at : at + _AT_ONCE]) for at in range(0, len(weights), _AT_ONCE)]
    drawn = {}
    for key in once:
        values = np.concatenate([part[key] for part in parts])
        shift = exact[key] - once[key][0]
        # Only shares need it, and it must not lead out of their range.
        drawn[key] = np.clip(values + shift, 0, 1) if shift else values
    return drawn


def interval(drawn: Floats) -> tuple[float, float] | None:
    """Return the percentile interval; draws of a single class count for nothing."""
    if np.isnan(drawn).all():
        return None
    edge = 50 * (1 - LEVEL)
    low, high = np.nanpercentile(drawn, [edge, 100 - edge])
    return float(low), float(high)
