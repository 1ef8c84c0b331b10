"""Conversion of 16-bit sources: refused, or as the depth says, and checked against the source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert, plan_conversion
from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import ImageError, SourceError, UsageError
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.io.source import open_source
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from kolektor_cli.tree.write import write_tree
from tests.conftest import SMALL
from tests.trees import forge, read_manifest

SOURCE_SIZE = ConvertOptions(size="source", names="source")


def read_gray(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


@pytest.fixture
def deep(raw: Path, tmp_path: Path) -> Path:
    """Write the images of `raw` as a camera of 12 bits does: in PNGs of 16 bits."""
    for path in raw.rglob("*.jpg"):
        gray = read_gray(path)
        assert cv2.imwrite(str(path.with_suffix(".png")), gray.astype(np.uint16) * 16)
        path.rename(tmp_path / f"{path.parent.name}_{path.name}")
    return raw


def test_source_that_would_be_almost_black_is_refused(deep: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--depth 12") as caught:
        convert(deep, tmp_path / "out", SMALL)
    assert "the same holds for 11 more files" in str(caught.value)
    assert not (tmp_path / "out/metal").exists()
    assert not inspect(deep).ok


@pytest.mark.parametrize("depth", [12, 14, "full"])
def test_depth_scales_every_image_and_is_recorded(deep: Path, tmp_path: Path, depth: Depth) -> None:
    made = convert(deep, tmp_path / "out", replace(SOURCE_SIZE, depth=depth))
    assert made.manifest is not None
    assert made.manifest.options["depth"] == depth
    for image in load_tree(tmp_path / "out"):
        assert image.sample is not None
        name = f"{image.sample.replace('/', '_')}.jpg"
        gray = read_gray(tmp_path / name)
        shift = {12: 0, 14: 2, "full": 4}[depth]
        np.testing.assert_array_equal(image.image()[..., 1], gray >> shift, strict=True)
    assert verify(tmp_path / "out", source=deep).ok


def test_derived_again_by_another_depth_a_tree_is_not_of_its_source(
    deep: Path, tmp_path: Path
) -> None:
    convert(deep, tmp_path / "out", replace(SMALL, depth=12))
    tree = tmp_path / "out/metal"
    forge(tree, options={**read_manifest(tree).options, "depth": 13})
    [result] = verify(tree, source=deep).categories
    codes = {finding.code for check in result.checks for finding in check.findings}
    assert "other-pixels" in codes
    forge(tree, options={**read_manifest(tree).options, "depth": "12"})
    assert not verify(tree, source=deep).ok


def test_source_of_8_bits_is_the_same_at_every_depth(raw: Path, tmp_path: Path) -> None:
    plain = convert(raw, tmp_path / "plain", SMALL).manifest
    asked = convert(raw, tmp_path / "asked", replace(SMALL, depth=12)).manifest
    assert plain is not None
    assert asked is not None
    assert plain.fingerprint == asked.fingerprint
    assert "depth" not in plain.options
    assert asked.options == {**plain.options, "depth": 12}


def test_files_that_are_written_after_the_scan_are_the_same(deep: Path, tmp_path: Path) -> None:
    """Workers of a cluster read each image again."""
    options = replace(SMALL, depth=12)
    made = convert(deep, tmp_path / "out", options).manifest
    assert made is not None
    plan = plan_conversion(deep, tmp_path / "other", options).plan
    stage = tmp_path / "stage"
    stage.mkdir()
    with open_source(deep) as source:
        again = write_tree(plan, source, stage, {})
    assert again.fingerprint == made.fingerprint


def test_source_can_be_split_and_planned_before_its_depth_is_known(
    deep: Path, tmp_path: Path
) -> None:
    found = split(deep, SplitOptions(seed=3))
    assert len(found.split.assigned) == 12
    planned = plan_conversion(deep, tmp_path / "out", replace(SMALL, depth=12))
    assert len(planned.plan.images) == 12


@pytest.mark.parametrize("depth", [7, 17, "half", True])
def test_depth_that_does_not_exist_is_refused_before_any_work(
    raw: Path, tmp_path: Path, depth: Depth
) -> None:
    with pytest.raises(UsageError, match="--depth"):
        convert(raw, tmp_path / "out", replace(SMALL, depth=depth))
    assert not (tmp_path / "out").exists()


def test_mask_of_a_tree_marks_what_any_channel_marks(tree: Path) -> None:
    image = load_tree(tree)["test/defect/000.png"]
    path = tree / "ground_truth/defect/000_mask.png"
    marked = read_gray(path)
    dark = np.dstack([marked // 255, marked * 0, marked * 0])
    for pixels in (dark, marked.astype(np.uint16) // 255):
        assert cv2.imwrite(str(path), pixels)
        np.testing.assert_array_equal(image.mask(), marked, strict=True)
    assert cv2.imwrite(str(path), np.dstack([marked * 0] * 3 + [marked]))
    with pytest.raises(ImageError, match="transparency"):
        image.mask()
