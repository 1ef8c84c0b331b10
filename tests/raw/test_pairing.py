"""Images find their masks by name, in the folder that counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kolektor_cli.errors import SourceError
from tests.archives import zip_of
from tests.conftest import MakeDataset, write_pair, write_pair_2
from tests.scans import message, named, names, scan, unusual


def test_item_inside_another_is_taken(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos03").rename(root / "kos02/kos03")
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", "kos02/kos03")]
    assert found.left_out == {}
    assert names(found)[-1] == "kos03/Part3"
    assert found.samples[-1].image == "kos02/kos03/Part3.jpg"
    assert len(found.samples) == 12


@pytest.mark.parametrize("copy", ["kos02/kos01", "kos02/KOS01", "kos01/kos01"])
def test_identical_copy_of_an_item_inside_another_is_left_out(
    make_dataset: MakeDataset, copy: str
) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copytree(root / "kos01", root.parent / "copy")
    (root.parent / "copy").rename(root / copy)
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", copy)]
    assert found.samples == before.samples


def test_copy_of_an_item_that_differs_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copytree(root / "kos01", root / "kos02/kos01")
    write_pair(root / "kos02/kos01", "Part2", seed=7)
    found = scan(root)
    assert unusual(found) == [("error", "nested-item", "kos02/kos01")]
    assert "part2.jpg" in message(found, "nested-item").lower()
    assert found.samples == before.samples


def test_copy_of_an_item_with_a_further_part_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    write_pair(root / "kos02/kos01", "Part5", seed=7)
    assert unusual(scan(root)) == [("error", "nested-item", "kos02/kos01")]


def test_two_datasets_side_by_side_are_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    for name in ("both/one", "both/two"):
        make_dataset(name)
    with pytest.raises(SourceError, match=r"kos01 twice, in one/kos01 and in two/kos01"):
        scan(tmp_path / "both")


@pytest.mark.parametrize("item", ["KOS02", "kos99"])
def test_case_of_names_does_not_matter(make_dataset: MakeDataset, item: str) -> None:
    root = make_dataset(items=1)
    write_pair(root / item, "Part0", seed=1, box=(1, 2, 3, 4))
    (root / item / "Part0.jpg").rename(root / item / "PART0.JPG")
    (root / item / "Part0_label.bmp").rename(root / item / "part0_LABEL.BMP")
    found = scan(root)
    assert found.errors == ()
    sample = found.samples[-1]
    assert sample.item.casefold() == item.casefold()
    assert (sample.image, sample.mask) == (f"{item}/PART0.JPG", f"{item}/part0_LABEL.BMP")
    assert sample.defect_pixels == 12


def test_official_names_are_spelled_officially(tmp_path: Path) -> None:
    write_pair(tmp_path / "raw/KOS07", "PART3", seed=1)
    assert names(scan(tmp_path / "raw")) == ["kos07/Part3"]


def test_names_may_hold_spaces_umlauts_and_chinese(tmp_path: Path) -> None:
    write_pair(tmp_path / "raw/Probe 1", "Maß ä", seed=1, box=(0, 0, 2, 2))
    write_pair(tmp_path / "raw/样品", "图 1", seed=2)
    expected = ["Probe 1/Maß ä", "样品/图 1"]
    for path in (tmp_path / "raw", zip_of(tmp_path / "raw")):
        found = scan(path)
        assert names(found) == expected
        assert found.errors == ()


def test_samples_come_in_natural_order(tmp_path: Path) -> None:
    for item in ("kos2", "kos10"):
        for part in (11, 10, 9, 1):
            write_pair(tmp_path / "raw" / item, f"Part{part}", seed=part)
    assert names(scan(tmp_path / "raw")) == [
        f"{item}/Part{part}" for item in ("kos2", "kos10") for part in (1, 9, 10, 11)
    ]


def test_names_may_begin_alike_and_end_with_a_number_or_not(tmp_path: Path) -> None:
    for part in ("Part1", "Part", "Part10", "Part01", "Part x", "1"):
        write_pair(tmp_path / "raw/kos99", part, seed=len(part))
    (tmp_path / "raw/2024.txt").write_text("x")
    found = scan(tmp_path / "raw")
    assert sorted(names(found)) == sorted(
        f"kos99/{part}" for part in ("Part1", "Part", "Part10", "Part01", "Part x", "1")
    )
    assert names(found)[0] == "kos99/1"
    assert names(found).index("kos99/Part1") < names(found).index("kos99/Part10")
    assert ("warning", "stray-file", "2024.txt") in unusual(found)


ALL = [*(f"test/2000{n}" for n in range(4)), *(f"train/1000{n}" for n in range(6))]


def test_half_that_lies_in_the_other_is_used(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / "test").rename(root / "train/test")
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", "train/test")]
    assert [s.image_sha256 for s in found.samples] == [s.image_sha256 for s in before.samples]


@pytest.mark.parametrize("copy", ["train/train", "train (copy)", "test/TRAIN", "train - Copy (2)"])
def test_second_copy_of_a_half_is_left_out(make_dataset_2: MakeDataset, copy: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    shutil.copytree(root / "train", root.parent / "copy")
    (root.parent / "copy").rename(root / copy)
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", copy)]
    assert found.samples == before.samples
    write_pair_2(root / copy, "10002", seed=1)
    found = scan(root)
    assert unusual(found) == [("error", "nested-item", copy)]
    assert "10002.png differs" in message(found, "nested-item")


def test_stray_copies_are_left_out_and_told_of(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    for ending in ("", "_GT"):
        shutil.copy(root / f"train/10003{ending}.png", root / f"train/10003{ending} (copy).png")
    shutil.copy(root / "test/20001.png", root / "test/20000 - Copy.png")
    found = scan(root)
    assert found.samples == before.samples
    assert unusual(found) == [
        ("error", "image-without-mask", "test/20000 - Copy.png"),
        ("warning", "extra-part", "test/20000 - Copy"),
        ("warning", "copy", "train/10003 (copy).png"),
        ("warning", "copy", "train/10003_GT (copy).png"),
    ]
    assert "differs from test/20000.png" in message(found, "image-without-mask")
    told = [f.message for f in found.findings if f.code == "copy"]
    assert told[0] == "repeats train/10003.png, byte for byte; left out"


def test_copy_without_its_original_is_a_sample(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    for ending in ("", "_GT"):
        old = root / f"train/10003{ending}.png"
        old.rename(old.with_name(f"10003{ending} (copy).png"))
    found = scan(root)
    assert "train/10003" not in names(found)
    assert "train/10003 (copy)" in names(found)
    assert len(found.samples) == 10
    assert unusual(found) == [("warning", "extra-part", "train/10003 (copy)")]


def test_copies_in_item_folders_are_left_out(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copy(root / "kos02/Part1.jpg", root / "kos02/Part1 (copy).jpg")
    shutil.copy(root / "kos02/Part1_label.bmp", root / "kos02/Part1 (copy)_label.bmp")
    shutil.copytree(root / "kos01", root / "kos01 - Copy")
    found = scan(root)
    assert named(found, "copy") == [
        ("warning", "kos02/Part1 (copy).jpg"),
        ("warning", "kos02/Part1 (copy)_label.bmp"),
    ]
    assert named(found, "nested-item") == [("warning", "kos01 - Copy")]
    assert found.samples == before.samples


def test_missing_halves_of_pairs_are_named_as_kolektorsdd2_names_them(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    (root / "train/10001_GT.png").unlink()
    (root / "train/10002.png").unlink()
    found = scan(root)
    told = message(found, "image-without-mask")
    assert told.startswith("has no mask: 10001_GT.png is missing ('--no-mask good' takes")
    assert message(found, "mask-without-image").endswith("10002.png is missing")
    assert found.left_out.keys() == {"train/10001", "train/10002"}
