"""People's own images, converted: the same pixels as the native layout gives, and checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import Verification, verify
from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.imaging.resample import transform_mask
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.masks import decode_marks
from kolektor_cli.samples import MaskRule
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import SMALL, write_pair, write_pair_2
from tests.own import (
    PAIRS,
    as_pairs,
    labelme,
    read_gray,
    shape,
    write_own,
    write_pixels,
)
from tests.trees import forge, read_manifest

SOURCE_SIZE = ConvertOptions(names="source", size="source")


def masks_of(tree: Path) -> dict[str, np.ndarray]:
    """Return the masks of the defective images, by sample."""
    images = load_tree(tree)
    return {i.sample: i.mask() for i in images if i.sample and i.label == "defective"}


def failed(found: Verification) -> dict[str, list[str]]:
    """Return the codes of the errors of each category."""
    return {
        result.category: [
            f.code for check in result.checks for f in check.findings if f.severity == "error"
        ]
        for result in found.categories
    }


def test_pairs_give_the_pixels_and_items_of_the_native_layout(raw: Path, tmp_path: Path) -> None:
    own = as_pairs(raw, tmp_path / "own")
    layout = replace(PAIRS, item=r"(kos\d+)")
    options = replace(SMALL, names="source", category="x")
    native = convert(raw, tmp_path / "native", options)
    file = tmp_path / "split.csv"
    split(raw, output=file)
    file.write_text(file.read_text().replace("/", "_"))
    options = replace(options, layout=layout, split=SplitOptions(file=file))
    made = convert(own, tmp_path / "pairs", options)
    assert native.manifest is not None
    assert made.manifest is not None
    assert made.manifest.fingerprint == native.manifest.fingerprint
    assert made.manifest.release == "pairs"
    assert [s.group for s in made.scan.samples] == [s.group for s in native.scan.samples]
    assert failed(verify(made.target, source=own)) == {"x": []}


def test_own_images_keep_their_sizes_and_category_is_the_folder(tmp_path: Path) -> None:
    own = tmp_path / "rails 2024"
    for number in range(6):
        box = (3, 4, 5, 6) if number < 2 else None
        write_own(own / f"{number}.jpg", number, own / f"{number}_mask.png", box)
    write_pixels(own / "6.jpg", np.full((30, 50), 80, np.uint8))
    write_pixels(own / "6_mask.png", np.zeros((30, 50), np.uint8))
    made = convert(own, tmp_path / "out", ConvertOptions(layout=PAIRS))
    assert made.target == tmp_path / "out/rails_2024"
    assert {image.view.geometry.size for image in made.plan.images} == {(40, 60), (50, 30)}
    for image in load_tree(made.target):
        assert image.sample is not None
        np.testing.assert_array_equal(
            image.image()[..., 0], read_gray(own / f"{image.sample}.jpg"), strict=True
        )
        if image.label == "defective":
            mask = read_gray(own / f"{image.sample}_mask.png")
            np.testing.assert_array_equal(image.mask(), mask)
    with pytest.raises(UsageError, match="--fit crop needs a size in pixels"):
        convert(own, tmp_path / "out2", ConvertOptions(layout=PAIRS, fit="crop"))


def test_images_without_masks_are_good_where_that_is_asked_for(raw: Path, tmp_path: Path) -> None:
    before = inspect(raw).scan
    good = [raw / sample.mask for sample in before.samples if sample.label == "good"]
    for mask in good:
        mask.unlink()
    with pytest.raises(SourceError, match="'--no-mask good' takes such images for good"):
        convert(raw, tmp_path / "out", SMALL)
    layout = LayoutOptions(no_mask="good")
    made = convert(raw, tmp_path / "out", replace(SMALL, layout=layout))
    assert [(s.name, s.label) for s in made.scan.samples] == [
        (s.name, s.label) for s in before.samples
    ]
    assert made.scan.left_out == {}
    assert {s.mask for s in made.scan.samples if s.label == "good"} == {""}
    assert failed(verify(made.target, source=raw)) == {"metal": []}


def repaint(raw: Path, paint: Callable[[np.ndarray], np.ndarray], suffix: str = ".png") -> None:
    """Replace every mask by what `paint` makes of its marks, 0 and 255."""
    for path in raw.rglob("*_label.bmp"):
        marks = np.where(read_gray(path) > 0, 255, 0).astype(np.uint8)
        path.unlink()
        write_pixels(path.with_suffix(suffix), paint(marks))


def classes(marks: np.ndarray) -> np.ndarray:
    numbers = 1 + np.arange(marks.shape[1], dtype=np.uint8) % 9
    return np.where(marks > 0, numbers[None], 0).astype(np.uint8)


def test_mask_of_classes_marks_every_class(raw: Path, tmp_path: Path) -> None:
    convert(raw, tmp_path / "before", SOURCE_SIZE)
    repaint(raw, classes)
    made = convert(raw, tmp_path / "after", SOURCE_SIZE)
    before, after = masks_of(tmp_path / "before"), masks_of(made.target)
    assert before.keys() == after.keys()
    for name, mask in before.items():
        np.testing.assert_array_equal(after[name], mask)
    assert made.scan.errors == ()


@pytest.mark.parametrize(
    ("paint", "suffix"),
    [
        (lambda marks: classes(marks) * 20, ".png"),  # as many values, and no numbers of classes
        (classes, ".jpg"),  # a lossy copy
    ],
)
def test_other_masks_of_many_values_need_a_threshold(
    raw: Path, tmp_path: Path, paint: Callable[[np.ndarray], np.ndarray], suffix: str
) -> None:
    repaint(raw, paint, suffix)
    with pytest.raises(SourceError, match="'--mask-threshold 0' all that are not black"):
        convert(raw, tmp_path / "out", SMALL)
    options = replace(SOURCE_SIZE, layout=LayoutOptions(mask_threshold=2))
    made = convert(raw, tmp_path / "out", options)
    assert made.manifest is not None
    assert made.manifest.options["mask_threshold"] == 2
    masks = masks_of(made.target)
    assert len(masks) == 3
    for name, mask in masks.items():
        wanted = read_gray(raw / f"{name}_label{suffix}") > 2
        np.testing.assert_array_equal(mask > 0, wanted)
    assert failed(verify(made.target, source=raw)) == {"metal": []}


def test_smooth_edges_are_cut_at_the_threshold(raw: Path, tmp_path: Path) -> None:
    repaint(raw, lambda marks: cv2.GaussianBlur(marks, (0, 0), 2))
    options = replace(SOURCE_SIZE, layout=LayoutOptions(mask_threshold=127))
    made = convert(raw, tmp_path / "out", options)
    for name, mask in masks_of(made.target).items():
        np.testing.assert_array_equal(mask > 0, read_gray(raw / f"{name}_label.png") > 127)
    assert failed(verify(made.target, source=raw)) == {"metal": []}


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 3, 5, 7]),
    st.integers(0, 254),
    st.data(),
)
def test_marks_are_the_pixels_near_one_above_the_threshold(
    width: int, height: int, dilate: int, threshold: int, data: st.DataObject
) -> None:
    """Near is: less than half of the square's side away along each axis."""
    values = st.lists(st.sampled_from([0, 0, 0, 1, 127, 128, 255]), min_size=width, max_size=width)
    rows = data.draw(st.lists(values, min_size=height, max_size=height))
    pixels = np.array(rows, np.uint8)
    done, png = cv2.imencode(".png", pixels)
    assert done
    found = decode_marks(png.tobytes(), "x.png", MaskRule(threshold, dilate)).pixels > 0
    reach = dilate // 2
    wanted = [
        [
            bool(
                (
                    pixels[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
                    > threshold
                ).any()
            )
            for x in range(width)
        ]
        for y in range(height)
    ]
    np.testing.assert_array_equal(found, wanted)


def test_dilated_masks_are_recorded_and_derived_again(raw: Path, tmp_path: Path) -> None:
    convert(raw, tmp_path / "thin", SOURCE_SIZE)
    made = convert(raw, tmp_path / "wide", replace(SOURCE_SIZE, layout=LayoutOptions(dilate=5)))
    thin, wide = masks_of(tmp_path / "thin"), masks_of(made.target)
    for name, mask in thin.items():
        np.testing.assert_array_equal(wide[name], cv2.dilate(mask, np.ones((5, 5))))
        assert not np.array_equal(wide[name], mask)
    assert made.manifest is not None
    assert made.manifest.options["dilate"] == 5
    assert failed(verify(made.target, source=raw)) == {"metal": []}
    options = {n: v for n, v in made.manifest.options.items() if n != "dilate"}
    forge(made.target, options=options)
    assert set(failed(verify(made.target, source=raw))["metal"]) == {"other-pixels"}


def test_masks_grow_before_they_are_resized(raw: Path, tmp_path: Path) -> None:
    made = convert(raw, tmp_path / "out", replace(SMALL, layout=LayoutOptions(dilate=9)))
    assert made.manifest is not None
    rule = MaskRule(dilate=9)
    for entry in made.manifest.files:
        if entry.role == "mask":
            data = (raw / f"{entry.sample}_label.bmp").read_bytes()
            marks = decode_marks(data, "x.bmp", rule).pixels
            wanted = transform_mask(marks, entry.geometry)
            np.testing.assert_array_equal(read_gray(made.target / entry.path), wanted)


@pytest.mark.parametrize("fit", ["crop", "square"])
def test_windows_follow_the_dilated_defect(tmp_path: Path, fit: str) -> None:
    """A mark outside the window reaches into it by growing."""
    for number in range(4):
        write_pair(tmp_path / "raw/kos01", f"Part{number}", number)
    write_pair(tmp_path / "raw/kos02", "Part0", 50, (10, 8, 12, 2))
    options = ConvertOptions(size=(30, 30), fit=fit, layout=LayoutOptions(dilate=21))  # type: ignore[arg-type]
    made = convert(tmp_path / "raw", tmp_path / "out", options)
    assert made.plan.lost == ()
    assert failed(verify(made.target, source=tmp_path / "raw")) == {"metal": []}


def test_trees_of_two_layouts_are_each_checked_by_their_own(raw: Path, tmp_path: Path) -> None:
    for name, layout in (("a", LayoutOptions()), ("b", LayoutOptions(dilate=3))):
        convert(raw, tmp_path / "out", replace(SMALL, category=name, layout=layout))
    assert failed(verify(tmp_path / "out", source=raw)) == {"a": [], "b": []}
    options = replace(SMALL, category="c", layout=replace(PAIRS, mask_suffix="_label"))
    convert(raw, tmp_path / "out", options)
    assert failed(verify(tmp_path / "out", source=raw)) == {"a": [], "b": [], "c": []}


def test_manifest_with_impossible_layout_options_is_reported(raw: Path, tmp_path: Path) -> None:
    made = convert(raw, tmp_path / "out", SMALL)
    assert made.manifest is not None
    forge(made.target, options={**made.manifest.options, "dilate": 4})
    assert failed(verify(made.target, source=raw)) == {"metal": ["wrong-options"]}


def test_manifest_tells_of_no_layout_that_is_the_default(raw: Path, tmp_path: Path) -> None:
    made = convert(raw, tmp_path / "out", SMALL)
    assert read_manifest(made.target).options.keys() == {"fit", "size", "color", "names"}


def test_square_windows_of_classes_in_labelme_follow_the_shapes(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for number in range(5):
        write_own(own / f"{number}.jpg", number)
    shapes = [shape("polygon", (5, 5), (20, 5), (20, 30)), shape("circle", (30, 50), (33, 50))]
    (own / "0.json").write_bytes(labelme(shapes))
    options = ConvertOptions(layout=replace(PAIRS, no_mask="good"), fit="square", size=(32, 32))
    made = convert(own, tmp_path / "out", options)
    assert failed(verify(made.target, source=own)) == {"own": []}
    [sample] = {i.sample for i in load_tree(made.target) if i.label == "defective"}
    assert sample == "0"


def test_own_images_with_halves_are_split_by_them(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for number in range(8):
        half = "train" if number < 5 else "test"
        box = (3, 4, 5, 6) if number in (0, 7) else None
        write_own(
            own / f"{half}/images/{number}.png", number, own / f"{half}/masks/{number}_GT.png", box
        )
    options = ConvertOptions(layout=PAIRS, split=SplitOptions(protocol="official"))
    made = convert(own, tmp_path / "out", options)
    assert made.counts == {
        ("train", "good"): 4,
        ("unused", "defective"): 1,
        ("test", "good"): 2,
        ("test", "defective"): 1,
    }


@pytest.mark.parametrize(
    "names", ["train/images/{}.png,train/masks/{}_GT.png", "train/img/{}.png,train/ann/{}.png"]
)
def test_repacked_kolektorsdd2_gives_the_pixels_of_the_original(tmp_path: Path, names: str) -> None:
    raw, own = tmp_path / "raw", tmp_path / "own"
    for half, first in (("train", 10000), ("test", 20000)):
        for number in range(first, first + 5):
            box = (5, 10, 12, 6) if number % 5 == 0 else None
            write_pair_2(raw / half, str(number), number, box)
            for old, new in zip(("", "_GT"), names.replace("train", half).split(","), strict=True):
                place = own / new.format(number)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(raw / half / f"{number}{old}.png", place)
    options = ConvertOptions(size=(23, 63), category="k", split=SplitOptions(protocol="official"))
    native = convert(raw, tmp_path / "native", options)
    made = convert(own, tmp_path / "pairs", replace(options, layout=PAIRS))
    assert made.manifest is not None
    assert native.manifest is not None
    assert made.manifest.fingerprint == native.manifest.fingerprint


def test_black_palette_mask_and_no_mask_of_one_picture_do_not_differ(tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_own(own / "0.jpg", 0, own / "0_mask.png", (3, 4, 5, 6))
    for name in ("1", "2"):
        write_own(own / f"{name}.jpg", 1)
    (own / "1_mask.bmp").write_bytes(palette_bmp(np.zeros((60, 40), np.uint8)))
    found = inspect(own, layout=replace(PAIRS, no_mask="good")).scan
    assert [finding.code for finding in found.findings] == []
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [("1", "2", "file")]


def test_copy_that_was_left_out_may_be_mended_later(tmp_path: Path) -> None:
    """The source then has a sample and a duplicate more than the tree accounts for as used."""
    raw = tmp_path / "own"
    for number in range(8):
        box = (3, 4, 5, 6) if number < 2 else None
        write_own(raw / f"{number}.png", number, raw / f"{number}_mask.png", box)
    shutil.copy(raw / "7.png", raw / "copy.png")
    (raw / "copy_mask.png").write_bytes(b"no mask")
    made = convert(raw, tmp_path / "out", ConvertOptions(layout=PAIRS, skip_bad=True))
    assert made.scan.left_out == {"copy": "unreadable"}
    shutil.copy(raw / "7_mask.png", raw / "copy_mask.png")
    assert failed(verify(made.target, source=raw)) == {"own": []}
