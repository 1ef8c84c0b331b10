"""Anomalib's models trained on small trees: their maps, what stands beside them, and failures."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.consumers.training import TrainOptions
from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.scoring import score
from kolektor_cli.core.training import Training, train
from kolektor_cli.errors import TrainingError, UsageError
from kolektor_cli.scoring.formats import read_map
from kolektor_cli.tree.dataset import load_tree
from tests.own import PAIRS, as_pairs
from tests.peers.conftest import BACKBONE
from tests.running import KOLEKTOR, PATIENCE

QUICK: dict[str, Any] = {"size": (64, 160), "device": "cpu"}
RANDOM = {"pre_trained": False, "backbone": "resnet18"}


def trained(tree: Path, model: str, runs: Path, **options: Any) -> Training:
    return train(tree, model, runs, options=TrainOptions(**QUICK | options), jobs=0)


def maps_of(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    files = sorted(folder.rglob("*.tiff"))
    return {
        file.relative_to(folder).with_suffix(".png").as_posix(): read_map(
            file.read_bytes(), file.name
        )[0]
        for file in files
    }


@pytest.fixture(scope="module")
def padim(trees: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Hold PaDiM's maps of the tree with validation images."""
    return trained(
        trees / "val",
        "padim",
        tmp_path_factory.mktemp("runs"),
        backbone=BACKBONE,
        weights=weights,
        settings={"n_features": 30},
    )


def test_each_image_of_test_and_validation_has_a_map_of_the_inputs_size(
    trees: Path, padim: Training
) -> None:
    wanted = {image.path for image in load_tree(trees / "val") if image.split != "train"}
    maps = maps_of(padim.maps)
    assert maps.keys() == wanted
    assert {values.shape for values in maps.values()} == {(160, 64)}
    assert {values.dtype for values in maps.values()} == {np.dtype(np.float32)}
    assert padim.images == len(wanted)


def test_maps_are_raw(padim: Training) -> None:
    """PaDiM's maps are distances: scaled ones would lie in [0, 1]."""
    highest = [float(values.max()) for values in maps_of(padim.maps).values()]
    assert max(highest) > 1
    assert len(set(highest)) == len(highest)


def test_score_takes_the_maps_and_knows_their_tree(trees: Path, padim: Training) -> None:
    scores = score(trees / "val", padim.maps)
    assert scores.ok
    figure = scores.models[0].figures["pixel_auroc"].value
    assert figure is not None
    assert figure > 0.6  # the defects stand out even to random features
    [finding] = score(trees / "plain", padim.maps).findings[:1]
    assert finding.code == "other-tree"


def test_a_file_beside_the_maps_says_how_they_were_made(trees: Path, padim: Training) -> None:
    told = json.loads((padim.maps / "kolektor.json").read_text("utf-8"))
    manifest = json.loads((trees / "val/manifest.json").read_text("utf-8"))
    assert told["fingerprint"] == manifest["fingerprint"]
    made = told["training"]
    assert (made["model"], made["input_size"], made["seed"]) == ("padim", [64, 160], 0)
    assert made["settings"] == {
        "backbone": BACKBONE,
        "layers": ["blocks.1", "blocks.2", "blocks.4"],  # where layer1 to layer3 of a ResNet stand
        "n_features": 30,
    }
    assert len(made["weights_sha256"]) == 64
    assert made["versions"].keys() == {
        *("python", "anomalib", "lightning", "torch", "torchvision", "timm")
    }
    assert str(trees) not in json.dumps(told)


def test_the_same_seed_gives_the_same_maps(
    trees: Path, padim: Training, weights: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"backbone": BACKBONE, "weights": weights}
    again = trained(trees / "val", "padim", tmp_path, **options, settings={"n_features": 30})
    for path, values in maps_of(padim.maps).items():
        assert np.array_equal(values, maps_of(again.maps)[path])
    other = trained(
        trees / "val", "padim", tmp_path / "other", **options, seed=1, settings={"n_features": 30}
    )
    assert any(
        not np.array_equal(values, maps_of(other.maps)[path])
        for path, values in maps_of(padim.maps).items()
    )


def test_patchcore_has_image_scores_of_its_own(trees: Path, weights: Path, tmp_path: Path) -> None:
    found = trained(trees / "plain", "patchcore", tmp_path, backbone=BACKBONE, weights=weights)
    assert found.own_scores
    file = found.maps / "image_scores.csv"
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    maps = maps_of(found.maps)
    assert {row["path"] for row in rows} == maps.keys()
    assert any(float(row["score"]) != float(maps[row["path"]].max()) for row in rows)
    assert score(trees / "plain", found.maps, image_scores=file).ok


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("fastflow", {"settings": RANDOM}),
        ("cflow", {"settings": RANDOM}),
        ("reverse-distillation", {"settings": RANDOM}),
    ],
)
def test_a_model_trains_for_an_epoch_and_is_scored(
    trees: Path, tmp_path: Path, model: str, options: dict[str, Any]
) -> None:
    found = trained(trees / "plain", model, tmp_path, epochs=1, **options)
    assert found.maps == tmp_path / model
    assert not found.own_scores
    scores = score(trees / "plain", found.maps)
    assert scores.ok
    assert scores.models[0].figures["image_auroc"].value is not None


def test_no_test_image_is_trained_on(trees: Path, tmp_path: Path) -> None:
    """Test images that change leave the maps of the others as they are."""
    tree = tmp_path / "tree"
    for file in (trees / "plain").rglob("*.png"):
        copy = tree / file.relative_to(trees / "plain")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    before = maps_of(trained(tree, "padim", tmp_path / "a", settings=RANDOM).maps)
    changed = tree / "test/good/000.png"
    done, data = cv2.imencode(".png", np.full((248, 100, 3), 255, np.uint8))
    assert done
    changed.write_bytes(data.tobytes())
    after = maps_of(trained(tree, "padim", tmp_path / "b", settings=RANDOM).maps)
    differing = [path for path in before if not np.allclose(before[path], after[path], rtol=1e-4)]
    assert differing == ["test/good/000.png"]


def test_a_tree_of_own_images_is_trained_on_and_scored(
    trees: Path, weights: Path, tmp_path: Path
) -> None:
    """Images of their own sizes, as people have them, and masks in another format."""
    own = as_pairs(trees / "raw", tmp_path / "own")
    layout = replace(PAIRS, item=r"(kos\d+)")
    tree = convert(own, tmp_path / "data", ConvertOptions(layout=layout)).target
    images = list(load_tree(tree))
    assert len({image.image().shape for image in images}) > 1
    found = trained(
        tree,
        "padim",
        tmp_path / "runs",
        backbone=BACKBONE,
        weights=weights,
        settings={"n_features": 30},
    )
    assert maps_of(found.maps).keys() == {i.path for i in images if i.split == "test"}
    scores = score(tree, found.maps)
    assert scores.ok
    figure = scores.models[0].figures["pixel_auroc"].value
    assert figure is not None
    assert figure > 0.6  # the defects stand out even to random features


def test_a_checkpoint_is_kept_on_request(trees: Path, tmp_path: Path) -> None:
    options = TrainOptions(**QUICK, settings=RANDOM)
    found = train(trees / "plain", "padim", tmp_path, options=options, checkpoint=True, jobs=0)
    assert (found.maps / "model.ckpt").stat().st_size > 0
    assert score(trees / "plain", found.maps).ok


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("nosuch", {"epochs": 1}, "Anomalib has no model nosuch for images; it has"),
        ("ganomaly", {"epochs": 1}, "but no anomaly maps"),
        ("padim", {"settings": {"foo": 1}}, "takes no setting 'foo'; it takes backbone"),
        ("padim", {"settings": RANDOM, "device": "tpu"}, "--device 'tpu' is not"),
        ("padim", {"backbone": "nosuch"}, "--backbone nosuch"),
        ("fastflow", {"epochs": 1, "backbone": "vgg11"}, "cannot be made"),
    ],
)
def test_what_cannot_be_trained_is_told(
    trees: Path, tmp_path: Path, model: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as raised:
        trained(trees / "plain", model, tmp_path / "runs", **options)
    assert words in str(raised.value)
    assert not (tmp_path / "runs").exists()


def test_weights_of_another_network_are_told(trees: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of resnet18: 119 of its 120 tensors are"):
        trained(trees / "plain", "padim", tmp_path, weights=weights)
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"not weights")
    with pytest.raises(UsageError, match="are not the weights of resnet18"):
        trained(trees / "plain", "padim", tmp_path, weights=broken)
    with pytest.raises(UsageError, match="asks for no pretrained weights"):
        trained(trees / "plain", "padim", tmp_path, weights=weights, settings=RANDOM)


def test_weights_that_cannot_be_downloaded_are_told(
    trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(TrainingError, match=r"weights of resnet18 cannot be .* --weights"):
        trained(trees / "plain", "padim", tmp_path)


def test_an_input_that_is_too_small_is_told_with_its_size(trees: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="padim fails with --size 8x8"):
        trained(trees / "plain", "padim", tmp_path, size=(8, 8), settings=RANDOM)


def test_an_interrupt_leaves_nothing(trees: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    arguments = ("train", trees / "plain", "fastflow", "-o", runs, "--epochs", 100_000)
    running = subprocess.Popen(
        [*KOLEKTOR, *map(str, arguments), "--set", "pre_trained=false", "--jobs", "1"],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.rglob("new")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(15)  # by now it trains; whenever the interrupt comes, nothing may stay
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert not runs.exists()
