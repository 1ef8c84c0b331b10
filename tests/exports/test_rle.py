"""Run lengths: the same bytes as pycocotools writes, and the same pixels as it reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from kolektor_cli.exports.rle import compress, run_lengths
from kolektor_cli.imaging.pixels import Pixels
from tests.exports.regions import cut, masks, regions


def ours(whole: Pixels, box: tuple[int, int, int, int]) -> str:
    return compress(run_lengths(cut(whole, box), box, (whole.shape[1], whole.shape[0])))


@given(mask=masks(40))
def test_bytes_are_those_of_pycocotools_and_it_reads_the_region(mask: Pixels) -> None:
    for box, whole in regions(mask):
        counts = ours(whole, box)
        theirs = coco.encode(np.asfortranarray(whole))
        assert counts.encode() == theirs["counts"]
        read = coco.decode({"size": list(mask.shape), "counts": counts})
        assert (read == whole).all()
        assert coco.area(theirs) == whole.sum()
        assert coco.toBbox(theirs).tolist() == list(box)


@given(lengths=st.lists(st.integers(1, 2**26), min_size=1, max_size=12))
def test_long_runs_are_written_as_pycocotools_writes_them(lengths: list[int]) -> None:
    plain = {"size": [1, sum(lengths)], "counts": lengths}
    assert compress(lengths).encode() == coco.frPyObjects(plain, 1, sum(lengths))["counts"]


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [
        (["#"], [0, 1]),
        ([".#.", ".#."], [2, 2, 2]),
        (["#..", "..."], [0, 1, 5]),
        (["...", "..#"], [5, 1]),
    ],
)
def test_runs_go_down_the_columns_and_begin_outside(rows: list[str], lengths: list[int]) -> None:
    mask = np.array([[cell == "#" for cell in row] for row in rows], np.uint8)
    [(box, whole)] = regions(mask)
    assert run_lengths(cut(whole, box), box, (mask.shape[1], mask.shape[0])) == lengths
