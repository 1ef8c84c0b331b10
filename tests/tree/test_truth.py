"""The ground truth of a tree: its test images and their defects, or why it cannot be scored."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.errors import ImageError, OutputError
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.truth import open_truth, read_defects
from tests.conftest import write_png
from tests.trees import IMAGES, MASKS, entry_of, forge_entry, read_manifest


def test_test_images_come_with_item_size_and_label(tree: Path) -> None:
    truth = open_truth(tree)
    entries = {entry.path: entry for entry in read_manifest(tree).files}
    assert [image.path for image in truth.images] == sorted(p for p in IMAGES if "test" in p)
    for image in truth.images:
        entry = entries[image.path]
        assert (image.label, image.item, image.size) == (
            entry.label,
            entry.group,
            entry.geometry.size,
        )
        assert image.inside == entry.geometry.placement
    assert truth.fingerprint == read_manifest(tree).fingerprint
    assert truth.category == tree.name
    assert set(truth.paths) == set(IMAGES)


def test_validation_images_are_apart(raw: Path, tmp_path: Path) -> None:
    made = convert(raw, tmp_path, ConvertOptions(split=SplitOptions(val=0.4))).target
    truth = open_truth(made)
    assert truth.validation
    assert all(image.path.startswith("validation/good/") for image in truth.validation)


def test_training_images_come_if_they_are_asked_for(tree: Path) -> None:
    assert open_truth(tree).training == ()
    found = open_truth(tree, training=True).training
    assert [image.path for image in found] == sorted(p for p in IMAGES if p.startswith("train/"))
    (tree / found[0].path).write_bytes((tree / found[0].path).read_bytes()[:20])
    with pytest.raises(OutputError, match="is no PNG"):
        open_truth(tree, training=True)


def test_padding_of_a_tree_is_told(raw: Path, tmp_path: Path) -> None:
    made = convert(raw, tmp_path, ConvertOptions(fit="pad", size=(60, 60))).target
    for image in open_truth(made).images:
        assert image.size == (60, 60)
        assert image.inside != (0, 0, 60, 60)


def test_tree_of_another_tool_has_images_that_are_their_own_items(foreign: Path) -> None:
    truth = open_truth(foreign)
    assert (truth.fingerprint, truth.leaks) == (None, None)
    assert all(image.item == image.path for image in truth.images)
    assert all(image.inside == (0, 0, *image.size) for image in truth.images)


def test_defects_are_the_components_of_the_mask(tree: Path) -> None:
    mask = np.zeros((8, 6), np.uint8)
    mask[0, 0] = mask[1, 1] = 255  # touch at a corner: one region
    mask[5:7, 2:5] = 255
    folder = tree.parent / "other"
    write_png(folder / "train/good/000.png", np.zeros((8, 6, 3), np.uint8))
    write_png(folder / "test/crack/000.png", np.zeros((8, 6, 3), np.uint8))
    write_png(folder / "ground_truth/crack/000_mask.png", mask)
    truth = open_truth(folder)
    [image] = truth.images
    defects = read_defects(truth, image)
    assert [(r.area, r.box) for r in defects.found] == [(2, (0, 0, 2, 2)), (6, (2, 5, 3, 2))]
    places = sorted(zip(defects.rows.tolist(), defects.columns.tolist(), strict=True))
    assert places == [(int(r), int(c)) for r, c in np.argwhere(mask)]
    assert np.bincount(defects.regions).tolist() == [2, 6]


def spoiled(tree: Path, how: str) -> None:
    image, mask = tree / "test/defect/000.png", tree / MASKS[0]
    if how == "mask missing":
        mask.unlink()
    elif how == "image missing":
        image.unlink()
        mask.unlink()
    elif how == "image added":
        shutil.copy(tree / "test/good/000.png", tree / "test/good/009.png")
    elif how == "other size":
        write_png(tree / "test/good/000.png", np.zeros((4, 4, 3), np.uint8))
    elif how == "no PNG":
        (tree / "test/good/000.png").write_bytes(b"text")
    else:
        shutil.rmtree(tree / "test")
        shutil.rmtree(tree / "ground_truth")


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ("mask missing", "has no mask"),
        ("image missing", "in the manifest, not in the tree"),
        ("image added", "in the tree, not in the manifest"),
        ("other size", "is 4x4 pixels, in the manifest"),
        ("no PNG", "is no PNG"),
        ("no test", "in the manifest, not in the tree"),
    ],
)
def test_tree_that_is_not_whole_is_refused(tree: Path, how: str, part: str) -> None:
    spoiled(tree, how)
    with pytest.raises(OutputError, match=part) as caught:
        open_truth(tree)
    assert "kolektor verify" in str(caught.value)


def test_image_of_another_format_is_refused_and_linked_ones_are_read(
    foreign: Path, tmp_path: Path
) -> None:
    images = open_truth(foreign).images
    path = foreign / images[0].path
    path.rename(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    assert open_truth(foreign).images == images
    (foreign / "test/good/photo.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(OutputError, match=r"photo\.jpg is no PNG"):
        open_truth(foreign)


def test_image_of_no_size_is_refused(foreign: Path) -> None:
    path = foreign / open_truth(foreign).images[0].path
    data = bytearray(path.read_bytes())
    data[16:24] = bytes(8)
    path.write_bytes(bytes(data))
    with pytest.raises(ImageError, match="claims 0x0 pixels"):
        open_truth(foreign)


@pytest.mark.parametrize(
    ("mask", "part"),
    [
        (np.full((3, 3), 255, np.uint8), "its image is not"),
        (None, "not the file that was written"),
    ],
)
def test_changed_mask_is_refused(
    tree: Path, foreign: Path, mask: np.ndarray | None, part: str
) -> None:
    folder = tree if mask is None else foreign
    truth = open_truth(folder)
    [image] = [i for i in truth.images if i.label == "defective"][:1]
    path = folder / image.path.replace("test/", "ground_truth/").replace(".png", "_mask.png")
    write_png(path, np.full((9, 9), 255, np.uint8) if mask is None else mask)
    with pytest.raises(OutputError, match=part):
        read_defects(truth, image)


def test_mask_that_marks_nothing_is_refused(foreign: Path) -> None:
    truth = open_truth(foreign)
    [image] = [i for i in truth.images if i.label == "defective"][:1]
    path = foreign / image.path.replace("test/", "ground_truth/").replace(".png", "_mask.png")
    write_png(path, np.zeros(image.size[::-1], np.uint8))
    with pytest.raises(OutputError, match="marks nothing"):
        read_defects(truth, image)


def test_folder_of_several_categories_is_refused(tree: Path) -> None:
    shutil.copytree(tree, tree.parent / "wood")
    with pytest.raises(OutputError, match="holds several categories"):
        open_truth(tree.parent)


def test_leaks_are_told_by_the_manifest(tree: Path) -> None:
    leaks = open_truth(tree).leaks
    assert leaks is not None
    groups = [(entry.group, entry.split == "test") for entry in read_manifest(tree).files]
    both = {group for group, _ in groups if {(group, True), (group, False)} <= set(groups)}
    assert any(line.startswith(f"{len(both)} of ") for line in leaks) == bool(both)


def test_pictures_in_test_that_are_trained_or_validated_on_are_leaks(tree: Path) -> None:
    tested = entry_of(tree, "test/good/000.png")
    for path in ("train/good/000.png", "train/good/001.png"):
        forge_entry(tree, path, pixels_sha256=tested.pixels_sha256)
    forge_entry(tree, "train/good/001.png", path="validation/good/001.png", split="val")
    (tree / "validation/good").mkdir(parents=True)
    (tree / "train/good/001.png").rename(tree / "validation/good/001.png")
    forge_entry(tree, "train/good/000.png", pixels_sha256="0" * 64)
    leaks = open_truth(tree).leaks
    assert leaks is not None
    assert leaks[0] == "test/good/000.png has the pixels of validation/good/001.png"
