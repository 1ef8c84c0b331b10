"""Verifying: the checks, what they skip, and what else is told of a tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import SourceError
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.fit import AskedSize
from kolektor_cli.tree.layout import Color
from tests.conftest import (
    FOREIGN_IMAGES,
    SIZE,
    color_image,
    draw_image,
    snapshot,
    write_pair,
    write_png,
)
from tests.trees import IMAGES, MANIFEST, PNGS, check, failures, notes, read_manifest

OTHER = "not made by kolektor"

LEAK_CHECKS = ("leaks", "near-leaks", "groups")
CHECKS = ("structure", "names", "pairs", "images", "masks", "manifest", "hashes", "pixels")


def test_tree_that_was_just_made_passes_every_check(tree: Path, raw: Path) -> None:
    report = check(tree, raw)
    assert [check.name for check in report.checks] == [*CHECKS, *LEAK_CHECKS, "source"]
    assert [check.name for check in report.checks if check.findings] == ["groups"]
    assert [check.skipped for check in report.checks] == [None] * 12
    assert report.ok
    assert report.category == "metal"
    assert report.counts == {
        ("train", "good"): 6,
        ("test", "good"): 3,
        ("test", "defective"): 3,
    }
    assert report.fingerprint == read_manifest(tree).fingerprint


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("size", [None, (7, 70)], ids=str)
def test_trees_of_all_options_pass(
    raw: Path, tmp_path: Path, color: Color, size: AskedSize
) -> None:
    for number, image in enumerate(sorted(raw.glob("*/*.jpg"))):
        height = 60 + number % 3
        write_pair(image.parent, image.stem, number, (1, 1, 4, 4), (40, height))
    for mask in raw.glob("*/Part[1-3]_label.bmp"):
        write_png(mask, np.zeros_like(cv2.imread(str(mask.parent / f"{mask.stem[:5]}.jpg"), 0)))
    options = ConvertOptions(size=size, color=color, split=SplitOptions(val=0.4, seed=3))
    report = check(convert(raw, tmp_path, options).target, raw)
    assert failures(report) == set()
    assert report.counts["val", "good"] == 2


def test_number_of_threads_does_not_matter(tree: Path, raw: Path) -> None:
    (tree / PNGS[3]).write_bytes(b"")
    (raw / "kos01/Part2.jpg").write_bytes((raw / "kos01/Part3.jpg").read_bytes())
    assert check(tree, raw, jobs=4) == check(tree, raw, jobs=1)


def test_verifying_changes_nothing(tree: Path, raw: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    check(tree, raw)
    assert snapshot(tmp_path) == before


def test_progress_is_told_step_by_step_up_to_the_end(tree: Path, raw: Path) -> None:
    told: list[tuple[str, int, int]] = []
    verify(tree, source=raw, jobs=2, progress=lambda *step: told.append(step))
    totals = {"reading the source": 12, "reading metal": 15, "deriving metal again": 12}
    steps = [(s, done + 1, total) for s, total in totals.items() for done in range(total)]
    assert told == [*steps[:27], ("checking metal", 0, 0), *steps[27:]]


def test_paths_may_be_texts(tree: Path, raw: Path) -> None:
    [result] = verify(str(tree), source=str(raw)).categories
    assert result == check(tree, raw)


@pytest.mark.parametrize("manifest", ["whole", "missing", "damaged"])
def test_source_that_is_given_is_never_skipped(tree: Path, raw: Path, manifest: str) -> None:
    write_png(tree / IMAGES[0], color_image(9))
    if manifest == "missing":
        (tree / MANIFEST).unlink()
    if manifest == "damaged":
        (tree / MANIFEST).write_bytes(b"{}")
    [result] = [c for c in check(tree, raw).checks if c.name == "source"]
    assert result.skipped is None
    assert IMAGES[0] in {finding.path for finding in result.findings}


def test_every_category_of_a_folder_is_verified_against_the_source(tree: Path, raw: Path) -> None:
    shutil.copytree(tree, tree.with_name("spoiled"))
    (tree.with_name("spoiled") / IMAGES[0]).unlink()
    found = verify(tree.parent, source=raw)
    assert [(result.category, result.ok) for result in found.categories] == [
        ("metal", True),
        ("spoiled", False),
    ]
    assert not found.ok


def test_findings_of_the_source_are_handed_on(tree: Path, raw: Path) -> None:
    assert verify(tree).source_findings == ()
    (raw / "notes.txt").write_text("x")
    paths = {finding.path for finding in verify(tree, source=raw).source_findings}
    assert "notes.txt" in paths


def test_source_that_is_none_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        verify(tree, source=tmp_path / "nowhere")


def test_renamed_category_is_only_told_of(tree: Path, raw: Path) -> None:
    renamed = tree.rename(tree.with_name("steel"))
    report = check(renamed, raw)
    assert failures(report) == set()
    assert notes(report) == [("info", "renamed", "")]
    assert report.category == "steel"


def test_category_folder_may_be_given_as_a_relative_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    report = check(Path())
    assert (report.category, notes(report), failures(report)) == ("metal", [], set())


def test_tree_of_another_tool_passes(foreign: Path) -> None:
    report = check(foreign)
    assert failures(report) == set()
    assert notes(report) == [("info", "extra-file", "license.txt")]
    skipped = {check.name: check.skipped for check in report.checks if check.skipped}
    assert skipped == dict.fromkeys(("manifest", "hashes", "pixels", "groups"), OTHER)
    assert report.counts == {
        ("train", "good"): 3,
        ("test", "good"): 1,
        ("test", "defective"): 3,
    }


def test_fingerprint_of_any_tree_is_that_of_its_pixels(foreign: Path) -> None:
    for path in FOREIGN_IMAGES:
        write_png(foreign / path, draw_image(1, *SIZE))
    gray = check(foreign).fingerprint
    for path in FOREIGN_IMAGES:
        write_png(foreign / path, cv2.merge([draw_image(1, *SIZE)] * 3))
    assert check(foreign).fingerprint == gray
    write_png(foreign / FOREIGN_IMAGES[0], color_image(1))
    assert check(foreign).fingerprint != gray
