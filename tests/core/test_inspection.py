"""Inspecting: what a source holds, and what a fit would make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.core.inspection import inspect, require_usable
from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.tree.fit import Fit
from tests.archives import zip_of
from tests.conftest import MakeDataset, snapshot, write_defects
from tests.scans import named, scan


def test_inspection_is_the_scan_and_changes_nothing(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = snapshot(root)
    found = inspect(str(root))
    assert found.scan == scan(root)
    assert found.fit is None
    assert found.ok
    assert snapshot(root) == before


def test_folder_and_zip_give_the_same_whatever_the_number_of_threads(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    assert inspect(zip_of(root), jobs=1, fit="thirds") == inspect(root, jobs=4, fit="thirds")


def test_errors_make_it_not_ok_and_are_no_exception(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos02/Part1.jpg").write_bytes(b"")
    found = inspect(root)
    assert not found.ok
    assert found.scan.left_out == {"kos02/Part1": "unreadable"}


def test_fit_is_followed_to_the_defects(tmp_path: Path) -> None:
    root = write_defects(tmp_path / "raw", [(5, 40, 3, 3), (5, 0, 3, 3)])
    summary = inspect(root, fit="crop", size=(40, 30)).fit
    assert summary is not None
    assert summary.fit == Fit("crop", (40, 30))
    assert (summary.good, summary.defective) == (5, 1)
    assert summary.lost == ("kos02/Part1",)
    assert [crop.name for crop in summary.crops] == ["patchcore", "cfa", "simplenet"]


def test_size_alone_is_for_stretch_and_a_fit_alone_takes_the_release_s_size(
    make_dataset: MakeDataset, make_dataset_2: MakeDataset
) -> None:
    first = inspect(make_dataset(), size=(20, 30)).fit
    second = inspect(make_dataset_2("two"), fit="pad").fit
    assert first is not None
    assert second is not None
    assert (first.fit, second.fit) == (Fit("stretch", (20, 30)), Fit("pad", (230, 630)))


def test_progress_is_told_up_to_the_end(make_dataset: MakeDataset) -> None:
    told: list[tuple[str, int, int]] = []
    inspect(make_dataset(), jobs=2, progress=lambda *step: told.append(step))
    assert told == [("inspecting", done, 12) for done in range(1, 13)]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": (0, 5)}, "out of range"), ({"fit": "thirds", "size": (5, 5)}, "takes no --size")],
)
def test_size_that_cannot_be_made_is_refused_before_any_work(
    make_dataset: MakeDataset, options: dict[str, Any], message: str
) -> None:
    def no_work(step: str, _: int, __: int) -> None:
        raise AssertionError(f"{step} was begun")

    with pytest.raises(UsageError, match=message):
        inspect(make_dataset(), progress=no_work, **options)


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: no such file or folder"):
        inspect(str(tmp_path / "nowhere"))


def test_errors_are_refused_unless_they_are_to_be_skipped(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    for path in ("kos02/Part1.jpg", "kos03/Part1.jpg"):
        (root / path).write_bytes(b"")
    found = scan(root)
    with pytest.raises(SourceError, match=r"kos02/Part1\.jpg: is empty.*1 more.*--skip-bad"):
        require_usable(found, skip_bad=False)
    require_usable(found, skip_bad=True)
    assert len(found.samples) == 10


def test_warnings_alone_are_usable(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "notes.txt").write_bytes(b"x")
    found = scan(root)
    assert named(found, "stray-file")
    require_usable(found, skip_bad=False)


def test_nothing_left_is_refused_even_when_bad_ones_are_skipped(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1, parts=2)
    for path in root.glob("*/*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"kos01/Part0\.jpg: is empty.*fix the source$"):
        require_usable(scan(root), skip_bad=True)
