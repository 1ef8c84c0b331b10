"""All folds in one call: each is the tree of its own call, and equal files are one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from kolektor_cli.core.conversion import convert, convert_folds, plan_conversion, plan_folds
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import SMALL, MakeDataset, snapshot
from tests.running import run

FOLDS = replace(SMALL, split=SplitOptions("grouped", folds=4))


def of_fold(fold: int) -> SplitOptions:
    return replace(FOLDS.split, fold=fold)


@pytest.fixture
def raw(make_dataset: MakeDataset) -> Path:
    return make_dataset(items=8)


def test_each_fold_is_the_tree_of_its_own_call(raw: Path, tmp_path: Path) -> None:
    made = convert_folds(raw, tmp_path / "all", FOLDS)
    assert [fold.target for fold in made] == [tmp_path / f"all/fold{n}/metal" for n in range(4)]
    tested: Counter[str] = Counter()
    for number, fold in enumerate(made):
        alone = convert(raw, tmp_path / f"one{number}", replace(FOLDS, split=of_fold(number)))
        assert snapshot(fold.target) == snapshot(alone.target)
        assert fold.manifest == alone.manifest
        assert fold.manifest is not None
        tested.update({e.sample for e in fold.manifest.files if e.split == "test"})
    assert set(tested.values()) == {1}
    assert len(tested) == 32


def test_equal_files_are_hard_links(raw: Path, tmp_path: Path) -> None:
    made = convert_folds(raw, tmp_path / "all", FOLDS)
    places: Counter[tuple[str, str]] = Counter()
    for fold in made:
        assert fold.manifest is not None
        places.update((e.sample, e.role) for e in fold.manifest.files)
    for fold in made:
        assert fold.manifest is not None
        for entry in fold.manifest.files:
            assert (fold.target / entry.path).stat().st_nlink == places[entry.sample, entry.role]


def test_files_are_copied_where_there_are_no_hard_links(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no links here")

    linked = convert_folds(raw, tmp_path / "linked", FOLDS)
    monkeypatch.setattr(Path, "hardlink_to", refused)
    copied = convert_folds(raw, tmp_path / "copied", FOLDS)
    for one, other in zip(linked, copied, strict=True):
        assert snapshot(one.target) == snapshot(other.target)
    assert {path.stat().st_nlink for path in (tmp_path / "copied").rglob("*.png")} == {1}


def test_plans_of_all_folds_are_what_is_made_of_one_scan(raw: Path, tmp_path: Path) -> None:
    told: Counter[str] = Counter()
    planned = plan_folds(
        raw, tmp_path / "all", FOLDS, progress=lambda step, done, _: told.update({step: bool(done)})
    )
    assert not (tmp_path / "all").exists()
    assert told["scanning"] == 32  # once for each sample
    for number, fold in enumerate(planned):
        alone = plan_conversion(
            raw, tmp_path / f"all/fold{number}", replace(FOLDS, split=of_fold(number))
        )
        assert fold == alone
        assert fold.summary is not None
    for fold, made in zip(planned, convert_folds(raw, tmp_path / "all", FOLDS), strict=True):
        assert fold == replace(made, manifest=None, summary=fold.summary)


def test_dry_run_refuses_what_cannot_be_made(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "all/fold2/metal/train").mkdir(parents=True)
    with pytest.raises(OutputError, match="fold2/metal: exists already"):
        plan_folds(raw, tmp_path / "all", FOLDS)
    assert len(plan_folds(raw, tmp_path / "all", FOLDS, force=True)) == 4
    with pytest.raises(UsageError, match="needs a protocol with folds"):
        plan_folds(raw, tmp_path / "new", SMALL)
    with pytest.raises(UsageError, match="--fold and --all-folds exclude each other"):
        plan_folds(raw, tmp_path / "new", replace(FOLDS, split=of_fold(1)))


def test_existing_fold_stays_and_nothing_else_is_written(raw: Path, tmp_path: Path) -> None:
    there = tmp_path / "all/fold2/metal/train"
    there.mkdir(parents=True)
    with pytest.raises(OutputError, match="fold2/metal: exists already"):
        convert_folds(raw, tmp_path / "all", FOLDS)
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["fold2"]
    assert len(convert_folds(raw, tmp_path / "all", FOLDS, force=True)) == 4


def test_error_leaves_no_fold_behind(raw: Path, tmp_path: Path) -> None:
    (raw / "kos01/Part1.jpg").write_bytes(b"")
    with pytest.raises(Exception, match="kos01/Part1"):
        convert_folds(raw, tmp_path / "all", FOLDS)
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SplitOptions(), "needs a protocol with folds"),
        (SplitOptions("balanced"), "needs a protocol with folds"),
        (SplitOptions("grouped", fold=0), "--fold and --all-folds exclude each other"),
        (SplitOptions("grouped", folds=1), "1 is not a whole number from 2"),
        (SplitOptions("grouped", folds=0), "0 is not a whole number from 2"),
        (SplitOptions("vicos", folds=3), "not --folds"),
    ],
)
def test_what_has_no_folds_is_refused(
    split: SplitOptions, message: str, raw: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        convert_folds(raw, tmp_path / "all", replace(SMALL, split=split))
    assert not (tmp_path / "all").exists()


def test_command_sums_up_all_folds(raw: Path, tmp_path: Path) -> None:
    arguments = ("convert", raw, tmp_path / "all", "--size", "20x30", "--protocol", "grouped",
                 "--folds", 4, "--all-folds", "--train-good", 2)  # fmt: skip
    shown = run(*arguments, "-q").stdout
    for number in range(4):
        assert f"{tmp_path}/all/fold{number}/metal" in shown
        assert f"fold{number}: fingerprint " in shown
    facts = json.loads(run(*arguments, "--force", "--json").stdout)
    assert [fold["split"]["fold"] for fold in facts["folds"]] == [0, 1, 2, 3]
    assert {fold["counts"]["train"]["good"] for fold in facts["folds"]} == {2}
    for fold in facts["folds"]:
        assert f"fingerprint {fold['fingerprint']}" in shown
    refused = run(*arguments, "--force", "--files", code=2).stderr
    assert "--files lists one tree" in refused


def test_command_plans_all_folds(raw: Path, tmp_path: Path) -> None:
    arguments = ("convert", raw, tmp_path / "all", "--size", "20x30", "--protocol", "grouped",
                 "--folds", 4, "--all-folds")  # fmt: skip
    shown = run(*arguments, "--dry-run", "--for", "anomalib")
    facts = json.loads(run(*arguments, "--dry-run", "--json").stdout)
    assert not (tmp_path / "all").exists()
    assert shown.stderr.splitlines()[-1].startswith("planned 4 folds of 32 samples in ")
    lines = shown.stdout.splitlines()
    assert lines.count("dry run: nothing was written") == 1
    assert lines.count("Geometry: stretch to 20x30") == 1
    assert "fold3: Anomalib 2:" in lines
    assert not any("fingerprint" in line for line in lines)
    made = json.loads(run(*arguments, "--json").stdout)
    for number, (planned, done) in enumerate(zip(facts["folds"], made["folds"], strict=True)):
        test = planned["counts"]["test"]
        [row] = [line.split() for line in lines if f"/fold{number}/metal " in line]
        assert row[3:5] == [str(test["good"]), str(test["defective"])]
        assert (planned["dry_run"], planned["fingerprint"]) == (True, None)
        assert planned["geometry"]["size"] == [20, 30]
        for key in ("out", "images", "counts", "split", "leaks", "unused"):
            assert planned[key] == done[key]


def test_files_beside_are_of_each_fold(raw: Path, tmp_path: Path) -> None:
    made = convert_folds(raw, tmp_path / "all", replace(FOLDS, consumers="anomalib"))
    for number, fold in enumerate(made):
        config = fold.target.with_name("metal.yaml").read_text()
        assert f"all/fold{number}/metal" in config
