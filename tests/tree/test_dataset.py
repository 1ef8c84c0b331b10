"""A tree as a sequence: its pixels are those of its files, and its geometry is the manifest's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.errors import ImageError, ManifestError, OutputError
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import FOREIGN_IMAGES, SIZE, SMALL, box_mask, color_image, write_png
from tests.trees import IMAGES, MANIFEST, MASKS, entry_of, read_manifest


def decoded(path: Path) -> np.ndarray:
    """Decode with OpenCV alone: colours come as red, green, blue, like those of a tree."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels if pixels.ndim == 2 else pixels[..., ::-1]


def test_pixels_are_those_of_the_files(tree: Path) -> None:
    images = list(load_tree(tree))
    assert [image.path for image in images] == sorted(IMAGES)
    for image in images:
        found = image.image()
        np.testing.assert_array_equal(found, decoded(tree / image.path), strict=True)
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        if image.label == "defective":
            number = Path(image.path).stem
            mask = decoded(tree / f"ground_truth/defect/{number}_mask.png")
            assert set(np.unique(mask)) == {0, 255}
        np.testing.assert_array_equal(image.mask(), mask, strict=True)


def test_pixels_of_a_gray_tree_have_one_channel(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(size=SIZE, color="gray")
    made = convert(raw, tmp_path, options).target
    image = load_tree(made)[0]
    np.testing.assert_array_equal(image.image(), decoded(made / image.path), strict=True)
    assert image.image().shape == image.mask().shape == (SIZE[1], SIZE[0])


def test_image_tells_its_split_label_sample_and_geometry(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(size=SIZE, split=SplitOptions(val=0.4))
    tree = convert(raw, tmp_path, options).target
    images = {image.path: image for image in load_tree(tree)}
    entries = {e.path: e for e in read_manifest(tree).files if e.role == "image"}
    assert images.keys() == entries.keys()
    assert {image.split for image in images.values()} == {"train", "val", "test"}
    for path, entry in entries.items():
        image = images[path]
        assert (image.split, image.label) == (entry.split, entry.label)
        assert (image.sample, image.geometry) == (entry.sample, entry.geometry)
        assert image.folder == tree


def test_images_are_found_by_number_path_and_slice(tree: Path) -> None:
    images = load_tree(tree)
    assert len(images) == len(IMAGES) == 12
    assert images["test/defect/001.png"].label == "defective"
    assert images[0].path == "test/defect/000.png"
    assert images[-1].path == "train/good/005.png"
    assert [image.path for image in images[3:5]] == ["test/good/000.png", "test/good/001.png"]
    assert images["test/good/000.png"] in images
    with pytest.raises(IndexError):
        images[12]
    with pytest.raises(KeyError):
        images["test/good/999.png"]
    with pytest.raises(KeyError):
        images[MASKS[0]]


def test_tree_of_another_tool_is_read_without_a_manifest(foreign: Path) -> None:
    images = load_tree(str(foreign))
    assert [image.path for image in images] == sorted(FOREIGN_IMAGES)
    image = images["test/crack/001.png"]
    assert (image.split, image.label, image.sample, image.geometry) == (
        "test", "defective", None, None,
    )  # fmt: skip
    np.testing.assert_array_equal(image.image(), color_image(5)[..., ::-1])
    assert np.argwhere(image.mask()).min(axis=0).tolist() == [4, 3]
    with pytest.raises(OutputError, match=r"test/crack/001\.png: its source is not known"):
        images.point_to_source("test/crack/001.png", 1, 1)
    with pytest.raises(OutputError, match=r"its source is not known"):
        images.box_to_source("test/crack/001.png", (0, 0, 1, 1))


def test_mask_of_another_tool_is_0_and_255_whatever_its_values(foreign: Path) -> None:
    write_png(foreign / "ground_truth/crack/001_mask.png", box_mask() // 255)
    mask = load_tree(foreign)["test/crack/001.png"].mask()
    np.testing.assert_array_equal(mask, box_mask(), strict=True)


def test_points_and_boxes_map_to_the_source_as_the_manifest_says(tree: Path) -> None:
    images = load_tree(tree)
    # Images of 40x60 were stretched to 20x31.
    assert entry_of(tree, IMAGES[0]).geometry.source_size == (40, 60)
    assert images.point_to_source(IMAGES[0], 0, 0) == (0, 0)
    assert images.point_to_source(IMAGES[0], 20, 31) == (40, 60)
    assert images.point_to_source(IMAGES[0], 5, 15.5) == pytest.approx((10, 30))
    assert images.box_to_source(IMAGES[0], (5, 15.5, 10, 3.1)) == pytest.approx((10, 30, 20, 6))
    with pytest.raises(KeyError):
        images.point_to_source("train/good/999.png", 0, 0)


def test_defects_of_a_crop_map_onto_those_of_the_source(raw: Path, tmp_path: Path) -> None:
    tree = convert(raw, tmp_path, ConvertOptions(fit="square", size=(20, 20))).target
    images = load_tree(tree)
    defective = [image for image in images if image.label == "defective"]
    assert len(defective) == 3
    for image in defective:
        source = cv2.imread(str(raw / f"{image.sample}_label.bmp"), cv2.IMREAD_GRAYSCALE)
        assert source is not None
        rows, columns = np.nonzero(image.mask())
        for row, column in zip(rows, columns, strict=True):
            x, y = images.point_to_source(image.path, column + 0.5, row + 0.5)
            assert source[int(y), int(x)] > 0
        assert len(rows) == np.count_nonzero(source)


def test_folder_of_one_category_is_that_category(tree: Path) -> None:
    assert [i.path for i in load_tree(tree.parent)] == [i.path for i in load_tree(tree)]


def test_folder_of_several_categories_is_refused(tree: Path) -> None:
    shutil.copytree(tree, tree.with_name("steel"))
    with pytest.raises(OutputError, match="holds several categories, metal, steel; give the"):
        load_tree(tree.parent)


def test_what_is_no_tree_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(OutputError):
            load_tree(place)


def test_manifest_that_was_altered_is_refused(tree: Path) -> None:
    content = json.loads((tree / MANIFEST).read_text())
    (tree / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="was altered"):
        load_tree(tree)


def test_file_that_is_gone_or_damaged_is_named_when_its_pixels_are_asked_for(tree: Path) -> None:
    images = load_tree(tree)
    (tree / IMAGES[0]).write_bytes(b"x")
    (tree / MASKS[0]).unlink()
    with pytest.raises(ImageError, match=IMAGES[0]):
        images[IMAGES[0]].image()
    with pytest.raises(ImageError, match=IMAGES[0]):
        images[IMAGES[0]].mask()
    with pytest.raises(OutputError, match=MASKS[0]):
        images["test/defect/000.png"].mask()


def test_images_make_a_table_in_one_line(tree: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(list(load_tree(tree)))
    columns = ["folder", "path", "split", "label", "sample", "geometry", "weak"]
    assert list(table.columns) == columns
    assert table.groupby(["split", "label"]).size().to_dict() == {
        ("train", "good"): 6, ("test", "good"): 3, ("test", "defective"): 3,
    }  # fmt: skip


def test_images_make_a_dataset_of_pytorch_in_three_lines(raw: Path, tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    images = load_tree(convert(raw, tmp_path, SMALL).target)

    class Images(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> Any:
            return torch.from_numpy(images[index].image()), images[index].label == "defective"

    pixels, labels = next(iter(torch.utils.data.DataLoader(Images(), batch_size=12)))
    assert pixels.shape == (12, SIZE[1], SIZE[0], 3)
    assert labels.sum() == 3
    np.testing.assert_array_equal(pixels[4].numpy(), images[4].image())
