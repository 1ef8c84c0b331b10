"""``kolektor convert``: what is asked for is what is written, or refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import kolektor_cli
from tests.conftest import MakeDataset, snapshot
from tests.running import SMALL, error_of, run


def test_command_line_and_python_give_the_same_tree_and_fingerprint(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    told = json.loads(run("convert", source, tmp_path / "a", "--seed", 3, "--json", *SMALL).stdout)
    options = kolektor_cli.ConvertOptions(size=(20, 30), split=kolektor_cli.SplitOptions(seed=3))
    made = kolektor_cli.convert(source, tmp_path / "b", options)
    assert made.manifest is not None
    assert made.manifest.fingerprint == told["fingerprint"]
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    # Computed again from what was written.
    checked = json.loads(run("verify", tmp_path / "b", "--json").stdout)
    [found] = kolektor_cli.verify(tmp_path / "a", source=source).categories
    assert checked["categories"][0]["fingerprint"] == found.fingerprint == told["fingerprint"]
    assert f"fingerprint {found.fingerprint}" in run("verify", tmp_path / "a").stdout.splitlines()


def test_dry_run_shows_the_plan_and_writes_nothing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    plan = json.loads(run("convert", source, tmp_path / "out", "--dry-run", "--json").stdout)
    table = run("convert", source, tmp_path / "out", "--dry-run", "--files").stdout
    short = run("convert", source, tmp_path / "out", "--dry-run").stdout
    assert not (tmp_path / "out").exists()
    done = json.loads(run("convert", source, tmp_path / "out", "--json", *SMALL).stdout)
    assert plan["dry_run"]
    assert plan["fingerprint"] is None
    assert plan["images"] == done["images"]
    assert plan["counts"] == done["counts"]
    for image in plan["images"]:
        assert [image["path"], image["sample"]] in [line.split() for line in table.splitlines()]
        assert image["path"] not in short
        assert (tmp_path / "out" / "metal" / image["path"]).is_file()


def test_dry_run_and_inspect_tell_the_same_of_a_fit(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    fit = ("--fit", "crop", "--size", "40x30", "--json")
    inspected = json.loads(run("inspect", raw, *fit).stdout)["geometry"]
    planned = json.loads(run("convert", raw, tmp_path, "--dry-run", *fit).stdout)["geometry"]
    assert inspected == planned
    assert inspected["images"] == {"good": 9, "defective": 3}
    assert {defects["smallest_defect"] for defects in inspected["defects"]} == {12}
    assert "geometry" not in json.loads(run("inspect", raw, "--json").stdout)
    table = run("inspect", raw, *fit[:4]).stdout
    assert "Geometry: crop to 40x30" in table


def test_names_sizes_colors_and_category_are_as_asked_for(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run(
        *("convert", make_dataset(), tmp_path, "--names", "source", "--color", "gray"),
        *("--size", "source", "--category", "金属 ä"),
    )
    images = {path.name: path.read_bytes() for path in tmp_path.glob("金属 ä/test/defect/*")}
    assert sorted(images) == ["kos01_Part0.png", "kos02_Part0.png", "kos03_Part0.png"]
    for data in images.values():
        assert data[16:26] == (40).to_bytes(4, "big") + (60).to_bytes(4, "big") + b"\x08\x00"


@pytest.mark.parametrize(
    ("break_file", "file", "message"),
    [
        (lambda path: path.write_bytes(b""), "Part1.jpg", "is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "Part1.jpg", "truncated"),
        (lambda path: path.write_text("not an image"), "Part1.jpg", "is not a JPEG"),
        (lambda path: path.unlink(), "Part1_label.bmp", "has no mask"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "Part1_label.bmp", "truncated"),
    ],
)
def test_a_broken_sample_stops_convert_unless_skipped(
    break_file: object, file: str, message: str, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    assert callable(break_file)
    break_file(source / "kos02" / file)
    error = error_of("convert", source, out, *SMALL, code=3)
    assert "kos02/Part1" in error
    assert message in error
    assert "--skip-bad" in error
    assert not out.exists()
    result = run("convert", source, out, *SMALL, "--skip-bad", "--json")
    assert "left out: kos02/Part1" in result.stderr
    done = json.loads(result.stdout)
    assert list(done["left_out"]) == ["kos02/Part1"]
    assert len(done["images"]) == 11
    assert run("verify", out).stdout.splitlines()[-1] == "metal: ok"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0x0"], "out of range"),
        (["--size", "axb"], "neither WxH"),
        (["--size", "100000x100000"], "out of range"),
        (["--size", "500x"], "neither WxH"),
        (["--size", "0"], "out of range"),
        (["--fit", "squash"], "is not one of"),
        (["--fit", "thirds", "--size", "500x400"], "takes no --size"),
        (["--fit", "square", "--size", "500x400"], "makes squares"),
        (["--fit", "pad", "--size", "source"], "needs a size"),
        (["--size", "-5x5"], "neither WxH"),
        (["--test-good", "9"], "9 good samples to test out of 9"),
        (["--test-good", "0"], "--test-good"),
        (["--val", "1"], "not a fraction"),
        (["--val", "-0.1"], "not a fraction"),
        (["--val", "nan"], "not a fraction"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "x"], "--seed"),
        (["--color", "blue"], "--color"),
        (["--names", "random"], "--names"),
        (["--protocol", "none"], "--protocol"),
        (["--category", "a/b"], "'/' is not allowed"),
        (["--category", ""], "must not be empty"),
        (["--category", ".."], "must not be empty"),
        (["--category", "x" * 300], "longer than 200 bytes"),
        (["-j", "0"], "--jobs"),
        (["--split", "-", "--seed", "0"], "--seed and --split exclude each other"),
        (["--split", "-", "--protocol", "balanced"], "--protocol and --split exclude each other"),
        (["--fold", "0"], "balanced takes --seed, --test-good, --val, not --fold"),
        (["--protocol", "vicos"], "vicos needs --fold"),
        (["--protocol", "vicos", "--fold", "3"], "no fold 3"),
        (["--protocol", "grouped", "--fold", "0", "--folds", "9"], "9 folds of 3 physical items"),
        (["--protocol", "anomalib", "--seed", "0"], "anomalib takes no option, not --seed"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    options: list[str], message: str, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    error = error_of("convert", make_dataset(), tmp_path / "out", *options, code=2)
    assert message in error
    assert not (tmp_path / "out").exists()


def test_outputs_that_must_not_be_written_are_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    before = snapshot(tmp_path)
    (tmp_path / "file").write_text("mine")
    assert "is not a folder" in error_of("convert", source, tmp_path / "file", code=3)
    assert "is not a folder" in error_of("convert", source, tmp_path / "file" / "x", code=3)
    assert "lies inside the source" in error_of("convert", source, source / "out", code=2)
    assert "cannot be written" in error_of("convert", source, "/proc/out", code=3)
    (tmp_path / "file").unlink()
    assert snapshot(tmp_path) == before
    run("convert", source, out, *SMALL)
    tree = snapshot(out)
    assert "--force" in error_of("convert", source, out, *SMALL, code=3)
    assert snapshot(out) == tree
    run("convert", source, out, *SMALL, "--seed", 9, "--force")
    assert snapshot(out).keys() == tree.keys()
    assert snapshot(out) != tree


def test_a_zip_with_names_in_other_scripts_is_converted(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    (source / "kos01").rename(source / "Stück 1 样品")
    with zipfile.ZipFile(tmp_path / "数据 ä.zip", "w") as archive:
        for path in source.rglob("*.*"):
            archive.write(path, Path("raw ü") / path.relative_to(source))
    run("convert", tmp_path / "数据 ä.zip", tmp_path / "öut", *SMALL, "--names", "source")
    assert (tmp_path / "öut/metal/test/defect/Stück 1 样品_Part0.png").is_file()
    run("verify", tmp_path / "öut", "--source", tmp_path / "数据 ä.zip")


def test_seed_moves_the_windows_of_square_whatever_the_split(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    split = tmp_path / "split.csv"
    run("split", raw, "-o", split)
    windows = []
    for seed in (0, 7):
        options = ("--fit", "square", "--size", 16, "--seed", seed)
        for name, protocol in (
            ("anomalib", ("--protocol", "anomalib")),
            ("file", ("--split", split)),
        ):
            run("convert", raw, tmp_path / f"{name}{seed}", *options, *protocol)
            manifest = json.loads((tmp_path / f"{name}{seed}/metal/manifest.json").read_text())
            assert manifest["options"]["seed"] == seed
            windows.append({f["sample"]: f["window"] for f in manifest["files"]})
    assert windows[0] == windows[1]
    assert windows[2] == windows[3]
    differ = {sample for sample in windows[0] if windows[0][sample] != windows[2][sample]}
    assert differ
    assert not any(sample.endswith("Part0") for sample in differ)
    error = run("convert", raw, tmp_path / "no", "--protocol", "anomalib", "--seed", 7, code=2)
    assert "takes no option, not --seed" in error.stderr


def test_kolektorsdd2_is_converted_by_its_own_defaults(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset_2(), tmp_path / "out"
    facts = json.loads(run("convert", source, out, "--json").stdout)
    assert (facts["category"], facts["release"]) == ("kolektorsdd2", "KolektorSDD2")
    assert facts["options"]["size"] == [230, 630]
    assert facts["split"] == {"protocol": "official", "train_defects": "unused"}
    assert facts["unused"] == ["train/10000"]
    assert [path.name for path in out.iterdir()] == ["kolektorsdd2"]
    data = (out / "kolektorsdd2/train/good/000.png").read_bytes()
    assert data[16:26] == (230).to_bytes(4, "big") + (630).to_bytes(4, "big") + b"\x08\x02"
    run("verify", out, "--source", source)
    assert "--force" in error_of("convert", source, out, code=3)
