"""``kolektor export``: what it prints, and where it writes by default."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import listing, snapshot
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
    assert "'voc' is not one of yolo, coco, labelme" in run("export", tree, "voc", code=2).stderr
    assert str(tmp_path / "none") in error_of("export", tmp_path / "none", "yolo", code=3)
    assert "lies inside the source" in error_of("export", tree, "yolo", tree / "new", code=2)
    assert snapshot(tmp_path) == before
