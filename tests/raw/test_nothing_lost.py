"""No sample of a source is lost by its name: it is a sample, left out by name, or in a finding."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolektor_cli.raw.scan import Scan
from tests.archives import Files, write_folder
from tests.conftest import MakeDataset, write_pair, write_pair_2
from tests.scans import message, named, names, scan, unusual

ENDINGS = ("", " (1)", " (2)", " (copy)", " - Copy", " (1) - Copy", "_copy", " copy 2")

BOXES = (None, (3, 4, 5, 6), (9, 9, 4, 4))


Picture = tuple[int, int]
"""The seed of an image and the number of its box."""

Drawn = dict[str, tuple[Picture, int]]
"""Files by name: a picture, and 0 for its image or 1 for its mask."""


@functools.cache
def pair(seed: int, box: int) -> tuple[bytes, bytes]:
    """Return the bytes of an image and of a mask; all masks have the size of all images."""
    with tempfile.TemporaryDirectory() as folder:
        write_pair_2(Path(folder), "x", seed, BOXES[box])
        return Path(folder, "x.png").read_bytes(), Path(folder, "x_GT.png").read_bytes()


@st.composite
def sources(draw: st.DrawFn, folders: tuple[str, ...], mask_ending: str) -> Drawn:
    """Draw files named as file managers name copies, with contents that are equal or not."""
    files: Drawn = {}
    places = st.tuples(
        st.sampled_from(folders), st.sampled_from(("part", "b")), st.sampled_from(ENDINGS)
    )
    for folder, part, ending in draw(st.lists(places, min_size=1, max_size=8, unique=True)):
        picture = draw(st.tuples(st.integers(0, 3), st.integers(0, len(BOXES) - 1)))
        mask_name = draw(st.sampled_from((f"{ending}{mask_ending}", f"{mask_ending}{ending}")))
        which = draw(st.sampled_from(("both", "both", "both", "image", "mask")))
        if which != "mask":
            files[f"{folder}/{part}{ending}.png"] = (picture, 0)
        if which != "image":
            files[f"{folder}/{part}{mask_name}.png"] = (picture, 1)
    whole = {"z": 0, f"z{mask_ending}": 1}
    return files | {f"{folders[0]}/{stem}.png": ((9, 1), role) for stem, role in whole.items()}


def untold(files: Files, found: Scan) -> list[str]:
    """Return the files that are no part of a sample, and that no finding tells of."""
    used = {name for sample in found.samples for name in (sample.image, sample.mask)}
    told = {finding.path for finding in found.findings}
    return [
        name
        for name in files
        if name not in used | told
        and name.rpartition("/")[0] not in told
        and _sample_of(name) not in found.left_out
    ]


def _sample_of(name: str) -> str:
    for ending in ("_GT", "_label"):
        name = name.replace(ending, "")
    return name.removesuffix(".png")


def scan_files(files: Files) -> Scan:
    with tempfile.TemporaryDirectory() as folder:
        return scan(write_folder(Path(folder), files))


def check_nothing_lost(drawn: Drawn, masks: str) -> None:
    files = {name: pair(*picture)[role] for name, (picture, role) in drawn.items()}
    found = scan_files(files)
    assert untold(files, found) == []
    if not found.errors:
        strays = {path for _, path in named(found, "stray-file")}
        images = {
            hashlib.sha256(data).hexdigest()
            for name, data in files.items()
            if masks not in name and name not in strays
        }
        assert images == {sample.image_sha256 for sample in found.samples}


@settings(max_examples=150)
@given(sources(("train", "test"), "_GT"))
def test_nothing_is_lost_in_halves(files: Drawn) -> None:
    check_nothing_lost(files, "_GT")


@settings(max_examples=150)
@given(sources(("kos01", "kos01 (1)", "kos01 (copy)", "other"), "_label"))
def test_nothing_is_lost_in_item_folders(files: Drawn) -> None:
    check_nothing_lost(files, "_label")


@pytest.mark.parametrize("mask", ["part ({})_GT.png", "part_GT ({}).png"])
@pytest.mark.parametrize("unnumbered", [False, True])
def test_numbered_images_are_samples(
    make_dataset_2: MakeDataset, mask: str, unnumbered: bool
) -> None:
    root = make_dataset_2()
    before = scan(root)
    numbers = iter(range(1, 99))
    for path in sorted(root.glob("*/*_GT.png")):
        number = next(numbers)
        image = path.with_name(path.name.replace("_GT", ""))
        plain = unnumbered and number == 5
        image.rename(image.with_name("part.png" if plain else f"part ({number}).png"))
        path.rename(path.with_name("part_GT.png" if plain else mask.format(number)))
    found = scan(root)
    assert {(s.image_sha256, s.mask_sha256) for s in found.samples} == {
        (s.image_sha256, s.mask_sha256) for s in before.samples
    }
    assert len(found.samples) == 10
    assert found.left_out == {}
    assert unusual(found) == [("warning", "unknown-release", "")]


def test_changed_copy_is_a_sample_and_its_label_is_compared(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "10003 (copy)", seed=7, box=(2, 2, 6, 6))
    found = scan(root)
    [sample] = [s for s in found.samples if s.name == "train/10003 (copy)"]
    assert sample.defect_pixels == 36
    shutil.copy(root / "train/10003.png", root / "train/10003 (copy).png")
    shutil.copy(root / "train/10000_GT.png", root / "train/10003_GT (copy).png")
    (root / "train/10003 (copy)_GT.png").unlink()
    found = scan(root)
    # The sizes of the two halves of a pair differ here, so it is an error of its own.
    assert "train/10003 (copy)" in found.left_out
    assert found.errors


def test_copy_of_an_image_with_another_label_is_an_error_of_both(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    shutil.copy(root / "train/10001.png", root / "train/10001 (copy).png")
    write_pair_2(root / "elsewhere", "x", seed=1, box=(2, 2, 6, 6), size=(31, 79))
    (root / "elsewhere/x_GT.png").rename(root / "train/10001_GT (copy).png")
    shutil.rmtree(root / "elsewhere")
    found = scan(root)
    assert found.left_out == dict.fromkeys(("train/10001", "train/10001 (copy)"), "duplicate-label")


def test_copy_of_a_mask_alone_is_left_out_or_an_error(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    copy = root / "train/10000_GT (1).png"
    shutil.copy(root / "train/10000_GT.png", copy)
    found = scan(root)
    assert named(found, "copy") == [("warning", "train/10000_GT (1).png")]
    assert found.errors == ()
    shutil.copy(root / "train/10001_GT.png", copy)
    found = scan(root)
    assert named(found, "mask-without-image") == [("error", "train/10000_GT (1).png")]
    assert "as a copy, it differs from train/10000_GT.png" in message(found, "mask-without-image")
    # Either mask may be the right one.
    left = tuple(sample for sample in before.samples if sample.name != "train/10000")
    assert found.samples == left
    assert found.left_out["train/10000"] == "ambiguous"


def test_two_masks_of_a_numbered_image_are_ambiguous(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "part (1)", seed=7)
    shutil.copy(root / "train/part (1)_GT.png", root / "train/part_GT (1).png")
    assert named(scan(root), "ambiguous") == [("error", "train/part (1)_GT.png")]


def test_copy_of_a_copy_is_left_out(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    write_pair_2(root / "train", "part (1)", seed=7)
    write_pair_2(root / "train", "part", seed=8)
    for ending in ("", "_GT"):
        shutil.copy(
            root / f"train/part (1){ending}.png", root / f"train/part (1){ending} - Copy.png"
        )
    found = scan(root)
    assert {s.name for s in found.samples} >= {"train/part", "train/part (1)"}
    assert [path for _, path in named(found, "copy")] == [
        "train/part (1) - Copy.png",
        "train/part (1)_GT - Copy.png",
    ]
    assert len(found.samples) == 12


def test_folders_that_are_numbered_are_items_unless_they_share_images(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset(items=1)
    for number in (1, 2):
        for part in range(2):
            write_pair(root / f"kos01 ({number})", f"Part{part}", 1000 * number + part)
    found = scan(root)
    assert len(found.samples) == 8
    assert {s.item for s in found.samples} == {"kos01", "kos01 (1)", "kos01 (2)"}
    assert found.errors == ()
    shutil.copy(root / "kos01/Part1.jpg", root / "kos01 (1)/Part1.jpg")
    found = scan(root)
    assert named(found, "nested-item") == [("error", "kos01 (1)")]


def test_folder_of_a_copied_item_needs_no_mask_to_be_seen(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1)
    write_pair(root / "kos01 (1)", "x", seed=7)
    (root / "kos01 (1)/x_label.bmp").unlink()
    assert named(scan(root), "image-without-mask") == [("error", "kos01 (1)/x.jpg")]


def test_half_that_is_named_as_a_copy_is_the_half_if_there_is_no_other(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / "train").rename(root / "train (1)")
    found = scan(root)
    assert unusual(found) == [("warning", "nested-item", "train (1)")]
    assert names(found) == names(before)
    assert [s.official_split for s in found.samples] == [s.official_split for s in before.samples]


def test_pairs_in_a_folder_that_is_no_half_are_an_error(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    for number in range(3):
        write_pair_2(root / "val", str(number), seed=number)
    found = scan(root)
    assert unusual(found) == [("error", "stray-samples", "val")]
    assert "3 images with masks" in message(found, "stray-samples")
