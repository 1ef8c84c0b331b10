"""Scanning: what becomes a sample, and a finding with a path for everything that is not right."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.deviations import deviations
from kolektor_cli.drawing import palette_bmp
from kolektor_cli.errors import SourceError
from kolektor_cli.records import Finding, Sample, Scan
from kolektor_cli.releases import OfficialSample, Release
from kolektor_cli.scan import require_usable, scan_source
from kolektor_cli.source import open_source
from tests.conftest import MakeDataset, draw_image, write_pair

COMMON = {"size", "changed-image", "changed-mask", "missing-item", "missing-part"}
"""What every tiny dataset deviates in: it is synthetic, and a small part of the release."""


def scan(path: Path, *, jobs: int | None = None) -> Scan:
    with open_source(path) as source:
        return scan_source(source, jobs=jobs)


def named(found: Scan, code: str) -> list[tuple[str, str]]:
    """Severity and path of the findings with a code."""
    return [(f.severity, f.path) for f in found.findings if f.code == code]


def unusual(found: Scan) -> list[tuple[str, str, str]]:
    """Severity, code and path of the findings that a tiny dataset has not got anyway."""
    return [(f.severity, f.code, f.path) for f in found.findings if f.code not in COMMON]


def message(found: Scan, code: str) -> str:
    [finding] = [f for f in found.findings if f.code == code]
    return finding.message


def names(found: Scan) -> list[str]:
    return [sample.name for sample in found.samples]


def zip_of(folder: Path) -> Path:
    """Zip a folder beside it, with names relative to it."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(folder).as_posix())
    return target


def write_gray(path: Path, pixels: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix.lower(), pixels)
    assert done
    path.write_bytes(data.tobytes())


def blank(width: int = 40, height: int = 60) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def cut_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def cut_and_close(path: Path) -> None:
    """Drop the last third of a JPEG and put an end marker there."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3] + b"\xff\xd9")


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
    mask[0, :4] = (1, 2, 3, 4)
    write_gray(root / MASK, mask)
    assert unusual(scan(root)) == [("error", "not-a-mask", MASK)]


def test_item_inside_another_is_taken(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos03").rename(root / "kos02/kos03")
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", "kos02/kos03")]
    assert found.left_out == {}
    assert names(found)[-1] == "kos03/Part3"
    assert found.samples[-1].image == "kos02/kos03/Part3.jpg"
    assert len(found.samples) == 12


@pytest.mark.parametrize("copy", ["kos02/kos01", "kos02/KOS01", "kos01/kos01"])
def test_identical_copy_of_an_item_inside_another_is_left_out(
    make_dataset: MakeDataset, copy: str
) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copytree(root / "kos01", root.parent / "copy")
    (root.parent / "copy").rename(root / copy)
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", copy)]
    assert found.samples == before.samples


def test_copy_of_an_item_that_differs_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    shutil.copytree(root / "kos01", root / "kos02/kos01")
    write_pair(root / "kos02/kos01", "Part2", seed=7)
    found = scan(root)
    assert unusual(found) == [("error", "nested-item", "kos02/kos01")]
    assert "part2.jpg" in message(found, "nested-item").lower()
    assert found.samples == before.samples


def test_copy_of_an_item_with_a_further_part_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    write_pair(root / "kos02/kos01", "Part5", seed=7)
    assert unusual(scan(root)) == [("error", "nested-item", "kos02/kos01")]


def test_two_datasets_side_by_side_are_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    for name in ("both/one", "both/two"):
        make_dataset(name)
    with pytest.raises(SourceError, match=r"kos01 twice, in one/kos01 and in two/kos01"):
        scan(tmp_path / "both")


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


def test_repeated_part_with_another_mask_is_told_apart(tmp_path: Path) -> None:
    make_kos21(tmp_path / "raw")
    write_pair(tmp_path / "raw/kos21", "Part7", seed=6, box=(3, 3, 4, 4))
    found = scan(tmp_path / "raw")
    assert "with another mask" in message(found, "repeated-part")
    assert found.left_out == {"kos21/Part7": "repeated-part"}


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


def test_missing_parts_are_named(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=3, parts=8)
    assert named(scan(root), "missing-part") == []
    for path in (root / "kos02").glob("Part6*"):
        path.unlink()
    assert named(scan(root), "missing-part") == [("warning", "kos02/Part6")]


def test_missing_items_are_named_and_their_parts_are_not(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=48, parts=1)
    shutil.rmtree(root / "kos07")
    found = scan(root)
    assert named(found, "missing-item") == [
        ("warning", item) for item in ("kos07", "kos49", "kos50")
    ]
    assert ("warning", "kos07/Part0") not in named(found, "missing-part")


def test_small_part_of_the_release_is_one_finding(make_dataset: MakeDataset) -> None:
    found = scan(make_dataset(items=3))
    assert named(found, "missing-item") == [("warning", "")]
    assert "47 of KolektorSDD's 50 items" in message(found, "missing-item")


def test_part_that_is_there_but_bad_is_not_missing(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1, parts=8)
    (root / "kos01/Part3_label.bmp").unlink()
    assert named(scan(root), "missing-part") == []


def test_extra_item_is_named_once_and_taken(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1)
    for part in ("Part0", "Part1"):
        write_pair(root / "kos51", part, seed=int(part[-1]))
    found = scan(root)
    assert unusual(found) == [("warning", "extra-item", "kos51")]
    assert names(found)[-2:] == ["kos51/Part0", "kos51/Part1"]


@pytest.mark.parametrize(
    "path",
    [
        "Thumbs.db",
        "kos01/Thumbs.db",
        "kos01/.DS_Store",
        "desktop.ini",
        "kos01/._Part0.jpg",
        "__MACOSX/kos01/._Part0.jpg",
        "__MACOSX/kos01/Part0.jpg",
    ],
)
def test_droppings_of_operating_systems_are_harmless(make_dataset: MakeDataset, path: str) -> None:
    root = make_dataset()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"\0\5\x16\7")
    found = scan(root)
    assert unusual(found) == [("info", "stray-file", path)]
    assert found.samples == before.samples


@pytest.mark.parametrize(
    "path",
    ["readme.txt", "kos01/notes.txt", "preview.jpg", "extra/picture.png", "kos01/old/readme.md"],
)
def test_other_files_are_warned_of(make_dataset: MakeDataset, path: str) -> None:
    root = make_dataset()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("warning", "stray-file", path)]
    assert found.samples == before.samples


@pytest.mark.parametrize(
    ("code", "severity"),
    [("size", "warning"), ("changed-image", "info"), ("changed-mask", "info")],
)
def test_what_holds_for_all_files_is_one_finding(
    make_dataset: MakeDataset, code: str, severity: str
) -> None:
    assert named(scan(make_dataset()), code) == [(severity, "")]


def release_of(samples: tuple[Sample, ...]) -> Release:
    """Make an official release of samples."""
    official = {
        s.name: OfficialSample(
            s.name, s.width, s.height, s.defect_pixels, s.image_sha256, s.mask_sha256
        )
        for s in samples
    }
    return Release("Toy", frozenset(official), official)


def differences(release: Release, samples: list[Sample]) -> list[Finding]:
    return deviations(release, samples, {sample.name for sample in samples})


def test_release_itself_has_no_deviation(make_dataset: MakeDataset) -> None:
    samples = scan(make_dataset()).samples
    assert differences(release_of(samples), list(samples)) == []


@pytest.mark.parametrize(
    ("change", "code", "path", "text"),
    [
        ({"height": 61}, "size", IMAGE, "is 40x61 pixels, officially 40x60"),
        ({"width": 39}, "size", IMAGE, "is 39x60 pixels, officially 40x60"),
        ({"image_sha256": "0" * 64}, "changed-image", IMAGE, "is not the official file"),
        (
            {"mask_sha256": "0" * 64, "defect_pixels": 7},
            "changed-mask",
            MASK,
            "is not the official file: marks 7 pixels, officially 0",
        ),
    ],
)
def test_what_holds_for_one_file_names_it(
    make_dataset: MakeDataset, change: dict[str, str | int], code: str, path: str, text: str
) -> None:
    samples = list(scan(make_dataset()).samples)
    release = release_of(tuple(samples))
    index = [sample.name for sample in samples].index("kos02/Part1")
    samples[index] = replace(samples[index], **change)  # type: ignore[arg-type]
    assert differences(release, samples) == [Finding("warning", code, path, text)]


def test_items_with_other_names_are_another_dataset(tmp_path: Path) -> None:
    for part in ("Part0", "Part1"):
        write_pair(tmp_path / "raw/item7", part, seed=1)
    found = scan(tmp_path / "raw")
    assert [(f.severity, f.code, f.path) for f in found.findings] == [
        ("warning", "unknown-release", "")
    ]
    assert found.release == "unknown"
    assert names(found) == ["item7/Part0", "item7/Part1"]


@pytest.mark.parametrize("item", ["KOS02", "kos99"])
def test_case_of_names_does_not_matter(make_dataset: MakeDataset, item: str) -> None:
    root = make_dataset(items=1)
    write_pair(root / item, "Part0", seed=1, box=(1, 2, 3, 4))
    (root / item / "Part0.jpg").rename(root / item / "PART0.JPG")
    (root / item / "Part0_label.bmp").rename(root / item / "part0_LABEL.BMP")
    found = scan(root)
    assert found.errors == ()
    sample = found.samples[-1]
    assert sample.item.casefold() == item.casefold()
    assert (sample.image, sample.mask) == (f"{item}/PART0.JPG", f"{item}/part0_LABEL.BMP")
    assert sample.defect_pixels == 12


def test_official_names_are_spelled_officially(tmp_path: Path) -> None:
    write_pair(tmp_path / "raw/KOS07", "PART3", seed=1)
    assert names(scan(tmp_path / "raw")) == ["kos07/Part3"]


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


@pytest.mark.parametrize("wrapping", ["KolektorSDD", "My data/Größe/数据"])
def test_wrapping_folders_are_found(
    make_dataset: MakeDataset, tmp_path: Path, wrapping: str
) -> None:
    make_dataset(f"outer/{wrapping}")
    found = scan(tmp_path / "outer")
    assert unusual(found) == []
    assert names(found) == names(scan(tmp_path / "outer" / wrapping))
    assert found.samples[0].image == f"{wrapping}/kos01/Part0.jpg"


def test_names_may_hold_spaces_umlauts_and_chinese(tmp_path: Path) -> None:
    write_pair(tmp_path / "raw/Probe 1", "Maß ä", seed=1, box=(0, 0, 2, 2))
    write_pair(tmp_path / "raw/样品", "图 1", seed=2)
    expected = ["Probe 1/Maß ä", "样品/图 1"]
    for path in (tmp_path / "raw", zip_of(tmp_path / "raw")):
        found = scan(path)
        assert names(found) == expected
        assert found.errors == ()


def test_samples_come_in_natural_order(tmp_path: Path) -> None:
    for item in ("kos2", "kos10"):
        for part in (11, 10, 9, 1):
            write_pair(tmp_path / "raw" / item, f"Part{part}", seed=part)
    assert names(scan(tmp_path / "raw")) == [
        f"{item}/Part{part}" for item in ("kos2", "kos10") for part in (1, 9, 10, 11)
    ]


def test_names_may_begin_alike_and_end_with_a_number_or_not(tmp_path: Path) -> None:
    for part in ("Part1", "Part", "Part10", "Part01", "Part x", "1"):
        write_pair(tmp_path / "raw/kos99", part, seed=len(part))
    (tmp_path / "raw/2024.txt").write_text("x")
    found = scan(tmp_path / "raw")
    assert sorted(names(found)) == sorted(
        f"kos99/{part}" for part in ("Part1", "Part", "Part10", "Part01", "Part x", "1")
    )
    assert names(found)[0] == "kos99/1"
    assert names(found).index("kos99/Part1") < names(found).index("kos99/Part10")
    assert ("warning", "stray-file", "2024.txt") in unusual(found)


def test_very_long_numbers_in_names_are_no_obstacle(make_dataset: MakeDataset) -> None:
    target = zip_of(make_dataset())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("9" * 5000, b"x")
    assert named(scan(target), "stray-file") == [("warning", "9" * 5000)]


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
    cut_and_close(root / "kos03/Part2.jpg")
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
    cut_and_close(root / IMAGE)
    found = scan(root)
    assert unusual(found) == [("error", "unreadable", IMAGE)]
    assert found.left_out == {"kos02/Part1": "unreadable"}


def test_holiday_pictures_are_no_dataset(tmp_path: Path) -> None:
    write_pair(tmp_path / "holiday", "IMG_0001", seed=1)
    (tmp_path / "holiday/IMG_0001_label.bmp").unlink()
    with pytest.raises(SourceError, match=r"holiday: is not a dataset in the layout of"):
        scan(tmp_path / "holiday")


def test_mvtec_tree_is_recognised_and_refused(tmp_path: Path) -> None:
    for name in ("train/good/000", "test/good/000", "test/defect/000", "ground_truth/defect/0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_gray(tmp_path / f"{name}.png", blank())
    with pytest.raises(SourceError, match=r"MVTec-style tree.*kolektor verify"):
        scan(tmp_path)


def test_only_droppings_are_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    with pytest.raises(SourceError, match="not a dataset"):
        scan(tmp_path)


def test_errors_are_refused_unless_they_are_to_be_skipped(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    for path in (IMAGE, "kos03/Part1.jpg"):
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
    with pytest.raises(SourceError, match=r"kos01/Part0\.jpg: is empty.*mend the source$"):
        require_usable(scan(root), skip_bad=True)
