"""Fits: which output images a sample gives, of what label, and no defect lost unsaid."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.convert import write_tree
from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.fits import count_images, fit_of, fit_options, fit_samples, geometries, make_fit
from kolektor_cli.layout import make_plan
from kolektor_cli.preview import preview_fit
from kolektor_cli.records import (
    AskedSize,
    CenterCrop,
    Fit,
    FitName,
    Fitted,
    Geometry,
    Manifest,
    Preview,
    Sample,
    Scan,
)
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.split import balanced
from kolektor_cli.verify import verify_tree
from tests.conftest import Box, write_pair
from tests.test_layout import make_sample

REAL = (500, 1240)
names = st.sampled_from(["stretch", "pad", "crop", "square"])


def write_dataset(root: Path, boxes: list[Box], size: tuple[int, int] = (40, 90)) -> Path:
    """Write four good samples, and a defective one for each box."""
    for number in range(4):
        write_pair(root / "kos01", f"Part{number}", number, size=size)
    for number, box in enumerate(boxes):
        write_pair(root / "kos02", f"Part{number}", 50 + number, box, size)
    return root


def fit(root: Path, name: FitName, size: AskedSize = None, seed: int = 0) -> tuple[Scan, Fitted]:
    with open_source(root) as source:
        scan = scan_source(source)
        return scan, fit_samples(
            make_fit(name, size, default=REAL, seed=seed), source, scan.samples
        )


def convert(root: Path, out: Path, name: FitName, size: AskedSize = None) -> Manifest:
    with open_source(root) as source:
        scan = scan_source(source)
        fitted = fit_samples(make_fit(name, size, default=REAL), source, scan.samples)
        split = balanced(scan.samples, test_good=1)
        return write_tree(make_plan(scan, split, fitted, category="metal"), source, out)


@pytest.mark.parametrize(
    ("name", "asked", "made"),
    [
        ("stretch", None, REAL),
        ("stretch", "source", None),
        ("pad", None, REAL),
        ("crop", (300, 200), (300, 200)),
        ("thirds", None, None),
        ("square", None, (500, 500)),
        ("square", (256, 256), (256, 256)),
    ],
)
def test_size_is_the_one_asked_for_or_the_default(
    name: FitName, asked: AskedSize, made: object
) -> None:
    assert make_fit(name, asked, default=REAL).size == made


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("thirds", (10, 10), "takes no --size"),
        ("thirds", "source", "takes no --size"),
        ("pad", "source", "needs a size"),
        ("crop", "source", "needs a size"),
        ("square", "source", "needs a size"),
        ("square", (500, 400), "makes squares"),
        ("square", (0, 0), "out of range"),
        ("pad", (20_000, 1), "out of range"),
    ],
)
def test_size_that_a_fit_does_not_take_is_refused(
    name: FitName, asked: AskedSize, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_fit(name, asked, default=REAL)


@given(names, st.tuples(st.integers(1, 900), st.integers(1, 900)), st.integers(0, 99))
def test_manifest_options_tell_the_fit(name: FitName, size: tuple[int, int], seed: int) -> None:
    made = make_fit(name, (size[0], size[0]) if name == "square" else size, default=REAL, seed=seed)
    assert fit_of(fit_options(made)) == made


def test_options_of_format_1_tell_of_stretch() -> None:
    assert fit_of({"size": [256, 640], "color": "rgb"}) == Fit("stretch", (256, 640))
    assert fit_of({"size": "source"}) == Fit("stretch")
    assert fit_of(fit_options(Fit("thirds"))) == Fit("thirds")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit": "squash", "size": [1, 1]},
        {"fit": ["pad"], "size": [1, 1]},
        {"fit": "pad", "size": "source"},
        {"fit": "pad", "size": [1]},
        {"fit": "pad", "size": [1.5, 2]},
        {"fit": "pad", "size": [10**9, 1]},
        {"fit": "square", "size": [5, 5], "seed": "0"},
    ],
)
def test_options_that_tell_of_no_fit_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        fit_of(options)


def windows(made: Fit, sample: Sample) -> list[Geometry]:
    return geometries(made, sample, None)


def test_crop_is_the_centre() -> None:
    sample = make_sample("kos01/Part0", size=(500, 1263))
    [place] = windows(Fit("crop", (300, 1000)), sample)
    assert (place.window, place.placement) == ((100, 131, 300, 1000), (0, 0, 300, 1000))
    [place] = windows(Fit("crop", (512, 512)), sample)
    assert (place.window, place.placement) == ((0, 375, 500, 512), (6, 0, 500, 512))


@given(st.integers(3, 2000))
def test_thirds_are_divided_at_a_third_and_two_thirds_of_the_height(height: int) -> None:
    places = windows(Fit("thirds"), make_sample("kos01/Part0", size=(500, height)))
    edges = [0, height // 3, 2 * height // 3, height]
    assert [p.window for p in places] == [
        (0, top, 500, bottom - top) for top, bottom in pairwise(edges)
    ]
    assert all(place.size == place.window[2:] == place.placement[2:] for place in places)


def test_image_too_low_for_thirds_is_named() -> None:
    with pytest.raises(SourceError, match=r"kos01/Part0.jpg: is 2 pixels high"):
        windows(Fit("thirds"), make_sample("kos01/Part0", size=(500, 2)))


def test_windows_of_good_images_lie_where_the_seed_says_and_nowhere_else() -> None:
    sample = make_sample("kos01/Part0", size=(500, 1263))
    tops = set()
    for seed in range(200):
        [place] = windows(Fit("square", (500, 500), seed), sample)
        assert place == windows(Fit("square", (500, 500), seed), sample)[0]
        left, top, *side = place.window
        assert (left, side) == (0, [500, 500])
        assert 0 <= top <= 763
        tops.add(top)
    assert min(tops) < 50
    assert max(tops) > 710
    assert len(tops) > 150
    other = replace(sample, name="kos01/Part1")
    assert windows(Fit("square", (500, 500)), sample) != windows(Fit("square", (500, 500)), other)
    [place] = windows(Fit("square", (500, 500)), make_sample("a/b", size=(230, 630)))
    assert (place.window[2:], place.placement[0]) == ((230, 500), 135)


def test_each_crop_has_the_label_of_its_own_mask(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 26, 3, 10), (5, 70, 3, 3)])
    scan, fitted = fit(root, "thirds")
    labels = {name: [view.label for view in views] for name, views in fitted.views.items()}
    assert labels["kos01/Part0"] == ["good"] * 3
    assert labels["kos02/Part0"] == ["defective", "defective", "good"]
    assert labels["kos02/Part1"] == ["good", "good", "defective"]
    assert count_images(fitted, balanced(scan.samples, test_good=1)) == {
        ("train", "good"): 9, ("test", "good"): 6, ("test", "defective"): 3,
    }  # fmt: skip


def test_crops_of_one_image_lie_on_one_side_and_show_what_the_source_shows(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 26, 3, 10), (5, 70, 3, 3)])
    manifest = convert(root, tmp_path, "thirds")
    splits: dict[str, set[str]] = {}
    for entry in manifest.files:
        splits.setdefault(entry.sample, set()).add(entry.split)
        written = cv2.imread(str(tmp_path / "metal" / entry.path), cv2.IMREAD_GRAYSCALE)
        ending = "_label.bmp" if entry.role == "mask" else ".jpg"
        source = cv2.imread(str(root / f"{entry.sample}{ending}"), cv2.IMREAD_GRAYSCALE)
        assert written is not None
        assert source is not None
        _, top, _, height = entry.geometry.window
        assert height == 30
        np.testing.assert_array_equal(written, source[top : top + height])
        if entry.role == "mask":
            assert written.any()
    assert [len(names) for names in splits.values()] == [1] * 6
    images = [entry for entry in manifest.files if entry.role == "image"]
    assert len(images) == 18


@pytest.mark.parametrize("name", ["stretch", "pad", "crop", "thirds", "square"])
def test_tree_of_every_fit_verifies_against_its_source(tmp_path: Path, name: FitName) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 26, 3, 10), (30, 70, 3, 3), (0, 0, 2, 2)])
    size: AskedSize = None if name == "thirds" else (32, 32)
    convert(root, tmp_path, name, size)
    with open_source(root) as source:
        report = verify_tree(tmp_path / "metal", source=source, scan=scan_source(source))
    assert report.ok, [c for c in report.checks if not c.ok]
    assert report.checks[-1].name == "source"


def test_padding_does_not_make_pictures_alike(tmp_path: Path) -> None:
    convert(write_dataset(tmp_path / "raw", [(5, 26, 3, 10)]), tmp_path, "pad", (90, 90))
    report = verify_tree(tmp_path / "metal", strict=True)
    assert report.ok


def test_defect_outside_of_a_crop_is_told_and_its_image_is_good(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 40, 3, 3), (5, 0, 3, 3)])
    manifest = convert(root, tmp_path, "crop", (40, 30))
    assert manifest.lost == ("kos02/Part1",)
    labels = {entry.sample: entry.label for entry in manifest.files if entry.role == "image"}
    assert labels["kos02/Part0"] == "defective"
    assert labels["kos02/Part1"] == "good"
    [check] = [c for c in verify_tree(tmp_path / "metal").checks if c.name == "manifest"]
    assert [(f.severity, f.code, f.path) for f in check.findings] == [
        ("warning", "lost-defect", "kos02/Part1")
    ]


def preview(root: Path, name: FitName, size: AskedSize, *crops: CenterCrop) -> Preview:
    with open_source(root) as source:
        scan = scan_source(source)
        fitted = fit_samples(make_fit(name, size, default=REAL), source, scan.samples)
        return preview_fit(fitted, source, scan.samples, crops)


def test_preview_tells_what_is_kept_of_each_defect(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 40, 3, 3), (5, 25, 4, 10), (5, 0, 3, 3)])
    told = preview(root, "crop", (40, 30))
    assert (told.good, told.defective, told.widths, told.heights) == (5, 2, (40, 40), (30, 30))
    assert [defects.area_kept for defects in told.defects] == [1, 0.5, 0]
    assert [defects.smallest_defect for defects in told.defects] == [9, 20, 0]
    assert told.lost == ("kos02/Part2",)


def test_preview_counts_the_area_under_two_windows_once(tmp_path: Path) -> None:
    mask_box = (5, 20, 30, 50)
    told = preview(write_dataset(tmp_path / "raw", [mask_box]), "square", (40, 40))
    [defects] = told.defects
    assert (defects.images, defects.defective) == (2, 2)
    assert defects.area_kept == 1
    assert sum(defects.marked) > 30 * 50


def test_preview_tells_what_a_center_crop_leaves(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(15, 40, 10, 10), (0, 40, 10, 10), (15, 80, 10, 10)])
    crop = CenterCrop("some", 40, 30)
    told = preview(root, "stretch", "source", crop)
    assert [defects.marked for defects in told.defects] == [(100,)] * 3
    # Of 40x90, 30x30 at the centre: columns 5 to 34, rows 30 to 59; defects have their last row one
    # pixel further to the right.
    assert [defects.marked_in_crops for defects in told.defects] == [((100,),), ((51,),), ((0,),)]


def test_mask_that_changed_since_the_scan_is_refused(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 26, 3, 10)])
    with open_source(root) as source:
        scan = scan_source(source)
        made = make_fit("thirds", default=REAL)
        fitted = fit_samples(made, source, scan.samples)
        # Emptied, it would make a good sample of a defective one.
        write_pair(root / "kos02", "Part0", 50, None, (40, 90))
        refusal = r"kos02/Part0_label\.bmp: changed while this command ran"
        with pytest.raises(SourceError, match=refusal):
            fit_samples(made, source, scan.samples)
        with pytest.raises(SourceError, match=refusal):
            preview_fit(fitted, source, scan.samples)


@pytest.mark.parametrize("name", ["stretch", "pad", "square"])
def test_files_are_named_after_the_sample_and_numbered_if_there_may_be_several(
    tmp_path: Path, name: FitName
) -> None:
    root = write_dataset(tmp_path / "raw", [(5, 0, 3, 3), (5, 40, 3, 3)])
    with open_source(root) as source:
        scan = scan_source(source)
        fitted = fit_samples(make_fit(name, (30, 30), default=REAL), source, scan.samples)
        split = balanced(scan.samples, test_good=1)
        plan = make_plan(scan, split, fitted, category="metal", names="source")
    stems = {Path(image.path).stem for image in plan.images}
    several = "_0" if name == "square" else ""
    assert stems == {f"{s.name.replace('/', '_')}{several}" for s in scan.samples}
