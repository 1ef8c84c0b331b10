"""``kolektor split``, and split files given to ``kolektor convert``."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeDataset, snapshot
from tests.running import SMALL, error_of, run


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


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: "", "is empty"),
        (lambda text: text.replace("sample,", "name,", 1), "no column sample"),
        (lambda text: text.replace(",train", ",learn", 1), "'learn' is not a split"),
        (lambda text: text.replace("kos01/Part1", "kos77/Part1"), "no usable sample 'kos77/Part1'"),
        (lambda text: text + text.splitlines()[-1], "is repeated"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "does not say where kos03/Part3"),
        (lambda text: text.replace("defective,test", "defective,val", 1), "is defective"),
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
    assert "names the image 10006, which is not in the source" in error
