"""The same picture, found again in a source, and what its labels and masks say."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from kolektor_cli.imaging import similarity
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.duplicates import find_duplicates
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.splits.protocols import grouped
from tests.conftest import MakeDataset, write_pair
from tests.scans import names, scan, unusual


def codes(found: Scan) -> Iterable[tuple[str, str, str]]:
    return [(f.severity, f.code, f.path) for f in found.findings if f.code.startswith("duplicate")]


def test_items_that_share_pictures_are_one_group(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=5)
    shutil.copy(root / "kos05/Part1.jpg", root / "kos02/Part3.jpg")
    pixels = cv2.imread(str(root / "kos02/Part2.jpg"), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    done, png = cv2.imencode(".png", pixels)
    assert done
    (root / "kos04/Part1.jpg").write_bytes(png.tobytes())
    found = scan(root)
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [
        ("kos02/Part2", "kos04/Part1", "pixels"),
        ("kos02/Part3", "kos05/Part1", "file"),
    ]
    assert {sample.item: sample.group for sample in found.samples} == {
        "kos01": "kos01",
        "kos02": "kos02",
        "kos03": "kos03",
        "kos04": "kos02",
        "kos05": "kos02",
    }
    assert found.distinct == 18
    assert codes(found) == []


def test_one_picture_with_two_labels_is_an_error_and_both_are_left_out(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    shutil.copy(root / "kos01/Part0.jpg", root / "kos03/Part2.jpg")
    found = scan(root)
    assert codes(found) == [
        ("error", "duplicate-label", "kos01/Part0.jpg"),
        ("error", "duplicate-label", "kos03/Part2.jpg"),
    ]
    assert found.left_out == dict.fromkeys(("kos01/Part0", "kos03/Part2"), "duplicate-label")
    assert found.duplicates == ()
    assert len({sample.group for sample in found.samples}) == 3


def test_one_picture_with_two_masks_is_a_warning(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    write_pair(root / "kos03", "Part0", 100, (6, 11, 12, 6))
    assert codes(scan(root)) == [("warning", "duplicate-mask", "kos01/Part0_label.bmp")]


def test_identical_pictures_without_detail_are_found_by_their_files(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    done, data = cv2.imencode(".jpg", np.full((60, 40), 77, np.uint8))
    assert done
    for name in ("kos01/Part1", "kos02/Part2", "kos02/Part3"):
        (root / f"{name}.jpg").write_bytes(data.tobytes())
    found = scan(root)
    assert len(found.duplicates) == 3
    assert found.distinct == 10


def test_pictures_that_are_the_same_are_one_item(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    shutil.copy(root / "train/10001.png", root / "test/20002.png")
    shutil.copy(root / "train/10001_GT.png", root / "test/20002_GT.png")
    found = scan(root)
    [pair] = found.duplicates
    assert (pair.first, pair.second, pair.kind) == ("test/20002", "train/10001", "file")
    groups = {sample.name: sample.group for sample in found.samples}
    assert groups.pop("train/10001") == groups["test/20002"] == "20002"
    assert len(set(groups.values())) == len(groups) == 9
    for fold in range(3):
        assigned = grouped(found.samples, fold=fold).assigned
        assert (assigned["test/20002"] == "test") == (assigned["train/10001"] == "test")


@pytest.mark.parametrize(("brighter", "severity"), [(1.0, "error"), (1.1, "warning")])
def test_same_picture_once_good_and_once_defective_is_an_error_if_it_is_sure(
    make_dataset_2: MakeDataset, brighter: float, severity: str
) -> None:
    """What was not measured of KolektorSDD2 is how alike its different pictures are."""
    root = make_dataset_2()
    image = cv2.imread(str(root / "train/10000.png"))
    assert image is not None
    bright = np.clip(image * brighter, 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(root / "train/10001.png"), bright)
    mask = np.zeros(image.shape[:2], np.uint8)
    assert cv2.imwrite(str(root / "train/10001_GT.png"), mask)
    found = scan(root)
    assert {s for s, code, _ in unusual(found) if code == "duplicate-label"} == {severity}
    assert ("train/10001" in names(found)) == (severity == "warning")


@pytest.mark.parametrize(
    "flipped", [np.s_[:, ::-1], np.s_[::-1], np.s_[::-1, ::-1]], ids=["left-right", "top", "turned"]
)
def test_mirrored_and_turned_copies_are_the_same_picture(
    make_dataset_2: MakeDataset, flipped: tuple[slice, ...]
) -> None:
    """Augmentation that was done before the split must not part a picture from its original."""
    root = make_dataset_2()
    for name in ("train/10001", "train/10000"):
        for ending in ("", "_GT"):
            pixels = cv2.imread(str(root / f"{name}{ending}.png"), cv2.IMREAD_UNCHANGED)
            assert pixels is not None
            assert cv2.imwrite(str(root / f"{name}_aug{ending}.png"), pixels[flipped].copy())
    found = scan(root)
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [
        ("train/10000", "train/10000_aug", "near"),
        ("train/10001", "train/10001_aug", "near"),
    ]
    groups = {sample.name: sample.group for sample in found.samples}
    assert groups["train/10000"] == groups["train/10000_aug"]
    assert found.distinct == len(found.samples) - 2


def test_mirrored_copy_of_another_label_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    pixels = cv2.imread(str(root / "kos01/Part0.jpg"), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    done, png = cv2.imencode(".png", pixels[:, ::-1])
    assert done
    (root / "kos03/Part2.jpg").write_bytes(png.tobytes())
    assert codes(scan(root)) == [
        ("error", "duplicate-label", "kos01/Part0.jpg"),
        ("error", "duplicate-label", "kos03/Part2.jpg"),
    ]


def test_candidates_that_a_closer_look_tells_apart_are_no_pair(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset()
    with open_source(root) as source:
        samples = scan_source(source).samples
        thumbnails = np.random.default_rng(0).integers(-127, 128, (len(samples), 1000), np.int8)
        # With this limit, any two images are candidates.
        monkeypatch.setattr(similarity, "CANDIDATE", -1)
        assert find_duplicates(source, samples, thumbnails).pairs() == []
