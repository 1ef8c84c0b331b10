"""With ``--duplicates exact`` only images with equal pixels are the same picture."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.splitting import split
from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.stored import Stored
from kolektor_cli.raw import duplicates
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.samples import MANY_ALIKE
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import draw_image
from tests.own import PAIRS, read_gray, scan_own, write_own, write_pixels
from tests.scans import message
from tests.trees import check, failures, notes

NEAR = replace(PAIRS, no_mask="good")
EXACT = replace(NEAR, duplicates="exact")


def alike(root: Path, number: int, *, changed: int) -> None:
    """Write pictures that differ in one pixel each, the first `changed` of them defective."""
    picture = draw_image(1)
    for index in range(number):
        pixels = picture.copy()
        pixels[index // 40, index % 40] ^= 1
        write_pixels(root / f"{index:02}.png", pixels)
        if index < changed:
            mask = np.zeros((60, 40), np.uint8)
            mask[2:4] = 255
            write_pixels(root / f"{index:02}_mask.png", mask)


def test_what_only_looks_the_same_is_another_picture(tmp_path: Path) -> None:
    alike(tmp_path, 8, changed=2)
    near = scan_own(tmp_path, NEAR)
    assert near.distinct == 1
    assert message(near, "too-alike").startswith("8 pictures look like 1;")
    found = scan_own(tmp_path, EXACT)
    assert not found.findings
    assert (found.distinct, found.duplicates) == (8, ())
    assert len({sample.group for sample in found.samples}) == 8


def test_equal_pixels_and_equal_files_are_the_same_picture(tmp_path: Path) -> None:
    alike(tmp_path, 3, changed=1)
    shutil.copy(tmp_path / "01.png", tmp_path / "07.png")
    write_pixels(tmp_path / "08.bmp", read_gray(tmp_path / "01.png"))
    write_pixels(
        tmp_path / "09.png", cv2.cvtColor(read_gray(tmp_path / "02.png"), cv2.COLOR_GRAY2BGR)
    )
    found = scan_own(tmp_path, EXACT)
    assert {(d.first, d.second, d.kind) for d in found.duplicates} == {
        ("01", "07", "file"),
        ("01", "08", "pixels"),
        ("07", "08", "pixels"),
        ("02", "09", "pixels"),
    }
    assert found.distinct == 3
    exact_of_near = {d for d in scan_own(tmp_path, NEAR).duplicates if d.kind != "near"}
    assert exact_of_near == set(found.duplicates)


def test_images_without_detail_are_told_apart_by_their_pixels(tmp_path: Path) -> None:
    for number, value in enumerate((9, 9, 10, 11)):
        write_pixels(
            tmp_path / f"{number}{'.bmp' if number else '.png'}", np.full((9, 9), value, np.uint8)
        )
    write_own(tmp_path / "x.png", 1, tmp_path / "x_mask.png", (1, 1, 3, 3))
    found = scan_own(tmp_path, EXACT)
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [("0", "1", "pixels")]


def test_very_many_equal_pictures_are_told_by_few_pairs(tmp_path: Path) -> None:
    alike(tmp_path, 1, changed=1)
    for number in range(1, MANY_ALIKE + 5):
        suffix = ".bmp" if number % 2 else ".png"
        write_pixels(tmp_path / f"{number:02}{suffix}", draw_image(3))
    found = scan_own(tmp_path, EXACT)
    assert found.distinct == 2
    assert len(found.duplicates) == MANY_ALIKE + 3


def test_split_that_near_duplicates_forbid_names_the_way_out(tmp_path: Path) -> None:
    raw = tmp_path / "own"
    alike(raw, 9, changed=3)
    for options in (SplitOptions(), SplitOptions("grouped", fold=0, folds=2)):
        with pytest.raises(UsageError, match="'--duplicates exact' takes only images with equal"):
            split(raw, options, layout=NEAR)
    made = convert(raw, tmp_path / "out", ConvertOptions(layout=EXACT))
    assert made.counts["test", "good"] == 3
    assert made.manifest is not None
    assert made.manifest.options["duplicates"] == "exact"
    found = check(made.target, raw)
    assert failures(found) == set()
    assert notes(found) == [("info", "exact-duplicates", "")]


def test_too_few_good_samples_are_not_put_down_to_duplicates(tmp_path: Path) -> None:
    write_own(tmp_path / "a.png", 1, tmp_path / "a_mask.png", (1, 1, 3, 3))
    write_own(tmp_path / "b.png", 2)
    with pytest.raises(UsageError, match=r"the source has 1 good$"):
        split(tmp_path, layout=NEAR)
    with pytest.raises(UsageError, match="not one of exact"):
        split(tmp_path, layout=LayoutOptions(duplicates="near"))  # type: ignore[arg-type]


def test_half_as_many_pictures_as_samples_are_not_too_alike(tmp_path: Path) -> None:
    alike(tmp_path, 3, changed=1)
    write_pixels(tmp_path / "20.png", draw_image(20))
    # Copies are not what only looks the same.
    for name in ("21", "22", "23"):
        shutil.copy(tmp_path / "20.png", tmp_path / f"{name}.png")
    found = scan_own(tmp_path, NEAR)
    assert (len(found.samples), found.distinct) == (7, 2)
    assert {f.code for f in found.findings} == {"duplicate-label"}
    alike(tmp_path, 4, changed=1)
    assert "too-alike" in {f.code for f in scan_own(tmp_path, NEAR).findings}


def test_each_distinct_file_is_decoded_once_more_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike(tmp_path, 4, changed=1)
    for name in ("21", "22", "23"):
        shutil.copy(tmp_path / "01.png", tmp_path / f"{name}.png")
    write_pixels(tmp_path / "24.bmp", read_gray(tmp_path / "02.png"))
    seen: list[str] = []

    def counted(data: bytes, name: str) -> Stored:
        seen.append(name)
        return decode_stored(data, name)

    monkeypatch.setattr(duplicates, "decode_stored", counted)
    found = scan_own(tmp_path, EXACT)
    assert found.distinct == 4
    assert len(seen) == len({(tmp_path / name).read_bytes() for name in seen})
