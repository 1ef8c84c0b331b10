"""The contract: each check fails for what it is there for, by name, and for nothing else."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.imaging.geometry import Size
from tests.conftest import (
    FOREIGN_IMAGES,
    FOREIGN_MASKS,
    SIZE,
    box_mask,
    color_image,
    draw_image,
    write_png,
)
from tests.pictures import gray_png
from tests.trees import IMAGES, MANIFEST, check, failures


def test_added_image_with_more_digits_is_found(tree: Path) -> None:
    write_png(tree / "train/good/1000.png", color_image(1))
    assert ("names", "number-width", "train/good/1000.png") in failures(check(tree))


def test_added_image_that_differs_by_case_is_found(tree: Path) -> None:
    for name in ("a", "A"):
        write_png(tree / f"train/good/{name}.png", color_image(1))
    assert ("names", "name-collision", "train/good/a.png") in failures(check(tree))


def test_masks_that_sort_otherwise_than_their_images_are_found(foreign: Path) -> None:
    for stem in ("a", "a0"):
        write_png(foreign / f"test/crack/{stem}.png", color_image(1))
        write_png(foreign / f"ground_truth/crack/{stem}_mask.png", box_mask())
    assert failures(check(foreign)) == {("names", "sort-order", "test/crack/a.png")}


def test_added_mask_is_found(tree: Path) -> None:
    write_png(tree / "ground_truth/defect/777_mask.png", box_mask())
    assert failures(check(tree)) == {
        ("hashes", "added-file", "ground_truth/defect/777_mask.png"),
        ("pairs", "no-image", "ground_truth/defect/777_mask.png"),
    }


@pytest.mark.parametrize(
    "path",
    [
        *("readme.txt", ".DS_Store", "train/good/readme.txt", "train/good/.DS_Store"),
        *("train/.hidden", "test/defect/000.jpg", "train/good/000.png.tmp"),
    ],
)
def test_added_file_that_is_no_png_is_found(tree: Path, path: str) -> None:
    (tree / path).write_bytes(b"x")
    assert failures(check(tree)) == {("structure", "unexpected-file", path)}


@pytest.mark.parametrize("path", ["train/good/.777.png", "777.png", "train/777.png"])
def test_added_png_out_of_place_is_found(tree: Path, path: str) -> None:
    write_png(tree / path, color_image(1))
    found = failures(check(tree))
    assert {("structure", "unexpected-file", path), ("hashes", "added-file", path)} <= found


def test_empty_folder_is_found(tree: Path) -> None:
    (tree / "validation/good").mkdir(parents=True)
    assert failures(check(tree)) == {("structure", "empty-folder", "validation/good")}


def test_extra_folder_is_found(tree: Path) -> None:
    (tree / "train/bad").mkdir()
    assert failures(check(tree)) == {("structure", "unexpected-folder", "train/bad")}


@pytest.mark.parametrize("which", ["tree", "foreign"])
def test_masks_of_good_images_are_found(tree: Path, foreign: Path, which: str) -> None:
    place = {"tree": tree, "foreign": foreign}[which]
    path = "ground_truth/good/000_mask.png"
    write_png(place / path, np.zeros_like(box_mask()))
    found = failures(check(place))
    assert {
        ("structure", "unexpected-folder", "ground_truth/good"),
        ("pairs", "no-image", path),
        ("masks", "empty-mask", path),
    } <= found


def test_link_to_an_image_is_found(tree: Path, tmp_path: Path) -> None:
    (tree / IMAGES[0]).rename(tmp_path / "elsewhere.png")
    (tree / IMAGES[0]).symlink_to(tmp_path / "elsewhere.png")
    assert failures(check(tree)) == {
        ("structure", "not-a-file", IMAGES[0]),
        ("hashes", "missing-file", IMAGES[0]),
    }


def test_link_to_a_folder_is_found_and_not_followed(tree: Path, tmp_path: Path) -> None:
    (tree / "train/good").rename(tmp_path / "elsewhere")
    (tree / "train/good").symlink_to(tmp_path / "elsewhere")
    found = failures(check(tree))
    assert ("structure", "not-a-file", "train/good") in found
    assert ("structure", "no-images", "train/good") in found
    assert ("hashes", "missing-file", IMAGES[0]) in found


def test_manifest_that_is_a_link_or_a_folder_is_found(tree: Path, tmp_path: Path) -> None:
    (tree / MANIFEST).rename(tmp_path / "elsewhere.json")
    (tree / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    assert ("structure", "not-a-file", MANIFEST) in failures(check(tree))
    (tree / MANIFEST).unlink()
    (tree / MANIFEST).mkdir()
    assert ("structure", "unexpected-folder", MANIFEST) in failures(check(tree))


def test_hard_links_are_as_good_as_files(tree: Path, tmp_path: Path) -> None:
    (tree / IMAGES[0]).rename(tmp_path / "elsewhere.png")
    (tree / IMAGES[0]).hardlink_to(tmp_path / "elsewhere.png")
    assert failures(check(tree)) == set()


@pytest.mark.parametrize(
    ("folder", "named"),
    [("train", "train/good"), ("test/good", "test/good"), ("test/defect", "test")],
)
def test_folder_that_consumers_need_is_missed(tree: Path, folder: str, named: str) -> None:
    shutil.rmtree(tree / folder)
    assert ("structure", "no-images", named) in failures(check(tree))


def test_gray_tree_passes(foreign: Path) -> None:
    for seed, path in enumerate(FOREIGN_IMAGES):
        write_png(foreign / path, draw_image(seed, *SIZE))
    assert failures(check(foreign)) == set()


def pillow_image(mode: str) -> Image.Image:
    return Image.fromarray(color_image(1)).convert(mode)


BAD_FORMATS: dict[str, Callable[[Path], object]] = {
    "16-bit gray": lambda path: write_png(path, draw_image(1, *SIZE).astype(np.uint16) * 257),
    "16-bit RGB": lambda path: write_png(path, color_image(1).astype(np.uint16) * 257),
    "8-bit RGB with alpha": lambda path: write_png(
        path, cv2.cvtColor(color_image(1), cv2.COLOR_BGR2BGRA)
    ),
    "8-bit gray with alpha": lambda path: pillow_image("LA").save(path),
    "8-bit palette": lambda path: pillow_image("P").save(path),
    "1-bit gray": lambda path: pillow_image("1").save(path),
}


@pytest.mark.parametrize("path", [FOREIGN_IMAGES[0], FOREIGN_IMAGES[-1]])
@pytest.mark.parametrize("kind", BAD_FORMATS)
def test_image_that_loaders_misread_is_found(foreign: Path, path: str, kind: str) -> None:
    BAD_FORMATS[kind](foreign / path)
    report = check(foreign)
    assert failures(report) == {("images", "image-format", path)}
    [finding] = [f for c in report.checks for f in c.findings if f.code == "image-format"]
    assert finding.message.startswith(f"is {kind}; ")


def test_gray_image_among_colour_images_is_found(foreign: Path) -> None:
    write_png(foreign / FOREIGN_IMAGES[1], draw_image(1, *SIZE))
    assert failures(check(foreign)) == {("images", "image-format", FOREIGN_IMAGES[1])}


def gray_rows(size: Size = SIZE) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in draw_image(1, *size))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"<html>404 not found</html>",
    "cut": lambda data: data[:-30],
    "no end": lambda data: data[:-12],
    "bytes behind the end": lambda data: data + b"x",
    "JPEG by another name": lambda _: cv2.imencode(".jpg", color_image(1))[1].tobytes(),
    "rows missing": lambda _: gray_png(*SIZE, zlib.compress(gray_rows()[:-100])),
    "no rows": lambda _: gray_png(*SIZE, b""),
    "deflated data cut": lambda _: gray_png(*SIZE, zlib.compress(gray_rows())[:-100]),
    "not deflated": lambda _: gray_png(*SIZE, gray_rows()),
}


@pytest.mark.parametrize("path", [FOREIGN_IMAGES[0], FOREIGN_MASKS[0]])
@pytest.mark.parametrize("case", DAMAGES)
def test_file_that_cannot_be_decoded_whole_is_found(foreign: Path, path: str, case: str) -> None:
    (foreign / path).write_bytes(DAMAGES[case]((foreign / path).read_bytes()))
    report = check(foreign)
    name = "masks" if path in FOREIGN_MASKS else "images"
    assert failures(report) == {(name, "unreadable", path)}
    assert report.fingerprint is None


BAD_MASKS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "0 and 1": ("mask-values", lambda mask: mask // 255),
    "128": ("mask-values", lambda mask: np.where(mask > 0, 128, 0).astype(np.uint8)),
    "0, 1 and 255": ("mask-values", lambda mask: np.where(mask == 0, np.uint8(1), mask)),
    "blurred": ("mask-values", lambda mask: cv2.blur(mask, (3, 3))),
    "empty": ("empty-mask", np.zeros_like),
    "RGB": ("mask-format", lambda mask: cv2.merge([mask, mask, mask])),
    "16 bits": ("mask-format", lambda mask: mask.astype(np.uint16) * 257),
    "higher": ("mask-size", lambda mask: np.vstack([mask, mask])),
    "wider": ("mask-size", lambda mask: np.hstack([mask, mask])),
    "rotated": ("mask-size", lambda mask: np.ascontiguousarray(mask.T)),
}


@pytest.mark.parametrize("path", FOREIGN_MASKS)
@pytest.mark.parametrize("case", BAD_MASKS)
def test_bad_mask_is_found(foreign: Path, path: str, case: str) -> None:
    code, spoil = BAD_MASKS[case]
    write_png(foreign / path, spoil(box_mask()))
    assert failures(check(foreign)) == {("masks", code, path)}


@pytest.mark.parametrize("mode", ["P", "1"])
def test_mask_of_palette_or_bits_is_found(foreign: Path, mode: str) -> None:
    Image.fromarray(box_mask()).convert(mode).save(foreign / FOREIGN_MASKS[0])
    assert failures(check(foreign)) == {("masks", "mask-format", FOREIGN_MASKS[0])}


def test_mask_that_marks_everything_is_a_mask(foreign: Path) -> None:
    write_png(foreign / FOREIGN_MASKS[0], np.full_like(box_mask(), 255))
    assert failures(check(foreign)) == set()


def test_mask_of_another_size_names_both_sizes(foreign: Path) -> None:
    write_png(foreign / FOREIGN_MASKS[0], box_mask((10, 12)))
    [finding] = [f for c in check(foreign).checks for f in c.findings if f.code == "mask-size"]
    assert finding.message == "is 10x12 pixels, its image 20x31"


def test_images_may_differ_in_size(foreign: Path) -> None:
    write_png(foreign / FOREIGN_IMAGES[0], color_image(1, (30, 40)))
    write_png(foreign / "test/hole/000.png", color_image(1, (8, 30)))
    write_png(foreign / "ground_truth/hole/000_mask.png", box_mask((8, 30)))
    assert failures(check(foreign)) == set()
