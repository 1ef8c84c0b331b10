"""The command line as people and pipes use it: as processes, and their output read back."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kolektor_cli import __version__
from kolektor_cli.cli import app
from tests.conftest import MakeDataset, snapshot, write_pair

KOLEKTOR = [sys.executable, "-m", "kolektor_cli"]
SMALL = ("--size", "20x30")


def run(
    *arguments: object, code: int = 0, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run kolektor; its output is decoded as UTF-8, and its exit code must be `code`."""
    result = subprocess.run(
        [*KOLEKTOR, *map(str, arguments)],
        input=stdin.encode(),
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )
    out, err = (text.decode() for text in (result.stdout, result.stderr))
    assert result.returncode == code, f"exit code {result.returncode}: {err}"
    assert "Traceback" not in err
    return subprocess.CompletedProcess(result.args, code, out, err)


def error_of(*arguments: object, code: int) -> str:
    """Run kolektor, which must fail with one error of one line and print nothing."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert result.stderr.splitlines()[-1] == errors[0]
    return errors[0]


def test_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"kolektor {__version__}\n"


@pytest.mark.parametrize("command", ["inspect", "split", "convert", "verify", "sample"])
def test_help_has_an_example_and_help_for_every_option(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"kolektor {command} " in text.split("Example:")[1]
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    parameters = group.commands[command].params
    assert len(parameters) > 3
    assert [p.name for p in parameters if not getattr(p, "help", None)] == []


def test_help_loads_neither_opencv_nor_numpy_nor_rich() -> None:
    script = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from kolektor_cli.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'cv2', 'numpy', 'rich', 'isal', 'simplejpeg'} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_inspect_json_csv_and_tables_tell_the_same(make_dataset: MakeDataset) -> None:
    source = make_dataset(items=2, parts=3)
    (source / "kos02" / "Part2.jpg").write_bytes(b"")
    facts = json.loads(run("inspect", source, "--json", code=1).stdout)
    rows = list(csv.DictReader(run("inspect", source, "--csv", code=1).stdout.splitlines()))
    table = run("inspect", source, code=1).stdout
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


def test_split_piped_into_convert_gives_the_tree_of_convert_itself(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    piped = run("split", source, "--seed", 5, "--val", 0.3).stdout
    run("convert", source, tmp_path / "a", "--split", "-", *SMALL, stdin=piped)
    run("convert", source, tmp_path / "b", "--seed", 5, "--val", 0.3, *SMALL)
    a, b = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")
    assert a.keys() == b.keys()
    assert {path for path in a if a[path] != b[path]} == {"metal/manifest.json"}
    assert any(path.startswith("metal/validation/good/") for path in a)


def test_split_writes_a_file_and_nothing_to_standard_output(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    assert run("split", source, "-o", tmp_path / "split.csv").stdout == ""
    assert (tmp_path / "split.csv").read_text() == run("split", source).stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "split.csv"]
    message = error_of("split", source, "-q", "-o", tmp_path / "no" / "split.csv", code=3)
    assert "no/split.csv: cannot be written" in message


def test_dry_run_shows_the_plan_and_writes_nothing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    plan = json.loads(run("convert", source, tmp_path / "out", "--dry-run", "--json").stdout)
    table = run("convert", source, tmp_path / "out", "--dry-run").stdout
    assert not (tmp_path / "out").exists()
    done = json.loads(run("convert", source, tmp_path / "out", "--json", *SMALL).stdout)
    assert plan["dry_run"]
    assert plan["fingerprint"] is None
    assert plan["images"] == done["images"]
    assert plan["counts"] == done["counts"]
    for image in plan["images"]:
        assert [image["path"], image["sample"]] in [line.split() for line in table.splitlines()]
        assert (tmp_path / "out" / "metal" / image["path"]).is_file()


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


@pytest.mark.parametrize("width", ["40", "200"])
@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_pipes_cut_and_fold_nothing(
    command: str, width: str, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    run("convert", source, tmp_path / "out", *SMALL)
    target = source if command == "inspect" else tmp_path / "out"
    wide = run(command, target).stdout
    assert run(command, target, COLUMNS=width).stdout == wide
    assert "…" not in wide
    assert "\x1b" not in wide


def test_output_in_ascii_is_ascii(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset("raw ä 中文")
    result = run("convert", source, tmp_path / "öut", *SMALL, PYTHONIOENCODING="ascii")
    assert result.stdout.isascii()
    assert "\\xf6ut" in result.stdout
    assert run("inspect", source, "--json", PYTHONIOENCODING="ascii").stdout.isascii()


def test_colour_is_for_those_who_force_it(make_dataset: MakeDataset) -> None:
    source = make_dataset()
    (source / "kos01" / "Part1.jpg").write_bytes(b"")
    forced = run("inspect", source, code=1, FORCE_COLOR="1", TERM="xterm").stdout
    refused = run("inspect", source, code=1, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
    red = "\x1b[1;31m"
    assert red in forced
    assert red not in refused


@pytest.mark.parametrize("arguments", [["--csv"], ["--json"], []])
def test_a_closed_pipe_is_no_error(arguments: list[str], synthetic: Path) -> None:
    command = " ".join([*KOLEKTOR, "inspect", str(synthetic), "-q", *arguments])
    script = f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "0"
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_told(make_dataset: MakeDataset) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*KOLEKTOR, "split", str(make_dataset()), "-q"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 3
    assert result.stderr.startswith("Error: standard output: No space left on device; make room")
    assert len(result.stderr.splitlines()) == 1


def test_quiet_says_nothing_on_standard_error(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset()
    assert "missing-item" in run("convert", source, tmp_path / "a", *SMALL).stderr
    assert run("convert", source, tmp_path / "b", "-q", *SMALL).stderr == ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such file or folder"),
        (lambda path: path.mkdir(), "is empty"),
        (lambda path: path.write_text("hello"), "neither a folder nor a zip archive"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "damaged or cut short"),
        (lambda path: write_pair(path / "2019" / "beach", "IMG_1", 1), None),
        (lambda path: shutil.copytree(Path(__file__).parent, path), "is not a dataset"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "split", "convert"])
def test_a_source_that_is_none_is_refused(
    command: str, make: object, message: str | None, tmp_path: Path
) -> None:
    source = tmp_path / "source ü"
    assert callable(make)
    make(source)
    for mask in source.rglob("*_label.bmp"):
        mask.unlink()
    arguments = [tmp_path / "out"] if command == "convert" else []
    error = error_of(command, source, *arguments, code=3)
    assert str(source) in error
    assert (message or "is not a dataset") in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("break_file", "file", "message"),
    [
        (lambda path: path.write_bytes(b""), "Part1.jpg", "is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "Part1.jpg", "cut short"),
        (lambda path: path.write_text("not an image"), "Part1.jpg", "is not a JPEG"),
        (lambda path: path.unlink(), "Part1_label.bmp", "has no mask"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "Part1_label.bmp", "cut short"),
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
        (["--val", "1"], "no fraction"),
        (["--val", "-0.1"], "no fraction"),
        (["--val", "nan"], "no fraction"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "x"], "--seed"),
        (["--color", "blue"], "--color"),
        (["--names", "random"], "--names"),
        (["--protocol", "none"], "--protocol"),
        (["--category", "a/b"], "'/' cannot stand"),
        (["--category", ""], "must not be empty"),
        (["--category", ".."], "must not be empty"),
        (["--category", "x" * 300], "longer than 200 bytes"),
        (["-j", "0"], "--jobs"),
        (["--split", "-", "--seed", "0"], "--seed and --split exclude each other"),
        (["--split", "-", "--protocol", "balanced"], "--protocol and --split exclude each other"),
        (["--fold", "0"], "balanced takes --seed, --test-good, --val, not --fold"),
        (["--protocol", "vicos"], "vicos needs --fold"),
        (["--protocol", "vicos", "--fold", "3"], "no fold 3"),
        (["--protocol", "grouped", "--fold", "0", "--folds", "9"], "9 folds of 3 groups"),
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


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: "", "is empty"),
        (lambda text: text.replace("sample,", "name,", 1), "no column sample"),
        (lambda text: text.replace(",train", ",learn", 1), "'learn' is no split"),
        (lambda text: text.replace("kos01/Part1", "kos77/Part1"), "no usable sample 'kos77/Part1'"),
        (lambda text: text + text.splitlines()[-1], "stands here again"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "does not say where kos03/Part3"),
        (lambda text: text.replace("defective,test", "defective,train", 1), "is defective"),
        (lambda text: "../../x" + text, "no column sample"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused(
    edit: object, message: str, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, file = make_dataset(), tmp_path / "split ü.csv"
    assert callable(edit)
    file.write_text(edit(run("split", source).stdout))
    error = error_of("convert", source, tmp_path / "out", "--split", file, code=3)
    assert "split ü.csv" in error
    assert message in error
    assert not (tmp_path / "out").exists()


def test_a_split_file_in_another_encoding_or_missing_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, file = make_dataset(), tmp_path / "split.csv"
    assert "cannot be read" in error_of("convert", source, tmp_path, "--split", file, code=3)
    file.write_text(run("split", source).stdout, encoding="utf-16")
    assert "not text in UTF-8" in error_of("convert", source, tmp_path, "--split", file, code=3)


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


def test_verify_of_what_is_no_tree_is_an_error(make_dataset: MakeDataset, tmp_path: Path) -> None:
    assert "is no MVTec-style tree" in error_of("verify", make_dataset(), code=3)
    assert "is no folder" in error_of("verify", tmp_path / "nothing", code=3)


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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_conversion_leaves_nothing(
    number: signal.Signals, code: int, synthetic: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen([*KOLEKTOR, "convert", str(synthetic), str(out), "-q"]) as process:
        while not list(out.glob(".metal.unfinished/new/train/good/*.png")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        assert process.wait() == code
    assert list(tmp_path.iterdir()) == []


def test_sample_counts_what_it_drew(tmp_path: Path) -> None:
    result = run("sample", tmp_path / "raw", "--items", 1, "--seed", 3)
    assert ["1", "8", "7", "1"] in [line.split() for line in result.stdout.splitlines()]
    assert len(snapshot(tmp_path / "raw")) == 16
    assert "exists already" in error_of("sample", tmp_path / "raw", code=3)


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


def test_split_of_kolektorsdd2_is_that_of_its_folders(make_dataset_2: MakeDataset) -> None:
    source = make_dataset_2(train=3, test=2)
    rows = run("split", source, "--train-defects", "test").stdout.splitlines()
    assert rows == [
        "sample,item,group,label,split",
        "test/20000,20000,20000,defective,test",
        "test/20001,20001,20001,good,test",
        "train/10000,10000,10000,defective,test",
        "train/10001,10001,10001,good,train",
        "train/10002,10002,10002,good,train",
    ]
    shutil.copy(source / "train/10001.png", source / "test/20001.png")
    assert "train/10001 = test/20001" in run("split", source).stderr


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("metal", ("--protocol", "official"), "vicos for the folds of KolektorSDD's authors"),
        ("metal", ("--train-defects", "test"), "balanced takes"),
        ("2", ("--protocol", "vicos", "--fold", 0), "for KolektorSDD2 choose official"),
        ("2", ("--seed", 1), "official takes --train-defects, not --seed"),
        ("2", ("--protocol", "balanced", "--train-defects", "test"), "balanced takes"),
    ],
)
def test_options_of_the_other_release_are_refused(
    kind: str,
    options: tuple[str, ...],
    message: str,
    make_dataset: MakeDataset,
    make_dataset_2: MakeDataset,
) -> None:
    source = make_dataset_2() if kind == "2" else make_dataset()
    assert message in error_of("split", source, "-q", *options, code=2)


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


def test_authors_split_of_kolektorsdd2_selects_by_number(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset_2()
    numbers = [[(10000 + n, True) for n in range(6)], [(20000 + n, True) for n in range(4)]]
    (tmp_path / "split.pyb").write_bytes(pickle.dumps(numbers))
    run("convert", source, tmp_path / "a", "--split", tmp_path / "split.pyb")
    run("convert", source, tmp_path / "b")
    a, b = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")
    assert {path for path in a if a[path] != b.get(path)} == {"kolektorsdd2/manifest.json"}
    assert a.keys() == b.keys()
    (tmp_path / "split.pyb").write_bytes(pickle.dumps([[*numbers[0], (10006, True)], numbers[1]]))
    error = error_of(
        "convert", source, tmp_path / "c", "-q", "--split", tmp_path / "split.pyb", code=3
    )
    assert "names the image 10006, which the source has not" in error


def test_sample_draws_each_layout(tmp_path: Path) -> None:
    for layout, release in (("boxes", "KolektorSDD-boxes"), ("kolektorsdd2", "KolektorSDD2")):
        source = tmp_path / layout
        result = run("sample", source, "--layout", layout, "--items", 4)
        assert any(line.split()[:1] == ["4"] for line in result.stdout.splitlines())
        facts = json.loads(run("inspect", source, "--json").stdout)
        assert facts["release"] == release
    assert "too few" in error_of(
        "sample", tmp_path / "x", "--layout", "kolektorsdd2", "--items", 2, code=2
    )
