"""``kolektor inspect``: tables, JSON and CSV of what a source holds."""

from __future__ import annotations

import csv
import json
import shutil

from tests.conftest import MakeDataset
from tests.running import run


def test_inspect_json_csv_and_tables_tell_the_same(make_dataset: MakeDataset) -> None:
    source = make_dataset(items=2, parts=3)
    (source / "kos02" / "Part2.jpg").write_bytes(b"")
    facts = json.loads(run("inspect", source, "--json", code=1).stdout)
    rows = list(csv.DictReader(run("inspect", source, "--csv", code=1).stdout.splitlines()))
    table = run("inspect", source, "--items", code=1).stdout
    short = run("inspect", source, code=1).stdout.splitlines()
    assert facts["counts"] == {
        "items": 2, "samples": 5, "good": 3, "defective": 2, "left_out": 1,
        "distinct": 5, "groups": 2,
    }  # fmt: skip
    assert not facts["ok"]
    assert [row["sample"] for row in rows if row["label"]] == [
        sample["sample"] for sample in facts["samples"]
    ]
    assert [(row["sample"], row["problem"]) for row in rows if row["problem"]] == [
        ("kos02/Part2", "unreadable")
    ]
    assert ["all", "5", "3", "2", "40", "60", "144"] in [
        line.split() for line in table.splitlines()
    ]
    assert "error   kos02/Part2.jpg: is empty (unreadable)" in table.splitlines()
    assert "error   kos02/Part2.jpg: is empty (unreadable)" in short
    assert short[-1] == f"{facts['release']}: FAILED; 1 error, 12 warnings"


def test_inspect_of_kolektorsdd2_tells_of_its_halves(make_dataset_2: MakeDataset) -> None:
    source = make_dataset_2(train=7, test=5)
    (source / "train/10003_GT.png").unlink()
    shutil.copy(source / "train/10001.png", source / "test/20001.png")
    facts = json.loads(run("inspect", source, "--json", code=1).stdout)
    rows = list(csv.DictReader(run("inspect", source, "--csv", code=1).stdout.splitlines()))
    lines = [line.split() for line in run("inspect", source, code=1).stdout.splitlines()]
    assert facts["official"] == {"images": None, "masks": None}
    assert [(s["split"], s["samples"], s["good"]) for s in facts["splits"]] == [
        ("train", 6, 5),
        ("test", 5, 4),
    ]
    assert ["train", "6", "5", "1", "30-32", "79-80", "72"] in lines
    assert ["test", "5", "4", "1", "30-32", "79-80", "72"] in lines
    assert ["all", "11", "9", "2", "30-32", "79-80", "144"] in lines
    assert ["test", "and", "train", "1", "0", "0"] in lines
    assert not any("official" in line or "10002" in line for line in lines)
    assert [row["official_split"] for row in rows if row["label"]] == ["test"] * 5 + ["train"] * 6
    assert [s["official_split"] for s in facts["samples"]] == ["test"] * 5 + ["train"] * 6
    assert (rows[-1]["sample"], rows[-1]["item"]) == ("train/10003", "10003")
