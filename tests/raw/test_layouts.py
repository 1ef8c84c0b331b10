"""The layouts are told apart, in the copies that people have, or refused with advice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.splits.protocols import official
from tests.conftest import MakeDataset, write_pair, write_pair_2
from tests.scans import blank, names, scan, unusual, write_gray


def test_items_with_other_names_are_another_dataset(tmp_path: Path) -> None:
    for part in ("Part0", "Part1"):
        write_pair(tmp_path / "raw/item7", part, seed=1)
    found = scan(tmp_path / "raw")
    assert [(f.severity, f.code, f.path) for f in found.findings] == [
        ("warning", "unknown-release", "")
    ]
    assert found.release == "unknown"
    assert names(found) == ["item7/Part0", "item7/Part1"]


@pytest.mark.parametrize("wrapping", ["KolektorSDD", "My data/Größe/数据"])
def test_wrapping_folders_are_found(
    make_dataset: MakeDataset, tmp_path: Path, wrapping: str
) -> None:
    make_dataset(f"outer/{wrapping}")
    found = scan(tmp_path / "outer")
    assert unusual(found) == []
    assert names(found) == names(scan(tmp_path / "outer" / wrapping))
    assert found.samples[0].image == f"{wrapping}/kos01/Part0.jpg"


def test_holiday_pictures_are_no_dataset(tmp_path: Path) -> None:
    write_pair(tmp_path / "holiday", "IMG_0001", seed=1)
    (tmp_path / "holiday/IMG_0001_label.bmp").unlink()
    with pytest.raises(SourceError, match=r"holiday: is not a dataset in the layout of"):
        scan(tmp_path / "holiday")


def test_mvtec_tree_is_recognised_and_refused(tmp_path: Path) -> None:
    for name in ("train/good/000", "test/good/000", "test/defect/000", "ground_truth/defect/0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_gray(tmp_path / f"{name}.png", blank())
    with pytest.raises(SourceError, match=r"MVTec-style tree.*kolektor verify"):
        scan(tmp_path)


def test_only_droppings_are_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    with pytest.raises(SourceError, match="not a dataset"):
        scan(tmp_path)


def wrap(root: Path) -> None:
    (root.parent / "inner").mkdir()
    root.rename(root.parent / "inner" / "KolektorSDD2")
    (root.parent / "inner").rename(root)


def upper(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.upper()))


def link(root: Path) -> None:
    for split in ("train", "test"):
        (root / split).rename(root.parent / f"elsewhere-{split}")
        (root / split).symlink_to(root.parent / f"elsewhere-{split}")


def move_masks_to_bmp(root: Path) -> None:
    for path in root.rglob("*_GT.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        path.with_suffix(".bmp").write_bytes(palette_bmp((pixels > 0).astype(np.uint8)))
        path.unlink()


@pytest.mark.parametrize("change", [wrap, upper, link, move_masks_to_bmp])
def test_copies_that_people_have_give_the_same_samples(
    make_dataset_2: MakeDataset, change: Callable[[Path], None]
) -> None:
    root = make_dataset_2()
    before = scan(root)
    change(root)
    after = scan(root)
    facts = [
        [(s.name, s.item, s.official_split, s.width, s.height, s.defect_pixels) for s in f.samples]
        for f in (before, after)
    ]
    assert facts[0] == facts[1]
    assert unusual(after) == []


ALL = [*(f"test/2000{n}" for n in range(4)), *(f"train/1000{n}" for n in range(6))]


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_half_is_read_alone(make_dataset_2: MakeDataset, split: str) -> None:
    root = make_dataset_2()
    shutil.rmtree(root / split)
    found = scan(root)
    assert names(found) == [name for name in ALL if not name.startswith(split)]
    assert unusual(found) == []


def test_layout_is_recognised_by_names_alone(tmp_path: Path) -> None:
    for number, (path, category) in enumerate(
        [
            ("a/train/10301_GT.png", "kolektorsdd2"),
            ("TEST/x_gt.PNG", "kolektorsdd2"),
            ("a/kos01/Part0.jpg", "metal"),
            ("train/kos01/Part0.jpg", "metal"),
            ("test/Part0_label.bmp", "metal"),
        ]
    ):
        file = tmp_path / str(number) / path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        with open_source(tmp_path / str(number)) as source:
            assert recognise(source).category == category


def test_both_layouts_beside_each_other_are_refused(
    make_dataset: MakeDataset, make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    make_dataset("both/one")
    make_dataset_2("both/two")
    with pytest.raises(
        SourceError, match=r"KolektorSDD \(as one/kos01\) and KolektorSDD2 \(as two"
    ):
        scan(tmp_path / "both")


def test_two_kolektorsdd2_are_refused(make_dataset_2: MakeDataset, tmp_path: Path) -> None:
    make_dataset_2("both/one")
    make_dataset_2("both/two")
    with pytest.raises(SourceError, match=r"holds test twice, in one/test and in two/test"):
        scan(tmp_path / "both")


def test_images_of_kolektorsdd2_elsewhere_are_refused_with_advice(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    with pytest.raises(SourceError, match=r"looks like the folder train of KolektorSDD2"):
        scan(root / "train")


def test_kolektorsdd2_without_masks_is_refused_with_advice(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    for path in root.rglob("*_GT.png"):
        path.unlink()
    with pytest.raises(SourceError, match=r"looks like KolektorSDD2 without its masks"):
        scan(root)


def test_item_folders_that_are_links_are_read(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    before = scan(root)
    (root / "kos02").rename(tmp_path / "elsewhere")
    (root / "kos02").symlink_to(tmp_path / "elsewhere")
    assert scan(root) == before


def test_wrapped_upper_case_items_with_png_masks_are_read(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    for path in root.rglob("*_label.bmp"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        path.with_suffix(".png").write_bytes(encode_png(pixels, rgb=False))  # type: ignore[arg-type]
        path.unlink()
    upper(root)
    wrap(root)
    found = scan(root)
    assert names(found) == names(before)
    assert [s.defect_pixels for s in found.samples] == [s.defect_pixels for s in before.samples]
    assert found.samples[0].mask == "KolektorSDD2/KOS01/PART0_LABEL.PNG"


def test_source_of_nothing_but_copies_is_read(tmp_path: Path) -> None:
    write_pair_2(tmp_path / "train", "10000 (copy)", seed=1)
    found = scan(tmp_path)
    assert names(found) == ["train/10000 (copy)"]


def test_dataset_in_the_layout_of_kolektorsdd2_with_other_names_is_read(tmp_path: Path) -> None:
    for index, name in enumerate(("train/a", "train/b", "test/c", "test/d")):
        box = (3, 3, 5, 5) if name == "test/c" else None
        write_pair_2(tmp_path / Path(name).parent, Path(name).name, index, box)
    found = scan(tmp_path)
    assert found.release == "unknown"
    assert unusual(found) == [("warning", "unknown-release", "")]
    assert official(found.samples).assigned == {
        "train/a": "train", "train/b": "train", "test/c": "test", "test/d": "test",
    }  # fmt: skip
