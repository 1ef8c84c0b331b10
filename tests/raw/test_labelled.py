"""People's own images without masks: which label the folders of an image give."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.io.source import FolderSource
from kolektor_cli.raw.labelled import label_own
from kolektor_cli.raw.layout_options import LayoutOptions, check_layout
from tests.own import PAIRS, candidates, scan_own, write_own, write_pixels
from tests.scans import message, named

HERE = FolderSource(Path(__file__).parent)
"""Some source: only names are looked at."""

BOTH = replace(PAIRS, good="ok", defective="bad")


def labels(root: Path, options: LayoutOptions) -> dict[str, str]:
    return {sample.image: sample.label for sample in scan_own(root, options).samples}


def write(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write_own(root / name, seed)
    return root


@pytest.mark.parametrize(
    "options",
    [
        BOTH,
        replace(PAIRS, good="ok"),
        replace(PAIRS, defective="bad"),
        replace(PAIRS, good="train\\OK/", defective="./Bad"),
        LayoutOptions(good="ok"),
    ],
    ids=["both", "good", "defective", "paths", "no layout"],
)
def test_folders_are_the_labels(tmp_path: Path, options: LayoutOptions) -> None:
    write(tmp_path, "train/ok/1.png", "train/ok/2.JPG", "train/bad/1.png")
    found = scan_own(tmp_path, options)
    assert {s.image: s.label for s in found.samples} == {
        "train/bad/1.png": "defective",
        "train/ok/1.png": "good",
        "train/ok/2.JPG": "good",
    }
    assert [s.defect_pixels for s in found.samples] == [0, 0, 0]
    assert [s.mask for s in found.samples] == ["", "", ""]
    assert [s.official_split for s in found.samples] == ["train"] * 3
    assert not found.findings


def test_item_and_split_are_read_as_with_masks(tmp_path: Path) -> None:
    write(tmp_path, "train/ok/a_1.png", "train/ok/a_2.png", "test/ok/b_1.png", "test/bad/c_1.png")
    found = scan_own(tmp_path, replace(BOTH, item=r"/(\w)_\d"))
    assert [s.item for s in found.samples] == ["c", "b", "a", "a"]
    assert [s.official_split for s in found.samples] == ["test", "test", "train", "train"]


def test_image_in_both_folders_or_in_none_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "ok/1.png", "bad/1.png", "bad/ok/2.png", "else/3.png")
    found = scan_own(tmp_path, BOTH)
    assert [s.image for s in found.samples] == ["bad/1.png", "ok/1.png"]
    assert found.left_out == {"bad/ok/2": "ambiguous", "else/3": "no-label"}
    assert "--good ok and --defective bad" in message(found, "no-label")


@pytest.mark.parametrize("asked", [{"good": "oK "}, {"defective": "o"}, {"good": "ok/bad"}])
def test_folder_that_holds_no_image_is_refused(tmp_path: Path, asked: dict[str, str]) -> None:
    write(tmp_path, "ok/1.png", "bad/1.png")
    [(option, folder)] = asked.items()
    with pytest.raises(SourceError, match=f"no image in a folder {folder}, which --{option}"):
        candidates(
            tmp_path, replace(PAIRS, good=asked.get("good"), defective=asked.get("defective"))
        )


@pytest.mark.parametrize("mask", ["ok/1_mask.png", "masks/ok/1.png", "ok/1.json"])
def test_masks_are_not_passed_over(tmp_path: Path, mask: str) -> None:
    write(tmp_path, "ok/1.png", "bad/1.png")
    (tmp_path / mask).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / mask).write_bytes((tmp_path / "bad/1.png").read_bytes())
    found = scan_own(tmp_path, replace(PAIRS, good="ok"))
    assert named(found, "stray-mask") == [("error", mask)]
    assert found.errors


@pytest.mark.parametrize("value", [0, 90, 255])
def test_image_of_one_value_is_an_image(tmp_path: Path, value: int) -> None:
    write(tmp_path, "ok/1.png", "bad/1.png")
    write_pixels(tmp_path / "ok/2.png", np.full((60, 40), value, np.uint8))
    assert len(scan_own(tmp_path, BOTH).samples) == 3


@pytest.mark.parametrize("marks", [(0, 255), (0, 1)])
def test_mask_by_its_values_is_no_image(tmp_path: Path, marks: tuple[int, ...]) -> None:
    write(tmp_path, "ok/1.png", "ok/2.png", "bad/1.png")
    mask = np.zeros((60, 40), np.uint8)
    mask[:30], mask[30:] = marks[0], marks[-1]
    write_pixels(tmp_path / "segmentation/1.png", mask)
    found = scan_own(tmp_path, replace(PAIRS, defective="bad"))
    assert found.left_out == {"segmentation/1": "mask-as-image"}
    assert len(found.samples) == 3
    mask[0, 0] = 7
    write_pixels(tmp_path / "segmentation/1.png", mask)
    assert not scan_own(tmp_path, replace(PAIRS, defective="bad")).errors


@pytest.mark.parametrize(
    "other",
    [
        {"mask_suffix": "_m"},
        {"masks": "m"},
        {"no_mask": "good"},
        {"mask_threshold": 1},
        {"mask_classes": "1=a"},
        {"dilate": 3},
    ],
)
def test_options_of_masks_are_refused(other: dict[str, object]) -> None:
    [name] = other
    wanted = f"--defective and --{name.replace('_', '-')} exclude each other"
    with pytest.raises(UsageError, match=wanted):
        check_layout(LayoutOptions("pairs", defective="bad", **other))  # type: ignore[arg-type]


NAMES = st.lists(st.sampled_from(["ok", "bad", "x", "OK", "train"]), max_size=3).map("/".join)


@given(st.sets(NAMES.map(lambda folder: f"{folder}/i.png".lstrip("/")), min_size=1, max_size=8))
def test_every_image_has_one_label_or_one_problem(names: set[str]) -> None:
    """Whatever the folders and the order of the listing; nothing is lost."""
    listed = sorted(names)
    parts = {name: name.casefold().split("/")[:-1] for name in listed}
    if not all(any(label in folders for folders in parts.values()) for label in ("ok", "bad")):
        return
    found, findings = label_own(HERE, listed, BOTH)
    shuffled = random.Random(len(names)).sample(listed, len(listed))
    again, _ = label_own(HERE, shuffled, BOTH)
    assert {name.casefold() for name in again} == {name.casefold() for name in found}
    assert not findings
    assert sorted(name for files in found.values() for name in files.images) == listed
    for files in found.values():
        for name in files.images:
            sides = {label for label in ("ok", "bad") if label in parts[name]}
            if files.problem is None:
                assert files.label == ("good" if sides == {"ok"} else "defective")
                assert len(sides) == 1
            else:
                assert len(sides) != 1 or len(files.images) > 1
