"""Verify tells what train and test share, on our trees and on any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from kolektor_cli.convert import write_tree
from kolektor_cli.layout import make_plan
from kolektor_cli.records import Report, Split
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.verify import verify_tree
from tests.conftest import MakeDataset, draw_image, fit_all


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def foreign_tree(root: Path) -> Path:
    """Write a tree as other tools do: 4 images to train on, 2 + 2 to test."""
    for seed, path in enumerate(
        [
            *(f"train/good/{number:03}.png" for number in range(4)),
            *(f"test/{kind}/{number:03}.png" for kind in ("good", "hole") for number in range(2)),
        ]
    ):
        write(root / path, draw_image(seed, 64, 160))
    for number in range(2):
        mask = np.zeros((160, 64), np.uint8)
        mask[4:9, 4:9] = 255
        write(root / f"ground_truth/hole/{number:03}_mask.png", mask)
    return root


def found(report: Report, name: str) -> list[tuple[str, str]]:
    [check] = [check for check in report.checks if check.name == name]
    return [(finding.severity, finding.path) for finding in check.findings]


def test_tree_without_leaks_has_none(tmp_path: Path) -> None:
    report = verify_tree(foreign_tree(tmp_path / "metal"))
    assert report.ok
    assert found(report, "leaks") == found(report, "near-leaks") == []


def test_same_picture_in_train_and_test_is_an_error_that_names_both(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    shutil.copy(tree / "train/good/002.png", tree / "test/good/001.png")
    write(tree / "test/hole/000.png", cv2.merge([draw_image(1, 64, 160)] * 3))
    report = verify_tree(tree)
    assert found(report, "leaks") == [
        ("error", "test/good/001.png"),
        ("error", "test/hole/000.png"),
    ]
    [check] = [check for check in report.checks if check.name == "leaks"]
    assert "train/good/002.png" in check.findings[0].message
    assert found(report, "near-leaks") == []


def test_same_picture_twice_on_one_side_is_no_leak(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    shutil.copy(tree / "train/good/002.png", tree / "train/good/003.png")
    shutil.copy(tree / "test/good/000.png", tree / "test/good/001.png")
    assert verify_tree(tree).ok


def test_picture_saved_again_is_a_warning_and_strictly_an_error(tmp_path: Path) -> None:
    tree = foreign_tree(tmp_path / "metal")
    brighter = np.clip(draw_image(3, 64, 160) * 1.1, 0, 255).astype(np.uint8)
    write(tree / "test/good/000.png", brighter)
    assert found(verify_tree(tree), "near-leaks") == [("warning", "test/good/000.png")]
    assert verify_tree(tree).ok
    assert found(verify_tree(tree, strict=True), "near-leaks") == [("error", "test/good/000.png")]
    assert not verify_tree(tree, strict=True).ok


def test_items_on_both_sides_are_told_and_refused_where_the_protocol_promises_none(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    with open_source(make_dataset()) as source:
        scan = scan_source(source)
        assigned = {s.name: "test" if s.name[-1] in "01" else "train" for s in scan.samples}
        for protocol in ("balanced", "grouped"):
            split = Split(protocol, {}, assigned)  # type: ignore[arg-type]
            plan = make_plan(scan, split, fit_all(source, scan, (20, 30)), category=protocol)
            write_tree(plan, source, tmp_path)
    assert found(verify_tree(tmp_path / "balanced"), "groups") == [("info", "")]
    report = verify_tree(tmp_path / "grouped")
    assert found(report, "groups") == [("error", item) for item in ("kos01", "kos02", "kos03")]
