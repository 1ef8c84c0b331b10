"""Trees with types of defects, and trees without masks: made, verified, scored, shown, exported."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.consumers.catalogue import CONSUMERS
from kolektor_cli.core.conversion import ConvertOptions, convert, convert_folds, plan_conversion
from kolektor_cli.core.exporting import export
from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.reporting import report
from kolektor_cli.core.scoring import score
from kolektor_cli.core.showing import show
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.exports.options import EXPORT_FORMATS
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.scoring.results import Figure
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import draw_image, listing
from tests.own import read_gray, write_own, write_pixels
from tests.trees import check, failures, forge_entry, notes

TYPES = LayoutOptions(mask_classes="1=scratch,2=dent")
PLAIN = LayoutOptions()
LABELS = LayoutOptions(good="ok", defective="bad")

DEFECTS: dict[int, tuple[int, ...]] = {0: (1,), 1: (2,), 2: (1, 2), 3: (2,)}
"""Values in the masks of the defective images, by number; each value marks a third."""


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """Eleven images of 40 x 60 pixels; value k marks rows 20 * (k - 1) to 20 * k - 10."""
    for number in range(11):
        write_own(tmp_path / f"parts/{number:02}.png", number)
        mask = np.zeros((60, 40), np.uint8)
        for value in DEFECTS.get(number, ()):
            mask[20 * (value - 1) : 20 * value - 10] = value
        write_pixels(tmp_path / f"parts/{number:02}_mask.png", mask)
    return tmp_path / "parts"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Eight good images and four defective ones, without masks."""
    for number in range(12):
        write_pixels(
            tmp_path / f"cast/{'ok' if number < 8 else 'bad'}/{number}.png", draw_image(number)
        )
    return tmp_path / "cast"


def test_each_type_has_a_folder_and_several_are_combined(typed: Path, tmp_path: Path) -> None:
    made = convert(typed, tmp_path / "out", ConvertOptions(layout=TYPES, names="source"))
    tree = made.target
    found = {path for path in listing(tree) if "defect" not in path and path.endswith(".png")}
    assert {path for path in found if path.startswith("test/") and "good" not in path} == {
        "test/scratch/00.png",
        "test/dent/01.png",
        "test/combined/02.png",
        "test/dent/03.png",
    }
    for number, values in DEFECTS.items():
        kind = "combined" if len(values) > 1 else {1: "scratch", 2: "dent"}[values[0]]
        mask = read_gray(tree / f"ground_truth/{kind}/{number:02}_mask.png")
        source = read_gray(typed / f"{number:02}_mask.png")
        assert np.array_equal(mask, np.where(source > 0, 255, 0))
    assert failures(check(tree, typed)) == set()
    assert notes(check(tree, typed)) == []


def test_a_window_has_the_type_of_the_defects_in_it(typed: Path, tmp_path: Path) -> None:
    options = ConvertOptions(layout=TYPES, names="source", fit="thirds")
    tree = convert(typed, tmp_path / "out", options).target
    kinds = {
        p.stem: p.parent.name for p in tree.glob("test/*/*.png") if p.stem[:2] in ("00", "01", "02")
    }
    assert kinds == {
        "00_0": "scratch",
        "00_1": "good",
        "00_2": "good",
        "01_0": "good",
        "01_1": "dent",
        "01_2": "good",
        "02_0": "scratch",
        "02_1": "dent",
        "02_2": "good",
    }
    assert failures(check(tree, typed)) == set()


def test_types_are_in_training_exports_configs_and_counts(typed: Path, tmp_path: Path) -> None:
    split = SplitOptions(train_defects=2, seed=1)
    options = ConvertOptions(layout=TYPES, split=split, consumers="anomalib")
    tree = convert(typed, tmp_path / "out", options).target
    trained = {p.parent.name for p in tree.glob("train/*/*.png")} - {"good"}
    masks = {p.parent.name for p in tree.glob("ground_truth/train_*/*.png")}
    assert trained
    assert masks == {f"train_{kind}" for kind in trained}
    tested = sorted({p.parent.name for p in tree.glob("test/*/*.png")} - {"good"})
    config = (tmp_path / "out/parts.yaml").read_text()
    folders = [f"test/{kind}" for kind in tested]
    shown = folders[0] if len(folders) == 1 else f"[{', '.join(folders)}]"
    assert f"  abnormal_dir: {shown}\n" in config
    convert(typed, tmp_path / "listed", replace(options, table=True))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "listed/parts.csv").read_text())))
    defective = {row["image_path"] for row in rows if row["label_index"] == "1"}
    assert {path.split("/")[2] for path in defective} == set(tested)
    assert failures(check(tree, typed)) == set()
    classes = export(tree, "coco", tmp_path / "coco").classes
    assert set(classes) == trained | set(tested)
    scan = inspect(typed, layout=TYPES).scan
    assert [s.kind for s in scan.samples if s.label == "defective"] == [
        "scratch", "dent", "combined", "dent",
    ]  # fmt: skip


def test_type_that_the_source_does_not_give_is_found(typed: Path, tmp_path: Path) -> None:
    tree = convert(typed, tmp_path / "out", ConvertOptions(layout=TYPES, names="source")).target
    for folder, ending in (("test", ""), ("ground_truth", "_mask")):
        old, new = (f"{folder}/{kind}/00{ending}.png" for kind in ("scratch", "dent"))
        (tree / old).rename(tree / new)
        (tree / f"{folder}/scratch").rmdir()
        forge_entry(tree, old, path=new)
    found = failures(check(tree, typed))
    assert ("source", "wrong-label", "test/dent/00.png") in found


def test_folder_of_no_type_is_an_error(typed: Path, tmp_path: Path) -> None:
    tree = convert(typed, tmp_path / "out", ConvertOptions(layout=TYPES)).target
    (tree / "test/defect").mkdir()
    (tree / "test/dent/000.png").rename(tree / "test/defect/000.png")
    found = check(tree)
    assert ("structure", "unexpected-folder", "test/defect") in failures(found)
    [told] = [f.message for c in found.checks for f in c.findings if f.code == "unexpected-folder"]
    assert told.endswith("rename it to that of its type: combined, dent, scratch")


def test_name_of_a_device_is_no_type(typed: Path, tmp_path: Path) -> None:
    (typed / "00.png").write_bytes(b"")  # a scan finds this
    options = ConvertOptions(layout=LayoutOptions(mask_classes="1=con,2=dent"))
    with pytest.raises(UsageError, match="'con' is the name of a device"):
        convert(typed, tmp_path / "out", options)


@pytest.fixture
def tree(labelled: Path, tmp_path: Path) -> Path:
    return convert(labelled, tmp_path / "out", ConvertOptions(layout=LABELS)).target


def test_tree_without_masks_has_none_and_verifies(labelled: Path, tree: Path) -> None:
    folders = {path.rpartition("/")[0] for path in listing(tree)}
    assert {"test/good", "test/defect", "train/good"} <= folders
    assert not any(folder.startswith("ground_truth") for folder in folders)
    found = check(tree, labelled)
    assert failures(found) == set()
    assert notes(found) == [("info", "no-masks", "")]


def test_mask_in_a_tree_without_masks_is_an_error(tree: Path) -> None:
    write_pixels(tree / "ground_truth/defect/000_mask.png", np.full((60, 40), 255, np.uint8))
    assert ("hashes", "added-file", "ground_truth/defect/000_mask.png") in failures(check(tree))


def test_missing_mask_is_still_an_error_where_the_source_has_masks(
    typed: Path, tmp_path: Path
) -> None:
    made = convert(typed, tmp_path / "out", ConvertOptions(layout=TYPES)).target
    (made / "ground_truth/scratch/000_mask.png").unlink()
    found = failures(check(made))
    assert ("pairs", "no-mask", "test/scratch/000.png") in found
    with pytest.raises(OutputError, match="has no mask"):
        score(made, {})


def test_scores_are_image_figures_alone(tree: Path) -> None:
    maps = {
        image.path: np.full((6, 4), float(image.label == "defective"))
        for image in load_tree(tree)
        if image.split == "test"
    }
    [model] = score(tree, maps).models
    assert model.figures["image_auroc"].value == 1.0
    for key in ("pixel_auroc", "pixel_ap", "aupro_0.3", "aupimo"):
        assert model.figures[key] == Figure(None, "the tree has no masks")
    assert model.regions == ()
    assert score(tree, maps).published == ()


def test_foreign_tree_without_masks_is_scored_and_one_with_some_is_not(tree: Path) -> None:
    (tree / "manifest.json").unlink()
    assert load_tree(tree)["test/defect/000.png"].weak
    tested = [image for image in load_tree(tree) if image.split == "test"]
    maps = {image.path: np.full((6, 4), float(image.label == "defective")) for image in tested}
    [model] = score(tree, maps).models
    assert model.figures["image_auroc"].value == 1.0
    write_pixels(tree / "ground_truth/defect/000_mask.png", np.full((60, 40), 255, np.uint8))
    with pytest.raises(OutputError, match="has no mask"):
        score(tree, maps)


def test_images_of_a_tree_without_masks_are_weak(tree: Path) -> None:
    images = load_tree(tree)
    assert {(image.label, image.weak) for image in images} == {("good", False), ("defective", True)}
    with pytest.raises(OutputError, match="has no mask"):
        images["test/defect/000.png"].mask()


def test_pictures_reports_and_exports_say_that_there_are_no_masks(
    labelled: Path, tree: Path, tmp_path: Path
) -> None:
    captions = {text.text for text in show(tree).page.texts}
    assert "defective, without a mask" in captions
    for name, values in (("m", np.float32(1)), ("n", np.float32(2))):
        for image in load_tree(tree):
            if image.split == "test":
                file = tmp_path / name / image.path.replace(".png", ".npy")
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, np.full((60, 40), values * (image.label == "defective")))
    page = tmp_path / "page.html"
    report(tree, [tmp_path / "m", tmp_path / "n"], output=page)
    assert "heat map of test/defect/000.png" in page.read_text()
    for place, name in ((tree, "test/defect/003.png"), (labelled, "bad/11.png")):
        report(place, output=page, force=True, layout=LABELS if place == labelled else PLAIN)
        told = page.read_text()
        assert "4 of them defective" in told
        assert "4 defective images have no mask, so no defect is outlined." in told
        assert f'alt="{name}"' in told
        assert "There is no defective image" not in told
    for name in EXPORT_FORMATS:
        with pytest.raises(OutputError, match="has no image with a mask"):
            export(tree, name, tmp_path / name)


def test_dry_run_follows_no_defects_that_are_not_marked(labelled: Path, tmp_path: Path) -> None:
    planned = plan_conversion(labelled, tmp_path / "out", ConvertOptions(layout=LABELS))
    assert planned.summary is not None
    assert (planned.summary.good, planned.summary.defective) == (8, 4)
    assert planned.summary.defects == ()


@pytest.mark.parametrize("fit", ["thirds", "crop", "square"])
def test_fits_that_cut_are_refused_without_masks(labelled: Path, tmp_path: Path, fit: str) -> None:
    options = ConvertOptions(layout=LABELS, fit=fit, size=(20, 20) if fit != "thirds" else None)  # type: ignore[arg-type]
    for run in (convert, plan_conversion):
        with pytest.raises(UsageError, match=f"only a mask tells which parts that --fit {fit}"):
            run(labelled, tmp_path / "out", options)
    assert not (tmp_path / "out/cast").exists()


def test_codes_that_read_masks_are_refused_and_others_get_no_paths_of_masks(
    labelled: Path, tmp_path: Path
) -> None:
    able = {name for name, consumer in CONSUMERS.items() if not consumer.needs_masks}
    assert able == {"anomalib", "uniad"}
    options = ConvertOptions(layout=LABELS, consumers=["anomalib", "uniad"], table=True)
    tree = convert(labelled, tmp_path / "out", options).target
    config, table, lines = (
        (tmp_path / "out" / name).read_text() for name in ("cast.yaml", "cast.csv", "test.json")
    )
    assert "Tabular" in config
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["mask_path"] for row in rows} == {""}
    assert sum(int(row["label_index"]) for row in rows) == 4
    entries = [json.loads(line) for line in lines.splitlines()]
    assert sum(entry["label"] for entry in entries) == 4
    assert not any("maskname" in entry for entry in entries)
    folders = convert(labelled, tmp_path / "o2", replace(options, table=False)).target
    assert "mask_dir" not in (tmp_path / "o2/cast.yaml").read_text()
    for out, name in ((tree, "uniad"), (tree, "anomalib"), (folders, "anomalib")):
        assert verify(out, consumers=name).ok  # type: ignore[arg-type]
    assert not verify(tree, consumers="patchcore").ok
    (labelled / "ok/0.png").write_bytes(b"")  # a scan finds this
    with pytest.raises(UsageError, match="reads the mask of each defective test image"):
        convert(labelled, tmp_path / "o3", replace(options, consumers="cflow", table=False))


def test_defects_to_train_on_have_no_masks_either(labelled: Path, tmp_path: Path) -> None:
    options = ConvertOptions(layout=LABELS, split=SplitOptions(train_defects=2))
    tree = convert(labelled, tmp_path / "out", options).target
    assert len(list((tree / "train/defect").iterdir())) == 2
    assert failures(check(tree, labelled)) == set()
    with pytest.raises(OutputError, match="has no image with a mask"):
        export(tree, "segdecnet", tmp_path / "segdecnet")
    folds = replace(options, split=SplitOptions("grouped", folds=2))
    for made in convert_folds(labelled, tmp_path / "folds", folds):
        assert failures(check(made.target, labelled)) == set()
