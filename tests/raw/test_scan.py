"""Scanning: what becomes a sample, and a finding with a path for everything that is not right."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from kolektor_cli.io.source import open_source
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.scan import scan_source
from tests.archives import zip_of
from tests.conftest import MakeDataset, damage_jpeg, draw_image, write_pair
from tests.scans import COMMON, blank, message, named, names, scan, unusual, write_gray


def cut_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def test_tiny_dataset_is_found_as_it_is(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=2, parts=2)
    found = scan(root)
    assert names(found) == ["kos01/Part0", "kos01/Part1", "kos02/Part0", "kos02/Part1"]
    first, second = found.samples[:2]
    assert (first.item, first.image, first.mask) == (
        "kos01",
        "kos01/Part0.jpg",
        "kos01/Part0_label.bmp",
    )
    assert (first.width, first.height, first.defect_pixels) == (40, 60, 12 * 6)
    assert (second.defect_pixels, first.label, second.label) == (0, "defective", "good")
    assert first.image_sha256 == hashlib.sha256((root / first.image).read_bytes()).hexdigest()
    assert first.mask_sha256 == hashlib.sha256((root / first.mask).read_bytes()).hexdigest()
    assert (found.release, found.left_out, found.errors) == ("KolektorSDD", {}, ())
    assert (found.official_images, found.official_masks) == (0, 0)
    assert unusual(found) == []


def test_synthetic_dataset_has_the_official_sizes(synthetic: Path) -> None:
    found = scan(synthetic)
    assert len(found.samples) == 24
    assert {sample.width for sample in found.samples} == {500}
    assert sum(sample.label == "defective" for sample in found.samples) == 3
    assert {finding.code for finding in found.findings} == COMMON - {"size", "missing-part"}


IMAGE, MASK = "kos02/Part1.jpg", "kos02/Part1_label.bmp"

BAD_SAMPLES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no mask": (lambda r: (r / MASK).unlink(), "image-without-mask", IMAGE),
    "no image": (lambda r: (r / IMAGE).unlink(), "mask-without-image", MASK),
    "empty image": (lambda r: (r / IMAGE).write_bytes(b""), "unreadable", IMAGE),
    "empty mask": (lambda r: (r / MASK).write_bytes(b""), "unreadable", MASK),
    "truncated image": (lambda r: cut_end(r / IMAGE), "unreadable", IMAGE),
    "truncated mask": (lambda r: cut_end(r / MASK), "unreadable", MASK),
    "text as image": (lambda r: (r / IMAGE).write_text("<html>404"), "unreadable", IMAGE),
    "text as mask": (lambda r: (r / MASK).write_text("<html>404"), "unreadable", MASK),
    "two images": (
        lambda r: write_gray(r / "kos02/Part1.PNG", blank()),
        "ambiguous",
        "kos02/Part1.PNG",
    ),
    "two masks": (lambda r: write_gray(r / "kos02/Part1_label.png", blank()), "ambiguous", MASK),
    "mask of another size": (
        lambda r: (r / MASK).write_bytes(palette_bmp(blank(40, 61))),
        "size-mismatch",
        MASK,
    ),
    "picture as mask": (lambda r: write_gray(r / MASK, draw_image(5)), "not-a-mask", MASK),
    "inverted mask": (
        lambda r: (r / MASK).write_bytes(palette_bmp(1 - blank())),
        "not-a-mask",
        MASK,
    ),
}


@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_bad_sample_is_left_out_and_its_file_named(make_dataset: MakeDataset, case: str) -> None:
    root = make_dataset()
    damage, code, path = BAD_SAMPLES[case]
    damage(root)
    found = scan(root)
    assert unusual(found) == [("error", code, path)]
    assert found.left_out == {"kos02/Part1": code}
    assert len(found.samples) == 11
    assert "kos02/Part1" not in names(found)
    assert [error.path for error in found.errors] == [path]


def test_messages_say_what_is_wrong(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos01/Part0_label.bmp").write_bytes(palette_bmp(blank(50, 60)))
    (root / "kos01/Part1_label.bmp").unlink()
    write_gray(root / "kos01/Part2_label.png", blank())
    found = scan(root)
    assert message(found, "size-mismatch").startswith("is 50x60 pixels, its image 40x60")
    assert "Part1_label.bmp is missing" in message(found, "image-without-mask")
    assert "kos01/Part2_label.png" in message(found, "ambiguous")


def test_image_and_mask_that_are_both_unreadable_are_both_named(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    for path in (IMAGE, MASK):
        (root / path).write_bytes(b"")
    found = scan(root)
    assert named(found, "unreadable") == [("error", IMAGE), ("error", MASK)]
    assert {f.message for f in found.findings if f.code == "unreadable"} == {"is empty"}


def test_dataset_of_which_nothing_is_usable_says_nothing_of_sizes(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset(items=1, parts=1)
    (root / "kos01/Part0.jpg").write_bytes(b"")
    found = scan(root)
    assert found.samples == ()
    assert {f.code for f in found.findings} == {"unreadable", "missing-item", "missing-part"}


@pytest.mark.parametrize(
    ("values", "text"), [((1, 85, 255), "0, 1, 85, 255"), ((85, 255), "0, 85, 255"), ((1,), "0, 1")]
)
def test_mask_with_a_few_other_values_is_taken_and_told_of(
    make_dataset: MakeDataset, values: tuple[int, ...], text: str
) -> None:
    root = make_dataset()
    mask = blank()
    mask[5, : len(values)] = values
    write_gray(root / MASK, mask)
    found = scan(root)
    assert unusual(found) == [("info", "mask-values", MASK)]
    assert f"gray values {text};" in message(found, "mask-values")
    [sample] = [sample for sample in found.samples if sample.name == "kos02/Part1"]
    assert (sample.defect_pixels, sample.label) == (len(values), "defective")


def test_mask_that_marks_half_of_the_image_is_still_a_mask(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    mask = blank()
    mask[:30] = 1
    (root / MASK).write_bytes(palette_bmp(mask))
    assert unusual(scan(root)) == []
    mask[30, 0] = 1
    (root / MASK).write_bytes(palette_bmp(mask))
    assert unusual(scan(root)) == [("error", "not-a-mask", MASK)]


def test_mask_of_five_values_is_no_mask(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    mask = blank()
    mask[0, :4] = (1, 2, 3, 32)
    write_gray(root / MASK, mask)
    assert unusual(scan(root)) == [("error", "not-a-mask", MASK)]


def make_kos21(root: Path) -> None:
    for part in range(7):
        write_pair(root / "kos21", f"Part{part}", seed=part)


def test_part_that_repeats_another_of_its_item_is_left_out(tmp_path: Path) -> None:
    make_kos21(tmp_path / "raw")
    write_pair(tmp_path / "raw/kos21", "Part7", seed=6)
    found = scan(tmp_path / "raw")
    assert named(found, "repeated-part") == [("warning", "kos21/Part7.jpg")]
    assert message(found, "repeated-part") == "repeats kos21/Part6.jpg, byte for byte; left out"
    assert found.left_out == {"kos21/Part7": "repeated-part"}
    assert names(found) == [f"kos21/Part{part}" for part in range(7)]
    assert found.errors == ()


def test_repeated_part_with_another_label_is_an_error_of_both(tmp_path: Path) -> None:
    make_kos21(tmp_path / "raw")
    write_pair(tmp_path / "raw/kos21", "Part7", seed=6, box=(3, 3, 4, 4))
    found = scan(tmp_path / "raw")
    assert named(found, "repeated-part") == []
    assert found.left_out == dict.fromkeys(("kos21/Part6", "kos21/Part7"), "duplicate-label")


def test_extra_part_with_its_own_picture_is_taken(tmp_path: Path) -> None:
    make_kos21(tmp_path / "raw")
    write_pair(tmp_path / "raw/kos21", "Part7", seed=7)
    found = scan(tmp_path / "raw")
    assert unusual(found) == [("warning", "extra-part", "kos21/Part7")]
    assert names(found)[-1] == "kos21/Part7"


def test_official_parts_with_one_picture_are_both_taken(tmp_path: Path) -> None:
    for part in ("Part0", "Part1"):
        write_pair(tmp_path / "raw/kos01", part, seed=1)
    assert names(scan(tmp_path / "raw")) == ["kos01/Part0", "kos01/Part1"]


def test_png_masks_and_bmp_or_png_images_are_read(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1, parts=2)
    for old, new in [("Part0_label.bmp", "Part0_label.png"), ("Part1.jpg", "Part1.bmp")]:
        pixels = cv2.imread(str(root / "kos01" / old), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        write_gray(root / "kos01" / new, pixels)
        (root / "kos01" / old).unlink()
    found = scan(root)
    assert unusual(found) == []
    assert [(s.image, s.mask, s.defect_pixels) for s in found.samples] == [
        ("kos01/Part0.jpg", "kos01/Part0_label.png", 72),
        ("kos01/Part1.bmp", "kos01/Part1_label.bmp", 0),
    ]


def test_findings_come_worst_first_then_by_path(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "notes.txt").write_bytes(b"x")
    (root / "kos03/Part1.jpg").write_bytes(b"")
    (root / "kos01/Part3_label.bmp").unlink()
    found = scan(root)
    assert unusual(found) == [
        ("error", "image-without-mask", "kos01/Part3.jpg"),
        ("error", "unreadable", "kos03/Part1.jpg"),
        ("warning", "stray-file", "notes.txt"),
        ("info", "stray-file", "Thumbs.db"),
    ]
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def make_untidy(make_dataset: MakeDataset) -> Path:
    root = make_dataset(parts=12)
    for number, (damage, _, path) in enumerate(BAD_SAMPLES.values()):
        if number % 4 == 0:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            damage(root)
    shutil.copytree(root / "kos01", root / "kos03/kos01")
    (root / "__MACOSX/kos01").mkdir(parents=True)
    (root / "__MACOSX/kos01/._Part0.jpg").write_bytes(b"x")
    (root / "ä notes.txt").write_bytes(b"x")
    damage_jpeg(root / "kos03/Part2.jpg")
    return root


def test_folder_and_its_zip_give_the_same_scan(make_dataset: MakeDataset) -> None:
    root = make_untidy(make_dataset)
    assert scan(zip_of(root)) == scan(root)


def test_number_of_threads_does_not_matter(make_dataset: MakeDataset) -> None:
    root = make_untidy(make_dataset)
    assert scan(root, jobs=4) == scan(root, jobs=1)


def test_progress_is_told_up_to_the_end(make_dataset: MakeDataset) -> None:
    told: list[tuple[int, int]] = []
    with open_source(make_dataset()) as source:
        scan_source(source, jobs=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 12) for done in range(1, 13)]


def test_a_cut_jpeg_with_an_end_marker_is_found(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    damage_jpeg(root / IMAGE)
    found = scan(root)
    assert unusual(found) == [("error", "unreadable", IMAGE)]
    assert found.left_out == {"kos02/Part1": "unreadable"}
