"""The catalogue: what is set for each consumer, and that its tree is what it needs."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from kolektor_cli.consumers.catalogue import (
    CENTER_CROPS,
    CONSUMERS,
    METAL_NUT,
    MVTEC_CATEGORIES,
    ConsumerName,
)
from kolektor_cli.imaging.geometry import center_crop
from tests.conftest import MakeDataset
from tests.consumers.consumed import NAMES, convert_for, errors, out_for


def test_every_name_has_its_consumer() -> None:
    assert set(NAMES) == set(CONSUMERS)
    assert len(MVTEC_CATEGORIES) == 15
    assert METAL_NUT in MVTEC_CATEGORIES


@pytest.mark.parametrize("name", NAMES)
def test_what_a_consumer_needs_is_set_and_its_tree_verifies(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName
) -> None:
    out = out_for(name, tmp_path)
    done = convert_for(name, make_dataset(), out)
    consumer = CONSUMERS[name]
    assert done.target == out / (consumer.category or "metal")
    sizes = set()
    for path in done.target.rglob("*.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        sizes.add((pixels.shape[1], pixels.shape[0]))
    squares = consumer.fit == "pad"
    assert sizes == {consumer.size or ((1240, 1240) if squares else (500, 1240))}
    assert done.plan.options["fit"] == consumer.fit
    [guide] = done.guides
    beside = sorted(path.name for path in out.iterdir() if path.is_file())
    assert sorted(done.beside) == sorted(guide.files) == beside
    assert errors(out, name) == set()


def test_center_crops_are_those_of_the_consumers_own_defaults() -> None:
    # Of PatchCore's bin/run_patchcore.py, CFA's datasets/mvtec.py and SimpleNet's run.sh.
    assert {(crop.name, crop.resize, crop.side) for crop in CENTER_CROPS} == {
        ("patchcore", 256, 224), ("cfa", 256, 224), ("simplenet", 329, 288),
    }  # fmt: skip
    for crop in CENTER_CROPS:
        assert CONSUMERS[crop.name].center_crop == crop  # type: ignore[index]


def test_center_crops_cut_off_what_was_measured() -> None:
    kept = {}
    for crop in CENTER_CROPS:
        left, top, width, height = center_crop((500, 1240), crop.resize, crop.side)
        assert left == pytest.approx((500 - width) / 2, abs=1)
        assert top == pytest.approx((1240 - height) / 2, abs=1)
        kept[crop.name] = (round(width), round(height))
    assert kept == {"patchcore": (438, 438), "cfa": (438, 438), "simplenet": (438, 438)}
