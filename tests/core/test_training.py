"""Training without Anomalib: what is refused before any work, and what is left behind.

What trains is in tests/peers.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.consumers.training import TrainOptions
from kolektor_cli.core.scoring import score
from kolektor_cli.core.training import train
from kolektor_cli.errors import OutputError, TrainingError, UsageError
from kolektor_cli.scoring.formats import read_map, write_map
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import snapshot

without_anomalib = pytest.mark.skipif(
    importlib.util.find_spec("anomalib") is not None, reason="Anomalib is installed here"
)


@without_anomalib
def test_a_missing_library_is_told_with_the_command_that_installs_it(
    tree: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"pip install 'kolektor-cli\[train\]'"):
        train(tree, "patchcore", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_maps_that_are_there_are_not_replaced_unasked(tree: Path, tmp_path: Path) -> None:
    maps = tmp_path / "runs" / "patchcore"
    maps.mkdir(parents=True)
    (maps / "kolektor.json").write_text("{}")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="exists already; --force replaces it"):
        train(tree, "PatchCore", tmp_path / "runs")
    assert snapshot(tmp_path) == before


def test_a_folder_of_something_else_is_never_replaced(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "padim").mkdir(parents=True)
    (tmp_path / "runs" / "padim" / "thesis.tex").write_text("x")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="is no folder that 'train' wrote"):
        train(tree, "padim", tmp_path / "runs", force=True)
    assert snapshot(tmp_path) == before


def test_weights_that_are_not_there_are_told(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--weights .*no\.pth: is no file"):
        train(tree, "padim", tmp_path, options=TrainOptions(weights=tmp_path / "no.pth"))


def test_a_tree_that_is_not_whole_is_not_trained_on(tree: Path, tmp_path: Path) -> None:
    spoiled = shutil.copytree(tree, tmp_path / "metal")
    (spoiled / "train/good/000.png").unlink()
    with pytest.raises(OutputError, match="in the manifest, not in the tree"):
        train(spoiled, "padim", tmp_path / "runs")


def test_a_tree_without_training_images_is_refused_before_anything_is_loaded(
    tree: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(tree, tmp_path / "bare")
    (bare / "manifest.json").unlink()
    shutil.rmtree(bare / "train")
    told: list[str] = []
    with pytest.raises(OutputError, match="has no images in train/good to train on"):
        train(bare, "padim", tmp_path / "runs", progress=lambda step, *_: told.append(step))
    assert told == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (416, 160)])
def test_a_map_is_read_as_it_was_written(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found, note = read_map(write_map(values), "map.tiff")
    assert note == ""
    assert found.dtype == np.float32
    assert np.array_equal(found, values)


def test_a_binding_to_a_tree_without_a_manifest_fits_such_trees_only(
    tree: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(tree, tmp_path / "bare")
    (bare / "manifest.json").unlink()
    maps = tmp_path / "maps"
    for image in load_tree(tree):
        if image.split == "test":
            file = maps / Path(image.path).with_suffix(".tiff")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(write_map(image.mask().astype(np.float32)))
    (maps / "kolektor.json").write_text(json.dumps({"fingerprint": None, "training": {}}))
    assert score(bare, maps).ok
    [finding] = score(tree, maps).findings
    assert finding.code == "other-tree"
    assert "it has no manifest" in finding.message
