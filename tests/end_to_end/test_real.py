"""What was measured on the real dataset, held to: run with KOLEKTORSDD set to its zip."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import coco

from kolektor_cli.core.comparison import compare
from kolektor_cli.core.reporting import report
from kolektor_cli.core.splitting import split_scan
from kolektor_cli.imaging.windows import windows_over_defects
from kolektor_cli.raw.scan import Scan
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import SplitOptions, find_leaks
from kolektor_cli.tree.dataset import load_tree
from tests import pipeline
from tests.conftest import snapshot, write_png
from tests.end_to_end.conftest import MakeOnce
from tests.exports.regions import fill_indices
from tests.pages import read_page
from tests.running import run
from tests.samples import count_samples
from tests.trees import check, read_manifest

pytestmark = pytest.mark.long

DIFFERS_FROM_REFERENCE = {"kos20/Part4"}
"""Its mask has two pixels of gray value 85, which the reference procedure drops."""


@pytest.fixture(scope="module")
def facts(real: Path, make_once: MakeOnce) -> dict[str, Any]:
    """Hold what `inspect` tells of the dataset in JSON."""
    command = ("inspect", real, "--json", "--fit", "stretch")
    told = make_once("real-facts", lambda path: path.write_text(run(*command).stdout))
    found = json.loads(told.read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def reference(real: Path) -> dict[str, dict[str, str]]:
    with (real.parent / "reference_pixels.csv").open() as lines:
        return {row["sample"]: row for row in csv.DictReader(lines)}


def test_inspect_counts_items_samples_and_defects(facts: dict[str, Any]) -> None:
    assert facts["counts"] == {
        "items": 50, "samples": 399, "good": 347, "defective": 52, "left_out": 0,
        "distinct": 375, "groups": 47,
    }  # fmt: skip
    assert facts["official"] == {"images": 399, "masks": 399}
    assert facts["width"] == [500, 500]
    assert facts["height"] == [1235, 1285]
    assert facts["defect_pixels"] == {"min": 790, "median": 3367, "max": 6457}
    defective = {item["item"]: item["defective"] for item in facts["items"]}
    assert {item for item, count in defective.items() if count != 1} == {"kos38", "kos39"}
    assert {item["item"] for item in facts["items"] if item["samples"] != 8} == {"kos21"}
    assert [(f["severity"], f["code"], f["path"]) for f in facts["findings"]] == [
        ("info", "duplicate-mask", "kos01/Part5_label.bmp"),
        ("info", "mask-values", "kos20/Part4_label.bmp"),
        ("info", "duplicate-mask", "kos27/Part0_label.bmp"),
    ]


def test_every_sample_is_as_measured(
    facts: dict[str, Any], reference: dict[str, dict[str, str]]
) -> None:
    rows = {sample["sample"]: sample for sample in facts["samples"]}
    assert rows.keys() == reference.keys()
    for name, row in rows.items():
        for ours, theirs in (
            ("width", "width"), ("height", "height"), ("defect_pixels", "defect_pixels"),
            ("image_sha256", "image_sha256"), ("mask_sha256", "label_sha256"),
        ):  # fmt: skip
            assert str(row[ours]) == reference[name][theirs]


def test_every_output_has_the_reference_pixels(
    real_data: Path, reference: dict[str, dict[str, str]]
) -> None:
    tree = real_data / "metal"
    manifest = json.loads((tree / "manifest.json").read_bytes())
    seen: Counter[str] = Counter()
    for entry in manifest["files"]:
        pixels = cv2.imread(str(tree / entry["path"]), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        if entry["role"] == "image":
            assert pixels.shape == (1240, 500, 3)
            assert (pixels == pixels[..., :1]).all()
            pixels, column = pixels[..., 0], "resized_pixels_sha256"
        else:
            assert pixels.shape == (1240, 500)
            column = "resized_mask_sha256"
        if entry["role"] == "image" or entry["sample"] not in DIFFERS_FROM_REFERENCE:
            found = hashlib.sha256(pixels.tobytes()).hexdigest()
            assert found == reference[entry["sample"]][column], entry["path"]
        seen[entry["path"].rpartition("/")[0]] += 1
    assert seen == {
        "train/good": 295, "test/good": 52, "test/defect": 52, "ground_truth/defect": 52,
    }  # fmt: skip


def test_folder_and_zip_give_the_same_bytes_whatever_the_number_of_threads(
    real: Path, real_data: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real) as archive:
        archive.extractall(tmp_path / "wrapped" / "KolektorSDD")
    run("convert", tmp_path / "wrapped", tmp_path / "folder", "-j", 1)
    assert snapshot(tmp_path / "folder") == snapshot(real_data)


def test_exactly_the_known_pairs_are_the_same_picture(real_scan: Scan) -> None:
    found = {(pair.first, pair.second): pair.kind for pair in real_scan.duplicates}
    same = {("kos01", "kos26"), ("kos27", "kos34")}
    again = dict(enumerate((6, 7, 0, 1, 2, 3, 4, 5)))
    expected = {
        (f"{a}/Part{part}", f"{b}/Part{part}"): "file" for a, b in same for part in range(8)
    }
    expected |= {(f"kos38/Part{part}", f"kos39/Part{again[part]}"): "near" for part in range(8)}
    assert found == expected
    assert real_scan.distinct == 375
    assert len({sample.group for sample in real_scan.samples}) == 47


def test_every_seed_gives_the_known_counts_and_no_leak(real_scan: Scan) -> None:
    splits = [balanced(real_scan.samples, real_scan.duplicates, seed=seed) for seed in range(200)]
    for split in splits:
        assert count_samples(split, real_scan.samples) == {
            ("train", "good"): 295, ("test", "good"): 52, ("test", "defective"): 52,
        }  # fmt: skip
        assert find_leaks(split.assigned, real_scan.duplicates) == []
    assert len({tuple(sorted(split.assigned.items())) for split in splits}) == 200


@pytest.mark.parametrize(
    ("options", "train", "good", "defective", "leaks"),
    [
        (SplitOptions("vicos", fold=0), 230, 117, 18, 13),
        (SplitOptions("vicos", fold=1), 229, 118, 18, 13),
        (SplitOptions("vicos", fold=2), 235, 112, 16, 14),
        (SplitOptions("vicos", fold=0, drop_leaks=True), 217, 117, 18, 0),
        (SplitOptions("anomalib"), 277, 70, 52, 5),
        (SplitOptions("grouped", fold=0), 238, 109, 18, 0),
    ],
    ids=str,
)
def test_protocols_have_their_known_counts(
    real_scan: Scan, options: SplitOptions, train: int, good: int, defective: int, leaks: int
) -> None:
    split = split_scan(real_scan, options, "balanced")
    counts = count_samples(split, real_scan.samples)
    assert (counts["train", "good"], counts["train", "defective"]) == (train, 0)
    assert (counts["test", "good"], counts["test", "defective"]) == (good, defective)
    assert len(find_leaks(split.assigned, real_scan.duplicates)) == leaks


def test_plan_of_a_protocol_is_its_split(real: Path, real_scan: Scan, tmp_path: Path) -> None:
    command = ("convert", real, tmp_path, "--dry-run", "--json", "--protocol", "vicos")
    told = run(*command, "--fold", 0)
    plan = json.loads(told.stdout)
    split = split_scan(real_scan, SplitOptions("vicos", fold=0), "balanced")
    assert plan["counts"]["train"] == {"good": 230, "defective": 0}
    assert plan["counts"]["test"] == {"good": 117, "defective": 18}
    assert {image["sample"]: image["split"] for image in plan["images"]} == {
        sample: name for sample, name in split.assigned.items() if name != "unused"
    }
    assert len(plan["leaks"]) == 13
    assert "13 pictures are in train and in test" in told.stderr


def test_authors_pickle_is_the_protocol_vicos(real: Path, real_scan: Scan) -> None:
    published = real.parent / "splits" / "KSDD_split_33_33.pyb"
    for fold in range(3):
        ours = split_scan(real_scan, SplitOptions("vicos", fold=fold), "balanced")
        theirs = split_scan(real_scan, SplitOptions(file=published, fold=fold), "balanced")
        assert ours.assigned == theirs.assigned


def test_verify_names_the_leaks_of_a_split_that_knows_nothing(
    real: Path, real_scan: Scan, tmp_path: Path
) -> None:
    split = balanced(real_scan.samples, (), seed=0)
    leaks = find_leaks(split.assigned, real_scan.duplicates)
    assert leaks
    manifest = pipeline.convert(real, tmp_path, make_split=lambda _: split, size=(250, 620))
    samples = {entry.path: entry.sample for entry in manifest.files}
    (tmp_path / "metal" / "manifest.json").unlink()
    named = {
        samples[finding.path]
        for done in check(tmp_path / "metal").checks
        if done.name in ("leaks", "near-leaks")
        for finding in done.findings
    }
    assert named == {leak.test for leak in leaks}


def test_center_crop_of_patchcore_leaves_what_was_measured(facts: dict[str, Any]) -> None:
    [crop] = [crop for crop in facts["geometry"]["center_crops"] if crop["name"] == "patchcore"]
    assert (crop["masks"], crop["empty_masks"]) == (52, 2)
    assert 0.77 < crop["area_kept"] < 0.78


@pytest.mark.parametrize(
    ("side", "sha256"),
    [
        (256, "4c343909f588f93c4a2d88c001db31614b23eb333f615a3060f7794200d4209b"),
        (500, "8436325a17e9ce4ba01d6524fc4473d1edbfb15131a230db5fe765a0ca01561c"),
    ],
)
def test_windows_are_those_of_an_exact_cover(real: Path, side: int, sha256: str) -> None:
    digest = hashlib.sha256()
    with zipfile.ZipFile(real) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith("_label.bmp"):
                data = np.frombuffer(archive.read(name), np.uint8)
                mask = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
                if mask.any():
                    digest.update(f"{name} {windows_over_defects(mask, side)}\n".encode())
    assert digest.hexdigest() == sha256


def test_report_of_the_real_dataset_is_small_enough_to_send(
    real: Path, real_data: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for image in load_tree(real_data):
        if image.split == "test":
            place = tmp_path / "maps" / image.path.replace(".png", ".npy")
            place.parent.mkdir(parents=True, exist_ok=True)
            mask = cv2.resize(image.mask(), (125, 310), interpolation=cv2.INTER_AREA)
            np.save(place, (mask / 255 + random.normal(0, 0.1, mask.shape)).astype(np.float32))
    made = report(real_data, tmp_path / "maps")
    assert made.ok
    assert made.size < 8_000_000
    page = read_page(made.page)
    # Of each defect its close-up, the image and the heat map; of 24 good images the last two; the
    # map of positions, and three times the scale.
    assert len(page.all("img")) == 52 * 3 + 24 * 2 + 4
    source = report(real)
    assert source.ok
    assert source.size < 5_000_000
    # Of each defect two pictures, 24 pairs, and three findings about masks; the map and its scale.
    assert len(read_page(source.page).all("img")) == 52 * 2 + 24 * 2 + 3 + 2


def test_exported_defects_are_filled_to_the_pixels_of_the_masks(
    real_data: Path, tmp_path: Path
) -> None:
    for file_format in ("yolo", "coco"):
        run("export", real_data / "metal", file_format, tmp_path / file_format)
    read = coco.COCO(tmp_path / "coco/annotations/instances_test.json")
    ids = {image["file_name"]: number for number, image in read.imgs.items()}
    regions = 0
    for image in load_tree(real_data / "metal"):
        if image.label == "good":
            continue
        mask = image.mask() > 0
        name = f"defect_{Path(image.path).stem}"
        lines = (tmp_path / f"yolo/labels/test/{name}.txt").read_text().splitlines()
        points = [np.array(line.split()[1:], float).reshape(-1, 2) for line in lines]
        filled = [fill_indices(part * (500, 1240), (500, 1240)) for part in points]
        found = read.loadAnns(read.getAnnIds([ids[f"{name}.png"]]))
        assert (np.any(filled, axis=0) == mask).all()
        assert (np.add.reduce([read.annToMask(each) for each in found]) == mask).all()
        assert [each["area"] for each in found] == [part.sum() for part in filled]
        regions += len(found)
    assert regions == 55


def test_compare_finds_the_two_pixels_that_the_original_procedure_drops(
    real: Path, real_data: Path, tmp_path: Path
) -> None:
    ours, theirs = real_data / "metal", tmp_path / "theirs"
    shutil.copytree(ours, theirs, copy_function=os.link)
    (theirs / "manifest.json").unlink()
    with zipfile.ZipFile(real) as archive:
        for entry in read_manifest(ours).files:
            if entry.split == "test":
                ending = ".jpg" if entry.role == "image" else "_label.bmp"
                data = np.frombuffer(archive.read(f"{entry.sample}{ending}"), np.uint8)
                raw = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
                assert raw is not None
                pixels = cv2.resize(raw, (500, 1240))
                if entry.role == "mask":
                    pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
                (theirs / entry.path).unlink()
                write_png(theirs / entry.path, pixels)
    found = compare(ours, theirs)
    assert found.second.counts == found.first.counts
    *images, mask = found.differences
    # OpenCV rounds otherwise on some processors.
    assert {(image.kind, image.largest) for image in images} <= {("image", 1)}
    assert (mask.kind, mask.name, mask.pixels) == ("mask", "kos20/Part4", 2)
