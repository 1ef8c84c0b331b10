"""Masks that lie elsewhere than consumers look are named, each once."""

from __future__ import annotations

import pytest

from kolektor_cli.tree.pairs import check_pairs

IMAGES = ["train/good/000.png", "test/good/000.png", "test/crack/000.png", "test/crack/001.png"]
MASKS = ["ground_truth/crack/000_mask.png", "ground_truth/crack/001_mask.png"]


def found(paths: list[str]) -> list[tuple[str, str]]:
    return [(finding.path, finding.message) for finding in check_pairs(paths)]


@pytest.mark.parametrize("name", ["001.png", "001_GT.png", "001_label.png", "001_Mask.png"])
def test_mask_by_another_name_is_to_be_renamed(name: str) -> None:
    other = f"ground_truth/crack/{name}"
    [(path, message)] = found([*IMAGES, MASKS[0], other])
    assert path == "test/crack/001.png"
    assert f"rename {other} to {MASKS[1]}" in message


def test_mask_in_another_format_is_to_be_saved() -> None:
    [(path, message)] = found([*IMAGES, MASKS[0], "ground_truth/crack/001_mask.bmp"])
    assert path == "test/crack/001.png"
    assert f"save ground_truth/crack/001_mask.bmp as {MASKS[1]}" in message


def test_masks_in_a_folder_named_like_the_image_are_to_be_merged() -> None:
    inside = [f"ground_truth/crack/001/00{n}.png" for n in range(3)]
    [(path, message)] = found([*IMAGES, MASKS[0], *inside])
    assert path == "test/crack/001.png"
    assert "its 3 masks lie in ground_truth/crack/001; merge into" in message


def test_masks_of_no_image_in_a_folder_of_masks_are_told_of() -> None:
    stray = "ground_truth/crack/777/000.png"
    assert found([*IMAGES, *MASKS, stray]) == [(stray, "is the mask of no image")]


def test_masks_of_images_in_another_format_have_their_image() -> None:
    assert found([path.replace("crack/001.png", "crack/001.jpg") for path in IMAGES] + MASKS) == []


def test_folder_called_ok_needs_no_masks_unless_there_is_another_of_good_images() -> None:
    misnamed = [path.replace("test/good", "test/OK") for path in IMAGES]
    assert found(misnamed + MASKS) == []
    [(path, _)] = found([*IMAGES, "test/OK/000.png", *MASKS])
    assert path == "test/OK/000.png"
