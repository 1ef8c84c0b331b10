"""Views: which output images a sample gives, of what label, and no defect lost unsaid."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.geometry import Geometry
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.samples import Sample
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.defects import summarise_fit
from kolektor_cli.tree.fit import AskedSize, Fit, FitName, make_fit
from kolektor_cli.tree.manifest import Manifest
from kolektor_cli.tree.plan import make_plan
from kolektor_cli.tree.views import Views, count_images, geometries, view_samples
from tests.conftest import write_defects, write_pair
from tests.samples import make_sample
from tests.trees import check, notes, read_manifest


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


def fit(root: Path, name: FitName, size: AskedSize = None, seed: int = 0) -> tuple[Scan, Views]:
    with open_source(root) as source:
        scan = scan_source(source)
        return scan, view_samples(
            make_fit(name, size, default=(500, 1240), seed=seed), source, scan.samples
        )


def test_each_crop_has_the_label_of_its_own_mask(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 26, 3, 10), (5, 70, 3, 3)])
    scan, fitted = fit(root, "thirds")
    labels = {name: [view.label for view in views] for name, views in fitted.views.items()}
    assert labels["kos01/Part0"] == ["good"] * 3
    assert labels["kos02/Part0"] == ["defective", "defective", "good"]
    assert labels["kos02/Part1"] == ["good", "good", "defective"]
    assert count_images(fitted, balanced(scan.samples, test_good=1)) == {
        ("train", "good"): 9, ("test", "good"): 6, ("test", "defective"): 3,
    }  # fmt: skip


def made(root: Path, out: Path, name: FitName, size: AskedSize = None) -> Manifest:
    options = ConvertOptions(fit=name, size=size, split=SplitOptions(test_good=1))
    return read_manifest(convert(root, out, options).target)


def test_crops_of_one_image_lie_on_one_side_and_show_what_the_source_shows(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 26, 3, 10), (5, 70, 3, 3)])
    manifest = made(root, tmp_path, "thirds")
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
    root = write_defects(tmp_path / "raw", [(5, 26, 3, 10), (30, 70, 3, 3), (0, 0, 2, 2)])
    size: AskedSize = None if name == "thirds" else (32, 32)
    made(root, tmp_path, name, size)
    report = check(tmp_path / "metal", root)
    assert report.ok, [c for c in report.checks if not c.ok]
    assert report.checks[-1].name == "source"


def test_padding_does_not_make_pictures_alike(tmp_path: Path) -> None:
    made(write_defects(tmp_path / "raw", [(5, 26, 3, 10)]), tmp_path, "pad", (90, 90))
    assert verify(tmp_path / "metal", strict=True).ok


def test_defect_outside_of_a_crop_is_told_and_its_image_is_good(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 40, 3, 3), (5, 0, 3, 3)])
    manifest = made(root, tmp_path, "crop", (40, 30))
    assert manifest.lost == ("kos02/Part1",)
    labels = {entry.sample: entry.label for entry in manifest.files if entry.role == "image"}
    assert labels["kos02/Part0"] == "defective"
    assert labels["kos02/Part1"] == "good"
    assert notes(check(tmp_path / "metal")) == [("warning", "lost-defect", "kos02/Part1")]


def test_mask_that_changed_since_the_scan_is_refused(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 26, 3, 10)])
    with open_source(root) as source:
        scan = scan_source(source)
        made = make_fit("thirds", default=(500, 1240))
        fitted = view_samples(made, source, scan.samples)
        # Emptied, it would make a good sample of a defective one.
        write_pair(root / "kos02", "Part0", 50, None, (40, 90))
        refusal = r"kos02/Part0_label\.bmp: changed while this command ran"
        with pytest.raises(SourceError, match=refusal):
            view_samples(made, source, scan.samples)
        with pytest.raises(SourceError, match=refusal):
            summarise_fit(fitted, source, scan.samples)


@pytest.mark.parametrize("name", ["stretch", "pad", "square"])
def test_files_are_named_after_the_sample_and_numbered_if_there_may_be_several(
    tmp_path: Path, name: FitName
) -> None:
    root = write_defects(tmp_path / "raw", [(5, 0, 3, 3), (5, 40, 3, 3)])
    with open_source(root) as source:
        scan = scan_source(source)
        fitted = view_samples(make_fit(name, (30, 30), default=(500, 1240)), source, scan.samples)
        split = balanced(scan.samples, test_good=1)
        plan = make_plan(scan, split, fitted, category="metal", names="source")
    stems = {Path(image.path).stem for image in plan.images}
    several = "_0" if name == "square" else ""
    assert stems == {f"{s.name.replace('/', '_')}{several}" for s in scan.samples}
