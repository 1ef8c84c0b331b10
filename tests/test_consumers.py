"""Consumers: what is set for each, what is refused, and what of a tree they cannot read."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import cv2
import pytest

from kolektor_cli.consumers import CONSUMERS, METAL_NUT, MVTEC_CATEGORIES, Offer, unmet_needs
from kolektor_cli.records import ConsumerName, Size
from tests.conftest import MakeDataset, snapshot, write_pair
from tests.test_cli import error_of, run

NAMES: tuple[ConsumerName, ...] = get_args(ConsumerName)
OUT_NAMES = {"adaclip": "SDD_anomaly_detection", "ader": "mvtec"}
"""What the folder above the category must be called."""


def out_for(name: str, folder: Path) -> Path:
    return folder / name / OUT_NAMES.get(name, "data")


def convert(raw: Path, out: Path, name: str, *options: object) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(
        run("convert", raw, out, "--for", name, "--json", "-q", *options).stdout
    )
    return done


def needs(name: ConsumerName, **offer: Any) -> set[str]:
    """Codes of the needs of a consumer that an offer does not meet."""
    facts = {"out": Path("/data"), "category": METAL_NUT, "sizes": [(256, 256)], "colors": ["rgb"]}
    return {finding.code for finding in unmet_needs(CONSUMERS[name], Offer(**{**facts, **offer}))}


def test_every_name_has_its_consumer() -> None:
    assert set(NAMES) == set(CONSUMERS)
    assert len(MVTEC_CATEGORIES) == 15


@pytest.mark.parametrize("name", NAMES)
def test_what_a_consumer_needs_is_set_and_its_tree_verifies(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName
) -> None:
    out = out_for(name, tmp_path)
    done = convert(make_dataset(), out, name)
    consumer = CONSUMERS[name]
    assert done["category"] == (consumer.category or "metal")
    tree = out / done["category"]
    sizes = set()
    for path in tree.rglob("*.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        sizes.add((pixels.shape[1], pixels.shape[0]))
    assert sizes == {consumer.size or (500, 1240)}
    assert sorted(done["consumer"]["files"]) == sorted(
        path.name for path in out.iterdir() if path.is_file()
    )
    report = json.loads(run("verify", out, "--for", name, "--json").stdout)
    [check] = [c for c in report["categories"][0]["checks"] if c["name"] == "consumer"]
    assert check["ok"]


@pytest.mark.parametrize("name", NAMES)
def test_commands_name_the_tree_as_it_is(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName
) -> None:
    out = out_for(name, tmp_path / "with space")
    done = convert(make_dataset(), out, name)
    commands = done["consumer"]["commands"]
    words = [word for command in commands for word in shlex.split(command)]
    texts = " ".join(words)
    assert "{" not in texts
    assert str(out if name != "adaclip" else out.parent) in texts
    if name not in ("anomalib", "anomalyclip", "adaclip"):
        assert any(word.split("=")[-1] == done["category"] for word in words)


def test_text_output_ends_with_the_commands(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    text = run("convert", make_dataset(), out, "--for", "cfa", "-q").stdout
    assert text.splitlines()[-4:-3] == ["CFA (sungwool/CFA_for_anomaly_localization):"]
    assert text.splitlines()[-3] == (
        f"  python trainer_cfa.py --class_name metal_nut --data_path {out} --cnn wrn50_2 "
        "--size 256 --gamma_c 1 --gamma_d 1"
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cflow", ("--category", "metal"), "knows no category metal; use --category metal_nut"),
        ("cflow", ("--category", "screw"), "knows no category screw"),
        ("cflow", ("--color", "gray"), "reads no gray images; use --color rgb"),
        ("cfa", ("--size", "500x1240"), "cuts off what is not square"),
        ("cfa", ("--fit", "thirds"), "cuts off what is not square"),
        ("fastflow", ("--size", "300"), "needs images of 256x256, 384x384, 448x448, not 300x300"),
        ("fastflow", ("--color", "gray"), "reads no gray images"),
        ("patchcore", ("--size", "source"), "needs images of one size"),
        ("simplenet", ("--fit", "thirds"), "needs images of one size"),
        ("efficientad", ("--category", "kolektor"), "knows no category kolektor"),
        ("adaclip", (), "to be called SDD_anomaly_detection"),
        ("ader", (), "to be called mvtec or visa"),
        ("metal", (), "is not one of"),
    ],
)
def test_what_contradicts_a_consumer_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, name: str, options: tuple[str, ...], message: str
) -> None:
    raw = make_dataset()
    # Images of two sizes.
    write_pair(raw / "kos09", "Part0", 1, size=(40, 70))
    error = run("convert", raw, tmp_path / "out", "--for", name, *options, "-q", code=2).stderr
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [(256, 256), (384, 384), (448, 448)])
def test_fastflow_gets_the_config_of_its_size(
    make_dataset: MakeDataset, tmp_path: Path, size: Size
) -> None:
    done = convert(make_dataset(), tmp_path / "data", "fastflow", "--size", size[0])
    config = {256: "resnet18", 384: "deit", 448: "cait"}[size[0]]
    assert f"configs/{config}.yaml" in done["consumer"]["commands"][0]


def test_paths_on_which_a_consumer_stumbles_are_refused() -> None:
    assert needs("fastflow") == set()
    for path in ("/a/test/data", "/a/test", "/a.png/b", "/a[1]", "/a*"):
        assert needs("fastflow", out=Path(path)) == {"path"}
    assert needs("ader", out=Path("/a=b/mvtec")) == {"path"}
    assert needs("anomalib", out=Path("/a/test/data")) == set()


def read_meta(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "meta.json").read_text())
    return content


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("anomalyclip", "electrical commutators"), ("adaclip", "SDD"), ("ader", "metal")],
)
def test_meta_lists_every_image_with_its_mask(
    make_dataset: MakeDataset, tmp_path: Path, name: str, class_name: str
) -> None:
    out = out_for(name, tmp_path)
    convert(make_dataset(), out, name, "--val", "0.4")
    meta = read_meta(out)
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


def test_table_lists_every_image_with_its_mask(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "data"
    done = convert(make_dataset(), out, "anomalib", "--table", "--val", "0.4")
    assert done["consumer"]["files"] == ["metal.csv", "metal.yaml"]
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


def test_images_for_validation_that_no_reader_takes_are_told(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    notes = run("convert", raw, tmp_path / "a", "--for", "anomalyclip", "--val", "0.4").stderr
    assert "validation" in notes
    assert "validation" not in run("convert", raw, tmp_path / "b", "--for", "anomalyclip").stderr


def test_table_is_for_anomalib_alone(make_dataset: MakeDataset, tmp_path: Path) -> None:
    for options in ((), ("--for", "cfa")):
        error = error_of("convert", make_dataset(), tmp_path, *options, "--table", code=2)
        assert "--table" in error


def test_files_beside_are_replaced_by_force_alone(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), tmp_path / "data"
    out.mkdir()
    (out / "meta.json").write_text("mine")
    error = error_of("convert", raw, out, "--for", "anomalyclip", "-q", code=3)
    assert f"{out / 'meta.json'}: exists already; --force replaces it" in error
    assert snapshot(out) == {"meta.json": b"mine"}
    convert(raw, out, "anomalyclip", "--force")
    assert list(read_meta(out)) == ["train", "test"]
    assert not list(out.glob(".*"))


def test_the_same_tree_gives_the_same_files_beside_it(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw = make_dataset()
    for place in ("one", "two"):
        convert(raw, tmp_path / place / "mvtec", "ader", "-j", 1 if place == "one" else 4)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def break_json(meta: dict[str, Any]) -> str:
    return json.dumps(meta)[:-1]


def drop_item(meta: dict[str, Any]) -> str:
    meta["test"]["SDD"].pop()
    return json.dumps(meta)


def add_split(meta: dict[str, Any]) -> str:
    return json.dumps({**meta, "validation": {}})


def rename_class(meta: dict[str, Any]) -> str:
    return json.dumps(meta).replace("SDD", "electrical commutators")


@pytest.mark.parametrize("change", [break_json, drop_item, add_split, rename_class, lambda _: "[]"])
def test_meta_that_does_not_list_the_tree_is_found(
    make_dataset: MakeDataset, tmp_path: Path, change: Any
) -> None:
    out = out_for("adaclip", tmp_path)
    convert(make_dataset(), out, "adaclip")
    (out / "meta.json").write_text(change(read_meta(out)))
    assert findings(out, "adaclip", code=1) == {"wrong-meta"}
    (out / "meta.json").unlink()
    assert findings(out, "adaclip", code=1) == {"no-meta"}


def findings(out: Path, name: str, *, code: int = 0) -> set[str]:
    """Codes of what `verify --for` finds of a consumer's needs."""
    report = json.loads(run("verify", out, "--for", name, "--json", code=code).stdout)
    checks: list[Mapping[str, Any]] = report["categories"][0]["checks"]
    [check] = [check for check in checks if check["name"] == "consumer"]
    return {finding["code"] for finding in check["findings"]}


def test_order_and_other_classes_of_a_meta_do_not_matter(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = out_for("ader", tmp_path)
    convert(make_dataset(), out, "ader")
    meta = read_meta(out)
    for classes in meta.values():
        classes["metal"].reverse()
        classes["bottle"] = []
    (out / "meta.json").write_text(json.dumps(meta))
    assert findings(out, "ader") == set()


def test_table_that_does_not_list_the_tree_is_found(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert(make_dataset(), out, "anomalib", "--table")
    table = (out / "metal.csv").read_text()
    (out / "metal.csv").write_text(table.rpartition("metal/")[0])
    assert findings(out, "anomalib", code=1) == {"wrong-table"}
    (out / "metal.csv").unlink()
    assert findings(out, "anomalib") == set()


def test_tree_made_for_nobody_lacks_what_consumers_need(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    run("convert", make_dataset(), out, "--color", "gray", "-q")
    found = {
        name: findings(out, name, code=int(name not in ("anomalib", "patchcore", "simplenet")))
        for name in NAMES
    }
    assert found == {
        "anomalib": set(),
        "patchcore": set(),
        "cflow": {"category", "color"},
        "cfa": {"category", "size"},
        "fastflow": {"category", "color", "size"},
        "efficientad": {"category"},
        "simplenet": set(),
        "anomalyclip": {"no-meta"},
        "adaclip": {"root", "no-meta"},
        "ader": {"root", "no-meta"},
    }
