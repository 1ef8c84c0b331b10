"""Splitting: by a protocol or by a file, with what leaks, and nothing done for wrong options."""

from __future__ import annotations

import io
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.core.splitting import split
from kolektor_cli.errors import KolektorError, SourceError, SplitFileError, UsageError
from kolektor_cli.splits.protocols import balanced, official
from kolektor_cli.splits.split import Leak, SplitOptions
from tests.conftest import MakeDataset
from tests.samples import NEWER
from tests.scans import scan


def test_default_is_the_protocol_of_the_release(
    make_dataset: MakeDataset, make_dataset_2: MakeDataset
) -> None:
    first, second = make_dataset(), make_dataset_2("two")
    assert split(str(first)).split == balanced(scan(first).samples)
    assert split(second).split == official(scan(second).samples)


def test_options_are_those_of_the_protocol(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    found = split(root, SplitOptions(seed=0, test_good=4, val=0.5))
    assert found.split == balanced(found.scan.samples, seed=0, test_good=4, val=0.5)
    assert found.split.parameters == {"seed": 0, "test_good": 4, "val": 0.5}


def test_options_that_are_zero_are_given_and_those_left_out_are_not() -> None:
    assert SplitOptions(seed=0, fold=0).given() == {"seed": 0, "fold": 0}
    assert SplitOptions(protocol="vicos", file="x").given() == {}
    assert SplitOptions(drop_leaks=True, val=0.0).given() == {"drop_leaks": True, "val": 0.0}


def test_leaks_are_told(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    shutil.copy(root / "kos01/Part1.jpg", root / "kos02/Part1.jpg")
    vicos = SplitOptions(protocol="vicos", fold=0)
    assert split(root, vicos).leaks == (Leak("kos01/Part1", "kos02/Part1", "file"),)
    dropped = split(root, SplitOptions(protocol="vicos", fold=0, drop_leaks=True))
    assert dropped.leaks == ()
    assert dropped.split.assigned["kos01/Part1"] == "unused"


@pytest.mark.parametrize("kind", [str, Path])
def test_file_that_was_written_gives_the_split_again(
    make_dataset: MakeDataset, tmp_path: Path, kind: type
) -> None:
    root = make_dataset()
    made = split(root, SplitOptions(seed=7), output=kind(tmp_path / "split.csv"))
    given = SplitOptions(file=kind(tmp_path / "split.csv"))
    again = split(root, given, output=tmp_path / "again.csv")
    assert again.split.assigned == made.split.assigned
    assert again.split.protocol == "file"
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "split.csv").read_bytes()


def test_file_of_the_authors_takes_a_fold(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset(items=50, parts=1)
    (tmp_path / "split.pyb").write_bytes(pickle.dumps(NEWER))
    found = split(root, SplitOptions(file=tmp_path / "split.pyb", fold=1))
    wanted = split(root, SplitOptions(protocol="vicos", fold=1))
    assert found.split.assigned == wanted.split.assigned
    with pytest.raises(SplitFileError, match="folds 0 to 2"):
        split(root, SplitOptions(file=tmp_path / "split.pyb"))


def test_dash_is_standard_input(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset()
    made = split(root, SplitOptions(seed=3), output=tmp_path / "split.csv")
    data = io.BytesIO((tmp_path / "split.csv").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert split(root, SplitOptions(file="-")).split.assigned == made.split.assigned


def no_work(step: str, _: int, __: int) -> None:
    raise AssertionError(f"{step} was begun")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"seed": 0}, "--seed"),
        ({"protocol": "balanced"}, "--protocol"),
        ({"test_good": 3}, "--test-good"),
        ({"val": 0.0}, "--val"),
        ({"drop_leaks": True}, "--drop-leaks"),
        ({"train_defects": "test"}, "--train-defects"),
        ({"folds": 3}, "--folds"),
    ],
)
def test_options_that_a_file_makes_meaningless_are_refused_before_any_work(
    options: dict[str, Any], option: str
) -> None:
    # Neither the file nor the source is there to be looked at.
    with pytest.raises(UsageError, match=f"{option} and --split exclude each other"):
        split("nowhere", SplitOptions(file="split.csv", **options), progress=no_work)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "vicos"}, "vicos needs --fold"),
        ({"protocol": "anomalib", "seed": 0}, "anomalib takes no option"),
        ({"protocol": "balanced", "fold": 0}, "not --fold"),
        ({"protocol": "vicos", "fold": 3}, "no fold 3"),
        ({"val": 1.5}, "fraction"),
        ({"protocol": "official"}, "each image in one folder, train or test"),
    ],
)
def test_options_that_the_protocol_does_not_take_are_refused(
    make_dataset: MakeDataset, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        split(make_dataset(), SplitOptions(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"protocol": "vicos"},
        {"protocol": "anomalib", "seed": 0},
        {"protocol": "vicos", "fold": 3},
        {"val": 1.5},
        {"test_good": 0},
        {"protocol": "nobody's"},
    ],
    ids=str,
)
def test_options_that_no_source_could_make_right_are_refused_before_any_work(
    make_dataset: MakeDataset, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        split(make_dataset(), SplitOptions(**options), progress=no_work)


def test_file_that_cannot_be_read_is_named(make_dataset: MakeDataset, tmp_path: Path) -> None:
    with pytest.raises(KolektorError, match=r"nowhere\.csv: cannot be read: No such file"):
        split(make_dataset(), SplitOptions(file=tmp_path / "nowhere.csv"))


def test_source_with_errors_is_refused_unless_they_are_skipped(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos02/Part1.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match=r"kos02/Part1\.jpg: is empty"):
        split(root)
    found = split(root, skip_bad=True)
    assert len(found.split.assigned) == 11
    assert "kos02/Part1" not in found.split.assigned


def test_progress_is_told_up_to_the_end(make_dataset: MakeDataset) -> None:
    told: list[tuple[str, int, int]] = []
    split(make_dataset(), jobs=2, progress=lambda *step: told.append(step))
    assert told == [("scanning", done, 12) for done in range(1, 13)]
