"""SegDecNet's layout: what its loader, SuperSimpleNet's and this tool itself read of it."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.exporting import export
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.splits.pickles import pickle_numbers, read_pickled_numbers
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import (
    FOREIGN_MASKS,
    SMALL,
    listing,
    snapshot,
    write_dataset_2,
    write_png,
)
from tests.trees import read_manifest

Listed = dict[int, bool]
"""Numbers of images, each with whether its pixel labels are to be used."""


@pytest.fixture
def raw_2(tmp_path: Path) -> Path:
    """Hold KolektorSDD2 with 3 of 6 training and 2 of 4 test images defective."""
    return write_dataset_2(tmp_path / "raw_2")


def make_tree(raw: Path, out: Path, options: SplitOptions) -> Path:
    return convert(raw, out, replace(SMALL, split=options)).target


@pytest.fixture
def tree_2(raw_2: Path, tmp_path: Path) -> Path:
    return make_tree(raw_2, tmp_path / "tree", SplitOptions(train_defects="train"))


@pytest.fixture
def weak(raw_2: Path, tmp_path: Path) -> Path:
    """Hold a tree of which only the first of three defective training images has its pixels."""
    train = [(10000 + index, index in (0, 3, 4, 5)) for index in range(6)]
    file = tmp_path / "list.pyb"
    file.write_bytes(pickle_numbers(train, [(20000 + index, True) for index in range(4)]))
    return make_tree(raw_2, tmp_path / "weak", SplitOptions(file=file, train_defects="train"))


def read_pickles(folder: Path, number: int) -> tuple[Listed, Listed]:
    """Read the pickle of an export, which lies where each of two codes looks for it."""
    [file] = folder.glob("*.pyb")
    [other] = (folder / "splits/KSDD2").iterdir()
    assert (file.name, other.name) == (f"split_weakly_{number}.pyb", f"split_{number}.pyb")
    assert file.read_bytes() == other.read_bytes()
    train, test = read_pickled_numbers(file.read_bytes(), file.name)
    return ({n: bool(known) for n, known in listed.items()} for listed in (train, test))  # type: ignore[return-value]


def read_table(folder: Path) -> dict[str, tuple[str, str]]:
    """Map the images of an export to the images and the samples of its tree."""
    with (folder / "images.csv").open() as file:
        return {row["file"]: (row["image"], row["sample"]) for row in csv.DictReader(file)}


def read_mask(folder: Path, image: str) -> Pixels:
    name = image.replace(".png", "_GT.png")
    return decode_image((folder / name).read_bytes(), name)


def assert_same_pixels(folder: Path, tree: Path) -> None:
    """Check that an export has the images of a tree, each with its own mask, and no others."""
    table = read_table(folder)
    images = {image.path: image for image in load_tree(tree)}
    assert sorted(path for path, _ in table.values()) == sorted(images)
    for file, (path, sample) in table.items():
        image = images[path]
        assert file.split("/")[0] == image.split
        assert sample == (image.sample or "")
        assert (folder / file).read_bytes() == (tree / path).read_bytes()
        assert (read_mask(folder, file) == image.mask()).all(), path
    masks = [file.replace(".png", "_GT.png") for file in table]
    assert [name for name in listing(folder) if name.endswith(".png")] == sorted([*table, *masks])


def test_images_masks_and_pickles_lie_where_the_loaders_look(tree_2: Path, tmp_path: Path) -> None:
    made = export(tree_2, "segdecnet", tmp_path / "out")
    halves = {"train": range(10000, 10006), "test": range(20000, 20004)}
    pngs = [
        f"{half}/{number}{ending}.png"
        for half, numbers in halves.items()
        for number in numbers
        for ending in ("", "_GT")
    ]
    assert snapshot(tmp_path / "out").keys() == {
        *pngs, "split_weakly_3.pyb", "splits/KSDD2/split_3.pyb", "images.csv", "export.json",
    }  # fmt: skip
    train, test = read_pickles(tmp_path / "out", 3)
    assert train == dict.fromkeys(halves["train"], True)
    assert test == dict.fromkeys(halves["test"], True)
    assert_same_pixels(tmp_path / "out", tree_2)
    assert (made.instances["train"], made.instances["test"]) == (3, 2)
    assert made.linked == 10


def test_images_of_kolektorsdd2_keep_their_numbers(tree_2: Path, tmp_path: Path) -> None:
    export(tree_2, "segdecnet", tmp_path / "out")
    for file, (_, sample) in read_table(tmp_path / "out").items():
        assert file == f"{sample}.png"


def test_the_pickle_gives_the_tree_again(raw_2: Path, tree_2: Path, tmp_path: Path) -> None:
    export(tree_2, "segdecnet", tmp_path / "out")
    options = SplitOptions(file=tmp_path / "out/split_weakly_3.pyb", train_defects="train")
    again = make_tree(raw_2, tmp_path / "again", options)
    assert read_manifest(again).fingerprint == read_manifest(tree_2).fingerprint


def test_an_export_is_a_source_that_gives_the_tree_again(raw: Path, tmp_path: Path) -> None:
    tree = make_tree(raw, tmp_path / "tree", SplitOptions(train_defects=1))
    export(tree, "segdecnet", tmp_path / "out")
    options = SplitOptions(file=tmp_path / "out/split_weakly_1.pyb", train_defects="train")
    again = make_tree(tmp_path / "out", tmp_path / "again", options)
    assert read_manifest(again).fingerprint == read_manifest(tree).fingerprint


def test_weak_images_are_marked_everywhere_and_not_segmented(weak: Path, tmp_path: Path) -> None:
    made = export(weak, "segdecnet", tmp_path / "out")
    train, test = read_pickles(tmp_path / "out", 1)
    assert train == {number: number not in (10001, 10002) for number in range(10000, 10006)}
    assert all(test.values())
    assert made.weak == ("train/defect/001.png", "train/defect/002.png")
    assert made.unlabelled == ()
    assert made.counts["train", "defective"] == 3
    for number in (10001, 10002):
        image = decode_image((tmp_path / f"out/train/{number}.png").read_bytes(), str(number))
        mask = read_mask(tmp_path / "out", f"train/{number}.png")
        assert mask.shape == image.shape[:2]
        assert (mask == 255).all()
    assert 0 < np.count_nonzero(read_mask(tmp_path / "out", "train/10000.png")) < 200


def test_progress_reaches_its_end(weak: Path, tmp_path: Path) -> None:
    told: dict[str, tuple[int, int]] = {}
    export(
        weak,
        "segdecnet",
        tmp_path / "out",
        progress=lambda step, done, total: told.update({step: (done, total)}),
    )
    assert told == {"placing images": (10, 10), "labelling": (8, 8)}


def test_other_formats_leave_weak_images_out(weak: Path, tmp_path: Path) -> None:
    made = export(weak, "coco", tmp_path / "out")
    assert made.unlabelled == ("train/defect/001.png", "train/defect/002.png")
    assert made.weak == ()


def test_other_images_are_numbered_through_all_splits(raw: Path, tmp_path: Path) -> None:
    options = SplitOptions(val=0.4, train_defects=1)
    tree = make_tree(raw, tmp_path / "tree", options)
    export(tree, "segdecnet", tmp_path / "out")
    assert_same_pixels(tmp_path / "out", tree)
    stems = [(file.split("/")[0], Path(file).stem) for file in read_table(tmp_path / "out")]
    assert [stem for _, stem in stems] == [str(10000 + n) for n in range(len(stems))]
    assert list(dict.fromkeys(half for half, _ in stems)) == ["train", "val", "test"]
    train, test = read_pickles(tmp_path / "out", 1)
    for half, listed in (("train", train), ("test", test)):
        assert [str(number) for number in listed] == [stem for at, stem in stems if at == half]


def test_parts_of_an_image_do_not_share_its_number(raw_2: Path, tmp_path: Path) -> None:
    options = ConvertOptions(fit="thirds", split=SplitOptions(train_defects="train"))
    tree = convert(raw_2, tmp_path / "tree", options).target
    export(tree, "segdecnet", tmp_path / "out")
    assert_same_pixels(tmp_path / "out", tree)
    assert len(read_table(tmp_path / "out")) > 10


def test_masks_of_any_tree_come_back_exactly(foreign: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    for number, path in enumerate(FOREIGN_MASKS):
        mask = (noise.random((31, 20)) < (0.02, 0.4, 0.8)[number]).astype(np.uint8)
        write_png(foreign / path, 255 * mask)
    export(foreign, "segdecnet", tmp_path / "out")
    read_pickles(tmp_path / "out", 0)
    assert_same_pixels(tmp_path / "out", foreign)


def test_images_of_the_same_name_in_two_folders_are_both_there(
    foreign: Path, tmp_path: Path
) -> None:
    for kind, stem in (("a", "b_000"), ("a_b", "000")):
        write_png(foreign / f"test/{kind}/{stem}.png", np.full((31, 20, 3), 9, np.uint8))
        mask = foreign / f"ground_truth/{kind}/{stem}_mask.png"
        mask.parent.mkdir()
        shutil.copy(foreign / FOREIGN_MASKS[0], mask)
    export(foreign, "segdecnet", tmp_path / "out")
    assert_same_pixels(tmp_path / "out", foreign)


def test_the_same_tree_gives_the_same_bytes(weak: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(weak, "segdecnet", tmp_path / name)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
