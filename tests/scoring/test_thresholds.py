"""Counting at thresholds gives what comparing each score with each threshold gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kolektor_cli.scoring.thresholds import Thresholds

floats = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda kind: st.tuples(
        *(
            arrays.arrays(
                kind,
                st.integers(1, 60),
                elements=st.one_of(
                    st.integers(-3, 3).map(float),
                    st.floats(allow_nan=False, allow_infinity=False, width=32),
                ),
            )
            for _ in range(2)
        )
    )
)


def by_comparison(values: Any, scores: Any) -> tuple[Any, Any]:
    above = (scores[None] > values[:, None]).sum(axis=1)
    return above, (scores[None] == values[:, None]).sum(axis=1)


@given(floats)
def test_counts_are_those_of_comparing(two: tuple[Any, Any]) -> None:
    thresholds = Thresholds(two[0])
    np.testing.assert_array_equal(thresholds.values, np.unique(two[0]), strict=True)
    found, expected = thresholds.count(two[1]), by_comparison(thresholds.values, two[1])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("spread", [1, 20])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_counts_of_many_scores_are_those_of_sorting(kind: type, spread: float) -> None:
    random = np.random.default_rng(0)
    defects, scores = (np.exp(spread * random.normal(size=n) / 2) for n in (30_000, 100_000))
    defects, scores = defects.astype(kind), scores.astype(kind)
    scores[:500] = defects[:500]
    thresholds = Thresholds(defects)
    above, equal = thresholds.count(scores)
    ordered = np.sort(scores)
    right = np.searchsorted(ordered, thresholds.values, "right")
    np.testing.assert_array_equal(above, len(scores) - right)
    np.testing.assert_array_equal(equal, right - np.searchsorted(ordered, thresholds.values))


def test_narrow_scores_are_not_rounded_to_the_thresholds_type() -> None:
    thresholds = Thresholds(np.array([0.1, 0.2], np.float64))
    above, equal = thresholds.count(np.array([0.1, 0.2], np.float32))
    # 0.1 and 0.2 in 32 bits are a little more than in 64.
    assert (above.tolist(), equal.tolist()) == ([2, 1], [0, 0])
