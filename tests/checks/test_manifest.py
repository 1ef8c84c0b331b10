"""Files are held against their manifest, and the manifest against itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from tests.conftest import color_image, write_png
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
    read_manifest,
    train_sample,
)


@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_flipped_byte_in_the_manifest_is_found(tree: Path, position: float) -> None:
    data = bytearray((tree / MANIFEST).read_bytes())
    data[int(position * (len(data) - 1))] ^= 1
    (tree / MANIFEST).write_bytes(data)
    report = check(tree)
    assert failures(report) == {("manifest", "bad-manifest", MANIFEST)}
    skipped = {check.name: check.skipped for check in report.checks if check.skipped}
    assert skipped == dict.fromkeys(("hashes", "pixels", "groups"), "no manifest to go by")


def partner(path: str) -> str:
    """Name the mask of a defective image, or the image of a mask."""
    if path in MASKS:
        return path.replace("ground_truth", "test").replace("_mask", "")
    return path.replace("test", "ground_truth").replace(".png", "_mask.png")


def unpaired(path: str) -> set[Failure]:
    """What the check of pairs finds when a file is not there under its name."""
    if path in MASKS:
        return {("pairs", "no-mask", partner(path))}
    return {("pairs", "no-image", partner(path))} if "defect" in path else set()


def unreadable(path: str) -> Failure:
    return ("masks" if path in MASKS else "images", "unreadable", path)


@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("path", PNGS)
def test_flipped_byte_in_an_image_is_found(tree: Path, path: str, position: float) -> None:
    data = bytearray((tree / path).read_bytes())
    data[int(position * (len(data) - 1))] ^= 1
    (tree / path).write_bytes(data)
    report = check(tree)
    assert failures(report) == {("hashes", "changed-file", path), unreadable(path)}
    assert report.fingerprint is None


@pytest.mark.parametrize("path", PNGS)
def test_deleted_image_is_found(tree: Path, path: str) -> None:
    (tree / path).unlink()
    assert failures(check(tree)) == {("hashes", "missing-file", path)} | unpaired(path)


def test_deleted_manifest_is_found(tree: Path) -> None:
    (tree / MANIFEST).unlink()
    assert failures(check(tree)) == {("manifest", "no-manifest", MANIFEST)}


@pytest.mark.parametrize("path", IMAGES)
def test_renamed_image_is_found(tree: Path, path: str) -> None:
    new = f"{path.rpartition('/')[0]}/777.png"
    (tree / path).rename(tree / new)
    wanted = {("hashes", "missing-file", path), ("hashes", "added-file", new)} | unpaired(path)
    if "defect" in path:
        wanted.add(("pairs", "no-mask", new))
    assert failures(check(tree)) == wanted


@pytest.mark.parametrize("path", MASKS)
def test_renamed_mask_is_found(tree: Path, path: str) -> None:
    new = "ground_truth/defect/777_mask.png"
    (tree / path).rename(tree / new)
    assert failures(check(tree)) == {
        ("hashes", "missing-file", path),
        ("hashes", "added-file", new),
        ("pairs", "no-mask", partner(path)),
        ("pairs", "no-image", new),
    }


def test_renamed_manifest_is_found(tree: Path) -> None:
    (tree / MANIFEST).rename(tree / "Manifest.json")
    assert failures(check(tree)) == {
        ("structure", "unexpected-file", "Manifest.json"),
        ("manifest", "no-manifest", MANIFEST),
    }


def test_swapped_images_are_found(tree: Path) -> None:
    one, other = tree / IMAGES[0], tree / IMAGES[7]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert failures(check(tree)) == {
        (check, code, path)
        for check, code in (("hashes", "changed-file"), ("pixels", "changed-pixels"))
        for path in (IMAGES[0], IMAGES[7])
    }


def test_image_saved_again_has_its_pixels_and_not_its_bytes(tree: Path) -> None:
    pixels = cv2.imread(str(tree / IMAGES[0]), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    write_png(tree / IMAGES[0], pixels)
    report = check(tree)
    assert failures(report) == {("hashes", "changed-file", IMAGES[0])}
    assert report.fingerprint == read_manifest(tree).fingerprint


def test_image_with_one_pixel_changed_is_found(tree: Path) -> None:
    pixels = cv2.imread(str(tree / IMAGES[2]), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels[30, 19] ^= 1
    write_png(tree / IMAGES[2], pixels)
    assert failures(check(tree)) == {
        ("hashes", "changed-file", IMAGES[2]),
        ("pixels", "changed-pixels", IMAGES[2]),
    }


@pytest.mark.parametrize(
    ("path", "also"),
    [
        ("train/good/777.png", set()),
        ("test/good/777.png", set()),
        ("test/defect/777.png", {("pairs", "no-mask", "test/defect/777.png")}),
    ],
)
def test_added_image_is_found(tree: Path, path: str, also: set[Failure]) -> None:
    write_png(tree / path, color_image(1))
    assert failures(check(tree)) == {("hashes", "added-file", path)} | also


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sha256": "0" * 64}, {("hashes", "changed-file", IMAGES[0])}),
        ({"pixels_sha256": "0" * 64}, {("pixels", "changed-pixels", IMAGES[0])}),
        ({"label": "defective"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"split": "test"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"split": "unused"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"role": "mask"}, {("manifest", "wrong-folder", IMAGES[0])}),
        (
            {"path": "train/good/777.png"},
            {
                ("hashes", "missing-file", "train/good/777.png"),
                ("hashes", "added-file", IMAGES[0]),
            },
        ),
    ],
    ids=["bytes", "pixels", "label", "test", "unused", "mask", "path"],
)
def test_manifest_that_is_wrong_about_a_file_is_found(
    tree: Path, changes: dict[str, str], found: set[Failure]
) -> None:
    forge_entry(tree, IMAGES[0], **changes)
    assert failures(check(tree)) == found


def test_manifest_that_is_wrong_about_a_size_is_found(tree: Path) -> None:
    geometry = entry_of(tree, IMAGES[0]).geometry
    forge_entry(tree, IMAGES[0], geometry=replace(geometry, size=(31, 20)))
    assert failures(check(tree)) == {("pixels", "changed-pixels", IMAGES[0])}


def test_manifest_with_the_wrong_fingerprint_is_found(tree: Path) -> None:
    forge(tree, fingerprint="0" * 64)
    assert failures(check(tree)) == {("pixels", "fingerprint", MANIFEST)}


@pytest.mark.parametrize("change", ["unused", "left_out"])
def test_sample_that_is_used_and_is_not_is_found(tree: Path, change: str) -> None:
    sample = train_sample(tree)
    forge(tree, **{change: {"unused": (sample,), "left_out": {sample: "unreadable"}}[change]})
    assert failures(check(tree)) == {("manifest", "two-splits", IMAGES[0])}


def test_sample_on_both_sides_of_the_split_is_found(tree: Path) -> None:
    forge_entry(tree, "test/good/000.png", sample=train_sample(tree))
    assert failures(check(tree)) == {("manifest", "two-splits", IMAGES[0])}
