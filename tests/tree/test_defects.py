"""What a fit and a consumer's crop leave of each defect, told before anything is written."""

from __future__ import annotations

from pathlib import Path

from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.scan import scan_source
from kolektor_cli.tree.defects import FitSummary, summarise_fit
from kolektor_cli.tree.fit import AskedSize, FitName, make_fit
from kolektor_cli.tree.views import view_samples
from tests.conftest import write_defects


def preview(root: Path, name: FitName, size: AskedSize, *crops: CenterCrop) -> FitSummary:
    with open_source(root) as source:
        scan = scan_source(source)
        fitted = view_samples(make_fit(name, size, default=(500, 1240)), source, scan.samples)
        return summarise_fit(fitted, source, scan.samples, crops)


def test_preview_tells_what_is_kept_of_each_defect(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 40, 3, 3), (5, 25, 4, 10), (5, 0, 3, 3)])
    told = preview(root, "crop", (40, 30))
    assert (told.good, told.defective, told.widths, told.heights) == (5, 2, (40, 40), (30, 30))
    assert [defects.area_kept for defects in told.defects] == [1, 0.5, 0]
    assert [defects.smallest_defect for defects in told.defects] == [9, 20, 0]
    assert told.lost == ("kos02/Part2",)


def test_preview_counts_the_area_under_two_windows_once(tmp_path: Path) -> None:
    mask_box = (5, 20, 30, 50)
    told = preview(write_defects(tmp_path / "raw", [mask_box]), "square", (40, 40))
    [defects] = told.defects
    assert (defects.images, defects.defective) == (2, 2)
    assert defects.area_kept == 1
    assert sum(defects.marked) > 30 * 50


def test_preview_tells_what_a_center_crop_leaves(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(15, 40, 10, 10), (0, 40, 10, 10), (15, 80, 10, 10)])
    crop = CenterCrop("some", 40, 30)
    told = preview(root, "stretch", "source", crop)
    assert [defects.marked for defects in told.defects] == [(100,)] * 3
    # Of 40x90, 30x30 at the centre: columns 5 to 34, rows 30 to 59; defects have their last row one
    # pixel further to the right.
    assert [defects.marked_in_crops for defects in told.defects] == [((100,),), ((51,),), ((0,),)]


def test_center_crop_leaves_the_pixels_whose_centres_lie_in_it(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(25, 50, 12, 12)])
    [defects] = preview(root, "stretch", "source", CenterCrop("some", 30, 20)).defects
    # Of 40x90, 30x67 once resized, it takes columns 6.67 to 33.33 and rows 32.24 to 59.10: of the
    # defect the columns 25 to 32 and the rows 50 to 58.
    assert defects.marked_in_crops == ((8 * 9,),)
    root = write_defects(tmp_path / "other", [(2, 28, 10, 12)])
    [defects] = preview(root, "stretch", "source", CenterCrop("some", 30, 20)).defects
    # Columns 7 to 11 and rows 32 to 39, and in the last row one column more.
    assert defects.marked_in_crops == ((5 * 8 + 1,),)
