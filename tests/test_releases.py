"""The releases are told apart, and people's copies of KolektorSDD2 are read or refused clearly."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.convert import write_tree
from kolektor_cli.deviations import deviations
from kolektor_cli.drawing import palette_bmp
from kolektor_cli.errors import SourceError
from kolektor_cli.images import encode_png
from kolektor_cli.layout import make_plan
from kolektor_cli.recognition import recognise
from kolektor_cli.records import AskedSize, Scan
from kolektor_cli.releases import kolektorsdd2
from kolektor_cli.sample import write_sample
from kolektor_cli.source import open_source
from kolektor_cli.split import grouped, official
from tests.conftest import MakeDataset, fit_all, write_pair, write_pair_2
from tests.test_protocols import official_2
from tests.test_scan import message, named, names, scan, zip_of

COMMON = {"missing-item"}
"""What every tiny KolektorSDD2 deviates in."""

ALL = [*(f"test/2000{n}" for n in range(4)), *(f"train/1000{n}" for n in range(6))]


def unusual(found: Scan) -> list[tuple[str, str, str]]:
    return [(f.severity, f.code, f.path) for f in found.findings if f.code not in COMMON]


def test_kolektorsdd2_is_found_as_it_is(make_dataset_2: MakeDataset) -> None:
    found = scan(make_dataset_2())
    assert found.release == "KolektorSDD2"
    assert names(found) == ALL
    assert unusual(found) == []
    assert named(found, "missing-item") == [("warning", "test"), ("warning", "train")]
    assert "1000 of KolektorSDD2's 1004 images" in found.findings[0].message
    first = found.samples[4]
    assert (first.name, first.item, first.group) == ("train/10000", "10000", "10000")
    assert (first.image, first.mask) == ("train/10000.png", "train/10000_GT.png")
    assert (first.width, first.height, first.defect_pixels) == (30, 80, 72)
    assert [s.official_split for s in found.samples] == ["test"] * 4 + ["train"] * 6
    assert [s.name for s in found.samples if s.label == "defective"] == [
        "test/20000",
        "train/10000",
    ]
    assert (found.official_images, found.official_masks) == (None, None)


def test_folder_and_zip_of_kolektorsdd2_give_the_same_scan(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    assert scan(zip_of(root)) == scan(root)


def wrap(root: Path) -> None:
    (root.parent / "inner").mkdir()
    root.rename(root.parent / "inner" / "KolektorSDD2")
    (root.parent / "inner").rename(root)


def upper(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.upper()))


def link(root: Path) -> None:
    for split in ("train", "test"):
        (root / split).rename(root.parent / f"elsewhere-{split}")
        (root / split).symlink_to(root.parent / f"elsewhere-{split}")


def move_masks_to_bmp(root: Path) -> None:
    for path in root.rglob("*_GT.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        path.with_suffix(".bmp").write_bytes(palette_bmp((pixels > 0).astype(np.uint8)))
        path.unlink()


@pytest.mark.parametrize("change", [wrap, upper, link, move_masks_to_bmp])
def test_copies_that_people_have_give_the_same_samples(
    make_dataset_2: MakeDataset, change: Callable[[Path], None]
) -> None:
    root = make_dataset_2()
    before = scan(root)
    change(root)
    after = scan(root)
    facts = [
        [(s.name, s.item, s.official_split, s.width, s.height, s.defect_pixels) for s in f.samples]
        for f in (before, after)
    ]
    assert facts[0] == facts[1]
    assert unusual(after) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_half_is_read_alone(make_dataset_2: MakeDataset, split: str) -> None:
    root = make_dataset_2()
    shutil.rmtree(root / split)
    found = scan(root)
    assert names(found) == [name for name in ALL if not name.startswith(split)]
    assert unusual(found) == []


@pytest.mark.parametrize(
    "path",
    [
        *("Thumbs.db", "train/.DS_Store", "__MACOSX/train/._10000.png", "test/._20000.png"),
        *("train/desktop.ini", "$RECYCLE.BIN/train/10000.png", "train/10000.png:Zone.Identifier"),
        *("@eaDir/train/10000_GT.png", "train/Icon\r"),
    ],
)
def test_droppings_are_harmless(make_dataset_2: MakeDataset, path: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("info", "stray-file", path)]
    assert found.samples == before.samples


@pytest.mark.parametrize(
    "path", ["readme.txt", "train/notes.txt", "val/10001.png", "train/old/10002.png", "10301.png"]
)
def test_other_files_are_warned_of(make_dataset_2: MakeDataset, path: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("warning", "stray-file", path)]
    assert found.samples == before.samples


def test_stray_copies_are_left_out_and_told_of(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    for ending in ("", "_GT"):
        shutil.copy(root / f"train/10003{ending}.png", root / f"train/10003{ending} (copy).png")
    shutil.copy(root / "test/20001.png", root / "test/20000 - Copy.png")
    found = scan(root)
    assert found.samples == before.samples
    assert unusual(found) == [
        ("warning", "copy", path)
        for path in (
            *("test/20000 - Copy.png", "train/10003 (copy).png", "train/10003_GT (copy).png"),
        )
    ]
    told = [f.message for f in found.findings if f.code == "copy"]
    assert "differs from it" in told[0]
    assert told[1] == "repeats train/10003.png, byte for byte; left out"


def test_copy_without_its_original_becomes_no_sample(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    for ending in ("", "_GT"):
        old = root / f"train/10003{ending}.png"
        old.rename(old.with_name(f"10003{ending} (copy).png"))
    found = scan(root)
    assert "train/10003" not in names(found)
    assert len(found.samples) == 9
    assert [code for _, code, _ in unusual(found)] == ["copy", "copy"]


def test_half_that_lies_in_the_other_is_used(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / "test").rename(root / "train/test")
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", "train/test")]
    assert [s.image_sha256 for s in found.samples] == [s.image_sha256 for s in before.samples]


@pytest.mark.parametrize("copy", ["train/train", "train (copy)", "test/TRAIN", "train - Copy (2)"])
def test_second_copy_of_a_half_is_left_out(make_dataset_2: MakeDataset, copy: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    shutil.copytree(root / "train", root.parent / "copy")
    (root.parent / "copy").rename(root / copy)
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", copy)]
    assert found.samples == before.samples
    write_pair_2(root / copy, "10002", seed=1)
    found = scan(root)
    assert unusual(found) == [("error", "nested-item", copy)]
    assert "10002.png differs" in message(found, "nested-item")


def test_image_that_repeats_another_under_a_new_number_is_left_out(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    for ending in ("", "_GT"):
        shutil.copy(root / f"train/10003{ending}.png", root / f"train/99999{ending}.png")
    found = scan(root)
    assert found.left_out == {"train/99999": "repeated-part"}
    assert names(found) == ALL


def test_extra_image_is_taken_and_told_of(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "99999", seed=5)
    found = scan(root)
    assert unusual(found) == [("warning", "extra-part", "train/99999")]
    assert names(found) == [*ALL, "train/99999"]


def test_missing_halves_of_pairs_are_named_as_kolektorsdd2_names_them(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    (root / "train/10001_GT.png").unlink()
    (root / "train/10002.png").unlink()
    found = scan(root)
    assert message(found, "image-without-mask") == "has no mask: 10001_GT.png is missing"
    assert message(found, "mask-without-image").endswith("10002.png is missing")
    assert found.left_out.keys() == {"train/10001", "train/10002"}


def test_few_images_that_lack_are_named_and_many_are_counted() -> None:
    samples = official_2()
    present = {s.name for s in samples} - {
        "train/10005",
        *(f"test/{n}" for n in range(20000, 20600)),
    }
    found = deviations(kolektorsdd2(), [s for s in samples if s.name in present], present)
    assert [(f.code, f.path) for f in found] == [
        ("missing-item", "test"),
        ("missing-item", "train/10005"),
    ]
    assert found[0].message == "600 of KolektorSDD2's 1004 images are not here"


def test_another_number_of_defective_images_is_told_of_where_all_are_there() -> None:
    samples = official_2()
    present = {s.name for s in samples}
    assert deviations(kolektorsdd2(), samples, present) == []
    assert samples[2331].name == "test/20000"
    fewer = [*samples[:2331], *samples[2332:]]
    assert deviations(kolektorsdd2(), fewer, present) == []
    changed = [*fewer, replace(samples[2331], defect_pixels=0)]
    [finding] = deviations(kolektorsdd2(), changed, present)
    assert (finding.code, finding.path) == ("defective-count", "test")
    assert finding.message == "has 109 defective images, officially 110"


@pytest.mark.parametrize("kind", ["rgb", "palette", "one bit", "rgba"])
def test_masks_of_every_kind_are_read(make_dataset_2: MakeDataset, kind: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    for path in root.rglob("*_GT.png"):
        with Image.open(path) as image:
            gray = image.convert("L")
        if kind == "palette":
            indexed = Image.fromarray((np.asarray(gray) > 0).astype(np.uint8), "P")
            indexed.putpalette([0, 0, 0, 255, 255, 255])
            indexed.save(path)
        else:
            gray.convert({"rgb": "RGB", "one bit": "1", "rgba": "RGBA"}[kind]).save(path)
    found = scan(root)
    assert [s.defect_pixels for s in found.samples] == [s.defect_pixels for s in before.samples]
    assert unusual(found) == []


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (40, None),
        (41, ("warning", "large-defect")),
        (72, ("warning", "large-defect")),
        (73, ("error", "not-a-mask")),
        (80, ("error", "not-a-mask")),
    ],
)
def test_large_defect_of_kolektorsdd2_is_taken_unless_it_is_nearly_everything(
    make_dataset_2: MakeDataset, rows: int, finding: tuple[str, str] | None
) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "10003", 10003, (0, 0, 30, rows))
    found = scan(root)
    told = [(*finding, "train/10003_GT.png")] if finding else []
    assert unusual(found) == told
    assert ("train/10003" in names(found)) == (rows <= 72)


def test_pictures_that_are_the_same_are_one_item(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    shutil.copy(root / "train/10001.png", root / "test/20002.png")
    shutil.copy(root / "train/10001_GT.png", root / "test/20002_GT.png")
    found = scan(root)
    [pair] = found.duplicates
    assert (pair.first, pair.second, pair.kind) == ("test/20002", "train/10001", "file")
    groups = {sample.name: sample.group for sample in found.samples}
    assert groups.pop("train/10001") == groups["test/20002"] == "20002"
    assert len(set(groups.values())) == len(groups) == 9
    for fold in range(3):
        assigned = grouped(found.samples, fold=fold).assigned
        assert (assigned["test/20002"] == "test") == (assigned["train/10001"] == "test")


@pytest.mark.parametrize(("brighter", "severity"), [(1.0, "error"), (1.1, "warning")])
def test_same_picture_once_good_and_once_defective_is_an_error_if_it_is_sure(
    make_dataset_2: MakeDataset, brighter: float, severity: str
) -> None:
    """What was not measured of KolektorSDD2 is how alike its different pictures are."""
    root = make_dataset_2()
    image = cv2.imread(str(root / "train/10000.png"))
    assert image is not None
    bright = np.clip(image * brighter, 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(root / "train/10001.png"), bright)
    mask = np.zeros(image.shape[:2], np.uint8)
    assert cv2.imwrite(str(root / "train/10001_GT.png"), mask)
    found = scan(root)
    assert {s for s, code, _ in unusual(found) if code == "duplicate-label"} == {severity}
    assert ("train/10001" in names(found)) == (severity == "warning")


def test_layout_is_recognised_by_names_alone(tmp_path: Path) -> None:
    for number, (path, category) in enumerate(
        [
            ("a/train/10301_GT.png", "kolektorsdd2"),
            ("TEST/x_gt.PNG", "kolektorsdd2"),
            ("a/kos01/Part0.jpg", "metal"),
            ("train/kos01/Part0.jpg", "metal"),
            ("test/Part0_label.bmp", "metal"),
        ]
    ):
        file = tmp_path / str(number) / path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        with open_source(tmp_path / str(number)) as source:
            assert recognise(source).category == category


def test_both_layouts_beside_each_other_are_refused(
    make_dataset: MakeDataset, make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    make_dataset("both/one")
    make_dataset_2("both/two")
    with pytest.raises(
        SourceError, match=r"KolektorSDD \(as one/kos01\) and KolektorSDD2 \(as two"
    ):
        scan(tmp_path / "both")


def test_two_kolektorsdd2_are_refused(make_dataset_2: MakeDataset, tmp_path: Path) -> None:
    make_dataset_2("both/one")
    make_dataset_2("both/two")
    with pytest.raises(SourceError, match=r"holds test twice, in one/test and in two/test"):
        scan(tmp_path / "both")


def test_images_of_kolektorsdd2_elsewhere_are_refused_with_advice(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    with pytest.raises(SourceError, match=r"looks like KolektorSDD2.*not in folders named train"):
        scan(root / "train")


def test_kolektorsdd2_without_masks_is_refused_with_advice(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    for path in root.rglob("*_GT.png"):
        path.unlink()
    with pytest.raises(SourceError, match=r"looks like KolektorSDD2 without its masks"):
        scan(root)


@pytest.mark.parametrize("layout", ["kolektorsdd", "boxes"])
def test_boxes_are_told_from_other_masks(tmp_path: Path, layout: str) -> None:
    write_sample(tmp_path / "raw", layout=layout, items=2)  # type: ignore[arg-type]
    found = scan(tmp_path / "raw")
    boxes = layout == "boxes"
    assert found.release == ("KolektorSDD-boxes" if boxes else "KolektorSDD")
    assert found.official_images == 0
    assert found.official_masks == (None if boxes else 0)
    assert len(named(found, "changed-mask")) == (not boxes)
    assert [s.label for s in found.samples].count("defective") == 2


def test_boxes_are_recognised_by_most_of_the_masks(tmp_path: Path) -> None:
    for item in range(1, 4):
        write_pair(tmp_path / f"kos0{item}", "Part0", item)
        mask = np.zeros((60, 40), np.uint8)
        mask[3:9, 4:20] = 1
        mask[30:33, 4:20] = 1
        if item == 3:
            mask[6:12, 10:30] = 1
        (tmp_path / f"kos0{item}/Part0_label.bmp").write_bytes(palette_bmp(mask))
    assert scan(tmp_path).release == "KolektorSDD-boxes"
    for item in range(1, 3):
        mask[8, 4] = 0
        (tmp_path / f"kos0{item}/Part0_label.bmp").write_bytes(palette_bmp(mask))
    assert scan(tmp_path).release == "KolektorSDD"


def test_source_without_defects_is_not_of_boxes(tmp_path: Path) -> None:
    write_pair(tmp_path / "kos01", "Part0", 1)
    assert scan(tmp_path).release == "KolektorSDD"


def test_copies_in_item_folders_are_left_out(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copy(root / "kos02/Part1.jpg", root / "kos02/Part1 (copy).jpg")
    shutil.copy(root / "kos02/Part1_label.bmp", root / "kos02/Part1 (copy)_label.bmp")
    shutil.copytree(root / "kos01", root / "kos01 - Copy")
    found = scan(root)
    assert named(found, "copy") == [
        ("warning", "kos02/Part1 (copy).jpg"),
        ("warning", "kos02/Part1 (copy)_label.bmp"),
    ]
    assert named(found, "nested-item") == [("warning", "kos01 - Copy")]
    assert found.samples == before.samples


def test_item_folders_that_are_links_are_read(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    before = scan(root)
    (root / "kos02").rename(tmp_path / "elsewhere")
    (root / "kos02").symlink_to(tmp_path / "elsewhere")
    assert scan(root) == before


def test_wrapped_upper_case_items_with_png_masks_are_read(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    for path in root.rglob("*_label.bmp"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        path.with_suffix(".png").write_bytes(encode_png(pixels, rgb=False))  # type: ignore[arg-type]
        path.unlink()
    upper(root)
    wrap(root)
    found = scan(root)
    assert names(found) == names(before)
    assert [s.defect_pixels for s in found.samples] == [s.defect_pixels for s in before.samples]
    assert found.samples[0].mask == "KolektorSDD2/KOS01/PART0_LABEL.PNG"


@pytest.mark.parametrize("size", [(23, 63), "source"])
def test_converted_images_keep_their_colours(
    make_dataset_2: MakeDataset, tmp_path: Path, size: AskedSize
) -> None:
    root = make_dataset_2()
    with open_source(root) as source:
        found = scan(root)
        split = official(found.samples)
        fitted = fit_all(source, found, size)
        plan = make_plan(found, split, fitted, category="c", names="source")
        write_tree(plan, source, tmp_path / "out")
    image = cv2.imread(str(tmp_path / "out/c/test/good/test_20002.png"), cv2.IMREAD_UNCHANGED)
    wanted = cv2.imread(str(root / "test/20002.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert wanted is not None
    if size and size != "source":
        wanted = cv2.resize(wanted, size)
    np.testing.assert_array_equal(image, wanted)
    assert np.abs(image[..., 0].astype(int) - image[..., 2]).max() > 20
    mask = tmp_path / "out/c/ground_truth/defect/test_20000_mask.png"
    assert mask.is_file()
    assert not os.path.lexists(tmp_path / "out/c/train/defect")


def test_zip_in_a_folder_with_macos_droppings_is_converted_whole(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset_2()
    before = scan(root)
    with zipfile.ZipFile(tmp_path / "k.zip", "w") as archive:
        for path in root.rglob("*.png"):
            name = path.relative_to(root).as_posix()
            archive.write(path, f"KolektorSDD2/{name}")
            archive.writestr(f"__MACOSX/KolektorSDD2/{Path(name).parent}/._{path.name}", b"x")
    found = scan(tmp_path / "k.zip")
    assert [s.image_sha256 for s in found.samples] == [s.image_sha256 for s in before.samples]
    assert unusual(found) == [("info", "stray-file", "__MACOSX")]
    text = "20 files in it, as __MACOSX/KolektorSDD2/test/._20000.png, were put here by"
    assert message(found, "stray-file").startswith(text)


@pytest.mark.parametrize("count", [10, 11])
def test_many_stray_files_of_a_folder_are_one_finding(
    make_dataset_2: MakeDataset, count: int
) -> None:
    root = make_dataset_2()
    (root / "crops").mkdir()
    names = [f"crops/{number:02}.png" for number in range(count)]
    for name in names:
        (root / name).write_bytes(b"x")
    paths = names if count == 10 else ["crops"]
    assert unusual(scan(root)) == [("warning", "stray-file", path) for path in paths]


def test_source_of_nothing_but_copies_says_so(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in ("10000 (copy)", "10000 (copy)_GT"):
        (tmp_path / f"train/{name}.png").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"holds no sample: .*named as a copy"):
        scan(tmp_path)


def test_dataset_in_the_layout_of_kolektorsdd2_with_other_names_is_read(tmp_path: Path) -> None:
    for index, name in enumerate(("train/a", "train/b", "test/c", "test/d")):
        box = (3, 3, 5, 5) if name == "test/c" else None
        write_pair_2(tmp_path / Path(name).parent, Path(name).name, index, box)
    found = scan(tmp_path)
    assert found.release == "unknown"
    assert unusual(found) == [("warning", "unknown-release", "")]
    assert official(found.samples).assigned == {
        "train/a": "train", "train/b": "train", "test/c": "test", "test/d": "test",
    }  # fmt: skip
