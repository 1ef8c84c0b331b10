"""Files beside the category folder list the tree as their readers take it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.consumers.catalogue import ConsumerName
from kolektor_cli.consumers.sidefiles import pre_processor_config
from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import SIZE, MakeDataset, snapshot
from tests.consumers.consumed import convert_for, out_for

VALIDATED = SplitOptions(val=0.4)


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("anomalyclip", "electrical commutators"), ("adaclip", "SDD"), ("ader", "metal")],
)
def test_meta_lists_every_image_with_its_mask(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName, class_name: str
) -> None:
    out = out_for(name, tmp_path)
    convert_for(name, make_dataset(), out, split=VALIDATED, size=SIZE)
    meta: dict[str, Any] = json.loads((out / "meta.json").read_text())
    assert list(meta) == ["train", "test"]
    assert [list(classes) for classes in meta.values()] == [[class_name]] * 2
    listed = set()
    for split, classes in meta.items():
        for item in classes[class_name]:
            assert list(item) == ["img_path", "mask_path", "cls_name", "specie_name", "anomaly"]
            assert item["cls_name"] == class_name
            assert item["img_path"].startswith(f"metal/{split}/{item['specie_name']}/")
            assert item["anomaly"] == (item["specie_name"] == "defect")
            assert bool(item["mask_path"]) == item["anomaly"]
            listed |= {item["img_path"], item["mask_path"]} - {""}
    written = {f"metal/{path}" for path in snapshot(out / "metal") if path.endswith(".png")}
    assert listed == {path for path in written if "/validation/" not in path}
    assert len(listed) < len(written)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lists_of_uniad_name_every_image_with_its_mask(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert_for("uniad", make_dataset(), out, split=VALIDATED, size=SIZE)
    listed = set()
    for split in ("train", "test"):
        for item in lines_of(out / f"{split}.json"):
            assert item["filename"].startswith(f"metal/{split}/")
            assert item["clsname"] == "metal"
            assert item["label"] == ("/defect/" in item["filename"]) == ("maskname" in item)
            assert item["label_name"] == ("defective" if item["label"] else "good")
            listed |= {item["filename"], item.get("maskname", item["filename"])}
    written = {f"metal/{path}" for path in snapshot(out / "metal") if path.endswith(".png")}
    assert listed == {path for path in written if "/validation/" not in path}


def test_list_of_aaclip_names_the_test_images(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    convert_for("aaclip", make_dataset(), out, size=SIZE)
    items = lines_of(out / "full-shot.jsonl")
    images = [f"metal/{path}" for path in snapshot(out / "metal") if path.startswith("test/")]
    assert sorted(item["image_path"] for item in items) == sorted(images)
    for item in items:
        assert item["class_name"] == "metal"
        assert item["label"] == float("/defect/" in item["image_path"])
        assert bool(item["mask_path"]) == bool(item["label"])
        assert not item["label"] or (out / item["mask_path"]).is_file()


def test_table_lists_every_image_with_its_mask(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    done = convert_for("anomalib", make_dataset(), out, table=True, split=VALIDATED, size=SIZE)
    assert sorted(done.beside) == ["metal.csv", "metal.pre-processor.yaml", "metal.yaml"]
    with (out / "metal.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["image_path", "label_index", "mask_path", "split"]
    for row in rows:
        assert row["split"] == row["image_path"].split("/")[1]
        assert (row["label_index"] == "1") == ("/defect/" in row["image_path"])
        assert bool(row["mask_path"]) == (row["label_index"] == "1")
        assert (out / row["image_path"]).is_file()
        assert not row["mask_path"] or (out / row["mask_path"]).is_file()
    images = [p for p in snapshot(out / "metal") if p.startswith(("train", "test"))]
    assert len(rows) == len(images)
    assert "metal.csv" in (out / "metal.yaml").read_text()


def test_config_names_the_folders_of_the_tree(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / 'a "quoted" folder'
    convert_for("anomalib", make_dataset(), out, size=SIZE)
    lines = (out / "metal.yaml").read_text().splitlines()
    settings = dict(line.strip().split(": ", 1) for line in lines if not line.endswith(":"))
    root = Path(json.loads(settings["root"]))
    assert root == out / "metal"
    for key in ("normal_dir", "normal_test_dir", "abnormal_dir", "mask_dir"):
        assert list((root / settings[key]).glob("*.png"))


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(500, 1240)], "[416, 160]"),
        ([(500, 500)], "[256, 256]"),
        ([(500, 1240), (500, 500), (600, 500)], "[256, 256]"),
    ],
)
def test_pre_processor_keeps_the_aspect_of_the_images(sizes: list[Size], size: str) -> None:
    assert f"            size: {size}\n" in pre_processor_config(sizes).decode()


@pytest.mark.parametrize("name", [None, "cfa"])
def test_table_is_for_anomalib_alone(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName | None
) -> None:
    with pytest.raises(UsageError, match="--table"):
        convert(make_dataset(), tmp_path, ConvertOptions(consumers=name or (), table=True))


def test_files_beside_are_replaced_by_force_alone(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), tmp_path / "data"
    out.mkdir()
    (out / "meta.json").write_text("mine")
    options = ConvertOptions(consumers="anomalyclip", size=SIZE)
    with pytest.raises(OutputError, match=r"meta\.json: is not JSON.*; --force replaces it"):
        convert(raw, out, options)
    assert snapshot(out) == {"meta.json": b"mine"}
    convert(raw, out, options, force=True)
    assert list(json.loads((out / "meta.json").read_text())) == ["train", "test"]
    assert not list(out.glob(".*"))


def test_the_same_tree_gives_the_same_files_beside_it(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    for place, jobs in (("one", 1), ("two", 4)):
        convert(
            raw, tmp_path / place / "mvtec", ConvertOptions(consumers="ader", size=SIZE), jobs=jobs
        )
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
