"""Files are held against the source that they are said to be made from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.splitting import split
from kolektor_cli.raw.scan import Scan
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import Split, SplitOptions
from kolektor_cli.tree.layout import Color
from kolektor_cli.tree.manifest import FileEntry, fingerprint
from tests import pipeline
from tests.conftest import SIZE, SMALL, color_image, damage_jpeg, draw_image, write_pair, write_png
from tests.trees import (
    IMAGES,
    MANIFEST,
    MASKS,
    PNGS,
    Failure,
    check,
    entry_of,
    failures,
    forge,
    forge_entry,
    path_of,
    read_manifest,
    train_sample,
)


def test_gray_tree_of_a_colour_source_passes(raw: Path, tmp_path: Path) -> None:
    for seed, image in enumerate(sorted(raw.glob("*/*.jpg"))):
        image.unlink()
        write_png(image.with_suffix(".png"), color_image(seed, (40, 60)))
    colors: tuple[Color, ...] = ("rgb", "gray")
    for color in colors:
        made = convert(raw, tmp_path / color, replace(SMALL, color=color))
        assert failures(check(made.target, raw)) == set()


def change_image(raw: Path, sample: str, seed: int = 99) -> None:
    done, data = cv2.imencode(".jpg", draw_image(seed))
    assert done
    (raw / f"{sample}.jpg").write_bytes(data.tobytes())


def test_image_that_changed_in_the_source_is_found(tree: Path, raw: Path) -> None:
    sample = train_sample(tree)
    change_image(raw, sample)
    report = check(tree, raw)
    assert failures(report) == {("source", "other-pixels", IMAGES[0])}
    [finding] = report.checks[-1].findings
    assert sample in finding.message


def test_mask_that_changed_in_the_source_is_found(tree: Path, raw: Path) -> None:
    write_pair(raw / "kos02", "Part0", seed=20, box=(1, 1, 5, 5))
    mask = path_of(tree, "kos02/Part0", "mask")
    assert failures(check(tree, raw)) == {("source", "other-pixels", mask)}


def test_image_and_manifest_that_changed_together_are_found(tree: Path, raw: Path) -> None:
    write_png(tree / IMAGES[0], cv2.merge([draw_image(5, *SIZE)] * 3))
    found = {check for check, _, path in failures(check(tree, raw)) if path == IMAGES[0]}
    assert found == {"hashes", "pixels", "source"}


def test_sample_that_is_not_in_the_source_is_found(tree: Path, raw: Path) -> None:
    for path in raw.glob(f"{train_sample(tree)}*"):
        path.unlink()
    assert failures(check(tree, raw)) == {("source", "no-source", IMAGES[0])}


def test_sample_that_is_not_usable_in_the_source_is_found(tree: Path, raw: Path) -> None:
    (raw / f"{train_sample(tree)}_label.bmp").unlink()
    assert failures(check(tree, raw)) == {("source", "no-source", IMAGES[0])}


def test_source_image_that_cannot_be_decoded_is_found(tree: Path, raw: Path) -> None:
    damage_jpeg(raw / f"{train_sample(tree)}.jpg")
    assert failures(check(tree, raw)) == {("source", "no-source", IMAGES[0])}


def test_sample_that_the_manifest_does_not_account_for_is_found(tree: Path, raw: Path) -> None:
    write_pair(raw / "kos03", "Part9", seed=77)
    assert ("source", "lost-sample", "kos03/Part9") in failures(check(tree, raw))


@pytest.mark.parametrize("change", ["unused", "left_out"])
def test_sample_that_the_manifest_leaves_out_is_accounted_for(
    raw: Path, tmp_path: Path, change: str
) -> None:
    write_pair(raw / "kos03", "Part9", seed=77)

    def all_but_one(scan: Scan) -> Split:
        used = [sample for sample in scan.samples if sample.name != "kos03/Part9"]
        return Split("file", {}, {**balanced(used).assigned, "kos03/Part9": "unused"})

    pipeline.convert(raw, tmp_path, size=SIZE, make_split=all_but_one)
    made = tmp_path / "metal"
    if change == "left_out":
        forge(made, unused=(), left_out={"kos03/Part9": "unreadable"})
    assert failures(check(made, raw)) == set()


@pytest.mark.parametrize("path", [IMAGES[0], "test/good/000.png", "test/defect/001.png"])
def test_tree_without_a_bad_sample_fits_the_source_that_still_holds_it(
    tree: Path, raw: Path, tmp_path: Path, path: str
) -> None:
    sample = entry_of(tree, path).sample
    damage_jpeg(raw / f"{sample}.jpg")
    made = convert(raw, tmp_path / "skipped", replace(SMALL, skip_bad=True)).target
    assert read_manifest(made).left_out == {sample: "unreadable"}
    assert failures(check(made, raw)) == set()


def test_split_made_by_hand_is_found_where_a_protocol_is_claimed(raw: Path, tmp_path: Path) -> None:
    claimed: dict[str, str] = {}

    def by_hand(scan: Scan) -> Split:
        first, other = (balanced(scan.samples, seed=seed) for seed in (0, 1))
        claimed.update(first.assigned)
        return replace(first, assigned=other.assigned)

    pipeline.convert(raw, tmp_path, size=SIZE, make_split=by_hand)
    made = tmp_path / "metal"
    assert failures(check(made)) == set()
    wanted = {
        ("source", "wrong-split", entry.path)
        for entry in read_manifest(made).files
        if claimed[entry.sample] != entry.split
    }
    assert wanted
    assert failures(check(made, raw)) == wanted


def test_split_of_a_file_may_be_any(raw: Path, tmp_path: Path) -> None:
    assigned = split(raw, SplitOptions(seed=1)).split.assigned
    lines = [f"{name},{side}\n" for name, side in assigned.items()]
    (tmp_path / "by_hand.csv").write_text("sample,split\n" + "".join(lines))
    options = replace(SMALL, split=SplitOptions(file=tmp_path / "by_hand.csv"))
    made = convert(raw, tmp_path / "by hand", options).target
    assert read_manifest(made).protocol == "file"
    assert failures(check(made, raw)) == set()


def test_test_sample_that_is_kept_back_as_unused_is_found(raw: Path, tmp_path: Path) -> None:
    def without_the_hardest(scan: Scan) -> Split:
        made = balanced(scan.samples)
        return replace(made, assigned={**made.assigned, "kos02/Part0": "unused"})

    pipeline.convert(raw, tmp_path, size=SIZE, make_split=without_the_hardest)
    assert "wrong-split" in {code for _, code, _ in failures(check(tmp_path / "metal", raw))}


@pytest.mark.parametrize(
    "parameters",
    [
        {"seed": 0, "test_good": 99, "val": 0.0},
        {"seed": 0, "test_good": "many", "val": 0.0},
        {"seed": 0, "test_good": 3, "val": 7},
        {"folds": 3},
        {"samples": 1},
    ],
)
def test_split_that_cannot_be_made_is_found(
    tree: Path, raw: Path, parameters: dict[str, object]
) -> None:
    forge(tree, protocol_parameters=parameters)
    assert failures(check(tree, raw)) == {("source", "wrong-split", MANIFEST)}


def test_manifest_that_names_another_sample_is_found(tree: Path, raw: Path) -> None:
    first, second = entry_of(tree, IMAGES[0]), entry_of(tree, IMAGES[1])
    forge_entry(tree, IMAGES[0], sample=second.sample, source_sha256=second.source_sha256)
    assert failures(check(tree)) == set()
    assert failures(check(tree, raw)) == {
        ("source", "other-pixels", IMAGES[0]),
        ("source", "lost-sample", first.sample),
    }


def test_manifest_that_is_wrong_about_the_source_file_is_found(tree: Path, raw: Path) -> None:
    forge_entry(tree, IMAGES[0], source_sha256="0" * 64)
    assert {path for _, _, path in failures(check(tree, raw))} == {IMAGES[0]}


@pytest.mark.parametrize(
    "change",
    [
        {"window": (0, 0, 40, 30)},
        {"window": (5, 0, 35, 60)},
        {"source_size": (80, 120)},
        {"size": (0, 31)},
        {"size": (-20, 31)},
        {"size": (10**6, 10**6)},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [IMAGES[0], MASKS[0]])
def test_manifest_that_is_wrong_about_the_geometry_is_found(
    tree: Path, raw: Path, path: str, change: dict[str, Any]
) -> None:
    forge_entry(tree, path, geometry=replace(entry_of(tree, path).geometry, **change))
    assert {found for _, _, found in failures(check(tree, raw))} == {path}


def check_forged_views(tree: Path, raw: Path, keep: Callable[[FileEntry], bool]) -> set[Failure]:
    """Take files out of the tree and its manifest alike; return what only the source tells."""
    kept = [entry for entry in read_manifest(tree).files if keep(entry)]
    for entry in read_manifest(tree).files:
        if entry not in kept:
            (tree / entry.path).unlink()
    recorded = ((entry.path, entry.pixels_sha256) for entry in kept)
    forge(tree, files=tuple(kept), fingerprint=fingerprint(recorded))
    return {failure for failure in failures(check(tree, raw)) if failure[0] == "source"}


def test_crop_that_was_taken_out_is_missed(raw: Path, tmp_path: Path) -> None:
    tree = convert(raw, tmp_path / "thirds", ConvertOptions(fit="thirds")).target
    first = next(e for e in read_manifest(tree).files if e.path.startswith("train/"))
    assert failures(check(tree, raw)) == set()
    found = check_forged_views(tree, raw, lambda entry: entry != first)
    assert found == {("source", "lost-view", first.sample)}


def test_mask_that_was_taken_out_is_missed(raw: Path, tree: Path) -> None:
    mask = entry_of(tree, MASKS[0])
    found = check_forged_views(tree, raw, lambda entry: entry != mask)
    assert found == {("source", "lost-view", mask.sample)}


def test_label_that_the_source_s_mask_does_not_give_is_found(raw: Path, tree: Path) -> None:
    path = "test/defect/000.png"
    forge_entry(tree, path, label="good")
    assert ("source", "wrong-label", path) in failures(check(tree, raw))


def test_manifest_whose_options_tell_of_no_fit_is_found(raw: Path, tree: Path) -> None:
    forge(tree, options={**read_manifest(tree).options, "fit": "squash"})
    assert failures(check(tree)) == set()
    assert failures(check(tree, raw)) == {("source", "wrong-options", MANIFEST)}


def plain_tree(raw: Path, tree: Path, *, channels: int = 3) -> Path:
    """Make a tree as people do by hand, with OpenCV alone and no manifest."""
    good = [path for path in sorted(raw.glob("*/*.jpg")) if path.stem != "Part0"]
    for number, path in enumerate(good):
        folder = "test/good" if number < 3 else "train/good"
        write_png(tree / f"{folder}/{number:03}.png", plain_image(path, channels))
    for number, path in enumerate(sorted(raw.glob("*/Part0.jpg"))):
        write_png(tree / f"test/scratch/{number:03}.png", plain_image(path, channels))
        mask = cv2.imread(str(path.with_name("Part0_label.bmp")), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        binary = np.where(mask > 0, 255, 0).astype(np.uint8)
        small = np.where(cv2.resize(binary, SIZE) > 127, 255, 0).astype(np.uint8)
        write_png(tree / f"ground_truth/scratch/{number:03}_mask.png", small)
    return tree


def plain_image(path: Path, channels: int) -> np.ndarray:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    return cv2.merge([cv2.resize(gray, SIZE)] * channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_tree_of_the_source_passes(raw: Path, tmp_path: Path, channels: int) -> None:
    report = check(plain_tree(raw, tmp_path / "plain", channels=channels), raw)
    assert report.checks[-1].name == "source"
    assert report.checks[-1].skipped is None
    assert failures(report) == set()


def test_foreign_image_in_a_plain_tree_is_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    write_png(tree / "train/good/004.png", color_image(5))
    assert failures(check(tree)) == set()
    assert failures(check(tree, raw)) == {("source", "no-source", "train/good/004.png")}


def test_image_of_another_size_in_a_plain_tree_is_looked_for_in_that_size(
    raw: Path, tmp_path: Path
) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    gray = cv2.imread(str(raw / "kos02/Part1.jpg"), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    write_png(tree / "train/good/003.png", cv2.merge([cv2.resize(gray, (30, 30))] * 3))
    assert failures(check(tree, raw)) == set()
    nearest = cv2.resize(gray, (30, 30), interpolation=cv2.INTER_NEAREST)
    write_png(tree / "train/good/003.png", cv2.merge([nearest] * 3))
    assert failures(check(tree, raw)) == {("source", "no-source", "train/good/003.png")}


@pytest.mark.parametrize("path", ["train/good/004.png", "test/good/000.png"])
def test_defective_image_among_good_ones_is_found(raw: Path, tmp_path: Path, path: str) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    shutil.copy(tree / "test/scratch/001.png", tree / path)
    report = check(tree, raw)
    assert failures(report) == {("source", "wrong-label", path)}
    [finding] = report.checks[-1].findings
    assert "kos02/Part0" in finding.message


def test_good_image_among_defective_ones_is_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    shutil.copy(tree / "test/good/001.png", tree / "test/scratch/001.png")
    assert failures(check(tree, raw)) == {("source", "wrong-label", "test/scratch/001.png")}


def test_swapped_masks_are_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    masks = [tree / f"ground_truth/scratch/00{number}_mask.png" for number in (0, 2)]
    first, second = (mask.read_bytes() for mask in masks)
    assert first != second
    masks[0].write_bytes(second)
    masks[1].write_bytes(first)
    assert failures(check(tree)) == set()
    assert failures(check(tree, raw)) == {
        ("source", "other-pixels", f"ground_truth/scratch/00{number}_mask.png") for number in (0, 2)
    }


def test_samples_with_the_same_picture_may_have_either_mask(raw: Path, tmp_path: Path) -> None:
    shutil.copy(raw / "kos01/Part0.jpg", raw / "kos03/Part0.jpg")
    tree = plain_tree(raw, tmp_path / "plain")
    assert failures(check(tree, raw)) == set()


def write_other(root: Path) -> Path:
    for item in (1, 2, 3):
        for part in range(4):
            box = (5, 10, 12, 6) if part == 0 else None
            write_pair(root / f"kos0{item}", f"Part{part}", 500 + 10 * item + part, box)
    return root


def test_source_of_another_tree_is_one_finding_that_names_every_file(
    tree: Path, tmp_path: Path
) -> None:
    [finding] = check(tree, write_other(tmp_path / "other")).checks[-1].findings
    assert (finding.severity, finding.code) == ("error", "wrong-source")
    assert "15 of 15 files are not what the source gives" in finding.message
    assert "is it the source of this tree?" in finding.message
    assert "0 of the tree's 12 samples" in finding.message
    assert finding.paths == tuple(sorted(PNGS))


def test_source_of_which_half_changed_is_told_file_by_file(tree: Path, raw: Path) -> None:
    for number in range(6):
        change_image(raw, entry_of(tree, IMAGES[number]).sample, seed=900 + number)
    codes = {code for _, code, _ in failures(check(tree, raw))}
    assert codes == {"other-pixels"}


def test_source_of_another_tree_without_a_manifest_is_one_finding(
    tree: Path, tmp_path: Path
) -> None:
    (tree / MANIFEST).unlink()
    [finding] = check(tree, write_other(tmp_path / "other")).checks[-1].findings
    assert (finding.severity, finding.code) == ("error", "wrong-source")
    assert "none of the 12 images" in finding.message
    assert set(finding.paths) == set(IMAGES)


def test_tree_that_was_spoiled_is_told_file_by_file_for_its_own_source(
    tree: Path, raw: Path
) -> None:
    for number, path in enumerate(IMAGES):
        write_png(tree / path, cv2.merge([draw_image(700 + number, *SIZE)] * 3))
    wanted = {("source", "other-pixels", path) for path in IMAGES}
    assert {failure for failure in failures(check(tree, raw)) if failure[0] == "source"} == wanted
