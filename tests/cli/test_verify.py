"""``kolektor verify``: exit code 1, and which file is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeDataset, snapshot
from tests.running import SMALL, error_of, run


def test_verify_of_what_is_no_tree_is_an_error(make_dataset: MakeDataset, tmp_path: Path) -> None:
    assert "is not an MVTec-style tree" in error_of("verify", make_dataset(), code=3)
    assert "is not a folder" in error_of("verify", tmp_path / "nothing", code=3)


def test_verify_names_the_file_and_exits_with_1(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset()
    run("convert", source, tmp_path / "out", *SMALL)
    run("convert", source, tmp_path / "out", *SMALL, "--category", "other")
    victim = tmp_path / "out" / "other" / "test" / "good" / "001.png"
    data = bytearray(victim.read_bytes())
    data[-20] ^= 1
    victim.write_bytes(data)
    text = run("verify", tmp_path / "out", code=1).stdout
    assert "metal: ok" in text.splitlines()
    assert "other: FAILED: images, hashes" in text.splitlines()
    assert "hashes: test/good/001.png: " in text
    report = json.loads(run("verify", tmp_path / "out", "--json", code=1).stdout)
    assert [(c["category"], c["ok"]) for c in report["categories"]] == [
        ("metal", True),
        ("other", False),
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--train-defects", "test"),
        ("--size", "source", "--names", "source"),
        ("--size", "23x63", "--color", "gray"),
        ("--protocol", "balanced", "--seed", 3, "--size", "23x63"),
        ("--protocol", "grouped", "--fold", 1, "--size", "23x63"),
        ("--protocol", "anomalib", "--size", "23x63"),
    ],
    ids=str,
)
def test_trees_of_kolektorsdd2_are_verified_against_its_zip(
    options: tuple[str, ...], make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset_2(train=12, test=8)
    shutil.copy(source / "train/10003.png", source / "train/10003 (copy).png")
    shutil.make_archive(str(tmp_path / "k2"), "zip", tmp_path, "raw")
    run("convert", source, tmp_path / "out", *options)
    run("convert", tmp_path / "k2.zip", tmp_path / "out2", *options)
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "out2")
    run("verify", tmp_path / "out", "--source", tmp_path / "k2.zip")
    other = tmp_path / "raw" / "test" / "20003.png"
    shutil.copy(source / "test/20001.png", other)
    assert "20003" in run("verify", tmp_path / "out", "--source", source, code=1).stdout
