"""Files beside a tree that do not fit it are found, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SIZE, MakeDataset
from tests.consumers.consumed import convert_for, found, out_for


def read_meta(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "meta.json").read_text())
    return content


def break_json(meta: dict[str, Any]) -> str:
    return json.dumps(meta)[:-1]


def drop_item(meta: dict[str, Any]) -> str:
    meta["test"]["SDD"].pop()
    return json.dumps(meta)


def add_split(meta: dict[str, Any]) -> str:
    return json.dumps({**meta, "validation": {}})


def rename_class(meta: dict[str, Any]) -> str:
    return json.dumps(meta).replace("SDD", "electrical commutators")


def no_object(_: dict[str, Any]) -> str:
    return "[]"


@pytest.mark.parametrize("change", [break_json, drop_item, add_split, rename_class, no_object])
def test_meta_that_does_not_list_the_tree_is_found(
    make_dataset: MakeDataset, tmp_path: Path, change: Callable[[dict[str, Any]], str]
) -> None:
    out = out_for("adaclip", tmp_path)
    convert_for("adaclip", make_dataset(), out, size=SIZE)
    (out / "meta.json").write_text(change(read_meta(out)))
    assert found(out, "adaclip") == {("error", "wrong-meta")}
    (out / "meta.json").unlink()
    assert found(out, "adaclip") == {("error", "no-meta")}


def test_order_and_other_classes_of_a_meta_do_not_matter(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = out_for("ader", tmp_path)
    convert_for("ader", make_dataset(), out, size=SIZE)
    meta = read_meta(out)
    for classes in meta.values():
        classes["metal"].reverse()
        classes["bottle"] = []
    (out / "meta.json").write_text(json.dumps(meta))
    assert found(out, "ader") == set()


def test_lists_that_do_not_name_the_tree_are_found(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert_for("uniad", make_dataset(), out, size=SIZE)
    text = (out / "test.json").read_text()
    (out / "test.json").write_text("".join(reversed(text.splitlines(keepends=True))))
    assert found(out, "uniad") == set()
    for wrong in ("mine", text.replace("defect/", "good/"), text.partition("\n")[2]):
        (out / "test.json").write_text(wrong)
        assert found(out, "uniad") == {("error", "wrong-list")}
    (out / "test.json").write_text(text + text.replace('"metal', '"gone'))
    assert found(out, "uniad") == {("warning", "gone-list")}
    (out / "train.json").unlink()
    assert found(out, "uniad") == {("warning", "gone-list"), ("error", "no-list")}


def test_table_that_does_not_list_the_tree_is_found(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out, table=True, size=SIZE)
    assert found(out, "anomalib") == set()
    table = (out / "metal.csv").read_text()
    (out / "metal.csv").write_text(table.rpartition("metal/")[0])
    assert found(out, "anomalib") == {("error", "wrong-table")}


@pytest.mark.parametrize("table", [False, True], ids=["folder", "table"])
@pytest.mark.parametrize("place", ["data", "../elsewhere/data", "absolute"])
def test_config_as_it_was_written_is_accepted(
    make_dataset: MakeDataset,
    tmp_path: Path,
    place: str,
    table: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = make_dataset()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    out = tmp_path / place if place == "absolute" else Path(place)
    convert_for("anomalib", raw, out, table=table, size=SIZE)
    assert found(out, "anomalib") == set()
    assert found(out.resolve(), "anomalib") == set()


def garble(_: str) -> str:
    return "garbage"


def empty(_: str) -> str:
    return ""


def other_folder(config: str) -> str:
    return config.replace("train/good", "train/bad")


def other_root(config: str) -> str:
    return config.replace("data/metal", "data/steel")


def split_the_test_images(config: str) -> str:
    return config.replace("same_as_test", "from_test")


def without_masks(config: str) -> str:
    return "".join(line for line in config.splitlines(True) if "mask_dir" not in line)


@pytest.mark.parametrize(
    "change", [garble, empty, other_folder, other_root, split_the_test_images, without_masks]
)
def test_config_that_does_not_fit_the_tree_is_found(
    make_dataset: MakeDataset, tmp_path: Path, change: Callable[[str], str]
) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out, size=SIZE)
    config = (out / "metal.yaml").read_text()
    assert change(config) != config
    (out / "metal.yaml").write_text(change(config))
    assert found(out, "anomalib") == {("error", "wrong-config")}


def test_lines_may_be_added_to_a_config(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out, size=SIZE)
    config = (out / "metal.yaml").read_text()
    more = "# Mine.\n" + config + "  train_batch_size: 8\n  num_workers: 2\n"
    (out / "metal.yaml").write_text(more)
    assert found(out, "anomalib") == set()


def test_config_that_is_no_text_is_found(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out, size=SIZE)
    (out / "metal.yaml").write_bytes(b"\xff\xfe\0")
    assert found(out, "anomalib") == {("error", "wrong-config")}


def test_tree_without_config_and_table_is_no_error(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out, size=SIZE)
    (out / "metal.yaml").unlink()
    assert found(out, "anomalib") == {("info", "no-config")}
    (out / "metal.pre-processor.yaml").unlink()
    assert found(out, "anomalib") == {("info", "no-config"), ("info", "no-pre-processor")}


def test_input_of_another_aspect_is_told(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    convert_for("anomalib", make_dataset(), out)
    path = out / "metal.pre-processor.yaml"
    path.write_text(path.read_text().replace("[416, 160]", "[256, 256]"))
    assert found(out, "anomalib") == {("info", "other-size")}
