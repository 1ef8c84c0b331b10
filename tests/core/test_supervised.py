"""Trees that train with defects: what is written, what checks find, and who can use them."""

from __future__ import annotations

import csv
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.consumers.needs import Offer
from kolektor_cli.consumers.sidefiles import index_files, table_of
from kolektor_cli.core.conversion import convert, plan_conversion
from kolektor_cli.core.scoring import score
from kolektor_cli.core.showing import show
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from kolektor_cli.tree.layout import mask_path
from kolektor_cli.tree.manifest import FileEntry
from kolektor_cli.tree.truth import open_truth
from tests.conftest import (
    SMALL,
    MakeDataset,
    listing,
    write_dataset_2,
    write_pair,
    write_png,
)
from tests.running import run
from tests.trees import check, failures, forge, notes, read_manifest

READ_ALL_OF_TRAIN = {
    *("patchcore", "cflow", "cfa", "efficientad", "simplenet", "rd4ad", "dinomaly", "inp-former"),
    *("glass", "supersimplenet", "open-iad"),
}
REFUSED = {
    **dict.fromkeys(READ_ALL_OF_TRAIN, "takes all images in train for good ones"),
    "dra": "takes the defective images that it trains on from test",
}
BOX = (5, 10, 12, 6)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Hold KolektorSDD2 with 3 of 6 training and 2 of 4 test images defective."""
    return write_dataset_2(tmp_path / "raw")


@pytest.fixture
def tree(raw: Path, tmp_path: Path) -> Path:
    options = replace(SMALL, split=SplitOptions(train_defects="train"))
    return convert(raw, tmp_path / "out", options).target


@pytest.fixture
def weak(raw: Path, tmp_path: Path) -> Path:
    """Hold a tree of which only the first of three defective training images has its pixels."""
    train = [(10000 + index, index in (0, 3, 4, 5)) for index in range(6)]
    file = tmp_path / "split_weakly_1.pyb"
    file.write_bytes(pickle.dumps((train, [(20000 + index, True) for index in range(4)])))
    split = SplitOptions(file=file, train_defects="train")
    return convert(raw, tmp_path / "weak", replace(SMALL, split=split)).target


def test_defective_training_images_lie_apart_with_their_masks(tree: Path, raw: Path) -> None:
    defective = [path for path in listing(tree) if "defect/" in path and path.endswith(".png")]
    assert defective == [
        *(f"ground_truth/defect/00{number}_mask.png" for number in range(2)),
        *(f"ground_truth/train_defect/00{number}_mask.png" for number in range(3)),
        *(f"test/defect/00{number}.png" for number in range(2)),
        *(f"train/defect/00{number}.png" for number in range(3)),
    ]
    images = {image.path: image for image in load_tree(tree)}
    for number in range(3):
        image = images[f"train/defect/00{number}.png"]
        assert (image.split, image.label, image.sample) == (
            "train", "defective", f"train/1000{number}",
        )  # fmt: skip
        marked = image.mask()
        assert marked.shape == image.image().shape[:2]
        assert 0 < np.count_nonzero(marked) < marked.size / 2
    assert failures(check(tree, raw)) == set()
    assert notes(check(tree)) == []


def test_split_file_may_say_the_same(tree: Path, raw: Path, tmp_path: Path) -> None:
    split(raw, SplitOptions(train_defects="train"), output=tmp_path / "split.csv")
    again = replace(SMALL, split=SplitOptions(file=tmp_path / "split.csv"))
    convert(raw, tmp_path / "again", again)
    manifests = read_manifest(tmp_path / "again/kolektorsdd2"), read_manifest(tree)
    assert manifests[0].fingerprint == manifests[1].fingerprint
    assert manifests[0].files == manifests[1].files


def test_masks_of_weak_labels_are_not_written(weak: Path, raw: Path) -> None:
    masks = [path for path in listing(weak) if path.startswith("ground_truth/train_defect/")]
    assert masks == ["ground_truth/train_defect/000_mask.png"]
    assert failures(check(weak, raw)) == set()
    images = {image.path: image for image in load_tree(weak)}
    assert [image.path for image in images.values() if image.weak] == [
        "train/defect/001.png",
        "train/defect/002.png",
    ]
    with pytest.raises(OutputError, match=r"001\.png: is defective somewhere, but has no mask"):
        images["train/defect/001.png"].mask()
    picture = show(weak)
    assert picture.cells == 5
    told = [text.text for text in picture.page.texts]
    assert told.count("defective, without a mask") == 2
    assert "good" not in told
    assert run("report", weak, "-o", weak.with_name("weak.html")).returncode == 0


def test_weak_labels_cannot_be_cut(raw: Path, weak: Path, tmp_path: Path) -> None:
    [file] = weak.parents[1].glob("*.pyb")
    options = replace(SMALL, split=SplitOptions(file=file, train_defects="train"))
    with pytest.raises(UsageError, match="train/10001 trains without its pixel labels"):
        plan_conversion(raw, tmp_path / "cut", replace(options, fit="thirds", size=None))
    usual = replace(options, split=SplitOptions(file=file))
    assert plan_conversion(raw, tmp_path / "cut", replace(usual, fit="thirds", size=None))


def test_missing_and_added_masks_are_found(tree: Path, weak: Path) -> None:
    mask = "ground_truth/train_defect/002_mask.png"
    data = (tree / mask).read_bytes()
    (tree / mask).unlink()
    assert failures(check(tree)) == {("hashes", "missing-file", mask)}
    without = [entry for entry in read_manifest(tree).files if entry.path != mask]
    forge(tree, files=tuple(without))
    assert ("manifest", "no-mask", "train/defect/002.png") in failures(check(tree))

    (weak / mask).write_bytes(data)
    assert failures(check(weak)) == {("hashes", "added-file", mask)}


def test_mask_against_the_manifest_is_found(weak: Path) -> None:
    segmented = {**read_manifest(weak).segmented, "train/10000": False}
    forge(weak, segmented=segmented)
    assert failures(check(weak)) == {
        ("manifest", "weak-mask", "ground_truth/train_defect/000_mask.png")
    }


def test_wrong_masks_of_training_images_are_found(tree: Path) -> None:
    mask = "ground_truth/train_defect/000_mask.png"
    write_png(tree / mask, np.zeros((30, 20), np.uint8))
    assert ("masks", "empty-mask", mask) in failures(check(tree))
    (tree / "train/defect/000.png").unlink()
    assert ("pairs", "no-image", mask) in failures(check(tree))


def test_leak_of_a_defective_training_image_is_found(tree: Path) -> None:
    data = (tree / "train/defect/000.png").read_bytes()
    (tree / "test/defect/001.png").write_bytes(data)
    report = verify(tree).categories[0]
    found = {(f.code, f.path) for checked in report.checks for f in checked.findings}
    assert ("leak", "test/defect/001.png") in found


def test_source_with_another_split_is_found(tree: Path, raw: Path) -> None:
    parameters = {"train_defects": "unused"}
    forge(tree, protocol_parameters=parameters)
    found = failures(check(tree, raw))
    assert ("source", "wrong-split", "train/defect/000.png") in found


def test_entries_in_the_wrong_folder_are_found(tree: Path) -> None:
    def moved(entry: FileEntry) -> FileEntry:
        return replace(entry, split="test") if entry.path.startswith("train/defect") else entry

    forge(tree, files=tuple(map(moved, read_manifest(tree).files)))
    assert ("manifest", "wrong-folder", "train/defect/000.png") in failures(check(tree))


def test_only_test_images_are_scored(tree: Path) -> None:
    truth = open_truth(tree)
    assert {image.path.partition("/")[0] for image in truth.images} == {"test"}
    images = load_tree(tree)
    maps = {image.path: image.mask() / 255.0 for image in images if image.split == "test"}
    scored = score(tree, maps)
    assert len(scored.models[0].images) == 4
    assert scored.models[0].figures["pixel_auroc"].value == 1


def test_foreign_tree_without_training_masks_is_not_broken(foreign: Path) -> None:
    write_png(foreign / "train/crack/000.png", np.full((60, 40, 3), 77, np.uint8))
    report = check(foreign)
    assert report.ok
    assert ("warning", "train-defects", "train/crack") in notes(report)
    for image in load_tree(foreign):
        assert image.weak == (image.path == "train/crack/000.png")
    assert open_truth(foreign).images
    write_png(foreign / mask_path("train/crack/000.png"), np.zeros((60, 40), np.uint8))
    assert ("masks", "empty-mask", mask_path("train/crack/000.png")) in failures(check(foreign))


@pytest.mark.parametrize("name", CONSUMERS)
def test_codes_that_would_not_train_on_the_defective_images_are_refused(
    name: ConsumerName, tree: Path, raw: Path, tmp_path: Path
) -> None:
    findings = [
        finding.code
        for checked in verify(tree, consumers=name).categories[0].checks
        for finding in checked.findings
    ]
    assert ("train-defects" in findings) == (name in REFUSED)
    if name in REFUSED:
        (raw / "train/10001.png").write_bytes(b"")  # a scan finds this
        options = replace(SMALL, split=SplitOptions(train_defects=1), consumers=name, size=None)
        with pytest.raises(UsageError, match=f"--for {name}: .* {REFUSED[name]}"):
            convert(raw, tmp_path / "o", options)


@pytest.mark.parametrize("name", ["adaclip", "ader", "uniad", "aaclip"])
def test_lists_have_no_defective_training_images(name: ConsumerName, tree: Path) -> None:
    images = [image.path for image in load_tree(tree)]
    offer = Offer(tree.parent, "metal", [(40, 60)], ["rgb"])
    files = index_files(name, offer, images)
    assert files
    assert not any(b"train/defect" in data or b"train_defect" in data for data in files.values())
    rows = list(csv.DictReader(io.StringIO(table_of(offer, images).decode())))
    assert {row["label_index"] for row in rows if row["split"] == "train"} == {"0"}
    assert len(rows) == 3 + 4


def test_numbers_are_drawn_for_any_protocol(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset(items=5)
    made = run("convert", root, tmp_path / "out", "--size", "20x30", "--train-defects", 2,
               "--train-good", 3, "--seed", 4, "--json")  # fmt: skip
    facts = json.loads(made.stdout)
    assert facts["split"] == {
        "protocol": "balanced", "seed": 4, "test_good": 5, "val": 0.0,
        "train_defects": 2, "train_good": 3,
    }  # fmt: skip
    assert facts["counts"]["train"] == {"good": 3, "defective": 2}
    assert facts["counts"]["test"] == {"good": 5, "defective": 3}
    tree = tmp_path / "out/metal"
    assert failures(check(tree, root)) == set()
    items = {entry.sample.partition("/")[0] for entry in read_manifest(tree).files
             if entry.path.startswith("train/good")}  # fmt: skip
    assert len(items) == 3


def test_good_parts_of_cut_training_images_train_as_good(tmp_path: Path) -> None:
    for number in range(6):
        box = BOX if number < 2 else None
        write_pair(tmp_path / f"raw/kos0{number + 1}", "Part0", number, box, (40, 90))
    options = replace(SMALL, fit="thirds", size=None, split=SplitOptions(train_defects=1))
    tree = convert(tmp_path / "raw", tmp_path / "out", options).target
    assert failures(check(tree, tmp_path / "raw")) == set()
    entries = [e for e in read_manifest(tree).files if e.split == "train" and e.role == "image"]
    [sample] = {entry.sample for entry in entries if entry.label == "defective"}
    assert sorted(e.label for e in entries if e.sample == sample) == ["defective", "good", "good"]


def test_validation_never_gets_defects(raw: Path, tmp_path: Path) -> None:
    text = run("split", raw, "--train-defects", "train").stdout
    file = tmp_path / "s.csv"
    file.write_text(text.replace("defective,train", "defective,val", 1))
    error = run("convert", raw, tmp_path / "o", "--split", file, code=3).stderr
    assert "is defective and cannot go to val" in error
