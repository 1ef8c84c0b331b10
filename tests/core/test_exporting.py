"""Exports of real small trees: what is written is read again, and gives the tree's pixels."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.exporting import export
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.exports.options import ExportFormat
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import TreeImage, load_tree
from tests.conftest import FOREIGN_MASKS, listing, snapshot, write_png
from tests.exports.regions import fill_drawn, fill_indices, regions

Named = Mapping[str, Pixels]
"""Masks by the paths of their images in an export."""


def named(image: TreeImage) -> str:
    """Say where an image of a tree lies in an export."""
    kind, name = image.path.split("/", 1)[1].rsplit("/", 1)
    return f"images/{image.split}/{kind}_{name}"


def masks_of_tree(tree: Path) -> Named:
    return {named(image): (image.mask() > 0).astype(np.uint8) for image in load_tree(tree)}


def read_yolo(folder: Path) -> Named:
    found = {}
    for file in sorted((folder / "labels").rglob("*.txt")):
        image = f"images/{file.parent.name}/{file.stem}.png"
        height, width = decode_image((folder / image).read_bytes(), image).shape[:2]
        found[image] = np.zeros((height, width), np.uint8)
        for line in file.read_text().splitlines():
            points = np.array(line.split()[1:], float).reshape(-1, 2)
            assert ((points > 0) & (points < 1)).all()
            found[image] |= fill_indices(points * (width, height), (width, height))
    return found


def read_coco(folder: Path) -> Named:
    found = {}
    for file in sorted((folder / "annotations").iterdir()):
        split = file.stem.removeprefix("instances_")
        read = COCO(file)
        for number, image in read.imgs.items():
            path = f"images/{split}/{image['file_name']}"
            mask = np.zeros((image["height"], image["width"]), np.uint8)
            for annotation in read.loadAnns(read.getAnnIds([number])):
                mask |= read.annToMask(annotation)
            found[path] = mask
    return found


def read_labelme(folder: Path) -> Named:
    found = {}
    for file in sorted((folder / "images").rglob("*.json")):
        content = json.loads(file.read_text())
        size = content["imageWidth"], content["imageHeight"]
        mask = np.zeros(size[::-1], np.uint8)
        for shape in content["shapes"]:
            mask |= fill_drawn(np.array(shape["points"]), size)
        found[f"images/{file.parent.name}/{content['imagePath']}"] = mask
    return found


READERS = {"yolo": read_yolo, "coco": read_coco, "labelme": read_labelme}


def assert_same(found: Named, wanted: Named) -> None:
    assert found.keys() == wanted.keys()
    for path, mask in wanted.items():
        assert (found[path] == mask).all(), path


@pytest.fixture
def spotted(foreign: Path) -> Path:
    """Hold a tree of another tool whose masks have holes, dots in them, and single pixels."""
    noise = np.random.default_rng(3)
    for number, path in enumerate(FOREIGN_MASKS):
        mask = (noise.random((31, 20)) < (0.02, 0.4, 0.8)[number]).astype(np.uint8)
        write_png(foreign / path, 255 * mask)
    return foreign


@pytest.mark.parametrize("file_format", READERS)
def test_masks_come_back_exactly(file_format: ExportFormat, spotted: Path, tmp_path: Path) -> None:
    made = export(spotted, file_format, tmp_path / "out")
    wanted = masks_of_tree(spotted)
    assert_same(READERS[file_format](tmp_path / "out"), wanted)
    assert made.instances["test"] == sum(len(list(regions(m))) for m in wanted.values()) > 20
    assert made.classes == ("crack", "hole")


def test_polygons_of_coco_come_back_exactly(spotted: Path, tmp_path: Path) -> None:
    export(spotted, "coco", tmp_path / "out", polygons=True)
    assert_same(read_coco(tmp_path / "out"), masks_of_tree(spotted))
    content = json.loads((tmp_path / "out/annotations/instances_test.json").read_text())
    assert all(isinstance(found["segmentation"], list) for found in content["annotations"])


@pytest.mark.parametrize("file_format", READERS)
def test_every_image_of_every_split_is_there_with_its_pixels(
    file_format: ExportFormat, raw: Path, tmp_path: Path
) -> None:
    tree = convert(raw, tmp_path, ConvertOptions(split=SplitOptions(val=0.4))).target
    made = export(tree, file_format, tmp_path / "out")
    images = {named(image): image for image in load_tree(tree)}
    files = [name for name in listing(tmp_path / "out") if name.endswith(".png")]
    assert files == sorted(images)
    for name, image in images.items():
        assert (tmp_path / "out" / name).read_bytes() == (tree / image.path).read_bytes()
    assert {image.split for image in images.values()} == {"train", "val", "test"}
    assert sum(made.counts.values()) == len(images)
    assert_same(READERS[file_format](tmp_path / "out"), masks_of_tree(tree))


def test_yolo_has_empty_files_for_good_images_and_names_for_classes(
    foreign: Path, tmp_path: Path
) -> None:
    export(foreign, "yolo", tmp_path / "out")
    labels = {path.stem: path.read_text() for path in (tmp_path / "out/labels/test").iterdir()}
    assert labels["good_000"] == ""
    assert {stem: {line[:2] for line in text.splitlines()} for stem, text in labels.items()} == {
        "good_000": set(),
        "crack_000": {"0 "},
        "crack_001": {"0 "},
        "hole_000": {"1 "},
    }
    assert (tmp_path / "out/data.yaml").read_text() == (
        "train: images/train\n"
        "val: images/train\n"
        "test: images/test\n"
        "names:\n"
        '  0: "crack"\n'
        '  1: "hole"\n'
    )


def test_yolo_validates_on_validation_images_where_there_are_any(raw: Path, tmp_path: Path) -> None:
    tree = convert(raw, tmp_path, ConvertOptions(split=SplitOptions(val=0.4))).target
    export(tree, "yolo", tmp_path / "out")
    assert "\nval: images/val\n" in (tmp_path / "out/data.yaml").read_text()


def test_coco_has_unique_ids_boxes_and_areas(spotted: Path, tmp_path: Path) -> None:
    export(spotted, "coco", tmp_path / "out")
    ids: Mapping[str, list[int]] = defaultdict(list)
    for file in (tmp_path / "out/annotations").iterdir():
        content: dict[str, Any] = json.loads(file.read_text())
        read = COCO(file)
        for key in ("images", "annotations"):
            ids[key].extend(entry["id"] for entry in content[key])
        kinds = {entry["id"]: entry["name"] for entry in content["categories"]}
        assert kinds == {1: "crack", 2: "hole"}
        for found in content["annotations"]:
            mask = read.annToMask(found)
            assert found["area"] == mask.sum()
            assert found["bbox"] == list(cv2.boundingRect(mask))
            assert found["iscrowd"] == 0
            name = read.imgs[found["image_id"]]["file_name"]
            assert name.startswith(kinds[found["category_id"]])
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in ids.values())


def test_images_are_hard_links_that_leave_the_tree_as_it_is(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    made = export(tree, "yolo", tmp_path / "out")
    assert made.linked == 12
    assert (tmp_path / "out/images/test/good_000.png").samefile(tree / "test/good/000.png")
    shutil.rmtree(tmp_path / "out")
    assert snapshot(tree) == before


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write all files")
def test_files_that_nobody_may_write_are_copied(tree: Path, tmp_path: Path) -> None:
    for path in tree.rglob("*.png"):
        path.chmod(0o444)
    assert export(tree, "yolo", tmp_path / "out").linked == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 12


def test_images_are_copied_to_another_drive(tree: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tree.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        assert export(tree, "yolo", Path(folder) / "out").linked == 0
        copy = Path(folder) / "out/images/test/good_000.png"
        assert copy.read_bytes() == (tree / "test/good/000.png").read_bytes()


def test_links_in_a_tree_become_files(tree: Path, tmp_path: Path) -> None:
    linked = tree / "test/good/000.png"
    data = linked.read_bytes()
    linked.rename(tmp_path / "elsewhere.png")
    linked.symlink_to(tmp_path / "elsewhere.png")
    export(tree, "labelme", tmp_path / "out")
    (tmp_path / "elsewhere.png").unlink()
    assert not (tmp_path / "out/images/test/good_000.png").is_symlink()
    assert (tmp_path / "out/images/test/good_000.png").read_bytes() == data


def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    for file_format in READERS:
        for name in ("a", "b"):
            export(tree, file_format, tmp_path / name / file_format)  # type: ignore[arg-type]
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert not any(str(tmp_path).encode() in data for data in snapshot(tmp_path / "a").values())


def test_an_export_is_replaced_only_if_asked_and_other_folders_never(
    tree: Path, tmp_path: Path
) -> None:
    export(tree, "yolo", tmp_path / "out")
    (tmp_path / "out/labels/test.cache").write_text("")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="exists already; --force replaces it"):
        export(tree, "coco", tmp_path / "out")
    assert snapshot(tmp_path) == before
    export(tree, "coco", tmp_path / "out", force=True)
    assert not (tmp_path / "out/labels").exists()
    (tmp_path / "out/export.json").unlink()
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="is no folder that 'export' wrote"):
        export(tree, "coco", tmp_path / "out", force=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("place", [".", "inside", "test/yolo"])
def test_nothing_is_written_into_the_tree(place: str, tree: Path) -> None:
    before = snapshot(tree)
    with pytest.raises(UsageError):
        export(tree, "yolo", tree / place, force=True)
    assert snapshot(tree) == before


def test_a_tree_that_is_not_whole_leaves_nothing(tree: Path, tmp_path: Path) -> None:
    mask = tree / "ground_truth/defect/002_mask.png"
    write_png(mask, np.roll(decode_image(mask.read_bytes(), mask.name), 1, axis=1))
    with pytest.raises(OutputError, match=r"002_mask\.png is not the file that was written"):
        export(tree, "coco", tmp_path / "new/out")
    assert not (tmp_path / "new").exists()


def test_two_images_of_one_name_are_refused(foreign: Path, tmp_path: Path) -> None:
    for kind, stem in (("a", "b_000"), ("a_b", "000")):
        write_png(foreign / f"test/{kind}/{stem}.png", np.full((31, 20, 3), 9, np.uint8))
        shutil.copy(foreign / FOREIGN_MASKS[0], tmp_path / "mask.png")
        mask = foreign / f"ground_truth/{kind}/{stem}_mask.png"
        mask.parent.mkdir()
        shutil.copy(tmp_path / "mask.png", mask)
    with pytest.raises(OutputError, match=r"would both be images/test/a_b_000\.png"):
        export(foreign, "yolo", tmp_path / "out")


def test_defective_images_without_masks_are_left_out_and_told(
    foreign: Path, tmp_path: Path
) -> None:
    write_png(foreign / "train/crack/000.png", np.full((31, 20, 3), 9, np.uint8))
    made = export(foreign, "yolo", tmp_path / "out")
    assert made.unlabelled == ("train/crack/000.png",)
    assert listing(tmp_path / "out/images/train") == [f"good_00{n}.png" for n in range(3)]
    assert listing(tmp_path / "out/labels/train") == [f"good_00{n}.txt" for n in range(3)]


def test_a_tree_without_defects_is_refused(foreign: Path, tmp_path: Path) -> None:
    for kind in ("test/crack", "test/hole", "ground_truth"):
        shutil.rmtree(foreign / kind)
    with pytest.raises(OutputError, match="has no image with a mask"):
        export(foreign, "yolo", tmp_path / "out")


def test_what_is_no_format_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'voc' is not one of yolo, coco, labelme, segdecnet"):
        export(tmp_path, "voc")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--polygons is for coco"):
        export(tmp_path, "yolo", polygons=True)
