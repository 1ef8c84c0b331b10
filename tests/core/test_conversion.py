"""Converting: the pixels and bytes of a tree, the same everywhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert, plan_conversion
from kolektor_cli.core.synthesis import synthesize
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import OutputError, SourceError, UsageError
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.io import staging
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.fit import AskedSize
from kolektor_cli.tree.layout import Color
from kolektor_cli.tree.manifest import Manifest, from_bytes
from kolektor_cli.tree.plan import paths_of
from kolektor_cli.version import __version__
from tests.archives import zip_of
from tests.conftest import SIZE, SMALL, MakeDataset, listing, snapshot
from tests.trees import read_manifest


def made(root: Path, out: Path, *, jobs: int | None = None, **options: Any) -> Manifest:
    """Convert to small images, unless another size is given, and read the manifest."""
    return read_manifest(convert(root, out, replace(SMALL, **options), jobs=jobs).target)


def decode(path: Path, mode: int) -> np.ndarray:
    """Decode with OpenCV alone; colours come as blue, green, red."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    assert pixels is not None
    return pixels


def resized(pixels: np.ndarray, size: AskedSize) -> np.ndarray:
    return pixels if size is None or size == "source" else cv2.resize(pixels, size)


def expected_mask(path: Path, size: AskedSize) -> np.ndarray:
    binary = np.where(decode(path, cv2.IMREAD_GRAYSCALE) > 0, 255, 0).astype(np.uint8)
    return np.where(resized(binary, size) > 127, 255, 0).astype(np.uint8)


def modified(folder: Path) -> Mapping[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def check_pixels(root: Path, tree: Path, manifest: Manifest, size: AskedSize) -> None:
    """Compare each file of a tree with its source, decoded and resized by OpenCV alone."""
    assert manifest.files
    for entry in manifest.files:
        found = decode(tree / entry.path, cv2.IMREAD_UNCHANGED)
        if entry.role == "mask":
            wanted = expected_mask(root / f"{entry.sample}_label.bmp", size)
            assert wanted.any()
        else:
            gray = decode(root / f"{entry.sample}.jpg", cv2.IMREAD_GRAYSCALE)
            wanted = resized(gray, size)
            if manifest.options["color"] == "rgb":
                wanted = np.stack([wanted] * 3, axis=2)
        assert np.array_equal(found, wanted), entry.path


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("size", [SIZE, (80, 45), "source"], ids=str)
def test_pixels_are_those_of_opencv(
    make_dataset: MakeDataset, tmp_path: Path, color: Color, size: AskedSize
) -> None:
    root = make_dataset()
    manifest = made(root, tmp_path / "out", color=color, size=size)
    check_pixels(root, tmp_path / "out/metal", manifest, size)


def test_defect_does_not_vanish_in_the_smallest_size(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    made(make_dataset(), tmp_path / "out", size=(1, 1))
    masks = list((tmp_path / "out/metal/ground_truth/defect").iterdir())
    assert [decode(mask, cv2.IMREAD_UNCHANGED).tolist() for mask in masks] == [[[255]]] * 3


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_pixels_of_real_size_are_those_of_opencv(
    synthetic: Path, tmp_path: Path, color: Color
) -> None:
    manifest = made(synthetic, tmp_path, color=color, size=(500, 1240))
    check_pixels(synthetic, tmp_path / "metal", manifest, (500, 1240))
    assert {entry.geometry.size for entry in manifest.files} == {(500, 1240)}
    assert len({entry.geometry.source_size for entry in manifest.files}) > 1


def test_colour_of_the_source_is_kept_or_reduced(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    random = np.random.default_rng(0)
    for image in root.glob("*/*.jpg"):
        image.unlink()
        done, data = cv2.imencode(".png", random.integers(0, 256, (60, 40, 3), np.uint8))
        assert done
        image.with_suffix(".png").write_bytes(data.tobytes())
    made(root, tmp_path / "rgb", color="rgb")
    made(root, tmp_path / "gray", color="gray")
    manifest = json.loads((tmp_path / "rgb/metal/manifest.json").read_bytes())
    [sample] = [f["sample"] for f in manifest["files"] if f["path"] == "train/good/000.png"]
    wanted = cv2.resize(decode(root / f"{sample}.png", cv2.IMREAD_COLOR), SIZE)
    found = decode(tmp_path / "rgb/metal/train/good/000.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found, wanted)
    found = decode(tmp_path / "gray/metal/train/good/000.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found, cv2.cvtColor(wanted, cv2.COLOR_BGR2GRAY))


def test_palette_and_odd_values_of_a_mask_all_count(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset(items=1)
    mask = np.zeros((60, 40), np.uint8)
    mask[10:20, 10:20], mask[30:40, 10:20], mask[50:, 30:] = 85, 255, 1
    done, data = cv2.imencode(".bmp", mask)
    assert done
    (root / "kos01/Part0_label.bmp").write_bytes(data.tobytes())
    made(root, tmp_path / "out", size="source")
    found = decode(tmp_path / "out/metal/ground_truth/defect/000_mask.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found, np.where(mask > 0, 255, 0))


def test_tree_holds_what_was_planned_and_nothing_else(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    made(make_dataset(items=2), tmp_path / "out", split=SplitOptions(val=0.5))
    assert listing(tmp_path / "out") == [
        "metal",
        "metal/ground_truth",
        "metal/ground_truth/defect",
        "metal/ground_truth/defect/000_mask.png",
        "metal/ground_truth/defect/001_mask.png",
        "metal/manifest.json",
        "metal/test",
        "metal/test/defect",
        "metal/test/defect/000.png",
        "metal/test/defect/001.png",
        "metal/test/good",
        "metal/test/good/000.png",
        "metal/test/good/001.png",
        "metal/train",
        "metal/train/good",
        "metal/train/good/000.png",
        "metal/train/good/001.png",
        "metal/validation",
        "metal/validation/good",
        "metal/validation/good/000.png",
        "metal/validation/good/001.png",
    ]


def test_source_names_are_those_of_the_samples(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset(items=2)
    manifest = made(root, tmp_path / "out", names="source")
    for entry in manifest.files:
        ending = "_mask.png" if entry.role == "mask" else ".png"
        assert entry.path.endswith("/" + entry.sample.replace("/", "_") + ending)
        assert (tmp_path / "out/metal" / entry.path).is_file()
    check_pixels(root, tmp_path / "out/metal", manifest, SIZE)


def test_manifest_records_every_file(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    manifest = made(root, tmp_path / "out", split=SplitOptions(val=0.4))
    tree = tmp_path / "out/metal"
    assert from_bytes((tree / "manifest.json").read_bytes()) == manifest
    assert (manifest.kolektor, manifest.category) == (__version__, "metal")
    assert (manifest.release, manifest.protocol) == ("KolektorSDD", "balanced")
    assert manifest.protocol_parameters == {"seed": 0, "test_good": 3, "val": 0.4}
    assert manifest.options == {
        "fit": "stretch", "size": [20, 31], "color": "rgb", "names": "index",
    }  # fmt: skip
    paths = [entry.path for entry in manifest.files]
    assert paths == sorted(snapshot(tree).keys() - {"manifest.json"})
    for entry in manifest.files:
        assert entry.sha256 == sha256((tree / entry.path).read_bytes())
        kind = "_label.bmp" if entry.role == "mask" else ".jpg"
        assert entry.source_sha256 == sha256((root / f"{entry.sample}{kind}").read_bytes())
        first_channel = decode(tree / entry.path, cv2.IMREAD_GRAYSCALE)
        assert entry.pixels_sha256 == sha256(first_channel.tobytes())
        assert entry.geometry.source_size == (40, 60)
        assert entry.label == ("defective" if "defect" in entry.path else "good")
        folder = entry.path.partition("/")[0]
        assert entry.split == {"train": "train", "validation": "val"}.get(folder, "test")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_manifest_holds_no_place_and_no_time(make_dataset: MakeDataset, tmp_path: Path) -> None:
    made(make_dataset(), tmp_path / "out")
    text = (tmp_path / "out/metal/manifest.json").read_text()
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        *("format", "kolektor", "category", "release", "options", "split", "fingerprint"),
        *("lost", "unused", "left_out", "files", "sha256"),
    }


def test_what_is_left_out_stands_in_the_manifest(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    (root / "kos02/Part1.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match=r"kos02/Part1\.jpg: is empty; .*--skip-bad"):
        made(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    manifest = made(root, tmp_path / "out", skip_bad=True)
    assert manifest.left_out == {"kos02/Part1": "unreadable"}
    assert "kos02/Part1" not in {entry.sample for entry in manifest.files}


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_bytes_do_not_depend_on_threads_place_or_zip(
    make_dataset: MakeDataset, tmp_path: Path, color: Color
) -> None:
    root = make_dataset(parts=8)
    made(root, tmp_path / "one", jobs=1, color=color)
    made(root, tmp_path / "elsewhere/far/four", jobs=4, color=color)
    made(zip_of(root), tmp_path / "zip", color=color)
    first = snapshot(tmp_path / "one")
    assert len(first) == 28
    assert snapshot(tmp_path / "elsewhere/far/four") == first
    assert snapshot(tmp_path / "zip") == first


def test_bytes_of_real_size_do_not_depend_on_threads(synthetic: Path, tmp_path: Path) -> None:
    made(synthetic, tmp_path / "one", jobs=1, size=(256, 640))
    made(synthetic, tmp_path / "four", jobs=4, size=(256, 640))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "four")


def test_source_is_left_as_it_was(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    before = snapshot(root), modified(root)
    made(root, tmp_path / "out")
    assert (snapshot(root), modified(root)) == before


def test_other_things_in_the_output_folder_stay(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "other").mkdir(parents=True)
    (out / "other/notes.txt").write_text("mine")
    made(make_dataset(), out)
    made(make_dataset("second", items=2), out, category="steel")
    assert sorted(path.name for path in out.iterdir()) == ["metal", "other", "steel"]
    assert (out / "other/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("size", [(23, 63), "source"])
def test_images_of_kolektorsdd2_keep_their_colours(
    make_dataset_2: MakeDataset, tmp_path: Path, size: AskedSize
) -> None:
    root = make_dataset_2()
    made(root, tmp_path / "out", size=size, category="c", names="source")
    image = cv2.imread(str(tmp_path / "out/c/test/good/test_20002.png"), cv2.IMREAD_UNCHANGED)
    wanted = cv2.imread(str(root / "test/20002.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert wanted is not None
    if size and size != "source":
        wanted = cv2.resize(wanted, size)
    np.testing.assert_array_equal(image, wanted)
    assert np.abs(image[..., 0].astype(int) - image[..., 2]).max() > 20
    mask = tmp_path / "out/c/ground_truth/defect/test_20000_mask.png"
    assert mask.is_file()
    assert not os.path.lexists(tmp_path / "out/c/train/defect")


GOLDEN: dict[tuple[Color, AskedSize], str] = {
    ("rgb", (7, 11)): "42f6d58c3ce30275b3d4e440ec5a6573adc053158b0193d6977733213322988c",
    ("gray", (7, 11)): "eaad03823c527eeac191283fa0ee1c0324eef165621e2dbe3991826b7706a869",
    ("rgb", (61, 47)): "e6cf8c897f1cb317f76bd11edf0d48c3d8936ee405cf162c5e7d15d65020a2df",
    ("gray", (61, 47)): "ffc08ce11e2694adc2d446f77b0c43c9c69e57ce13e5f3743139eecf0f85cad8",
    ("rgb", (500, 1240)): "aee84675e8ff4ee90207dd3737b8dd8614d9f2859bc2ab013c04baaebe64710a",
    ("gray", "source"): "90579c5eada5ab4cdd8058152fb6486028e68d4ba1cc5ad27136ac74e5ec7178",
}
"""SHA-256 of all pixels of a tree, its files one after the other."""


def paint(root: Path) -> None:
    """Write a dataset whose pixels are made by whole numbers alone, and no library."""
    rows, columns = np.indices((60, 40))
    for part in range(4):
        red, green, blue = (
            ((1 + part + c) * rows * rows + (5 + c) * columns + rows * columns) % 256
            for c in range(3)
        )
        image = np.dstack([red, green, blue]).astype(np.uint8)
        mask = ((rows // 7 + columns // 5) % 9 == part).astype(np.uint8) * (part == 0) * 255
        (root / "kos01").mkdir(parents=True, exist_ok=True)
        (root / f"kos01/Part{part}.png").write_bytes(encode_png(image, rgb=True))
        (root / f"kos01/Part{part}_label.png").write_bytes(encode_png(mask, rgb=False))


@pytest.mark.parametrize(("color", "size"), GOLDEN, ids=str)
def test_pixels_never_change(tmp_path: Path, color: Color, size: AskedSize) -> None:
    paint(tmp_path / "raw")
    manifest = made(tmp_path / "raw", tmp_path, color=color, size=size, category="c")
    digest = hashlib.sha256()
    for entry in manifest.files:
        digest.update(decode(tmp_path / "c" / entry.path, cv2.IMREAD_UNCHANGED).tobytes())
    assert digest.hexdigest() == GOLDEN[color, size]


def test_fingerprint_never_changes(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    synthesize(root, items=4, seed=1)
    digest = hashlib.sha256()
    for name, data in snapshot(root).items():
        digest.update(name.encode() + b"\0" + data)
    if digest.hexdigest() != "438eb55e5400963ef9e499f4ffa6a5fe60ed55efc1ba11fa6a5da202ec8663cd":
        # What a conversion makes of given files is pinned above, for all versions.
        pytest.skip("these versions of NumPy and OpenCV draw other synthetic pictures")
    manifest = read_manifest(convert(root, tmp_path).target)
    assert len(manifest.files) == 36
    assert (
        manifest.fingerprint == "04cf0a7a735331d6f5b5432a259bfb031edd1892f756891dd282f9e21c482f01"
    )


def test_plan_is_what_is_made_and_writes_nothing(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    options = replace(SMALL, consumers="anomalib", split=SplitOptions(val=0.4))
    planned = plan_conversion(root, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()
    done = convert(root, tmp_path / "out", options)
    assert replace(done, manifest=None) == replace(planned, summary=None)
    assert planned.manifest is None
    assert done.summary is None
    assert planned.summary is not None
    assert (planned.summary.good, planned.summary.defective) == (9, 3)
    paths = {path for image in planned.plan.images for path in paths_of(image)}
    assert paths == snapshot(done.target).keys() - {"manifest.json"}


def test_result_counts_images_and_leaks(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    shutil.copy(root / "kos01/Part1.jpg", root / "kos02/Part1.jpg")
    options = replace(SMALL, split=SplitOptions(protocol="vicos", fold=0))
    done = convert(root, tmp_path / "out", options)
    assert done.target == tmp_path / "out/metal"
    # Fold 0 tests kos02, and neither kos01 nor kos03.
    assert done.counts == {
        ("train", "good"): 6,
        ("test", "good"): 3,
        ("test", "defective"): 1,
        ("unused", "defective"): 2,
    }
    assert [(leak.train, leak.test, leak.kind) for leak in done.leaks] == [
        ("kos01/Part1", "kos02/Part1", "file")
    ]


@pytest.mark.usefixtures("in_tmp_path")
def test_paths_may_be_texts(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    done = convert(str(root), "out", SMALL)
    assert done.target == Path("out/metal")
    assert verify("out", source=str(root)).ok
    assert plan_conversion(str(root), "other", SMALL).plan == done.plan


def test_progress_is_told_step_by_step_up_to_the_end(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    convert(make_dataset(), tmp_path, SMALL, jobs=2, progress=lambda *step: told.append(step))
    # All was written while the source was scanned.
    written = [("converting", done, 12) for done in range(1, 13)]
    assert told == [*written, ("planning", 0, 0)]


def no_work(step: str, _: int, __: int) -> None:
    raise AssertionError(f"{step} was begun")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 5)}, "out of range"),
        ({"fit": "thirds", "size": (5, 5)}, "takes no --size"),
        ({"category": "a/b"}, "category"),
        ({"table": True}, "--table goes with --for anomalib"),
        ({"consumers": "cflow", "color": "gray"}, "reads no gray images"),
        ({"fit": "squash"}, "squash"),
        ({"color": "blue"}, "blue"),
        ({"names": "mine"}, "mine"),
        ({"consumers": "nobody"}, "nobody"),
        ({"split": SplitOptions(file="s.csv", seed=1)}, "--seed and --split exclude each other"),
        ({"split": SplitOptions(file="s.csv", protocol="vicos")}, "--protocol and --split"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_options_alone_make_wrong_is_refused_before_any_work(
    make_dataset: MakeDataset, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    root = make_dataset()
    for verb in (convert, plan_conversion):
        with pytest.raises(UsageError, match=message):
            verb(root, tmp_path / "out", ConvertOptions(**options), progress=no_work)
    assert not (tmp_path / "out").exists()


def test_existing_tree_is_refused_before_any_work(tree: Path, raw: Path) -> None:
    for verb in (convert, plan_conversion):
        with pytest.raises(OutputError, match="exists already"):
            verb(raw, tree.parent, SMALL, progress=no_work)


def test_files_beside_that_a_killed_run_left_come_with_the_next(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = make_dataset(), tmp_path / "out"
    options = ConvertOptions(size=SIZE, consumers="anomalib", table=True)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patches:
        patches.setattr(staging, "_place_beside", killed)
        with pytest.raises(KeyboardInterrupt):
            convert(root, out, options)
    assert (out / "metal/manifest.json").is_file()
    assert not list(out.glob("*.*ml"))
    with pytest.raises(OutputError, match="metal: exists already"):
        convert(root, out, options)
    assert sorted(path.name for path in out.iterdir()) == [
        *("metal", "metal.csv", "metal.pre-processor.yaml", "metal.yaml"),
    ]
    assert verify(out, consumers="anomalib").ok
