"""Where very many samples are one picture, few pairs are told, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.imaging import similarity
from kolektor_cli.imaging.similarity import CloseUp
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.samples import MANY_ALIKE
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import Leak, SplitName, find_leaks
from tests.conftest import draw_image
from tests.own import write_pixels

MANY = MANY_ALIKE + 8

BLANK = np.full((60, 40), 90, np.uint8)


def scan(root: Path) -> Scan:
    with open_source(root) as source:
        return scan_source(source, layout=LayoutOptions("pairs", no_mask="good"))


def write_defective(root: Path, name: str, pixels: np.ndarray) -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[5:9, 5:9] = 255
    write_pixels(root / f"{name}.png", pixels)
    write_pixels(root / f"{name}_mask.png", mask)


def taken_again(seed: int) -> np.ndarray:
    """Return one picture with other noise each time, which other files show."""
    noise = np.random.default_rng(seed).integers(0, 9, (60, 40))
    return np.clip(draw_image(1) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a source with a few samples that are like no other."""
    for number in range(3):
        write_defective(tmp_path, f"x{number}", draw_image(100 + number))
        write_pixels(tmp_path / f"y{number}.png", draw_image(200 + number))
    return tmp_path


@pytest.mark.parametrize("number", [MANY_ALIKE, MANY], ids=["few", "many"])
@pytest.mark.parametrize("kind", ["file", "near"])
def test_all_pairs_of_few_are_told_and_of_many_those_with_the_first(
    root: Path, number: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "_ENOUGH", 1)
    names = [f"a{index}" for index in range(number)]
    for index, name in enumerate(names):
        write_pixels(root / f"{name}.png", BLANK if kind == "file" else taken_again(index))
    found = scan(root)
    assert {pair.kind for pair in found.duplicates} == {kind}
    pairs = [(pair.first, pair.second) for pair in found.duplicates]
    if number == MANY_ALIKE:
        assert len(set(pairs)) == len(pairs) == number * (number - 1) / 2
    else:
        assert pairs == [("a0", name) for name in names[1:]]
    assert {sample.group for sample in found.samples if sample.name in names} == {"a0"}
    assert found.distinct == 7


@pytest.mark.parametrize("suffix", [".png", ".bmp"], ids=["same file", "same pixels"])
@pytest.mark.parametrize("defective", ["a5", "b", "0"])
def test_one_defective_among_many_alike_leaves_out_all(
    root: Path, suffix: str, defective: str
) -> None:
    picture = draw_image(7)
    for index in range(MANY):
        write_pixels(root / f"a{index}.png", picture)
    (root / f"{defective}.png").unlink(missing_ok=True)
    write_defective(root, defective, picture)
    (root / f"{defective}.png").unlink()
    write_pixels(root / f"{defective}{suffix}", picture)
    found = scan(root)
    wanted = {*(f"a{index}" for index in range(MANY)), defective}
    assert dict(found.left_out) == dict.fromkeys(wanted, "duplicate-label")
    assert found.duplicates == ()


def test_many_alike_stay_together_when_the_first_is_left_out(root: Path) -> None:
    for index in range(MANY):
        write_pixels(root / f"a{index}.png", taken_again(index))
    write_defective(root, "b", taken_again(0))
    found = scan(root)
    assert set(found.left_out) == {"a0", "b"}
    assert len(found.duplicates) == MANY - 2
    assert len({sample.group for sample in found.samples}) == 7
    assert found.distinct == 7


def test_few_that_are_left_of_many_alike_stay_together(root: Path) -> None:
    """Of the 36, a0 to a5 have a copy of another label each."""
    number = MANY_ALIKE + 4
    for index in range(number):
        write_pixels(root / f"a{index}.png", taken_again(index))
    for index in range(6):
        write_defective(root, f"b{index}", taken_again(index))
    found = scan(root)
    assert found.left_out.keys() == {f"{kind}{index}" for kind in "ab" for index in range(6)}
    left = {f"a{index}" for index in range(6, number)}
    assert len({sample.group for sample in found.samples if sample.name in left}) == 1
    kept = [pair for pair in found.duplicates if {pair.first, pair.second} <= left]
    assert len(kept) == len(left) * (len(left) - 1) / 2


@pytest.mark.parametrize("number", [8, MANY], ids=["few", "many"])
def test_equal_pictures_are_compared_among_those_that_only_look_the_same(
    root: Path, number: int
) -> None:
    """Neither is the first of its label, and other pairs of both are near."""
    write_defective(root, "a", taken_again(1000))
    for index in range(number):
        write_pixels(root / f"b{index}.png", taken_again(index))
    write_pixels(root / "c1.png", taken_again(2000))
    write_defective(root, "c2", taken_again(2000))
    for name in ("d1", "d2"):
        write_defective(root, name, taken_again(3000))
    mask = np.zeros((60, 40), np.uint8)
    mask[20:30, 20:30] = 255
    write_pixels(root / "d2_mask.png", mask)
    found = scan(root)
    assert found.left_out == {"c1": "duplicate-label", "c2": "duplicate-label"}
    [finding] = [f for f in found.findings if f.code == "duplicate-mask"]
    assert finding.path == "d1_mask.png"
    [same] = [pair for pair in found.duplicates if (pair.first, pair.second) == ("d1", "d2")]
    assert same.kind == "file"
    assigned: dict[str, SplitName] = {sample.name: "unused" for sample in found.samples}
    assigned |= {"d1": "train", "d2": "test"}
    assert find_leaks(assigned, found.duplicates) == [Leak("d1", "d2", "file")]


def test_many_alike_are_not_all_compared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(4 * MANY):
        write_pixels(root / f"a{index}.png", taken_again(index))
    monkeypatch.setattr(similarity, "_ENOUGH", 1)
    compared = 0
    are_same = similarity.are_same

    def counted(first: CloseUp, others: Sequence[CloseUp]) -> list[bool]:
        nonlocal compared
        compared += len(others)
        return are_same(first, others)

    monkeypatch.setattr(similarity, "are_same", counted)
    assert scan(root).distinct == 7
    assert compared < 8 * MANY


def test_balanced_split_keeps_many_alike_on_one_side(root: Path) -> None:
    for index in range(MANY):
        write_pixels(root / f"a{index}.png", taken_again(index))
    found = scan(root)
    for seed in range(3):
        split = balanced(found.samples, found.duplicates, seed=seed)
        assert len({split.assigned[f"a{index}"] for index in range(MANY)}) == 1
        assert find_leaks(split.assigned, found.duplicates) == []


def test_labels_and_masks_of_many_alike_are_compared(root: Path) -> None:
    for index in range(MANY):
        write_defective(root, f"a{index}", BLANK)
    mask = np.zeros((60, 40), np.uint8)
    cv2.rectangle(mask, (10, 10), (20, 20), 255, -1)
    write_pixels(root / "a7_mask.png", mask)
    found = scan(root)
    [finding] = [f for f in found.findings if f.code == "duplicate-mask"]
    assert "a7_mask.png" in finding.message
