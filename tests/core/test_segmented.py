"""What a split file says of pixel labels is in the split, the manifest, and told."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

from kolektor_cli.core.conversion import convert
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import verify
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.layout import MANIFEST_NAME
from kolektor_cli.tree.manifest import from_bytes
from tests.conftest import SMALL, MakeDataset
from tests.manifests import to_bytes
from tests.running import run
from tests.scans import named, scan, unusual

TOLD = {"train/10000": False, "train/10001": True, "train/10002": False, "test/20000": True}


def write_list(path: Path) -> Path:
    numbers = {name: int(name.partition("/")[2]) for name in TOLD}
    train = [(numbers[n], TOLD[n]) for n in TOLD if n.startswith("train")]
    test = [(numbers[n], TOLD[n]) for n in TOLD if n.startswith("test")]
    test += [(20001, True)]
    path.write_bytes(pickle.dumps((train, test)))
    return path


def test_manifest_and_csv_keep_what_is_segmented(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset_2()
    options = SplitOptions(file=write_list(tmp_path / "split.pyb"))
    made = convert(root, tmp_path / "out", replace(SMALL, split=options))
    assert made.manifest is not None
    data = (made.target / MANIFEST_NAME).read_bytes()
    content = json.loads(data)
    assert content["format"] == 2
    assert content["segmented"] == {**TOLD, "test/20001": True}
    assert next(iter(content["segmented"])) == "test/20000"
    assert from_bytes(data) == made.manifest
    assert to_bytes(from_bytes(data)) == data
    assert verify(tmp_path / "out", source=root).ok

    split(root, options, output=tmp_path / "split.csv")
    again = replace(SMALL, split=SplitOptions(file=tmp_path / "split.csv"))
    shutil.rmtree(made.target)
    assert convert(root, tmp_path / "out", again).manifest == made.manifest


def test_manifest_without_it_has_no_such_key(make_dataset_2: MakeDataset, tmp_path: Path) -> None:
    made = convert(make_dataset_2(), tmp_path / "out", SMALL)
    content = json.loads((made.target / MANIFEST_NAME).read_bytes())
    assert list(content) == [
        *("format", "kolektor", "category", "release", "options", "split", "fingerprint"),
        *("lost", "unused", "left_out", "files", "sha256"),
    ]


def test_counts_are_told_on_standard_error(make_dataset_2: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset_2()
    file = write_list(tmp_path / "split.pyb")
    result = run("convert", root, tmp_path / "out", "--size", "20x31", "--split", file)
    told = "1 of 3 training samples are fully labelled by the split file, 0 of the 1 defective"
    assert told in result.stderr
    assert "fully labelled" not in run("split", root).stderr


def test_files_of_the_authors_are_no_strays(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    for number in (0, 16, 53, 126, 246):
        write_list(root / f"split_weakly_{number}.pyb")
    found = scan(root)
    assert unusual(found) == [("info", "split-file", "split_weakly_0.pyb")]
    assert found.samples == before.samples
    (root / "notes.pyb").write_bytes(b"x")
    assert named(scan(root), "stray-file") == [("warning", "notes.pyb")]
    options = SplitOptions(file=root / "split_weakly_0.pyb")
    assert split(root, options).split.segmented["train/10001"] is True
