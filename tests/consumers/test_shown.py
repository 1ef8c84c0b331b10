"""What the command line shows of a consumer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import MakeDataset
from tests.running import SMALL, run


def test_text_output_ends_with_the_commands(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    text = run("convert", make_dataset(), out, "--for", "cfa", "-q").stdout
    assert text.splitlines()[-4:-3] == ["CFA (sungwool/CFA_for_anomaly_localization):"]
    assert text.splitlines()[-3] == (
        f"  python trainer_cfa.py --class_name metal_nut --data_path {out} --cnn wrn50_2 "
        "--size 256 --gamma_c 1 --gamma_d 1"
    )


def test_json_output_has_the_commands_and_the_files_beside(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    shown = run("convert", make_dataset(), out, "--for", "anomalib", "--table", "--json", *SMALL)
    [consumer] = json.loads(shown.stdout)["consumers"]
    assert consumer["files"] == ["metal.csv", "metal.pre-processor.yaml", "metal.yaml"]
    assert consumer["commands"] == [
        f"anomalib train --model Patchcore --model.pre_processor {out}/metal.pre-processor.yaml"
        f" --data {out}/metal.yaml"
    ]


def test_images_for_validation_that_no_reader_takes_are_told(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    options = ("--for", "anomalyclip", *SMALL)
    told = "images for validation"
    assert told in run("convert", raw, tmp_path / "a", *options, "--val", "0.4").stderr
    assert told not in run("convert", raw, tmp_path / "b", *options).stderr


def test_name_of_no_consumer_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    error = run("convert", make_dataset(), tmp_path / "out", "--for", "metal", code=2).stderr
    assert "is not one of" in error
    assert not (tmp_path / "out").exists()


def test_verify_tells_of_unmet_needs_and_exits_1(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    run("convert", make_dataset(), out, *SMALL)
    report = json.loads(run("verify", out, "--for", "cfa", "--json", code=1).stdout)
    [check] = [c for c in report["categories"][0]["checks"] if c["name"] == "consumer"]
    assert not check["ok"]
    assert {finding["code"] for finding in check["findings"]} == {"category", "size"}
    run("verify", out, "--for", "anomalib")
