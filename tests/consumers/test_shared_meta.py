"""Categories beside each other share meta.json and lists, whoever comes first, or all at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.io import staging
from tests.conftest import SIZE, MakeDataset, snapshot
from tests.consumers.consumed import convert_for, found, out_for


def listed(out: Path) -> dict[str, set[str]]:
    """Return the categories that each class of a meta.json lists images of."""
    meta: dict[str, Any] = json.loads((out / "meta.json").read_text())
    return {
        name: {entry["img_path"].split("/")[0] for entry in meta["train"][name] + entries}
        for name, entries in meta["test"].items()
    }


def test_second_category_is_added_without_force(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)
    for category in ("metal", "bolt"):
        convert_for("ader", raw, out, size=SIZE, category=category)
    assert listed(out) == {"bolt": {"bolt"}, "metal": {"metal"}}
    assert [result.ok for result in verify(out, consumers="ader").categories] == [True, True]
    assert not list(out.glob(".*"))


def test_lists_are_shared_as_well(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw, out = make_dataset(), tmp_path / "data"
    for category in ("metal", "bolt"):
        convert_for("uniad", raw, out, size=SIZE, category=category)
    names = [json.loads(line)["clsname"] for line in (out / "train.json").read_text().splitlines()]
    assert names == sorted(names)
    assert set(names) == {"bolt", "metal"}
    assert [result.ok for result in verify(out, consumers="uniad").categories] == [True, True]
    (out / "test.json").write_text("mine")
    options = ConvertOptions(consumers="uniad", size=SIZE, category="nut")
    with pytest.raises(OutputError, match=r"test\.json: is not JSON.*; --force replaces it"):
        convert(raw, out, options)


def test_force_replaces_the_entries_of_its_category_alone(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)
    for category in ("metal", "bolt"):
        convert_for("ader", raw, out, size=SIZE, category=category)
    before = json.loads((out / "meta.json").read_text())
    options = ConvertOptions(consumers="ader", size=SIZE, names="source")
    convert(raw, out, options, force=True)
    after = json.loads((out / "meta.json").read_text())
    assert after["test"]["bolt"] == before["test"]["bolt"]
    assert after["test"]["metal"] != before["test"]["metal"]
    assert found(out / "metal", "ader") == found(out / "bolt", "ader") == set()


def test_two_categories_of_one_class_are_told_apart(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), out_for("adaclip", tmp_path)
    for category in ("metal", "bolt"):
        convert_for("adaclip", raw, out, size=SIZE, category=category)
    assert listed(out) == {"SDD": {"bolt", "metal"}}
    assert found(out / "metal", "adaclip") == found(out / "bolt", "adaclip") == set()
    options = ConvertOptions(consumers="anomalyclip", size=SIZE)
    convert(raw, out, options, force=True)
    assert listed(out) == {"SDD": {"bolt"}, "electrical commutators": {"metal"}}
    assert found(out / "bolt", "adaclip") == found(out / "metal", "anomalyclip") == set()
    assert found(out / "metal", "adaclip") == {("error", "wrong-meta")}


def test_order_of_conversions_does_not_matter(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw = make_dataset()
    for place, categories in (("a", ("metal", "bolt")), ("b", ("bolt", "metal"))):
        for category in categories:
            convert_for("adaclip", raw, out_for("adaclip", tmp_path / place), category=category)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


@pytest.mark.parametrize("text", ["mine", "[]", '{"train": {}, "test": {}, "val": {}}'])
def test_file_that_is_no_meta_is_refused_without_force(
    make_dataset: MakeDataset, tmp_path: Path, text: str
) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)
    out.mkdir(parents=True)
    (out / "meta.json").write_text(text)
    options = ConvertOptions(consumers="ader", size=SIZE)
    with pytest.raises(OutputError, match=r"meta\.json: .* cannot be added to it; --force"):
        convert(raw, out, options, progress=no_work)
    assert snapshot(out) == {"meta.json": text.encode()}
    convert(raw, out, options, force=True)
    assert listed(out) == {"metal": {"metal"}}


def no_work(step: str, _: int, __: int) -> None:
    raise AssertionError(f"{step} was begun")


def test_runs_at_the_same_time_lose_no_entry(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)
    names = [f"metal{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(convert_for, "ader", raw, out, category=n, size=SIZE) for n in names]
    assert all(run.result() for run in runs)
    assert listed(out) == {name: {name} for name in names}
    assert not list(out.glob(".*"))


class KilledError(BaseException):
    """Stands for the end of the process."""


def test_entries_that_a_killed_run_left_are_added_to_those_that_came_since(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patches:
        patches.setattr(staging, "_place_beside", killed)
        with pytest.raises(KilledError):
            convert_for("ader", raw, out, size=SIZE)
    convert_for("ader", raw, out, size=SIZE, category="bolt")
    assert listed(out) == {"bolt": {"bolt"}}
    staging.clear_unfinished(out / "metal")
    assert listed(out) == {"bolt": {"bolt"}, "metal": {"metal"}}
    assert not list(out.glob(".*"))


def test_category_that_is_gone_stays_listed_and_is_told(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), out_for("ader", tmp_path)
    for category in ("gone", "metal"):
        convert_for("ader", raw, out, size=SIZE, category=category)
    (out / "gone").rename(tmp_path / "elsewhere")
    convert_for("ader", raw, out, size=SIZE, category="bolt")
    assert set(listed(out)) == {"bolt", "gone", "metal"}
    assert found(out / "metal", "ader") == {("warning", "gone-meta")}
    convert_for("ader", raw, out, size=SIZE, category="gone")
    assert found(out / "metal", "ader") == set()


def test_category_with_the_name_of_a_file_beside_it_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    for category in ("meta.json", "Meta.JSON"):
        options = ConvertOptions(consumers="ader", category=category)
        with pytest.raises(UsageError, match="is the name of a file that ader reads"):
            convert(make_dataset(), out_for("ader", tmp_path), options)
