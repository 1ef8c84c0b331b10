"""Anomalib's own data modules on the configs that `convert` writes: images, labels and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.tree.dataset import load_tree
from tests.own import write_own, write_pixels

pytestmark = pytest.mark.peers

TYPES = LayoutOptions(mask_classes="1=scratch,2=dent")


def write_sets(root: Path) -> tuple[Path, Path]:
    """Write images with masks of two classes, and the same without masks in two folders."""
    for number in range(12):
        mask = np.zeros((60, 40), np.uint8)
        mask[10:20] = number // 2 if number < 6 else 0
        defective = bool(mask.any())
        write_own(root / f"typed/{number}.png", number)
        write_pixels(root / f"typed/{number}_mask.png", mask)
        write_own(root / f"labelled/{'bad' if defective else 'ok'}/{number}.png", number)
    return root / "typed", root / "labelled"


def items_of(out: Path, category: str) -> dict[str, Any]:
    """Return the items that Anomalib reads for testing, by path in the category folder."""
    from anomalib.data import AnomalibDataModule
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_subclass_arguments(AnomalibDataModule, "data")
    data = parser.instantiate_classes(parser.parse_args([f"--data={out / category}.yaml"])).data
    data.setup()
    items = list(data.test_data)
    return {Path(item.image_path).relative_to(out / category).as_posix(): item for item in items}


@pytest.mark.parametrize("table", [False, True])
def test_each_type_and_its_masks_are_found(tmp_path: Path, table: bool) -> None:
    typed, _ = write_sets(tmp_path)
    options = ConvertOptions(layout=TYPES, consumers="anomalib", table=table)
    tree = convert(typed, tmp_path / "out", options).target
    items = items_of(tmp_path / "out", "typed")
    images = {image.path: image for image in load_tree(tree) if image.split == "test"}
    assert items.keys() == images.keys()
    assert {path.split("/")[1] for path in items} == {"good", "scratch", "dent"}
    for path, item in items.items():
        assert bool(item.gt_label) == (images[path].label == "defective")
        assert np.array_equal(np.asarray(item.gt_mask) > 0, images[path].mask() > 0)


@pytest.mark.parametrize("table", [False, True])
def test_labels_are_read_without_masks(tmp_path: Path, table: bool) -> None:
    _, labelled = write_sets(tmp_path)
    layout = LayoutOptions(good="ok", defective="bad")
    options = ConvertOptions(layout=layout, consumers="anomalib", table=table)
    tree = convert(labelled, tmp_path / "out", options).target
    items = items_of(tmp_path / "out", "labelled")
    images = {image.path: image for image in load_tree(tree) if image.split == "test"}
    assert {path: bool(item.gt_label) for path, item in items.items()} == {
        path: image.label == "defective" for path, image in images.items()
    }
