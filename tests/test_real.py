"""What was measured on the real dataset, held to: run with KOLEKTORSDD set to its zip."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import pytest

from kolektor_cli.convert import write_tree
from kolektor_cli.layout import make_plan
from kolektor_cli.records import Scan
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.split import balanced, count_samples, find_leaks
from kolektor_cli.verify import verify_tree
from tests.conftest import fit_all, snapshot
from tests.test_cli import run

DIFFERS_FROM_REFERENCE = {"kos20/Part4"}
"""Its mask has two pixels of gray value 85, which the reference procedure drops."""


@pytest.fixture(scope="module")
def tree(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "data"
    run("convert", real, out)
    return out / "metal"


@pytest.fixture(scope="module")
def reference(real: Path) -> dict[str, dict[str, str]]:
    with (real.parent / "reference_pixels.csv").open() as lines:
        return {row["sample"]: row for row in csv.DictReader(lines)}


def test_inspect_counts_items_samples_and_defects(real: Path) -> None:
    facts = json.loads(run("inspect", real, "--json").stdout)
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
        ("warning", "duplicate-mask", "kos01/Part5_label.bmp"),
        ("warning", "duplicate-mask", "kos27/Part0_label.bmp"),
        ("info", "mask-values", "kos20/Part4_label.bmp"),
    ]


def test_every_sample_is_as_measured(real: Path, reference: dict[str, dict[str, str]]) -> None:
    lines = run("inspect", real, "--csv").stdout.splitlines()
    rows = {row["sample"]: row for row in csv.DictReader(lines)}
    assert rows.keys() == reference.keys()
    for name, row in rows.items():
        for ours, theirs in (
            ("width", "width"), ("height", "height"), ("defect_pixels", "defect_pixels"),
            ("image_sha256", "image_sha256"), ("mask_sha256", "label_sha256"),
        ):  # fmt: skip
            assert row[ours] == reference[name][theirs]


def test_every_output_has_the_reference_pixels(
    tree: Path, reference: dict[str, dict[str, str]]
) -> None:
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


def test_folder_zip_and_any_number_of_jobs_give_the_same_bytes(
    real: Path, tree: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real) as archive:
        archive.extractall(tmp_path / "wrapped" / "KolektorSDD")
    run("convert", tmp_path / "wrapped", tmp_path / "folder", "-j", 4)
    run("convert", real, tmp_path / "one", "-j", 1)
    assert snapshot(tmp_path / "folder" / "metal") == snapshot(tree)
    assert snapshot(tmp_path / "one" / "metal") == snapshot(tree)


def test_verify_passes_and_derives_every_file_again(real: Path, tree: Path) -> None:
    report = json.loads(run("verify", tree, "--source", real, "--json").stdout)
    assert report["ok"]
    [category] = report["categories"]
    assert [check["name"] for check in category["checks"] if check["skipped"]] == []
    assert category["checks"][-1]["name"] == "source"


@pytest.fixture(scope="module")
def scan(real: Path) -> Scan:
    with open_source(real) as source:
        return scan_source(source)


def test_exactly_the_known_pairs_are_the_same_picture(scan: Scan) -> None:
    found = {(pair.first, pair.second): pair.kind for pair in scan.duplicates}
    same = {("kos01", "kos26"), ("kos27", "kos34")}
    again = dict(enumerate((6, 7, 0, 1, 2, 3, 4, 5)))
    expected = {
        (f"{a}/Part{part}", f"{b}/Part{part}"): "file" for a, b in same for part in range(8)
    }
    expected |= {(f"kos38/Part{part}", f"kos39/Part{again[part]}"): "near" for part in range(8)}
    assert found == expected
    assert scan.distinct == 375
    assert len({sample.group for sample in scan.samples}) == 47


def test_every_seed_gives_the_known_counts_and_no_leak(scan: Scan) -> None:
    splits = [balanced(scan.samples, scan.duplicates, seed=seed) for seed in range(200)]
    for split in splits:
        assert count_samples(split, scan.samples) == {
            ("train", "good"): 295, ("test", "good"): 52, ("test", "defective"): 52,
        }  # fmt: skip
        assert find_leaks(split.assigned, scan.duplicates) == []
    assert len({tuple(sorted(split.assigned.items())) for split in splits}) == 200


@pytest.mark.parametrize(
    ("options", "train", "good", "defective", "leaks"),
    [
        (["--protocol", "vicos", "--fold", "0"], 230, 117, 18, 13),
        (["--protocol", "vicos", "--fold", "1"], 229, 118, 18, 13),
        (["--protocol", "vicos", "--fold", "2"], 235, 112, 16, 14),
        (["--protocol", "vicos", "--fold", "0", "--drop-leaks"], 217, 117, 18, 0),
        (["--protocol", "anomalib"], 277, 70, 52, 5),
        (["--protocol", "grouped", "--fold", "0"], 238, 109, 18, 0),
    ],
)
def test_protocols_have_their_known_counts(
    real: Path,
    tmp_path: Path,
    options: list[str],
    train: int,
    good: int,
    defective: int,
    leaks: int,
) -> None:
    result = run("convert", real, tmp_path, "--dry-run", "--json", *options)
    plan = json.loads(result.stdout)
    assert plan["counts"]["train"] == {"good": train, "defective": 0}
    assert plan["counts"]["test"] == {"good": good, "defective": defective}
    assert len(plan["leaks"]) == leaks
    assert (f"{leaks} pictures are in train and in test" in result.stderr) == (leaks > 0)
    rows = list(csv.DictReader(run("split", real, "-q", *options).stdout.splitlines()))
    assert {row["sample"] for row in rows if row["split"] == "test"} == {
        image["sample"] for image in plan["images"] if image["split"] == "test"
    }


def test_authors_pickle_is_the_protocol_vicos(real: Path, tmp_path: Path) -> None:
    published = real.parent / "splits" / "KSDD_split_33_33.pyb"
    for fold in range(3):
        arguments = ("convert", real, tmp_path, "--dry-run", "--json", "--fold", fold)
        ours = json.loads(run(*arguments, "--protocol", "vicos").stdout)
        theirs = json.loads(run(*arguments, "--split", published).stdout)
        assert ours["images"] == theirs["images"]
        assert ours["leaks"] == theirs["leaks"]


def test_verify_names_the_leaks_of_a_split_that_knows_nothing(
    real: Path, scan: Scan, tmp_path: Path
) -> None:
    split = balanced(scan.samples, (), seed=0)
    leaks = find_leaks(split.assigned, scan.duplicates)
    assert leaks
    with open_source(real) as source:
        plan = make_plan(scan, split, fit_all(source, scan, (250, 620)), category="metal")
        manifest = write_tree(plan, source, tmp_path)
    samples = {entry.path: entry.sample for entry in manifest.files}
    (tmp_path / "metal" / "manifest.json").unlink()
    report = verify_tree(tmp_path / "metal")
    named = {
        samples[finding.path]
        for check in report.checks
        if check.name in ("leaks", "near-leaks")
        for finding in check.findings
    }
    assert named == {leak.test for leak in leaks}


def test_center_crop_of_patchcore_leaves_what_was_measured(real: Path) -> None:
    facts = json.loads(run("inspect", real, "--json", "--fit", "stretch").stdout)["geometry"]
    [crop] = [crop for crop in facts["center_crops"] if crop["name"] == "patchcore"]
    assert (crop["masks"], crop["empty_masks"]) == (52, 2)
    assert 0.77 < crop["area_kept"] < 0.78
