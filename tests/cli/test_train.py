"""``kolektor train`` before it trains: its options, its errors, and the help without Anomalib."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import snapshot
from tests.core.test_training import without_anomalib
from tests.running import error_of, run


@without_anomalib
def test_without_the_extra_one_sentence_says_how_to_install_it(tree: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    error = error_of("train", tree, "patchcore", "-o", runs, code=3)
    assert error.endswith("install it: pip install 'kolektor-cli[train]'")
    assert not runs.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "tall"], "neither WxH (for example 160x416) nor N"),
        (["--size", "source"], "neither WxH"),
        (["--size", "0x5"], "at least 1"),
        (["--epochs", "0"], "--epochs"),
        (["--seed", "-1"], "--seed"),
        (["--set", "ratio"], "is not KEY=VALUE"),
        (["--preset", "paper"], "original"),
        (["--preset", "original", "--size", "64"], "contradict"),
        (["--weights", "none.pth"], "is no file"),
        (["--score", "--json"], "contradict"),
    ],
)
def test_wrong_options_end_with_2(tree: Path, options: list[str], words: str) -> None:
    assert words in run("train", tree, "patchcore", *options, code=2).stderr


def test_what_is_no_model_and_no_tree_is_told(tree: Path, tmp_path: Path) -> None:
    assert "names no model" in run("train", tree, "patch/core", code=2).stderr
    assert "give --epochs" in run("train", tree, "supersimplenet", code=2).stderr
    assert str(tmp_path) in run("train", tmp_path, "patchcore", code=3).stderr


def test_maps_that_are_there_stay(tree: Path, tmp_path: Path) -> None:
    maps = tmp_path / "runs" / "padim"
    maps.mkdir(parents=True)
    (maps / "kolektor.json").write_text("{}")
    before = snapshot(tmp_path)
    assert "--force" in run("train", tree, "padim", "-o", tmp_path / "runs", code=3).stderr
    assert snapshot(tmp_path) == before
