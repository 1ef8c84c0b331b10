"""Verifying: every check fails for what it is there for, naming the file, and for nothing else."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.convert import write_tree
from kolektor_cli.errors import OutputError
from kolektor_cli.layout import make_plan
from kolektor_cli.manifest import fingerprint, from_bytes, to_bytes
from kolektor_cli.records import (
    AskedSize,
    Color,
    FileEntry,
    FitName,
    Manifest,
    Report,
    Sample,
    Size,
    Split,
)
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.split import balanced
from kolektor_cli.tree import find_categories
from kolektor_cli.verify import verify_tree
from tests.conftest import draw_image, fit_all, snapshot, write_pair

SIZE = (20, 31)
MANIFEST = "manifest.json"
IMAGES = (
    *(f"train/good/00{number}.png" for number in range(6)),
    *(f"test/good/00{number}.png" for number in range(3)),
    *(f"test/defect/00{number}.png" for number in range(3)),
)
MASKS = tuple(f"ground_truth/defect/00{number}_mask.png" for number in range(3))
PNGS = (*IMAGES, *MASKS)

LEAK_CHECKS = ("leaks", "near-leaks", "groups")
OTHER = "not made by kolektor"
CHECKS = ("structure", "names", "pairs", "images", "masks", "manifest", "hashes", "pixels")

Failure = tuple[str, str, str]
"""Name of a check, code and path of an error that it found."""


def convert(
    raw: Path,
    out: Path,
    *,
    size: AskedSize = SIZE,
    fit: FitName = "stretch",
    color: Color = "rgb",
    make_split: Callable[[tuple[Sample, ...]], Split] = balanced,
) -> Path:
    with open_source(raw) as source:
        scan = scan_source(source)
        fitted = fit_all(source, scan, size, fit)
        plan = make_plan(scan, make_split(scan.samples), fitted, category="metal", color=color)
        write_tree(plan, source, out)
    return out / "metal"


def verify(tree: Path, raw: Path | None = None, jobs: int | None = None) -> Report:
    """Verify as the command does."""
    if raw is None:
        return verify_tree(tree, jobs=jobs)
    with open_source(raw) as source:
        return verify_tree(tree, source=source, scan=scan_source(source), jobs=jobs)


def failures(report: Report) -> set[Failure]:
    found = {
        (check.name, finding.code, finding.path)
        for check in report.checks
        for finding in check.findings
        if finding.severity == "error"
    }
    assert report.ok == (not found)
    return {failure for failure in found if failure[0] != "leaks"}


def notes(report: Report) -> list[tuple[str, str, str]]:
    """Severity, code and path of what is found and is no error."""
    findings = [finding for check in report.checks for finding in check.findings]
    told = [(f.severity, f.code, f.path) for f in findings if f.severity != "error"]
    return [note for note in told if note[1] != "item-on-both-sides"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a raw dataset and the tree made from it, to copy: 3 items of 4 parts."""
    folder = tmp_path_factory.mktemp("originals")
    for item in (1, 2, 3):
        for part in range(4):
            box = (5, 10, 12, 6 + item) if part == 0 else None
            write_pair(folder / f"raw/kos0{item}", f"Part{part}", 10 * item + part, box)
    convert(folder / "raw", folder)
    return folder


@pytest.fixture
def raw(originals: Path, tmp_path: Path) -> Path:
    return shutil.copytree(originals / "raw", tmp_path / "raw")


@pytest.fixture
def tree(originals: Path, tmp_path: Path) -> Path:
    return shutil.copytree(originals / "metal", tmp_path / "data/metal")


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels (colours as blue, green, red) as people do, and make the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def color_image(seed: int, size: Size = SIZE) -> np.ndarray:
    return cv2.merge([draw_image(10 * seed + channel, *size) for channel in range(3)])


def box_mask(size: Size = SIZE) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[4:9, 3:8] = 255
    return mask


FOREIGN_IMAGES = (
    *("train/good/000.png", "train/good/001.png", "train/good/002.png", "test/good/000.png"),
    *("test/crack/000.png", "test/crack/001.png", "test/hole/000.png"),
)
FOREIGN_MASKS = (
    "ground_truth/crack/000_mask.png",
    "ground_truth/crack/001_mask.png",
    "ground_truth/hole/000_mask.png",
)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Write a tree like MVTec AD's own, without any part of this tool."""
    tree = tmp_path / "mvtec/bottle"
    for seed, path in enumerate(FOREIGN_IMAGES):
        write_png(tree / path, color_image(seed))
    for path in FOREIGN_MASKS:
        write_png(tree / path, box_mask())
    (tree / "license.txt").write_text("CC BY-NC-SA 4.0")
    return tree


def test_tree_that_was_just_made_passes_every_check(tree: Path, raw: Path) -> None:
    report = verify(tree, raw)
    assert [check.name for check in report.checks] == [*CHECKS, *LEAK_CHECKS, "source"]
    assert [check.name for check in report.checks if check.findings] == ["groups"]
    assert [check.skipped for check in report.checks] == [None] * 12
    assert report.ok
    assert report.category == "metal"
    assert report.counts == {
        ("train", "good"): 6,
        ("test", "good"): 3,
        ("test", "defective"): 3,
    }
    assert report.fingerprint == read_manifest(tree).fingerprint


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("size", [None, (7, 70)], ids=str)
def test_trees_of_all_options_pass(raw: Path, tmp_path: Path, color: Color, size: Size) -> None:
    for number, image in enumerate(sorted(raw.glob("*/*.jpg"))):
        height = 60 + number % 3
        write_pair(image.parent, image.stem, number, (1, 1, 4, 4), (40, height))
    for mask in raw.glob("*/Part[1-3]_label.bmp"):
        write_png(mask, np.zeros_like(cv2.imread(str(mask.parent / f"{mask.stem[:5]}.jpg"), 0)))
    made = convert(
        raw, tmp_path, size=size, color=color, make_split=lambda s: balanced(s, val=0.4, seed=3)
    )
    report = verify(made, raw)
    assert failures(report) == set()
    assert report.counts["val", "good"] == 2


def test_number_of_threads_does_not_matter(tree: Path, raw: Path) -> None:
    (tree / PNGS[3]).write_bytes(b"")
    (raw / "kos01/Part2.jpg").write_bytes((raw / "kos01/Part3.jpg").read_bytes())
    assert verify(tree, raw, jobs=4) == verify(tree, raw, jobs=1)


def test_verifying_changes_nothing(tree: Path, raw: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    verify(tree, raw)
    assert snapshot(tmp_path) == before


def test_progress_is_told_up_to_the_end(tree: Path) -> None:
    told: list[tuple[int, int]] = []
    verify_tree(tree, jobs=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 15) for done in range(1, 16)]


# Changes to one file in turn.


def unreadable(path: str) -> Failure:
    return ("masks" if path in MASKS else "images", "unreadable", path)


@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("path", PNGS)
def test_flipped_byte_in_an_image_is_found(tree: Path, path: str, position: float) -> None:
    data = bytearray((tree / path).read_bytes())
    data[int(position * (len(data) - 1))] ^= 1
    (tree / path).write_bytes(data)
    report = verify(tree)
    assert failures(report) == {("hashes", "changed-file", path), unreadable(path)}
    assert report.fingerprint is None


@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_flipped_byte_in_the_manifest_is_found(tree: Path, position: float) -> None:
    data = bytearray((tree / MANIFEST).read_bytes())
    data[int(position * (len(data) - 1))] ^= 1
    (tree / MANIFEST).write_bytes(data)
    report = verify(tree)
    assert failures(report) == {("manifest", "bad-manifest", MANIFEST)}
    skipped = {check.name: check.skipped for check in report.checks if check.skipped}
    assert skipped == dict.fromkeys(("hashes", "pixels", "groups"), "no manifest to go by")


def partner(path: str) -> str:
    """Name the mask of a defective image, or the image of a mask."""
    if path in MASKS:
        return path.replace("ground_truth", "test").replace("_mask", "")
    return path.replace("test", "ground_truth").replace(".png", "_mask.png")


def unpaired(path: str) -> set[Failure]:
    """What the check of pairs finds when a file is not there under its name."""
    if path in MASKS:
        return {("pairs", "no-mask", partner(path))}
    return {("pairs", "no-image", partner(path))} if "defect" in path else set()


@pytest.mark.parametrize("path", PNGS)
def test_deleted_image_is_found(tree: Path, path: str) -> None:
    (tree / path).unlink()
    assert failures(verify(tree)) == {("hashes", "missing-file", path)} | unpaired(path)


def test_deleted_manifest_is_found(tree: Path) -> None:
    (tree / MANIFEST).unlink()
    assert failures(verify(tree)) == {("manifest", "no-manifest", MANIFEST)}


@pytest.mark.parametrize("path", IMAGES)
def test_renamed_image_is_found(tree: Path, path: str) -> None:
    new = f"{path.rpartition('/')[0]}/777.png"
    (tree / path).rename(tree / new)
    wanted = {("hashes", "missing-file", path), ("hashes", "added-file", new)} | unpaired(path)
    if "defect" in path:
        wanted.add(("pairs", "no-mask", new))
    assert failures(verify(tree)) == wanted


@pytest.mark.parametrize("path", MASKS)
def test_renamed_mask_is_found(tree: Path, path: str) -> None:
    new = "ground_truth/defect/777_mask.png"
    (tree / path).rename(tree / new)
    assert failures(verify(tree)) == {
        ("hashes", "missing-file", path),
        ("hashes", "added-file", new),
        ("pairs", "no-mask", partner(path)),
        ("pairs", "no-image", new),
    }


def test_renamed_manifest_is_found(tree: Path) -> None:
    (tree / MANIFEST).rename(tree / "Manifest.json")
    assert failures(verify(tree)) == {
        ("structure", "unexpected-file", "Manifest.json"),
        ("manifest", "no-manifest", MANIFEST),
    }


def test_swapped_images_are_found(tree: Path) -> None:
    one, other = tree / IMAGES[0], tree / IMAGES[7]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert failures(verify(tree)) == {
        (check, code, path)
        for check, code in (("hashes", "changed-file"), ("pixels", "changed-pixels"))
        for path in (IMAGES[0], IMAGES[7])
    }


def test_image_saved_again_has_its_pixels_and_not_its_bytes(tree: Path) -> None:
    pixels = cv2.imread(str(tree / IMAGES[0]), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    write_png(tree / IMAGES[0], pixels)
    report = verify(tree)
    assert failures(report) == {("hashes", "changed-file", IMAGES[0])}
    assert report.fingerprint == read_manifest(tree).fingerprint


def test_image_with_one_pixel_changed_is_found(tree: Path) -> None:
    pixels = cv2.imread(str(tree / IMAGES[2]), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels[30, 19] ^= 1
    write_png(tree / IMAGES[2], pixels)
    assert failures(verify(tree)) == {
        ("hashes", "changed-file", IMAGES[2]),
        ("pixels", "changed-pixels", IMAGES[2]),
    }


@pytest.mark.parametrize(
    ("path", "also"),
    [
        ("train/good/777.png", set()),
        ("test/good/777.png", set()),
        ("test/defect/777.png", {("pairs", "no-mask", "test/defect/777.png")}),
    ],
)
def test_added_image_is_found(tree: Path, path: str, also: set[Failure]) -> None:
    write_png(tree / path, color_image(1))
    assert failures(verify(tree)) == {("hashes", "added-file", path)} | also


def test_added_image_with_more_digits_is_found(tree: Path) -> None:
    write_png(tree / "train/good/1000.png", color_image(1))
    assert ("names", "number-width", "train/good/1000.png") in failures(verify(tree))


def test_added_image_that_differs_by_case_is_found(tree: Path) -> None:
    for name in ("a", "A"):
        write_png(tree / f"train/good/{name}.png", color_image(1))
    assert ("names", "name-collision", "train/good/a.png") in failures(verify(tree))


def test_masks_that_sort_otherwise_than_their_images_are_found(foreign: Path) -> None:
    for stem in ("a", "a0"):
        write_png(foreign / f"test/crack/{stem}.png", color_image(1))
        write_png(foreign / f"ground_truth/crack/{stem}_mask.png", box_mask())
    assert failures(verify(foreign)) == {("names", "sort-order", "test/crack/a.png")}


def test_added_mask_is_found(tree: Path) -> None:
    write_png(tree / "ground_truth/defect/777_mask.png", box_mask())
    assert failures(verify(tree)) == {
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
    assert failures(verify(tree)) == {("structure", "unexpected-file", path)}


@pytest.mark.parametrize("path", ["train/good/.777.png", "777.png", "train/777.png"])
def test_added_png_out_of_place_is_found(tree: Path, path: str) -> None:
    write_png(tree / path, color_image(1))
    found = failures(verify(tree))
    assert {("structure", "unexpected-file", path), ("hashes", "added-file", path)} <= found


def test_empty_folder_is_found(tree: Path) -> None:
    (tree / "validation/good").mkdir(parents=True)
    assert failures(verify(tree)) == {("structure", "empty-folder", "validation/good")}


def test_extra_folder_is_found(tree: Path) -> None:
    (tree / "train/bad").mkdir()
    assert failures(verify(tree)) == {("structure", "unexpected-folder", "train/bad")}


@pytest.mark.parametrize("which", ["tree", "foreign"])
def test_masks_of_good_images_are_found(tree: Path, foreign: Path, which: str) -> None:
    place = {"tree": tree, "foreign": foreign}[which]
    path = "ground_truth/good/000_mask.png"
    write_png(place / path, np.zeros_like(box_mask()))
    found = failures(verify(place))
    assert {
        ("structure", "unexpected-folder", "ground_truth/good"),
        ("pairs", "no-image", path),
        ("masks", "empty-mask", path),
    } <= found


def test_link_to_an_image_is_found(tree: Path, tmp_path: Path) -> None:
    (tree / IMAGES[0]).rename(tmp_path / "elsewhere.png")
    (tree / IMAGES[0]).symlink_to(tmp_path / "elsewhere.png")
    assert failures(verify(tree)) == {
        ("structure", "not-a-file", IMAGES[0]),
        ("hashes", "missing-file", IMAGES[0]),
    }


def test_link_to_a_folder_is_found_and_not_followed(tree: Path, tmp_path: Path) -> None:
    (tree / "train/good").rename(tmp_path / "elsewhere")
    (tree / "train/good").symlink_to(tmp_path / "elsewhere")
    found = failures(verify(tree))
    assert ("structure", "not-a-file", "train/good") in found
    assert ("structure", "no-images", "train/good") in found
    assert ("hashes", "missing-file", IMAGES[0]) in found


def test_manifest_that_is_a_link_or_a_folder_is_found(tree: Path, tmp_path: Path) -> None:
    (tree / MANIFEST).rename(tmp_path / "elsewhere.json")
    (tree / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    assert ("structure", "not-a-file", MANIFEST) in failures(verify(tree))
    (tree / MANIFEST).unlink()
    (tree / MANIFEST).mkdir()
    assert ("structure", "unexpected-folder", MANIFEST) in failures(verify(tree))


def test_hard_links_are_as_good_as_files(tree: Path, tmp_path: Path) -> None:
    (tree / IMAGES[0]).rename(tmp_path / "elsewhere.png")
    (tree / IMAGES[0]).hardlink_to(tmp_path / "elsewhere.png")
    assert failures(verify(tree)) == set()


@pytest.mark.parametrize(
    ("folder", "named"),
    [("train", "train/good"), ("test/good", "test/good"), ("test/defect", "test")],
)
def test_folder_that_consumers_need_is_missed(tree: Path, folder: str, named: str) -> None:
    shutil.rmtree(tree / folder)
    assert ("structure", "no-images", named) in failures(verify(tree))


def test_renamed_category_is_only_told_of(tree: Path, raw: Path) -> None:
    renamed = tree.rename(tree.with_name("steel"))
    report = verify(renamed, raw)
    assert failures(report) == set()
    assert notes(report) == [("info", "renamed", "")]
    assert report.category == "steel"


def test_category_folder_may_be_given_as_a_relative_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    report = verify(Path())
    assert (report.category, notes(report), failures(report)) == ("metal", [], set())


# Trees of others.


def test_tree_of_another_tool_passes(foreign: Path) -> None:
    report = verify(foreign)
    assert failures(report) == set()
    assert notes(report) == [("info", "extra-file", "license.txt")]
    skipped = {check.name: check.skipped for check in report.checks if check.skipped}
    assert skipped == dict.fromkeys(("manifest", "hashes", "pixels", "groups"), OTHER)
    assert report.counts == {
        ("train", "good"): 3,
        ("test", "good"): 1,
        ("test", "defective"): 3,
    }


def test_fingerprint_of_any_tree_is_that_of_its_pixels(foreign: Path) -> None:
    for path in FOREIGN_IMAGES:
        write_png(foreign / path, draw_image(1, *SIZE))
    gray = verify(foreign).fingerprint
    for path in FOREIGN_IMAGES:
        write_png(foreign / path, cv2.merge([draw_image(1, *SIZE)] * 3))
    assert verify(foreign).fingerprint == gray
    write_png(foreign / FOREIGN_IMAGES[0], color_image(1))
    assert verify(foreign).fingerprint != gray


def test_gray_tree_passes(foreign: Path) -> None:
    for seed, path in enumerate(FOREIGN_IMAGES):
        write_png(foreign / path, draw_image(seed, *SIZE))
    assert failures(verify(foreign)) == set()


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
    report = verify(foreign)
    assert failures(report) == {("images", "image-format", path)}
    [finding] = report.checks[CHECKS.index("images")].findings
    assert finding.message.startswith(f"is {kind}; ")


def test_gray_image_among_colour_images_is_found(foreign: Path) -> None:
    write_png(foreign / FOREIGN_IMAGES[1], draw_image(1, *SIZE))
    assert failures(verify(foreign)) == {("images", "image-format", FOREIGN_IMAGES[1])}


def chunk(kind: bytes, contents: bytes) -> bytes:
    checksum = zlib.crc32(kind + contents)
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", checksum)


def png_with(compressed: bytes, size: Size = SIZE) -> bytes:
    """Write a gray PNG around deflated rows; its checksums fit, whatever these are."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", compressed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def gray_rows(size: Size = SIZE) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in draw_image(1, *size))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"<html>404 not found</html>",
    "cut": lambda data: data[:-30],
    "no end": lambda data: data[:-12],
    "bytes behind the end": lambda data: data + b"x",
    "JPEG by another name": lambda _: cv2.imencode(".jpg", color_image(1))[1].tobytes(),
    "rows missing": lambda _: png_with(zlib.compress(gray_rows()[:-100])),
    "no rows": lambda _: png_with(b""),
    "deflated data cut": lambda _: png_with(zlib.compress(gray_rows())[:-100]),
    "not deflated": lambda _: png_with(gray_rows()),
}


@pytest.mark.parametrize("path", [FOREIGN_IMAGES[0], FOREIGN_MASKS[0]])
@pytest.mark.parametrize("case", DAMAGES)
def test_file_that_cannot_be_decoded_whole_is_found(foreign: Path, path: str, case: str) -> None:
    (foreign / path).write_bytes(DAMAGES[case]((foreign / path).read_bytes()))
    report = verify(foreign)
    check = "masks" if path in FOREIGN_MASKS else "images"
    assert failures(report) == {(check, "unreadable", path)}
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
    assert failures(verify(foreign)) == {("masks", code, path)}


@pytest.mark.parametrize("mode", ["P", "1"])
def test_mask_of_palette_or_bits_is_found(foreign: Path, mode: str) -> None:
    Image.fromarray(box_mask()).convert(mode).save(foreign / FOREIGN_MASKS[0])
    assert failures(verify(foreign)) == {("masks", "mask-format", FOREIGN_MASKS[0])}


def test_mask_that_marks_everything_is_a_mask(foreign: Path) -> None:
    write_png(foreign / FOREIGN_MASKS[0], np.full_like(box_mask(), 255))
    assert failures(verify(foreign)) == set()


def test_mask_of_another_size_names_both_sizes(foreign: Path) -> None:
    write_png(foreign / FOREIGN_MASKS[0], box_mask((10, 12)))
    [finding] = verify(foreign).checks[CHECKS.index("masks")].findings
    assert finding.message == "is 10x12 pixels, its image 20x31"


def test_images_may_differ_in_size(foreign: Path) -> None:
    write_png(foreign / FOREIGN_IMAGES[0], color_image(1, (30, 40)))
    write_png(foreign / "test/hole/000.png", color_image(1, (8, 30)))
    write_png(foreign / "ground_truth/hole/000_mask.png", box_mask((8, 30)))
    assert failures(verify(foreign)) == set()


# Manifests that were altered, with a checksum that fits.


def read_manifest(tree: Path) -> Manifest:
    return from_bytes((tree / MANIFEST).read_bytes())


def forge(tree: Path, **changes: Any) -> None:
    """Change a manifest and give it a checksum that fits."""
    (tree / MANIFEST).write_bytes(to_bytes(replace(read_manifest(tree), **changes)))


def forge_entry(tree: Path, path: str, /, **changes: Any) -> None:
    """Change one file's entry, and make the fingerprint fit, too."""
    files = [
        replace(entry, **changes) if entry.path == path else entry
        for entry in read_manifest(tree).files
    ]
    recorded = ((entry.path, entry.pixels_sha256) for entry in files)
    forge(tree, files=tuple(files), fingerprint=fingerprint(recorded))


def entry_of(tree: Path, path: str) -> FileEntry:
    [entry] = [entry for entry in read_manifest(tree).files if entry.path == path]
    return entry


def path_of(tree: Path, sample: str, role: str = "image") -> str:
    """Find the file that was made from a sample."""
    files = read_manifest(tree).files
    [path] = [entry.path for entry in files if (entry.sample, entry.role) == (sample, role)]
    return path


def train_sample(tree: Path) -> str:
    return entry_of(tree, IMAGES[0]).sample


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sha256": "0" * 64}, {("hashes", "changed-file", IMAGES[0])}),
        ({"pixels_sha256": "0" * 64}, {("pixels", "changed-pixels", IMAGES[0])}),
        ({"label": "defective"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"split": "test"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"split": "unused"}, {("manifest", "wrong-folder", IMAGES[0])}),
        ({"role": "mask"}, {("manifest", "wrong-folder", IMAGES[0])}),
        (
            {"path": "train/good/777.png"},
            {
                ("hashes", "missing-file", "train/good/777.png"),
                ("hashes", "added-file", IMAGES[0]),
            },
        ),
    ],
    ids=str,
)
def test_manifest_that_is_wrong_about_a_file_is_found(
    tree: Path, changes: dict[str, str], found: set[Failure]
) -> None:
    forge_entry(tree, IMAGES[0], **changes)
    assert failures(verify(tree)) == found


def test_manifest_that_is_wrong_about_a_size_is_found(tree: Path) -> None:
    geometry = entry_of(tree, IMAGES[0]).geometry
    forge_entry(tree, IMAGES[0], geometry=replace(geometry, size=(31, 20)))
    assert failures(verify(tree)) == {("pixels", "changed-pixels", IMAGES[0])}


def test_manifest_with_the_wrong_fingerprint_is_found(tree: Path) -> None:
    forge(tree, fingerprint="0" * 64)
    assert failures(verify(tree)) == {("pixels", "fingerprint", MANIFEST)}


@pytest.mark.parametrize("change", ["unused", "left_out"])
def test_sample_that_is_used_and_is_not_is_found(tree: Path, change: str) -> None:
    sample = train_sample(tree)
    forge(tree, **{change: {"unused": (sample,), "left_out": {sample: "unreadable"}}[change]})
    assert failures(verify(tree)) == {("manifest", "two-splits", IMAGES[0])}


def test_sample_on_both_sides_of_the_split_is_found(tree: Path) -> None:
    forge_entry(tree, "test/good/000.png", sample=train_sample(tree))
    assert failures(verify(tree)) == {("manifest", "two-splits", IMAGES[0])}


# Against the source.


def test_gray_tree_of_a_colour_source_passes(raw: Path, tmp_path: Path) -> None:
    for seed, image in enumerate(sorted(raw.glob("*/*.jpg"))):
        image.unlink()
        write_png(image.with_suffix(".png"), color_image(seed, (40, 60)))
    colors: tuple[Color, ...] = ("rgb", "gray")
    for color in colors:
        made = convert(raw, tmp_path / color, color=color)
        assert failures(verify(made, raw)) == set()


def change_image(raw: Path, sample: str, seed: int = 99) -> None:
    done, data = cv2.imencode(".jpg", draw_image(seed))
    assert done
    (raw / f"{sample}.jpg").write_bytes(data.tobytes())


def test_image_that_changed_in_the_source_is_found(tree: Path, raw: Path) -> None:
    sample = train_sample(tree)
    change_image(raw, sample)
    report = verify(tree, raw)
    assert failures(report) == {("source", "other-pixels", IMAGES[0])}
    [finding] = report.checks[-1].findings
    assert sample in finding.message


def test_mask_that_changed_in_the_source_is_found(tree: Path, raw: Path) -> None:
    write_pair(raw / "kos02", "Part0", seed=20, box=(1, 1, 5, 5))
    mask = path_of(tree, "kos02/Part0", "mask")
    assert failures(verify(tree, raw)) == {("source", "other-pixels", mask)}


def test_image_and_manifest_that_changed_together_are_found(tree: Path, raw: Path) -> None:
    write_png(tree / IMAGES[0], cv2.merge([draw_image(5, *SIZE)] * 3))
    found = {check for check, _, path in failures(verify(tree, raw)) if path == IMAGES[0]}
    assert found == {"hashes", "pixels", "source"}


def test_sample_that_is_not_in_the_source_is_found(tree: Path, raw: Path) -> None:
    for path in raw.glob(f"{train_sample(tree)}*"):
        path.unlink()
    assert failures(verify(tree, raw)) == {("source", "no-source", IMAGES[0])}


def test_sample_that_is_not_usable_in_the_source_is_found(tree: Path, raw: Path) -> None:
    (raw / f"{train_sample(tree)}_label.bmp").unlink()
    assert failures(verify(tree, raw)) == {("source", "no-source", IMAGES[0])}


def damage(path: Path) -> None:
    """Cut a JPEG so that only decoding finds it."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3] + b"\xff\xd9")


def test_source_image_that_cannot_be_decoded_is_found(tree: Path, raw: Path) -> None:
    damage(raw / f"{train_sample(tree)}.jpg")
    assert failures(verify(tree, raw)) == {("source", "no-source", IMAGES[0])}


def test_sample_that_the_manifest_does_not_account_for_is_found(tree: Path, raw: Path) -> None:
    write_pair(raw / "kos03", "Part9", seed=77)
    assert ("source", "lost-sample", "kos03/Part9") in failures(verify(tree, raw))


@pytest.mark.parametrize("change", ["unused", "left_out"])
def test_sample_that_the_manifest_leaves_out_is_accounted_for(
    raw: Path, tmp_path: Path, change: str
) -> None:
    write_pair(raw / "kos03", "Part9", seed=77)

    def all_but_one(samples: tuple[Sample, ...]) -> Split:
        used = [sample for sample in samples if sample.name != "kos03/Part9"]
        return Split("file", {}, {**balanced(used).assigned, "kos03/Part9": "unused"})

    made = convert(raw, tmp_path / "by hand", make_split=all_but_one)
    if change == "left_out":
        forge(made, unused=(), left_out={"kos03/Part9": "unreadable"})
    assert failures(verify(made, raw)) == set()


@pytest.mark.parametrize("path", [IMAGES[0], "test/good/000.png", "test/defect/001.png"])
def test_tree_without_a_bad_sample_fits_the_source_that_still_holds_it(
    tree: Path, raw: Path, tmp_path: Path, path: str
) -> None:
    sample = entry_of(tree, path).sample
    damage(raw / f"{sample}.jpg")
    made = convert(raw, tmp_path / "skipped")
    assert read_manifest(made).left_out == {sample: "unreadable"}
    assert failures(verify(made, raw)) == set()


def test_split_made_by_hand_is_found_where_a_protocol_is_claimed(raw: Path, tmp_path: Path) -> None:
    claimed: dict[str, str] = {}

    def by_hand(samples: tuple[Sample, ...]) -> Split:
        claimed.update(balanced(samples, seed=0).assigned)
        return replace(balanced(samples, seed=0), assigned=balanced(samples, seed=1).assigned)

    made = convert(raw, tmp_path / "by hand", make_split=by_hand)
    assert failures(verify(made)) == set()
    wanted = {
        ("source", "wrong-split", entry.path)
        for entry in read_manifest(made).files
        if claimed[entry.sample] != entry.split
    }
    assert wanted
    assert failures(verify(made, raw)) == wanted


def test_split_of_a_file_may_be_any(raw: Path, tmp_path: Path) -> None:
    made = convert(
        raw,
        tmp_path / "by hand",
        make_split=lambda samples: replace(balanced(samples, seed=1), protocol="file"),
    )
    assert failures(verify(made, raw)) == set()


def test_test_sample_that_is_kept_back_as_unused_is_found(raw: Path, tmp_path: Path) -> None:
    def without_the_hardest(samples: tuple[Sample, ...]) -> Split:
        split = balanced(samples)
        return replace(split, assigned={**split.assigned, "kos02/Part0": "unused"})

    made = convert(raw, tmp_path / "by hand", make_split=without_the_hardest)
    assert "wrong-split" in {code for _, code, _ in failures(verify(made, raw))}


@pytest.mark.parametrize(
    "parameters",
    [
        {"seed": 0, "test_good": 99, "val": 0.0},
        {"seed": 0, "test_good": "many", "val": 0.0},
        {"seed": 0, "test_good": 3, "val": 7},
        {"folds": 3},
        {"samples": 1},
    ],
)
def test_split_that_cannot_be_made_is_found(
    tree: Path, raw: Path, parameters: dict[str, object]
) -> None:
    forge(tree, protocol_parameters=parameters)
    assert failures(verify(tree, raw)) == {("source", "wrong-split", MANIFEST)}


def test_manifest_that_names_another_sample_is_found(tree: Path, raw: Path) -> None:
    first, second = entry_of(tree, IMAGES[0]), entry_of(tree, IMAGES[1])
    forge_entry(tree, IMAGES[0], sample=second.sample, source_sha256=second.source_sha256)
    assert failures(verify(tree)) == set()
    assert failures(verify(tree, raw)) == {
        ("source", "other-pixels", IMAGES[0]),
        ("source", "lost-sample", first.sample),
    }


def test_manifest_that_is_wrong_about_the_source_file_is_found(tree: Path, raw: Path) -> None:
    forge_entry(tree, IMAGES[0], source_sha256="0" * 64)
    assert {path for _, _, path in failures(verify(tree, raw))} == {IMAGES[0]}


@pytest.mark.parametrize(
    "change",
    [
        {"window": (0, 0, 40, 30)},
        {"window": (5, 0, 35, 60)},
        {"source_size": (80, 120)},
        {"size": (0, 31)},
        {"size": (-20, 31)},
        {"size": (10**6, 10**6)},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [IMAGES[0], MASKS[0]])
def test_manifest_that_is_wrong_about_the_geometry_is_found(
    tree: Path, raw: Path, path: str, change: dict[str, Any]
) -> None:
    forge_entry(tree, path, geometry=replace(entry_of(tree, path).geometry, **change))
    assert {found for _, _, found in failures(verify(tree, raw))} == {path}


def check_forged_views(tree: Path, raw: Path, keep: Callable[[FileEntry], bool]) -> set[Failure]:
    """Take files out of the tree and its manifest alike; return what only the source tells."""
    kept = [entry for entry in read_manifest(tree).files if keep(entry)]
    for entry in read_manifest(tree).files:
        if entry not in kept:
            (tree / entry.path).unlink()
    recorded = ((entry.path, entry.pixels_sha256) for entry in kept)
    forge(tree, files=tuple(kept), fingerprint=fingerprint(recorded))
    return {failure for failure in failures(verify(tree, raw)) if failure[0] == "source"}


def test_crop_that_was_taken_out_is_missed(raw: Path, tmp_path: Path) -> None:
    tree = convert(raw, tmp_path / "thirds", size=None, fit="thirds")
    first = next(e for e in read_manifest(tree).files if e.path.startswith("train/"))
    assert failures(verify(tree, raw)) == set()
    found = check_forged_views(tree, raw, lambda entry: entry != first)
    assert found == {("source", "lost-view", first.sample)}


def test_mask_that_was_taken_out_is_missed(raw: Path, tree: Path) -> None:
    mask = entry_of(tree, MASKS[0])
    found = check_forged_views(tree, raw, lambda entry: entry != mask)
    assert found == {("source", "lost-view", mask.sample)}


def test_label_that_the_source_s_mask_does_not_give_is_found(raw: Path, tree: Path) -> None:
    path = "test/defect/000.png"
    forge_entry(tree, path, label="good")
    assert ("source", "wrong-label", path) in failures(verify(tree, raw))


def test_manifest_whose_options_tell_of_no_fit_is_found(raw: Path, tree: Path) -> None:
    forge(tree, options={**read_manifest(tree).options, "fit": "squash"})
    assert failures(verify(tree)) == set()
    assert failures(verify(tree, raw)) == {("source", "wrong-options", MANIFEST)}


def plain_tree(raw: Path, tree: Path, *, channels: int = 3) -> Path:
    """Make a tree as people do by hand, with OpenCV alone and no manifest."""
    good = [path for path in sorted(raw.glob("*/*.jpg")) if path.stem != "Part0"]
    for number, path in enumerate(good):
        folder = "test/good" if number < 3 else "train/good"
        write_png(tree / f"{folder}/{number:03}.png", plain_image(path, channels))
    for number, path in enumerate(sorted(raw.glob("*/Part0.jpg"))):
        write_png(tree / f"test/scratch/{number:03}.png", plain_image(path, channels))
        mask = cv2.imread(str(path.with_name("Part0_label.bmp")), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        binary = np.where(mask > 0, 255, 0).astype(np.uint8)
        small = np.where(cv2.resize(binary, SIZE) > 127, 255, 0).astype(np.uint8)
        write_png(tree / f"ground_truth/scratch/{number:03}_mask.png", small)
    return tree


def plain_image(path: Path, channels: int) -> np.ndarray:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    return cv2.merge([cv2.resize(gray, SIZE)] * channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_tree_of_the_source_passes(raw: Path, tmp_path: Path, channels: int) -> None:
    report = verify(plain_tree(raw, tmp_path / "plain", channels=channels), raw)
    assert report.checks[-1].name == "source"
    assert report.checks[-1].skipped is None
    assert failures(report) == set()


def test_foreign_image_in_a_plain_tree_is_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    write_png(tree / "train/good/004.png", color_image(5))
    assert failures(verify(tree)) == set()
    assert failures(verify(tree, raw)) == {("source", "no-source", "train/good/004.png")}


def test_image_of_another_size_in_a_plain_tree_is_looked_for_in_that_size(
    raw: Path, tmp_path: Path
) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    gray = cv2.imread(str(raw / "kos02/Part1.jpg"), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    write_png(tree / "train/good/003.png", cv2.merge([cv2.resize(gray, (30, 30))] * 3))
    assert failures(verify(tree, raw)) == set()
    nearest = cv2.resize(gray, (30, 30), interpolation=cv2.INTER_NEAREST)
    write_png(tree / "train/good/003.png", cv2.merge([nearest] * 3))
    assert failures(verify(tree, raw)) == {("source", "no-source", "train/good/003.png")}


@pytest.mark.parametrize("path", ["train/good/004.png", "test/good/000.png"])
def test_defective_image_among_good_ones_is_found(raw: Path, tmp_path: Path, path: str) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    shutil.copy(tree / "test/scratch/001.png", tree / path)
    report = verify(tree, raw)
    assert failures(report) == {("source", "wrong-label", path)}
    [finding] = report.checks[-1].findings
    assert "kos02/Part0" in finding.message


def test_good_image_among_defective_ones_is_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    shutil.copy(tree / "test/good/001.png", tree / "test/scratch/001.png")
    assert failures(verify(tree, raw)) == {("source", "wrong-label", "test/scratch/001.png")}


def test_swapped_masks_are_found(raw: Path, tmp_path: Path) -> None:
    tree = plain_tree(raw, tmp_path / "plain")
    masks = [tree / f"ground_truth/scratch/00{number}_mask.png" for number in (0, 2)]
    first, second = (mask.read_bytes() for mask in masks)
    assert first != second
    masks[0].write_bytes(second)
    masks[1].write_bytes(first)
    assert failures(verify(tree)) == set()
    assert failures(verify(tree, raw)) == {
        ("source", "other-pixels", f"ground_truth/scratch/00{number}_mask.png") for number in (0, 2)
    }


def test_samples_with_the_same_picture_may_have_either_mask(raw: Path, tmp_path: Path) -> None:
    shutil.copy(raw / "kos01/Part0.jpg", raw / "kos03/Part0.jpg")
    tree = plain_tree(raw, tmp_path / "plain")
    assert failures(verify(tree, raw)) == set()


# Finding categories.


def test_category_folder_is_found_as_itself(tree: Path) -> None:
    assert find_categories(tree) == [tree]


def test_categories_in_a_folder_are_found_in_order(tree: Path) -> None:
    out = tree.parent
    for name in ("bottle", "zipper", ".metal.unfinished"):
        shutil.copytree(tree, out / name)
    (out / "notes").mkdir()
    (out / "train.txt").write_text("x")
    assert find_categories(out) == [out / "bottle", out / "metal", out / "zipper"]
    shutil.rmtree(out / "bottle")
    shutil.rmtree(out / "zipper")
    assert find_categories(out) == [tree]


@pytest.mark.parametrize("name", ["train", "test", MANIFEST])
def test_part_of_a_category_is_enough_to_know_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "out/metal" / name).mkdir(parents=True)
    assert find_categories(tmp_path / "out") == [tmp_path / "out/metal"]


def test_folder_without_categories_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pictures/holiday").mkdir(parents=True)
    with pytest.raises(OutputError, match="pictures: is no MVTec-style tree"):
        find_categories(tmp_path / "pictures")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "missing"):
        with pytest.raises(OutputError, match=f"{name}: is no folder"):
            find_categories(tmp_path / name)
