"""Comparisons of real small trees: each change is found, named, and seen from both sides."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.core.comparison import Comparison, TreeDifference, compare
from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import ImageError, ManifestError, OutputError
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import (
    FOREIGN_MASKS,
    SIZE,
    SMALL,
    box_mask,
    color_image,
    write_defects,
    write_pair,
    write_png,
)
from tests.trees import IMAGES, MANIFEST, MASKS, entry_of, forge, forge_entry, read_manifest

Told = tuple[str, str, Any, Any]
"""Kind, name, and what each tree has."""


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """Hold a copy of `tree`, in another category folder, that a test may change."""
    return shutil.copytree(tree, tmp_path / "copy/other")


def told(comparison: Comparison) -> set[Told]:
    return {
        (found.kind, found.name, found.first, found.second)
        for found in comparison.differences
        if found.kind != "geometry"
    }


def kinds(comparison: Comparison) -> set[str]:
    return {found.kind for found in comparison.differences}


def of_kind(comparison: Comparison, kind: str) -> list[TreeDifference]:
    return [found for found in comparison.differences if found.kind == kind]


def change_pixel(path: Path, by: int = 1) -> None:
    """Change the value of one pixel."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels[4, 7] ^= by
    write_png(path, pixels)


def test_a_tree_is_the_same_as_itself_its_copy_and_its_manifest(tree: Path, copy: Path) -> None:
    for other in (tree, tree.parent, copy, copy / MANIFEST):
        for pair in ((tree, other), (other, tree)):
            comparison = compare(*pair)
            assert comparison.same
            assert comparison.by == "sample"
            assert (comparison.values, comparison.differences) == ((), ())
            assert comparison.first.fingerprint == comparison.second.fingerprint
    assert compare(tree, copy).first.fingerprint == read_manifest(tree).fingerprint
    assert compare(tree, copy / MANIFEST).first.counts == compare(tree, copy).second.counts


def test_png_files_may_be_compressed_otherwise(tree: Path, copy: Path) -> None:
    for path in (*IMAGES, *MASKS):
        pixels = cv2.imread(str(copy / path), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        write_png(copy / path, pixels)
    assert (copy / IMAGES[0]).read_bytes() != (tree / IMAGES[0]).read_bytes()
    comparison = compare(tree, copy)
    assert comparison.same
    assert comparison.second.changed == ()


def change_image(tree: Path) -> None:
    change_pixel(tree / "train/good/002.png")


def change_mask(tree: Path) -> None:
    change_pixel(tree / MASKS[1], by=255)


def make_defective(tree: Path) -> None:
    (tree / "test/good/000.png").rename(tree / "test/defect/003.png")
    shutil.copy(tree / MASKS[0], tree / "ground_truth/defect/003_mask.png")


def put_into_training(tree: Path) -> None:
    (tree / "test/good/001.png").rename(tree / "train/good/006.png")


def lose_image(tree: Path) -> None:
    (tree / "train/good/005.png").unlink()


def lose_mask(tree: Path) -> None:
    (tree / MASKS[2]).unlink()


def lose_defective_image(tree: Path) -> None:
    (tree / "test/defect/001.png").unlink()


def add_mask(tree: Path) -> None:
    write_png(tree / "ground_truth/defect/009_mask.png", box_mask())


def add_image(tree: Path) -> None:
    write_png(tree / "train/good/006.png", color_image(99))


def add_stray(tree: Path) -> None:
    write_png(tree / "notes/picture.png", color_image(99))


def rename_image(tree: Path) -> None:
    (tree / "train/good/005.png").rename(tree / "train/good/007.png")


def resize_image(tree: Path) -> None:
    write_png(tree / "train/good/005.png", color_image(5, (10, 31)))


def swap_images(tree: Path) -> None:
    (tree / "train/good/000.png").rename(tree / "swap.png")
    (tree / "train/good/001.png").rename(tree / "train/good/000.png")
    (tree / "swap.png").rename(tree / "train/good/001.png")


CHANGES: dict[Callable[[Path], None], list[tuple[str, str, Any, Any]]] = {
    change_image: [("image", "train/good/002.png", "train/good/002.png", "train/good/002.png")],
    change_mask: [("mask", "test/defect/001.png", MASKS[1], MASKS[1])],
    make_defective: [("label", "test/good/000.png", "good", "defective")],
    put_into_training: [("split", "test/good/001.png", "test", "train")],
    lose_image: [("alone", "train/good/005.png", "train/good/005.png", None)],
    lose_mask: [("mask", "test/defect/002.png", MASKS[2], None)],
    lose_defective_image: [("alone", "test/defect/001.png", "test/defect/001.png", None)],
    add_mask: [
        (
            "alone",
            "ground_truth/defect/009_mask.png",
            None,
            "ground_truth/defect/009_mask.png",
        )
    ],
    add_image: [("alone", "train/good/006.png", None, "train/good/006.png")],
    add_stray: [("alone", "notes/picture.png", None, "notes/picture.png")],
    rename_image: [("path", "train/good/005.png", "train/good/005.png", "train/good/007.png")],
    resize_image: [],
    swap_images: [
        ("path", "train/good/000.png", "train/good/000.png", "train/good/001.png"),
        ("path", "train/good/001.png", "train/good/001.png", "train/good/000.png"),
    ],
}


@pytest.mark.parametrize("with_manifest", [True, False], ids=["manifest", "foreign"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_found_and_named_from_both_sides(
    change: Callable[[Path], None], with_manifest: bool, tree: Path, copy: Path
) -> None:
    names = {image: entry_of(tree, image).sample for image in IMAGES}
    change(copy)
    if not with_manifest:
        (tree / MANIFEST).unlink()
        (copy / MANIFEST).unlink()
        names = {}
    expected = {(kind, names.get(name, name), a, b) for kind, name, a, b in CHANGES[change]}
    there, back = compare(tree, copy), compare(copy, tree)
    assert there.by == ("sample" if with_manifest else "path")
    assert not there.same
    assert not back.same
    assert told(there) == expected
    assert {found[2:] for found in told(back)} == {(b, a) for _, _, a, b in expected}
    geometries = [(found.first, found.second) for found in of_kind(there, "geometry")]
    assert geometries == ([({"size": SIZE}, {"size": (10, 31)})] if change is resize_image else [])
    assert compare(copy, copy).same


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_files_are_compared_with_their_own_manifest(
    change: Callable[[Path], None], tree: Path, copy: Path
) -> None:
    change(copy)
    same = compare(tree / MANIFEST, copy / MANIFEST)
    assert same.same
    found = compare(copy, copy / MANIFEST)
    assert not found.same
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*.png")}
    assert set(found.first.missing) == {*IMAGES, *MASKS} - files
    assert set(found.first.added) == files - {*IMAGES, *MASKS}
    changed: dict[Callable[[Path], None], set[str]] = {
        change_image: {"train/good/002.png"},
        change_mask: {MASKS[1]},
        resize_image: {"train/good/005.png"},
        swap_images: {"train/good/000.png", "train/good/001.png"},
    }
    assert set(found.first.changed) == changed.get(change, set())


def test_an_image_and_a_mask_of_which_a_pixel_differs_are_measured(tree: Path, copy: Path) -> None:
    change_image(copy)
    change_mask(copy)
    image, mask = compare(tree, copy).differences
    assert (image.largest, image.pixels) == (1, 1)
    assert image.mean is not None
    assert image.mean * SIZE[0] * SIZE[1] == pytest.approx(1)
    assert (mask.largest, mask.pixels) == (255, 1)


def test_another_rounding_is_told_from_another_image(tree: Path, copy: Path) -> None:
    noise = np.random.default_rng(0)
    for path in IMAGES[:6]:
        pixels = cv2.imread(str(copy / path))
        assert pixels is not None
        shift = noise.integers(0, 2, pixels.shape[:2], np.uint8)[..., None]
        write_png(copy / path, np.where(pixels < 255, pixels + shift, pixels))
    write_png(copy / IMAGES[6], color_image(99))
    *close, other = of_kind(compare(tree, copy), "image")
    measured = [(found.largest, round(found.mean or 0, 1)) for found in (*close, other)]
    assert sorted(measured)[:6] == [(1, 0.5)] * 6
    largest, mean = max(measured)
    assert largest is not None
    assert largest > 50
    assert mean > 10


def test_masks_with_other_gray_values_mark_the_same_pixels(foreign: Path, tmp_path: Path) -> None:
    other = shutil.copytree(foreign, tmp_path / "other")
    for path in FOREIGN_MASKS:
        pixels = cv2.imread(str(other / path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        write_png(other / path, np.minimum(pixels, 1))
    found = compare(foreign, other).differences
    assert [(d.kind, d.largest, d.pixels) for d in found] == [("mask", 254, 0)] * 3


def test_gray_is_compared_with_colour(make_dataset_2: Callable[..., Path], tmp_path: Path) -> None:
    source = make_dataset_2()
    for color in ("rgb", "gray"):
        convert(source, tmp_path / color, replace(SMALL, color=color))
    found = compare(tmp_path / "rgb", tmp_path / "gray")
    assert [value.name for value in found.values] == ["options.color"]
    assert kinds(found) == {"image"}
    assert all(d.largest and d.largest > 1 for d in found.differences)


def test_a_manifest_alone_has_no_pixels_to_measure(tree: Path, copy: Path) -> None:
    change_image(copy)
    change_mask(copy)
    found = compare(copy, tree / MANIFEST)
    assert [(d.kind, d.largest, d.mean, d.pixels) for d in found.differences] == [
        ("image", None, None, None),
        ("mask", None, None, None),
    ]
    assert (found.first.has_files, found.second.has_files) == (True, False)
    assert (tree / MANIFEST) == found.second.path


def test_samples_are_compared_however_they_are_numbered(raw: Path, tree: Path) -> None:
    write_pair(raw / "kos00", "Part0", 300)
    other = convert(raw, tree.parents[1] / "more", SMALL).target
    found = compare(tree, other)
    assert kinds(found) == {"alone", "path"}
    [more] = of_kind(found, "alone")
    assert (more.name, more.first, more.second) == ("kos00/Part0", None, "train/good/000.png")
    assert len(of_kind(found, "path")) == 6
    change_pixel(other / IMAGES[3])
    [changed] = of_kind(compare(tree, other), "image")
    assert changed.name == entry_of(tree, IMAGES[2]).sample
    assert (changed.first, changed.second, changed.pixels) == (IMAGES[2], IMAGES[3], 1)


@pytest.fixture
def doubled(tmp_path: Path) -> Path:
    """Write a dataset of three items with the same six images."""
    for item in ("kos01", "kos02", "kos03"):
        for part in range(6):
            box = None if part else (5, 9, 12, 6)
            write_pair(tmp_path / "raw" / item, f"Part{part}", part, box)
    return tmp_path / "raw"


def test_images_that_are_one_are_told_apart_by_sample(doubled: Path, tmp_path: Path) -> None:
    trees = [
        convert(doubled, tmp_path / f"{seed}", replace(SMALL, split=SplitOptions(seed=seed))).target
        for seed in (0, 1)
    ]
    found = compare(*trees)
    assert of_kind(found, "split")
    assert kinds(found) <= {"split", "path"}
    splits = [{entry.sample: entry.split for entry in read_manifest(t).files} for t in trees]
    assert {(d.name, d.first, d.second) for d in of_kind(found, "split")} == {
        (name, splits[0][name], splits[1][name])
        for name in splits[0]
        if splits[0][name] != splits[1][name]
    }


@pytest.mark.parametrize("with_manifest", [True, False], ids=["manifest", "foreign"])
def test_of_images_that_are_one_the_missing_one_is_named(
    with_manifest: bool, doubled: Path, tmp_path: Path
) -> None:
    tree = convert(doubled, tmp_path, SMALL).target
    copy = shutil.copytree(tree, tmp_path / "copy")
    names = [entry_of(tree, path).sample if with_manifest else path for path in IMAGES[:2]]
    for folder in (tree, copy):
        if not with_manifest:
            (folder / MANIFEST).unlink()
    for name, path in zip(names, IMAGES[:2], strict=True):
        data = (copy / path).read_bytes()
        (copy / path).unlink()
        assert told(compare(tree, copy)) == {("alone", name, path, None)}
        (copy / path).write_bytes(data)


def test_files_that_neither_manifest_knows_are_compared_by_path(tree: Path, copy: Path) -> None:
    for seed, folder in enumerate((tree, copy)):
        write_png(folder / "notes/picture.png", color_image(seed))
    place = "notes/picture.png"
    assert told(compare(tree, copy)) == {("image", place, place, place)}


def test_masks_of_another_size_than_their_images_are_told(foreign: Path, tmp_path: Path) -> None:
    other = shutil.copytree(foreign, tmp_path / "other")
    write_png(foreign / FOREIGN_MASKS[0], np.full((2, 3), 255, np.uint8))
    write_png(other / FOREIGN_MASKS[0], np.full((3, 2), 255, np.uint8))
    [mask] = compare(foreign, other).differences
    assert (mask.kind, mask.name, mask.largest) == ("mask", "test/crack/000.png", None)


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        (replace(SMALL, names="source"), {"options.names"}, {"path"}),
        (ConvertOptions(size=(21, 31)), {"options.size"}, {"geometry"}),
        (replace(SMALL, fit="pad"), {"options.fit"}, {"geometry"}),
        (replace(SMALL, color="gray"), {"options.color"}, set()),
        (replace(SMALL, category="nut"), {"category"}, set()),
        (replace(SMALL, split=SplitOptions(seed=4)), {"split.seed"}, {"split", "path"}),
        (replace(SMALL, split=SplitOptions(val=0.4)), {"split.val"}, {"split", "path"}),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else "",
)
def test_options_that_differ_are_named(
    options: ConvertOptions,
    values: set[str],
    expected: set[str],
    raw: Path,
    tree: Path,
    tmp_path: Path,
) -> None:
    found = compare(tree, convert(raw, tmp_path / "other", options).target)
    assert {value.name for value in found.values} == values
    assert kinds(found) <= expected
    assert found.same == (not found.differences)
    if "geometry" in expected:
        assert len(found.differences) == 12


def test_geometry_names_the_parts_that_differ(raw: Path, tree: Path, tmp_path: Path) -> None:
    padded = convert(raw, tmp_path / "other", replace(SMALL, fit="pad")).target
    found = compare(tree, padded).differences
    assert {d.kind for d in found} == {"geometry"}
    assert found[0].first == {"placement": (0, 0, 20, 31)}
    assert found[0].second == {"placement": (0, 0, 20, 30)}


def test_views_are_compared_by_their_windows(tmp_path: Path) -> None:
    raw = write_defects(tmp_path / "raw", [(5, 5, 6, 6), (5, 60, 6, 6)])
    one = convert(raw, tmp_path / "one", ConvertOptions(fit="thirds")).target
    write_pair(raw / "kos02", "Part1", 51, (5, 35, 6, 6), (40, 90))
    found = compare(one, convert(raw, tmp_path / "two", ConvertOptions(fit="thirds")).target)
    labels = {(d.name, d.first, d.second) for d in of_kind(found, "label")}
    assert labels == {("kos02/Part1", "good", "defective"), ("kos02/Part1", "defective", "good")}
    assert kinds(found) <= {"label", "path"}


def test_windows_at_other_places_are_another_geometry(tmp_path: Path) -> None:
    raw = write_defects(tmp_path / "raw", [(5, 5, 6, 6)])
    trees = [
        convert(
            raw,
            tmp_path / f"{seed}",
            ConvertOptions(fit="square", size=(30, 30), split=SplitOptions(seed=seed)),
        ).target
        for seed in (0, 1)
    ]
    moved = of_kind(compare(*trees), "geometry")
    assert {d.name for d in moved} == {f"kos01/Part{part}" for part in range(4)}
    assert {tuple(d.first) for d in moved if isinstance(d.first, dict)} == {("window",)}


@pytest.mark.parametrize("options", [SMALL, ConvertOptions(fit="thirds")], ids=["one", "thirds"])
def test_samples_that_a_tree_leaves_out_are_in_another_split(
    options: ConvertOptions, tmp_path: Path
) -> None:
    for item in range(1, 5):
        for part in range(3):
            box = None if part else (5, 9, 12, 6)
            write_pair(tmp_path / f"raw/kos0{item}", f"Part{part}", 10 * item + part, box)
    grouped = replace(options, split=SplitOptions(protocol="grouped", fold=0, folds=2))
    one = convert(tmp_path / "raw", tmp_path / "one", options)
    two = convert(tmp_path / "raw", tmp_path / "two", grouped)
    assert two.plan.unused
    found = compare(one.target, two.target)
    assert "alone" not in kinds(found)
    gone = [d.name for d in of_kind(found, "split") if d.second == "unused"]
    assert sorted(gone) == sorted(two.plan.unused)
    [first, *_] = two.plan.unused
    (tmp_path / f"raw/{first}.jpg").write_bytes(b"")
    less = convert(tmp_path / "raw", tmp_path / "three", replace(grouped, skip_bad=True))
    assert ("split", first, "unused", "left out") in told(compare(two.target, less.target))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"group": "kos09"}, "group"),
        ({"segmented": {"kos01/Part0": False}}, "segmented"),
        ({"kolektor": "9.9"}, "kolektor"),
        ({"release": "other"}, "release"),
        ({"options": {"size": [20, 31]}}, "options.fit"),
        ({"protocol": "vicos"}, "split.protocol"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_recorded_otherwise_of_the_same_files_is_told(
    change: dict[str, Any], kind: str, tree: Path, copy: Path
) -> None:
    if kind == "group":
        forge_entry(copy, IMAGES[0], **change)
    else:
        forge(copy, **change)
    found = compare(tree, copy)
    assert found.same
    assert kind in {*kinds(found), *(value.name for value in found.values)}


def test_unused_samples_that_only_one_manifest_knows(tree: Path, copy: Path) -> None:
    forge(copy, unused=("kos99/Part0",))
    assert told(compare(tree, copy)) == {("alone", "kos99/Part0", None, "unused")}


def test_sizes_tell_pixels_apart_that_have_one_hash(foreign: Path, tmp_path: Path) -> None:
    trees = [shutil.copytree(foreign, tmp_path / name) for name in ("a", "b")]
    for tree, shape in zip(trees, ((2, 3), (3, 2)), strict=True):
        write_png(tree / "train/good/000.png", np.full(shape, 9, np.uint8))
    found = compare(*trees)
    assert found.first.fingerprint == found.second.fingerprint
    assert not found.same
    assert found.first.added == ()
    [size] = found.differences
    assert (size.first, size.second) == ({"size": (3, 2)}, {"size": (2, 3)})


def test_fingerprints_are_those_of_verify(foreign: Path, copy: Path) -> None:
    change_image(copy)
    comparison = compare(foreign, copy)
    wanted: list[Hashable] = []
    for folder in (foreign, copy):
        [result] = verify(folder).categories
        wanted.append((result.fingerprint, dict(result.counts)))
    sides = (comparison.first, comparison.second)
    assert [(side.fingerprint, dict(side.counts)) for side in sides] == wanted


def test_links_count_as_the_files_they_lead_to(tree: Path, copy: Path) -> None:
    for path in IMAGES:
        (copy / path).unlink()
        (copy / path).symlink_to(tree / path)
    assert compare(tree, copy).same


def test_what_cannot_be_read_is_an_error(foreign: Path, tree: Path, copy: Path) -> None:
    with pytest.raises(OutputError, match="is not a folder"):
        compare(tree, copy / "nothing")
    forge(copy, fingerprint="0" * 64)
    with pytest.raises(ManifestError, match="has a fingerprint that is not its files'"):
        compare(tree, copy)
    (copy / MANIFEST).write_bytes((tree / MANIFEST).read_bytes().replace(b"kos01", b"kos02"))
    with pytest.raises(ManifestError, match=r"other.manifest\.json: was altered"):
        compare(tree, copy / MANIFEST)
    (foreign / "train/good/000.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"000\.png"):
        compare(tree, foreign)
    shutil.move(foreign / "train/good/000.png", foreign / "train/good/000.jpg")
    with pytest.raises(OutputError, match=r"000\.jpg: is no PNG"):
        compare(tree, foreign)
