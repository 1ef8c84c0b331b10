"""``kolektor export``: what it prints, and where it writes by default."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kolektor_cli.core.conversion import convert
from kolektor_cli.splits.pickles import pickle_numbers
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import SMALL, MakeDataset, listing, snapshot
from tests.running import error_of, run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the folder of forks")
def test_the_folder_is_named_after_category_and_format(tree: Path, in_tmp_path: Path) -> None:
    result = run("export", tree, "coco")
    assert result.stdout == "metal-coco\n"
    assert "annotations/instances_test.json" in listing(in_tmp_path / "metal-coco")


def test_notes_say_what_a_supervised_model_lacks(tree: Path, tmp_path: Path) -> None:
    told = run("export", tree, "yolo", tmp_path / "out").stderr
    assert "yolo: 12 images, 12 of them hard links" in told
    assert "no training image is defective" in told
    assert "in data.yaml val is images/train" in told
    assert run("export", tree, "yolo", tmp_path / "out", "--force", "-q").stderr == ""


def test_images_without_masks_are_told(foreign: Path, tmp_path: Path) -> None:
    (foreign / "train/crack").mkdir()
    for number in range(5):
        shutil.copy(foreign / "test/crack/000.png", foreign / f"train/crack/00{number}.png")
    told = run("export", foreign, "coco", tmp_path / "out").stderr
    assert "5 defective images have no mask, and are left out: train/crack/000.png, " in told
    assert "and 2 more" in told


def test_segdecnet_tells_the_number_of_segmented_images(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset_2()
    pickled = pickle_numbers([(10000, False), (10001, True)], [(20000, True), (20001, True)])
    (tmp_path / "list.pyb").write_bytes(pickled)
    split = SplitOptions(file=tmp_path / "list.pyb", train_defects="train")
    tree = convert(raw, tmp_path / "data", replace(SMALL, split=split)).target
    told = run("export", tree, "segdecnet", tmp_path / "out", "--json")
    assert json.loads(told.stdout)["weak"] == ["train/defect/000.png"]
    assert "0 of 1 defective training images have pixel labels: --NUM_SEGMENTED 0" in told.stderr
    assert "validation" not in told.stderr


def test_segdecnet_tells_that_nobody_reads_validation_images(raw: Path, tmp_path: Path) -> None:
    split = SplitOptions(val=0.4, train_defects=1)
    tree = convert(raw, tmp_path / "data", replace(SMALL, split=split)).target
    told = run("export", tree, "segdecnet", tmp_path / "out").stderr
    assert "1 of 1 defective training images have pixel labels: --NUM_SEGMENTED 1" in told
    assert "the pickles name no validation images" in told


def test_json_counts_images_and_defects(tree: Path, tmp_path: Path) -> None:
    printed = json.loads(run("export", tree, "labelme", tmp_path / "out", "--json").stdout)
    assert printed["ok"]
    assert printed["folder"] == str(tmp_path / "out")
    assert printed["counts"]["test"] == {"good": 3, "defective": 3}
    assert printed["instances"] == {"train": 0, "test": 3}
    assert printed["classes"] == ["defect"]


def test_errors_have_their_codes_and_write_nothing(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    assert "--polygons is for coco" in error_of(
        "export", tree, "yolo", tmp_path / "out", "--polygons", code=2
    )
    assert (
        "'voc' is not one of yolo, coco, labelme, segdecnet"
        in run("export", tree, "voc", code=2).stderr
    )
    assert str(tmp_path / "none") in error_of("export", tmp_path / "none", "yolo", code=3)
    assert "lies inside the source" in error_of("export", tree, "yolo", tree / "new", code=2)
    assert snapshot(tmp_path) == before
