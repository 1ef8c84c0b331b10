"""Verify tells what train and test share, on our trees and on any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.core.verification import CategoryResult, verify
from kolektor_cli.findings import Severity
from kolektor_cli.raw.scan import Scan
from kolektor_cli.samples import MANY_ALIKE
from kolektor_cli.splits.split import ProtocolName, Split
from tests import pipeline
from tests.conftest import SIZE, draw_image, write_png
from tests.trees import check


def foreign_tree(root: Path) -> Path:
    """Write a tree as other tools do: 4 images to train on, 2 + 2 to test."""
    for seed, path in enumerate(
        [
            *(f"train/good/{number:03}.png" for number in range(4)),
            *(f"test/{kind}/{number:03}.png" for kind in ("good", "hole") for number in range(2)),
        ]
    ):
        write_png(root / path, draw_image(seed, 64, 160))
    for number in range(2):
        mask = np.zeros((160, 64), np.uint8)
        mask[4:9, 4:9] = 255
        write_png(root / f"ground_truth/hole/{number:03}_mask.png", mask)
    return root


def found(report: CategoryResult, name: str) -> list[tuple[str, str]]:
    [check] = [check for check in report.checks if check.name == name]
    return [(finding.severity, finding.path) for finding in check.findings]


def test_tree_without_leaks_has_none(tmp_path: Path) -> None:
    report = check(foreign_tree(tmp_path / "metal"))
    assert report.ok
    assert found(report, "leaks") == found(report, "near-leaks") == []


def test_same_picture_in_train_and_test_is_an_error_that_names_both(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    shutil.copy(tree / "train/good/002.png", tree / "test/good/001.png")
    write_png(tree / "test/hole/000.png", cv2.merge([draw_image(1, 64, 160)] * 3))
    report = check(tree)
    assert found(report, "leaks") == [
        ("error", "test/good/001.png"),
        ("error", "test/hole/000.png"),
    ]
    [leaks] = [check for check in report.checks if check.name == "leaks"]
    assert "train/good/002.png" in leaks.findings[0].message
    assert found(report, "near-leaks") == []


def test_same_picture_in_validation_and_test_is_an_error(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    (tree / "validation/good").mkdir(parents=True)
    shutil.copy(tree / "test/good/001.png", tree / "validation/good/000.png")
    assert found(check(tree), "leaks") == [("error", "test/good/001.png")]


def test_same_picture_twice_on_one_side_is_no_leak(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    shutil.copy(tree / "train/good/002.png", tree / "train/good/003.png")
    shutil.copy(tree / "test/good/000.png", tree / "test/good/001.png")
    assert check(tree).ok


@pytest.mark.parametrize(("strict", "severity"), [(False, "warning"), (True, "error")])
def test_picture_saved_again_is_a_warning_and_strictly_an_error(
    tmp_path: Path, strict: bool, severity: Severity
) -> None:
    tree = foreign_tree(tmp_path / "metal")
    brighter = np.clip(draw_image(3, 64, 160) * 1.1, 0, 255).astype(np.uint8)
    write_png(tree / "test/good/000.png", brighter)
    [report] = verify(tree, strict=strict).categories
    assert found(report, "near-leaks") == [(severity, "test/good/000.png")]
    assert report.ok == (not strict)


EVERY_ITEM = [("error", item) for item in ("kos01", "kos02", "kos03")]


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ("balanced", [("info", "")]),
        ("vicos", [("info", "")]),
        ("anomalib", [("info", "")]),
        ("grouped", EVERY_ITEM),
    ],
)
def test_items_on_both_sides_are_told_and_refused_where_the_protocol_promises_none(
    raw: Path, tmp_path: Path, protocol: ProtocolName, told: list[tuple[str, str]]
) -> None:
    def part_every_item(scan: Scan) -> Split:
        tested = {s.name: s.name[-1] in "01" for s in scan.samples}
        return Split(protocol, {}, {n: "test" if t else "train" for n, t in tested.items()})

    pipeline.convert(raw, tmp_path, size=SIZE, make_split=part_every_item)
    assert found(check(tmp_path / "metal"), "groups") == told


@pytest.mark.parametrize(
    "flipped", [np.s_[:, ::-1], np.s_[::-1], np.s_[::-1, ::-1]], ids=["left-right", "top", "turned"]
)
def test_mirrored_or_turned_picture_is_a_near_leak(
    tmp_path: Path, flipped: tuple[slice, ...]
) -> None:
    tree = foreign_tree(tmp_path / "metal")
    write_png(tree / "test/good/000.png", draw_image(3, 64, 160)[flipped].copy())
    [report] = verify(tree, strict=True).categories
    assert found(report, "near-leaks") == [("error", "test/good/000.png")]
    [near] = [check for check in report.checks if check.name == "near-leaks"]
    assert "train/good/003.png" in near.findings[0].message


def test_near_leak_of_very_many_images_is_told_so_many_times_and_no_more(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    random = np.random.default_rng(0)
    for number in range(MANY_ALIKE + 8):
        again = draw_image(99, 64, 160) // 2 + random.integers(0, 9, (160, 64), np.uint8)
        write_png(tree / f"train/good/{number:03}.png", again)
    write_png(tree / "test/good/001.png", draw_image(99, 64, 160))
    assert found(check(tree), "near-leaks") == [("warning", "test/good/001.png")] * MANY_ALIKE


def test_same_marks_on_other_surfaces_are_no_near_leak(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    for seed, path in enumerate(["train/good/000.png", "train/good/001.png", "test/good/000.png"]):
        cells = np.random.default_rng(seed).integers(60, 90, (63, 25), np.uint8)
        image = cv2.resize(cells, (200, 500)).astype(np.uint8)
        image[150:170, 60:76] = image[330:340, 40:100] = 255
        write_png(tree / path, image)
    assert found(check(tree), "near-leaks") == []
