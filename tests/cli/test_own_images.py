"""``--layout pairs`` on the command line: its options, what is shown, and what is refused."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.reporting import report
from kolektor_cli.core.showing import show
from kolektor_cli.raw.layout_options import LayoutOptions
from tests.own import write_own, write_pixels
from tests.running import error_of, run


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write six images of two items, one of them defective, and one without a mask."""
    root = tmp_path / "own"
    for number in range(6):
        box = (3, 4, 5, 6) if number == 0 else None
        name = f"p{number % 2}_{number}"
        write_own(root / f"{name}.jpg", number, root / f"{name}_mask.png", box)
    write_own(root / "p1_6.jpg", 6)
    return root


def test_all_commands_read_the_same_pairs(own: Path, tmp_path: Path) -> None:
    layout = ("--layout", "pairs", "--item", r"p(\d)", "--no-mask", "good")
    table = run("inspect", own, *layout, "--items").stdout
    assert table.index("Items") < table.index("Dataset")
    split = run("split", own, *layout).stdout
    rows = list(csv.DictReader(StringIO(split)))
    assert [(row["sample"], row["item"]) for row in rows][:2] == [("p0_0", "0"), ("p0_2", "0")]
    out = tmp_path / "out"
    run("convert", own, out, *layout, "--split", "-", "--dilate", 3, stdin=split)
    manifest = json.loads((out / "own/manifest.json").read_text())
    assert manifest["release"] == "pairs"
    assert manifest["options"] == {
        "fit": "stretch",
        "size": "source",
        "color": "rgb",
        "names": "index",
        "layout": "pairs",
        "item": r"p(\d)",
        "no_mask": "good",
        "dilate": 3,
    }
    assert "own: ok" in run("verify", out, "--source", own).stdout


def test_views_take_the_layout_options(own: Path, in_tmp_path: Path) -> None:
    layout = LayoutOptions("pairs", mask_suffix="_mask", item=r"p(\d)", no_mask="good", dilate=3)
    masks = ("--mask-suffix", "_mask", "--no-mask", "good", "--dilate", "3")
    options = ("--layout", "pairs", "--item", r"p(\d)", *masks)
    run("show", own, *options, "-o", "a.svg")
    assert (in_tmp_path / "a.svg").read_bytes() == show(own, layout=layout).encoded(".svg")
    assert run("report", own, *options, "-o", "-").stdout == report(own, layout=layout).page
    # An image without a mask is told in the picture's notes, and with the page's exit code.
    told = json.loads(run("show", own, "--layout", "pairs", "--json").stdout)
    assert (told["ok"], told["cells"]) == (True, 1)
    assert [finding["path"] for finding in told["findings"]] == ["p1_6.jpg"]
    assert json.loads(run("report", own, "--layout", "pairs", "--json", code=1).stdout)["size"]


@pytest.mark.parametrize("command", ["show", "report"])
def test_views_of_a_tree_take_no_layout(command: str, tree: Path, in_tmp_path: Path) -> None:
    told = error_of(command, tree, "--layout", "pairs", code=2)
    assert f"{tree}: is a tree, which is read without --layout; give its source" in told
    assert "is a tree, which is read without --masks" in error_of(
        command, tree, "--masks", "x", code=2
    )
    assert not [*in_tmp_path.glob("show.*"), *in_tmp_path.glob("report.*")]


def test_images_that_are_items_are_not_listed(own: Path) -> None:
    shown = run("inspect", own, "--layout", "pairs", "--no-mask", "good").stdout
    assert "Items" not in shown
    assert "items               7" in shown


def test_item_of_an_image_that_is_left_out_is_not_guessed(own: Path) -> None:
    shown = run("inspect", own, "--layout", "pairs", "--csv", code=1).stdout
    [left_out] = [row for row in csv.DictReader(StringIO(shown)) if row["problem"]]
    assert (left_out["sample"], left_out["item"]) == ("p1_6", "")
    assert left_out["problem"] == "image-without-mask"


@pytest.mark.parametrize(
    ("options", "fit", "size"),
    [
        (("--for", "patchcore"), "pad", [256, 256]),
        (("--for", "cflow"), "stretch", "source"),
        (("--for", "cflow", "--size", "64"), "pad", [64, 64]),
        (("--for", "anomalib"), "stretch", "source"),
        (("--fit", "square"), "square", [500, 500]),
    ],
)
def test_own_images_are_padded_where_a_size_is_known(
    own: Path, tmp_path: Path, options: tuple[str, ...], fit: str, size: object
) -> None:
    layout = ("--layout", "pairs", "--no-mask", "good", "--category", "metal_nut")
    run("convert", own, tmp_path / "out", *layout, *options)
    made = json.loads((tmp_path / "out/metal_nut/manifest.json").read_text())["options"]
    assert (made["fit"], made["size"]) == (fit, size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layout", "pairs", "--good", "a", "--masks", "x"), "--good and --masks exclude"),
        (("--layout", "pairs", "--item", "x"), "has no group"),
        (("--dilate", "2"), "--dilate 2 is even"),
        (("--layout", "pairs", "--fit", "pad"), "--fit pad needs a size in pixels"),
    ],
)
def test_wrong_options_are_refused_before_any_work(
    own: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in error_of("convert", own, tmp_path / "out", *options, code=2)
    assert not (tmp_path / "out").exists()


def test_what_is_not_known_without_masks_is_not_told_as_a_number(tmp_path: Path) -> None:
    for number in range(6):
        write_own(tmp_path / f"cast/{'ok' if number < 4 else 'bad'}/{number}.png", number)
    source = tmp_path / "cast"
    shown = run("inspect", source, "--good", "ok").stdout
    assert "not known: no masks" in shown
    found = json.loads(run("inspect", source, "--good", "ok", "--json").stdout)
    assert found["defect_pixels"] is None
    assert {(s["label"], s["defect_pixels"]) for s in found["samples"]} == {
        ("good", 0),
        ("defective", None),
    }
    table = run("inspect", source, "--good", "ok", "--csv").stdout
    rows = list(csv.DictReader(StringIO(table)))
    assert {(row["label"], row["defect_pixels"]) for row in rows} == {
        ("good", "0"),
        ("defective", ""),
    }
    planned = run("convert", source, tmp_path / "out", "--good", "ok", "--dry-run").stdout
    assert "not known: no masks" in planned
    assert "center crop" not in planned
    assert "smallest defect" not in planned


def test_types_of_defects_are_counted(tmp_path: Path) -> None:
    for number in range(8):
        write_own(tmp_path / f"parts/{number}.png", number)
        mask = np.zeros((60, 40), np.uint8)
        mask[5:9], mask[20:25] = (number == 0) * 1 + (number == 2) * 1, (number in (1, 2)) * 2
        write_pixels(tmp_path / f"parts/{number}_mask.png", mask)
    classes = ("--mask-classes", "1=scratch,2=dent")
    assert "scratch 1, dent 1, combined 1" in run("inspect", tmp_path / "parts", *classes).stdout
    shown = run("convert", tmp_path / "parts", tmp_path / "out", *classes).stdout
    assert "types of defects: test combined 1, test dent 1, test scratch 1" in shown
    plain = run("convert", tmp_path / "parts", tmp_path / "plain").stdout
    assert "types of defects" not in plain


def test_source_of_a_tree_without_a_manifest_may_not_be_read(tmp_path: Path) -> None:
    for number in range(6):
        write_own(tmp_path / f"cast/{'ok' if number < 4 else 'bad'}/{number}.png", number)
    run("convert", tmp_path / "cast", tmp_path / "out", "--good", "ok")
    (tmp_path / "out/cast/manifest.json").unlink()
    told = error_of("verify", tmp_path / "out", "--source", tmp_path / "cast", code=3)
    assert "has no whole manifest that says how its source was read" in told


def test_validation_share_of_less_than_one_sample_is_told(own: Path, tmp_path: Path) -> None:
    told = run(
        "convert", own, tmp_path / "out", "--no-mask", "good", "--layout", "pairs", "--val", "0.01"
    ).stderr
    assert "no sample is for validation: --val 0.01 is less than one of so few" in told
