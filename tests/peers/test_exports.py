"""Exports read by the tools that they are for, where these are installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.exporting import export
from kolektor_cli.tree.dataset import load_tree


@pytest.fixture
def tree(trees: Path) -> Path:
    return trees / "val"


def masks_of(tree: Path) -> Mapping[str, np.ndarray[Any, Any]]:
    """Map the names of test images in an export to their masks."""
    return {
        "_".join(Path(image.path).parts[1:]): image.mask() > 0
        for image in load_tree(tree)
        if image.split == "test"
    }


def test_ultralytics_reads_each_split_and_draws_the_masks(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    pytest.importorskip("ultralytics")
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset, polygon2mask

    export(tree, "yolo", tmp_path / "out")
    data = check_det_dataset(str(tmp_path / "out/data.yaml"))
    assert data["names"] == {0: "defect"}
    for split in ("train", "val", "test"):
        read = YOLODataset(img_path=data[split], data=data, task="segment", augment=False)
        assert len(read) == len(list((tmp_path / "out/images" / split).iterdir()))
    masks = masks_of(tree)
    assert {Path(label["im_file"]).name for label in read.labels} == masks.keys()
    for label in read.labels:
        height, width = label["shape"]
        drawn = np.zeros((height, width), bool)
        for segment in label["segments"]:
            drawn |= polygon2mask((height, width), [segment * (width, height)]) > 0
        assert (drawn == masks[Path(label["im_file"]).name]).all()


def test_datumaro_reads_coco(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("datumaro")
    from datumaro.components.dataset import Dataset

    made = export(tree, "coco", tmp_path / "out")
    read = Dataset.import_from(str(tmp_path / "out"), "coco_instances")
    assert len(read) == sum(made.counts.values())
    masks = masks_of(tree)
    for item in read.get_subset("test"):
        drawn = np.zeros_like(masks[f"{item.id}.png"])
        for annotation in item.annotations:
            if hasattr(annotation, "image"):  # a mask, not its box
                drawn |= annotation.image.astype(bool)
        assert (drawn == masks[f"{item.id}.png"]).all()


def test_labelme_reads_its_files(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("labelme")
    from labelme._label_file import read_label_file
    from labelme.utils import shape_to_mask

    export(tree, "labelme", tmp_path / "out")
    for name, mask in masks_of(tree).items():
        file = (tmp_path / "out/images/test" / name).with_suffix(".json")
        read = read_label_file(str(file))
        drawn = np.zeros_like(mask)
        for shape in read.shapes:
            assert shape["label"] == "defect"
            drawn |= shape_to_mask(mask.shape, shape["points"], shape["shape_type"])
        assert (drawn == mask).all()
