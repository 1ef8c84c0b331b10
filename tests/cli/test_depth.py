"""``convert --depth``: what the command line takes, and what it makes of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.running import SMALL, run


@pytest.fixture
def deep(raw: Path) -> Path:
    """Write the images of `raw` as a camera of 12 bits does: in TIFFs of 16 bits."""
    for path in raw.rglob("*.jpg"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        deep = np.asarray(pixels, np.uint16) * 16
        assert cv2.imwrite(str(path.with_suffix(".tif")), deep)
        path.unlink()
    return raw


def test_12_bits_are_refused_until_the_depth_is_given(deep: Path, tmp_path: Path) -> None:
    refused = run("convert", deep, tmp_path / "out", *SMALL, code=3).stderr
    assert "--depth 12" in refused
    run("convert", deep, tmp_path / "out", *SMALL, "--depth", 12)
    pixels = cv2.imread(str(tmp_path / "out/metal/train/good/000.png"))
    assert pixels is not None
    assert np.max(pixels) > 128
    run("verify", tmp_path / "out", "--source", deep)


def test_split_from_a_pipe_needs_no_depth(deep: Path, tmp_path: Path) -> None:
    table = run("split", deep).stdout
    run("convert", deep, tmp_path / "out", "--split", "-", "--depth", "full", *SMALL, stdin=table)
    assert (tmp_path / "out/metal/manifest.json").exists()


@pytest.mark.parametrize("depth", ["7", "17", "x"])
def test_depth_that_does_not_exist_is_wrong_usage(raw: Path, tmp_path: Path, depth: str) -> None:
    error = run("convert", raw, tmp_path / "out", "--depth", depth, code=2).stderr
    assert "neither full nor a number from 8 to 16" in error
    assert not (tmp_path / "out").exists()
