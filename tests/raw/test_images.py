"""What is told of images whose pixels are not used as they are stored."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.findings import Finding
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.images import told_once
from kolektor_cli.raw.scan import Scan, scan_source
from tests.conftest import MakeDataset, draw_image
from tests.rasters import png_of
from tests.scans import message, named, scan, unusual, write_gray

IMAGE = "kos02/Part1"


def read_gray(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def replace_image(root: Path, pixels: np.ndarray, suffix: str = ".png", name: str = IMAGE) -> str:
    """Replace an image by one of other pixels, and return its name."""
    (root / f"{name}.jpg").unlink()
    write_gray(root / f"{name}{suffix}", pixels)
    return f"{name}{suffix}"


def scan_at(root: Path, depth: Depth) -> Scan:
    with open_source(root) as source:
        return scan_source(source, depth=depth)


def of_bits(bits: int, seed: int = 5) -> np.ndarray:
    """Draw an image whose values use so many of 16 bits."""
    values = draw_image(seed).astype(np.float64)
    values = (values - values.min()) / (values.max() - values.min())
    scaled: np.ndarray = np.round(values * (2**bits - 1)).astype(np.uint16)
    return scaled


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_image_that_would_be_almost_black_is_refused_and_the_way_out_told(
    make_dataset: MakeDataset, bits: int, suffix: str
) -> None:
    root = make_dataset()
    name = replace_image(root, of_bits(bits), suffix)
    found = scan(root)
    assert named(found, "bit-depth") == [("error", name)]
    assert found.left_out == {IMAGE: "bit-depth"}
    said = message(found, "bit-depth")
    assert "has 16 bits" in said
    assert f"convert --depth {bits}'" in said
    assert not scan_at(root, bits).errors
    assert not scan_at(root, "full").errors


@pytest.mark.parametrize("bits", [14, 16])
def test_image_that_keeps_enough_gray_values_is_told_of(
    make_dataset: MakeDataset, bits: int
) -> None:
    root = make_dataset()
    name = replace_image(root, of_bits(bits))
    found = scan(root)
    assert named(found, "bit-depth") == [("info", name)]
    assert IMAGE not in found.left_out


def test_image_of_few_gray_values_that_loses_none_is_fine(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    name = replace_image(root, (draw_image(5) // 64).astype(np.uint16) << 14)
    assert named(scan(root), "bit-depth") == [("info", name)]


def test_value_that_the_depth_cannot_hold_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    name = replace_image(root, of_bits(12))
    found = scan_at(root, 11)
    assert named(found, "bit-depth") == [("error", name)]
    assert message(found, "bit-depth") == (
        "has the value 4095, more than 11 bits hold; use --depth 12"
    )


@pytest.mark.parametrize("depth", [8, 12, "full"])
def test_duplicates_do_not_depend_on_the_depth(make_dataset: MakeDataset, depth: Depth) -> None:
    root = make_dataset()
    deep = of_bits(8)  # of which `full` keeps nothing
    replace_image(root, deep)
    replace_image(root, deep, ".tif", "kos03/Part2")
    other = deep.copy()
    other[5, 5] ^= 1
    replace_image(root, other, ".png", "kos03/Part3")
    kinds = {(pair.first, pair.second): pair.kind for pair in scan_at(root, depth).duplicates}
    assert kinds == {
        (IMAGE, "kos03/Part2"): "pixels",
        (IMAGE, "kos03/Part3"): "near",
        ("kos03/Part2", "kos03/Part3"): "near",
    }


def turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    with Image.open(path) as image:
        image.load()
    image.save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation_is_told_of(make_dataset: MakeDataset, suffix: str) -> None:
    root = make_dataset()
    name = replace_image(root, draw_image(7), suffix)
    turn(root / name, 3)
    found = scan(root)
    assert unusual(found) == [("warning", "orientation", name)]
    assert "without orientation" in message(found, "orientation")


def test_orientation_of_a_mask_is_told_of(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / f"{IMAGE}_label.bmp").unlink()
    write_gray(root / f"{IMAGE}_label.png", np.zeros((60, 40), np.uint8))
    turn(root / f"{IMAGE}_label.png", 3)
    assert unusual(scan(root)) == [("warning", "orientation", f"{IMAGE}_label.png")]


@pytest.mark.parametrize("orientation", [1, 6])
def test_mask_of_the_turned_size_says_that_the_image_asks_to_be_turned(
    make_dataset: MakeDataset, orientation: int
) -> None:
    root = make_dataset()
    turn(root / f"{IMAGE}.jpg", orientation)
    (root / f"{IMAGE}_label.bmp").unlink()
    write_gray(root / f"{IMAGE}_label.png", np.zeros((40, 60), np.uint8))
    said = message(scan(root), "size-mismatch")
    assert ("orientation 6" in said) == (orientation == 6)
    assert "60x40 pixels, its image 40x60" in said


@pytest.mark.parametrize(
    ("alpha", "told"), [(255, False), (254, True), (0, True)], ids=["opaque", "faint", "clear"]
)
def test_transparency_that_is_dropped_is_told_of(
    make_dataset: MakeDataset, alpha: int, told: bool
) -> None:
    root = make_dataset()
    pixels = np.dstack([draw_image(7)] * 3 + [np.full((60, 40), 255, np.uint8)])
    pixels[3, 4, 3] = alpha
    name = replace_image(root, pixels)
    assert unusual(scan(root)) == ([("warning", "transparency", name)] if told else [])


def test_transparent_color_of_an_image_is_told_of(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / f"{IMAGE}.jpg").unlink()
    pixels = draw_image(7)
    for key, told in ((int(pixels[0, 0]), True), (256, False)):
        transparent = key.to_bytes(2, "big")
        data = png_of(pixels[..., np.newaxis], 8, 0, transparent=transparent)
        (root / f"{IMAGE}.png").write_bytes(data)
        found = scan(root)
        assert unusual(found) == ([("warning", "transparency", f"{IMAGE}.png")] if told else [])


def test_what_many_files_have_is_told_once_with_a_count() -> None:
    many = [Finding("warning", "orientation", f"{n}.jpg", "is turned") for n in range(399)]
    few = [Finding("info", "bit-depth", f"{n}.jpg", "is deep") for n in range(10)]
    other = [Finding("error", "unreadable", f"{n}.jpg", "is empty") for n in range(20)]
    told = list(told_once([*many, *few, *other]))
    assert [finding for finding in told if finding.code != "orientation"] == [*other, *few]
    [turned] = [finding for finding in told if finding.code == "orientation"]
    assert (turned.path, turned.severity) == ("0.jpg", "warning")
    assert turned.message == "is turned; the same holds for 398 more files"


def test_dataset_of_tiffs_is_read_like_one_of_other_files(make_dataset: MakeDataset) -> None:
    expected = scan(make_dataset("raw"))
    root = make_dataset("tiff")
    for path in [*root.rglob("*.jpg"), *root.rglob("*.bmp")]:
        pixels = read_gray(path)
        path.unlink()
        write_gray(path.with_suffix(".TIF" if path.suffix == ".bmp" else ".tiff"), pixels)
    found = scan(root)
    assert unusual(found) == unusual(expected) == []
    assert [(s.name, s.width, s.height, s.defect_pixels) for s in found.samples] == [
        (s.name, s.width, s.height, s.defect_pixels) for s in expected.samples
    ]


MASK = "kos02/Part0_label"


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(("16 bits", suffix) for suffix in (".png", ".tif")),
        *((kind, suffix) for kind in ("dark color", "one") for suffix in (".png", ".tif", ".bmp")),
    ],
)
def test_defect_stays_a_defect_however_its_mask_is_stored(
    make_dataset: MakeDataset, kind: str, suffix: str
) -> None:
    root = make_dataset()
    expected = scan(root)
    marked = read_gray(root / f"{MASK}.bmp") // 255
    (root / f"{MASK}.bmp").unlink()
    masks = {
        "16 bits": marked.astype(np.uint16) * 255,
        "dark color": np.dstack([marked, marked * 0, marked * 0]),
        "one": marked,
    }
    write_gray(root / f"{MASK}{suffix}", masks[kind])
    found = scan(root)
    told = [] if kind == "16 bits" else [("info", "mask-values", f"{MASK}{suffix}")]
    assert unusual(found) == told
    assert [s.defect_pixels for s in found.samples] == [s.defect_pixels for s in expected.samples]
    if kind == "dark color":
        assert "#000000, #000001;" in message(found, "mask-values")


def test_mask_in_the_transparency_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    marked = read_gray(root / f"{MASK}.bmp")
    (root / f"{MASK}.bmp").unlink()
    write_gray(root / f"{MASK}.png", np.dstack([marked * 0] * 3 + [marked]))
    found = scan(root)
    assert unusual(found) == [("error", "unreadable", f"{MASK}.png")]
    assert "transparency" in message(found, "unreadable")
    assert found.left_out == {"kos02/Part0": "unreadable"}


@pytest.mark.parametrize("bits", [8, 16])
def test_colored_picture_in_place_of_a_mask_is_none(make_dataset: MakeDataset, bits: int) -> None:
    """All its grays are the same: only its colours tell that it is a picture."""
    root = make_dataset()
    (root / f"{MASK}.bmp").unlink()
    pixels = np.zeros((60, 40, 3), np.uint16 if bits == 16 else np.uint8)
    pixels[10:20, 5:10, 0] = np.arange(50).reshape(10, 5)
    pixels[10:20, 5:10, 2] = 100
    write_gray(root / f"{MASK}.png", pixels)
    found = scan(root)
    assert named(found, "not-a-mask") == [("error", f"{MASK}.png")]
    assert "51 colors" in message(found, "not-a-mask")
