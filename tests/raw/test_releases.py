"""Releases: what KolektorSDD2 and the boxes have that KolektorSDD has not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.synthetic import write_synthetic
from tests.archives import zip_of
from tests.conftest import MakeDataset, write_pair, write_pair_2
from tests.scans import named, names, scan, unusual

ALL = [*(f"test/2000{n}" for n in range(4)), *(f"train/1000{n}" for n in range(6))]


def test_kolektorsdd2_is_found_as_it_is(make_dataset_2: MakeDataset) -> None:
    found = scan(make_dataset_2())
    assert found.release == "KolektorSDD2"
    assert names(found) == ALL
    assert unusual(found) == []
    assert named(found, "missing-item") == [("warning", "test"), ("warning", "train")]
    assert "1000 of KolektorSDD2's 1004 images" in found.findings[0].message
    first = found.samples[4]
    assert (first.name, first.item, first.group) == ("train/10000", "10000", "10000")
    assert (first.image, first.mask) == ("train/10000.png", "train/10000_GT.png")
    assert (first.width, first.height, first.defect_pixels) == (30, 80, 72)
    assert [s.official_split for s in found.samples] == ["test"] * 4 + ["train"] * 6
    assert [s.name for s in found.samples if s.label == "defective"] == [
        "test/20000",
        "train/10000",
    ]
    assert (found.official_images, found.official_masks) == (None, None)


def test_folder_and_zip_of_kolektorsdd2_give_the_same_scan(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    assert scan(zip_of(root)) == scan(root)


def test_image_that_repeats_another_under_a_new_number_is_left_out(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    for ending in ("", "_GT"):
        shutil.copy(root / f"train/10003{ending}.png", root / f"train/99999{ending}.png")
    found = scan(root)
    assert found.left_out == {"train/99999": "repeated-part"}
    assert names(found) == ALL


def test_extra_image_is_taken_and_told_of(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "99999", seed=5)
    found = scan(root)
    assert unusual(found) == [("warning", "extra-part", "train/99999")]
    assert names(found) == [*ALL, "train/99999"]


@pytest.mark.parametrize("kind", ["rgb", "palette", "one bit", "rgba"])
def test_masks_of_every_kind_are_read(make_dataset_2: MakeDataset, kind: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    for path in root.rglob("*_GT.png"):
        with Image.open(path) as image:
            gray = image.convert("L")
        if kind == "palette":
            indexed = Image.fromarray((np.asarray(gray) > 0).astype(np.uint8), "P")
            indexed.putpalette([0, 0, 0, 255, 255, 255])
            indexed.save(path)
        else:
            gray.convert({"rgb": "RGB", "one bit": "1", "rgba": "RGBA"}[kind]).save(path)
    found = scan(root)
    assert [s.defect_pixels for s in found.samples] == [s.defect_pixels for s in before.samples]
    assert unusual(found) == []


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (40, None),
        (41, ("warning", "large-defect")),
        (72, ("warning", "large-defect")),
        (73, ("error", "not-a-mask")),
        (80, ("error", "not-a-mask")),
    ],
)
def test_large_defect_of_kolektorsdd2_is_taken_unless_it_is_nearly_everything(
    make_dataset_2: MakeDataset, rows: int, finding: tuple[str, str] | None
) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "10003", 10003, (0, 0, 30, rows))
    found = scan(root)
    told = [(*finding, "train/10003_GT.png")] if finding else []
    assert unusual(found) == told
    assert ("train/10003" in names(found)) == (rows <= 72)


@pytest.mark.parametrize("layout", ["kolektorsdd", "boxes"])
def test_boxes_are_told_from_other_masks(tmp_path: Path, layout: str) -> None:
    write_synthetic(tmp_path / "raw", layout=layout, items=2)  # type: ignore[arg-type]
    found = scan(tmp_path / "raw")
    boxes = layout == "boxes"
    assert found.release == ("KolektorSDD-boxes" if boxes else "KolektorSDD")
    assert found.official_images == 0
    assert found.official_masks == (None if boxes else 0)
    assert len(named(found, "changed-mask")) == (not boxes)
    assert [s.label for s in found.samples].count("defective") == 2


def test_boxes_are_recognised_by_most_of_the_masks(tmp_path: Path) -> None:
    for item in range(1, 4):
        write_pair(tmp_path / f"kos0{item}", "Part0", item)
        mask = np.zeros((60, 40), np.uint8)
        mask[3:9, 4:20] = 1
        mask[30:33, 4:20] = 1
        if item == 3:
            mask[6:12, 10:30] = 1
        (tmp_path / f"kos0{item}/Part0_label.bmp").write_bytes(palette_bmp(mask))
    assert scan(tmp_path).release == "KolektorSDD-boxes"
    for item in range(1, 3):
        mask[8, 4] = 0
        (tmp_path / f"kos0{item}/Part0_label.bmp").write_bytes(palette_bmp(mask))
    assert scan(tmp_path).release == "KolektorSDD"


def test_source_without_defects_is_not_of_boxes(tmp_path: Path) -> None:
    write_pair(tmp_path / "kos01", "Part0", 1)
    assert scan(tmp_path).release == "KolektorSDD"
