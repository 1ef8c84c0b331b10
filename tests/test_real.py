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

from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.split import balanced, count_samples
from tests.conftest import snapshot
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
    }  # fmt: skip
    assert facts["official"] == {"images": 399, "masks": 399}
    assert facts["width"] == [500, 500]
    assert facts["height"] == [1235, 1285]
    assert facts["defect_pixels"] == {"min": 790, "median": 3367, "max": 6457}
    defective = {item["item"]: item["defective"] for item in facts["items"]}
    assert {item for item, count in defective.items() if count != 1} == {"kos38", "kos39"}
    assert {item["item"] for item in facts["items"] if item["samples"] != 8} == {"kos21"}
    assert [(f["code"], f["path"]) for f in facts["findings"]] == [
        ("mask-values", "kos20/Part4_label.bmp")
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


def test_every_seed_gives_the_known_counts(real: Path) -> None:
    with open_source(real) as source:
        samples = scan_source(source).samples
    splits = [balanced(samples, seed=seed) for seed in range(200)]
    for split in splits:
        assert count_samples(split, samples) == {
            ("train", "good"): 295, ("test", "good"): 52, ("test", "defective"): 52,
        }  # fmt: skip
    assert len({tuple(split.assigned.items()) for split in splits}) == 200
