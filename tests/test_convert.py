"""Converting: the pixels and bytes of a tree, and that it is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import pytest

import kolektor_cli
from kolektor_cli import atomic, staging
from kolektor_cli.convert import check_output, write_tree
from kolektor_cli.drawing import palette_bmp
from kolektor_cli.errors import KolektorError, OutputError, SourceError, UsageError
from kolektor_cli.layout import make_plan
from kolektor_cli.manifest import from_bytes, to_bytes
from kolektor_cli.parallel import Progress, no_progress
from kolektor_cli.records import AskedSize, Color, FitName, Manifest, Names
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from kolektor_cli.split import balanced
from tests.conftest import MakeDataset, fit_all, snapshot, write_pair

SMALL = (20, 31)

Step: TypeAlias = "tuple[int, int] | str"


def nothing() -> None:
    """Do nothing."""


def convert(
    path: Path,
    out: Path,
    *,
    size: AskedSize = SMALL,
    fit: FitName = "stretch",
    color: Color = "rgb",
    names: Names = "index",
    category: str = "metal",
    val: float = 0.0,
    force: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
    before_writing: Callable[[], object] = nothing,
) -> Manifest:
    """Scan, split, lay out and write, as the command does."""
    with open_source(path) as source:
        scan = scan_source(source)
        split = balanced(scan.samples, val=val)
        fitted = fit_all(source, scan, size, fit)
        plan = make_plan(scan, split, fitted, category=category, color=color, names=names)
        before_writing()
        return write_tree(plan, source, out, force=force, jobs=jobs, progress=progress)


def zip_of(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(folder.parent).as_posix())
    return target


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


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


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
@pytest.mark.parametrize("size", [SMALL, (80, 45), "source"], ids=str)
def test_pixels_are_those_of_opencv(
    make_dataset: MakeDataset, tmp_path: Path, color: Color, size: AskedSize
) -> None:
    root = make_dataset()
    manifest = convert(root, tmp_path / "out", color=color, size=size)
    check_pixels(root, tmp_path / "out/metal", manifest, size)


def test_defect_does_not_vanish_in_the_smallest_size(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    convert(make_dataset(), tmp_path / "out", size=(1, 1))
    masks = list((tmp_path / "out/metal/ground_truth/defect").iterdir())
    assert [decode(mask, cv2.IMREAD_UNCHANGED).tolist() for mask in masks] == [[[255]]] * 3


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_pixels_of_real_size_are_those_of_opencv(
    synthetic: Path, tmp_path: Path, color: Color
) -> None:
    manifest = convert(synthetic, tmp_path, color=color, size=(500, 1240))
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
    convert(root, tmp_path / "rgb", color="rgb")
    convert(root, tmp_path / "gray", color="gray")
    manifest = json.loads((tmp_path / "rgb/metal/manifest.json").read_bytes())
    [sample] = [f["sample"] for f in manifest["files"] if f["path"] == "train/good/000.png"]
    wanted = cv2.resize(decode(root / f"{sample}.png", cv2.IMREAD_COLOR), SMALL)
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
    convert(root, tmp_path / "out", size="source")
    found = decode(tmp_path / "out/metal/ground_truth/defect/000_mask.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found, np.where(mask > 0, 255, 0))


def test_tree_holds_what_was_planned_and_nothing_else(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    convert(make_dataset(items=2), tmp_path / "out", val=0.5)
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
    manifest = convert(root, tmp_path / "out", names="source")
    for entry in manifest.files:
        ending = "_mask.png" if entry.role == "mask" else ".png"
        assert entry.path.endswith("/" + entry.sample.replace("/", "_") + ending)
        assert (tmp_path / "out/metal" / entry.path).is_file()
    check_pixels(root, tmp_path / "out/metal", manifest, SMALL)


def test_manifest_records_every_file(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    manifest = convert(root, tmp_path / "out", val=0.4)
    tree = tmp_path / "out/metal"
    assert from_bytes((tree / "manifest.json").read_bytes()) == manifest
    assert (manifest.kolektor, manifest.category) == (kolektor_cli.__version__, "metal")
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
    convert(make_dataset(), tmp_path / "out")
    text = (tmp_path / "out/metal/manifest.json").read_text()
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        *("format", "kolektor", "category", "release", "options", "split", "fingerprint"),
        *("lost", "unused", "left_out", "files", "sha256"),
    }


def test_what_is_left_out_stands_in_the_manifest(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    (root / "kos02/Part1.jpg").write_bytes(b"")
    manifest = convert(root, tmp_path / "out")
    assert manifest.left_out == {"kos02/Part1": "unreadable"}
    assert "kos02/Part1" not in {entry.sample for entry in manifest.files}


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_bytes_do_not_depend_on_threads_place_or_zip(
    make_dataset: MakeDataset, tmp_path: Path, color: Color
) -> None:
    root = make_dataset(parts=8)
    convert(root, tmp_path / "one", jobs=1, color=color)
    convert(root, tmp_path / "elsewhere/far/four", jobs=4, color=color)
    convert(zip_of(root), tmp_path / "zip", color=color)
    first = snapshot(tmp_path / "one")
    assert len(first) == 28
    assert snapshot(tmp_path / "elsewhere/far/four") == first
    assert snapshot(tmp_path / "zip") == first


def test_bytes_of_real_size_do_not_depend_on_threads(synthetic: Path, tmp_path: Path) -> None:
    convert(synthetic, tmp_path / "one", jobs=1, size=(256, 640))
    convert(synthetic, tmp_path / "four", jobs=4, size=(256, 640))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "four")


def test_source_is_left_as_it_was(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    before = snapshot(root), modified(root)
    convert(root, tmp_path / "out")
    assert (snapshot(root), modified(root)) == before


def test_other_things_in_the_output_folder_stay(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "other").mkdir(parents=True)
    (out / "other/notes.txt").write_text("mine")
    convert(make_dataset(), out)
    convert(make_dataset("second", items=2), out, category="steel")
    assert sorted(path.name for path in out.iterdir()) == ["metal", "other", "steel"]
    assert (out / "other/notes.txt").read_text() == "mine"


def test_progress_is_told_up_to_the_end(make_dataset: MakeDataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert(
        make_dataset(), tmp_path / "out", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(done, 12) for done in range(1, 13)]


@pytest.fixture
def old_tree(make_dataset: MakeDataset, tmp_path: Path) -> Path:
    """Hold an output folder with a tree that further ones may replace."""
    convert(make_dataset("old", items=2), tmp_path / "out")
    return tmp_path / "out"


def test_existing_category_is_refused_and_stays(make_dataset: MakeDataset, old_tree: Path) -> None:
    before = snapshot(old_tree)
    with pytest.raises(OutputError, match=r"metal: exists already; --force"):
        convert(make_dataset(), old_tree)
    assert snapshot(old_tree) == before


def test_force_replaces_a_tree_as_if_it_had_not_been_there(
    make_dataset: MakeDataset, old_tree: Path, tmp_path: Path
) -> None:
    root = make_dataset()
    (old_tree / "metal/train/good/999.png").write_bytes(b"left over")
    convert(root, old_tree, force=True)
    convert(root, tmp_path / "fresh")
    assert listing(old_tree) == listing(tmp_path / "fresh")
    assert snapshot(old_tree) == snapshot(tmp_path / "fresh")


def test_force_does_not_need_anything_to_replace(make_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "out/metal").mkdir(parents=True)
    convert(make_dataset(), tmp_path / "out", force=True)
    assert (tmp_path / "out/metal/manifest.json").is_file()


def damage(path: Path) -> None:
    """Cut a JPEG so that only decoding finds it."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3] + b"\xff\xd9")


def test_failure_leaves_the_old_tree_as_it_was(make_dataset: MakeDataset, old_tree: Path) -> None:
    root = make_dataset()
    before = snapshot(old_tree), modified(old_tree / "metal"), listing(old_tree)
    with pytest.raises(SourceError, match=r"kos02/Part2\.jpg: changed while this command ran"):
        convert(
            root,
            old_tree,
            force=True,
            before_writing=lambda: damage(root / "kos02/Part2.jpg"),
        )
    assert (snapshot(old_tree), modified(old_tree / "metal"), listing(old_tree)) == before


Failing = Callable[[Path], object]

FAILURES: dict[str, tuple[Failing, type[KolektorError], str]] = {
    "image changed": (
        lambda root: write_pair(root / "kos03", "Part3", seed=9),
        SourceError,
        r"kos03/Part3\.jpg: changed",
    ),
    "image gone": (
        lambda root: (root / "kos03/Part3.jpg").unlink(),
        SourceError,
        r"kos03/Part3\.jpg: ",
    ),
    "mask changed": (
        lambda root: (root / "kos03/Part0_label.bmp").write_bytes(
            palette_bmp(np.ones((60, 40), np.uint8))
        ),
        SourceError,
        r"kos03/Part0_label\.bmp: changed",
    ),
    "mask gone": (
        lambda root: (root / "kos03/Part0_label.bmp").unlink(),
        SourceError,
        r"kos03/Part0_label\.bmp: ",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("there", ["", "a", "a/b"], ids=["nothing", "parent", "all"])
def test_failure_leaves_nothing_behind(
    make_dataset: MakeDataset, tmp_path: Path, case: str, there: str
) -> None:
    root = make_dataset()
    (tmp_path / "place" / there).mkdir(parents=True)
    before = listing(tmp_path / "place")
    fail, kind, message = FAILURES[case]
    with pytest.raises(kind, match=message):
        convert(root, tmp_path / "place/a/b", before_writing=lambda: fail(root))
    assert listing(tmp_path / "place") == before


def test_interruption_leaves_nothing_behind(make_dataset: MakeDataset, tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        assert list((tmp_path / "out").iterdir())
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(make_dataset(), tmp_path / "out", jobs=4, progress=interrupt)
    assert not (tmp_path / "out").exists()


def test_tree_is_not_there_before_it_is_complete(make_dataset: MakeDataset, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look(_: int, __: int) -> None:
        seen.append([path.name for path in (tmp_path / "out").iterdir()])

    convert(make_dataset(), tmp_path / "out", progress=look)
    assert len(seen) == 12
    for names in seen:
        assert names == [".metal.unfinished"]


def stages(out: Path) -> Iterator[Path]:
    return out.glob(".metal.unfinished/new")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """List, as they come, what is brought to disk (its inode and size) and each name given."""
    done: list[Step] = []
    fsync, rename, replace = os.fsync, atomic._rename, Path.replace

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        done.append((status.st_ino, status.st_size))

    def noted_rename(old: Path, new: Path, flags: dict[str, int]) -> bool:
        done.append(new.name)
        return rename(old, new, flags)

    def noted_replace(old: Path, new: Path) -> Path:
        done.append(new.name)
        return replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(atomic, "_rename", noted_rename)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return done


def check_on_disk_around(name: str, steps: list[Step], place: Path, contents: list[Path]) -> None:
    """Check that contents were on disk before they had their name in a place, which was after."""
    before, after = steps[: steps.index(name)], steps[steps.index(name) + 1 :]
    synced_folders = {step[0] for step in before if isinstance(step, tuple)}
    for path in contents:
        status = path.stat()
        if path.is_dir():
            assert status.st_ino in synced_folders, path
        else:
            assert (status.st_ino, status.st_size) in before, path
    assert place.stat().st_ino in {step[0] for step in after if isinstance(step, tuple)}


@pytest.mark.parametrize("force", [False, True], ids=["new", "force"])
def test_all_of_a_tree_is_on_disk_before_it_has_its_name_and_that_after(
    make_dataset: MakeDataset, tmp_path: Path, steps: list[Step], force: bool
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    if force:
        convert(source, out, val=0.3)
        steps.clear()
    convert(source, out, force=force)
    tree = [out / "metal", *(out / "metal").rglob("*")]
    assert len(tree) > 15
    check_on_disk_around("metal", steps, out, tree)
    if not force:
        # The folder that was made for it has its own name on disk, too.
        assert steps[-1] == (tmp_path.stat().st_ino, tmp_path.stat().st_size)


def test_a_single_file_is_on_disk_before_it_has_its_name_and_that_after(
    tmp_path: Path, steps: list[Step]
) -> None:
    for data in (b"first", b"second"):
        steps.clear()
        staging.replace_file(tmp_path / "split.csv", data)
        assert (tmp_path / "split.csv").read_bytes() == data
        check_on_disk_around("split.csv", steps, tmp_path, [tmp_path / "split.csv"])


@pytest.mark.parametrize("name", ["train/good/.DS_Store", "train/good/999.png", "notes.txt"])
def test_file_that_someone_else_adds_meanwhile_is_an_error(
    make_dataset: MakeDataset, tmp_path: Path, name: str
) -> None:
    def add(done: int, total: int) -> None:
        if done == total:
            [stage] = stages(tmp_path / "out")
            (stage / name).write_bytes(b"x")

    with pytest.raises(OutputError, match=f"{name}: was added or removed"):
        convert(make_dataset(), tmp_path / "out", progress=add)
    assert not (tmp_path / "out").exists()


def test_file_that_someone_else_removes_meanwhile_is_an_error(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    def remove(done: int, total: int) -> None:
        if done == total:
            [stage] = stages(tmp_path / "out")
            next((stage / "drafts").iterdir()).unlink()

    with pytest.raises(OutputError, match="metal: cannot be written: No such file"):
        convert(make_dataset(), tmp_path / "out", progress=remove)
    assert not (tmp_path / "out").exists()


def test_category_that_someone_else_makes_meanwhile_is_not_replaced(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    def make(done: int, total: int) -> None:
        if done == total:
            (tmp_path / "out/metal").mkdir()
            (tmp_path / "out/metal/precious.txt").write_text("mine")

    with pytest.raises(OutputError, match="metal: exists already"):
        convert(make_dataset(), tmp_path / "out", progress=make)
    assert listing(tmp_path / "out") == ["metal", "metal/precious.txt"]


@pytest.mark.parametrize("place", ["raw", "raw/out", "raw/kos01", "raw/new/deep", "link/out"])
def test_output_inside_the_source_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, place: str
) -> None:
    root = make_dataset()
    (tmp_path / "link").symlink_to(root)
    before = listing(root)
    with pytest.raises(UsageError, match="inside the source"):
        convert(root, tmp_path / place)
    with pytest.raises(UsageError, match="inside the source"):
        check_output(root, tmp_path / place, "metal")
    assert listing(root) == before


@pytest.mark.parametrize("name", ["metal", "metal/train", "metal/train/good"])
@pytest.mark.parametrize("zipped", [False, True])
def test_source_inside_the_category_folder_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, name: str, zipped: bool
) -> None:
    root = make_dataset(f"out/{name}/raw")
    source = zip_of(root) if zipped else root
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="holds the source"):
        convert(source, tmp_path / "out", force=True)
    assert snapshot(tmp_path) == before


def test_source_that_is_the_category_folder_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset("out/metal")
    with pytest.raises(UsageError, match="source"):
        convert(root, tmp_path / "out", force=True)
    assert (root / "kos01/Part0.jpg").is_file()


def test_source_beside_the_category_folder_is_fine(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    convert(make_dataset("out/raw"), tmp_path / "out")
    convert(zip_of(tmp_path / "out/raw"), tmp_path / "out", category="metal2")
    assert snapshot(tmp_path / "out/metal").keys() == snapshot(tmp_path / "out/metal2").keys()


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/it", "dangling", "loop/out"])
@pytest.mark.parametrize("force", [False, True])
def test_output_that_is_no_folder_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, place: str, force: bool
) -> None:
    root = make_dataset()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError, match="a folder"):
        check_output(root, tmp_path / place, "metal", force=force)
    with pytest.raises(OutputError, match="a folder"):
        convert(root, tmp_path / place, force=force)
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["notes.txt", "kos01/Part0.jpg", ".git/config", "license.txt"])
def test_force_does_not_replace_a_folder_that_holds_something_else(
    make_dataset: MakeDataset, old_tree: Path, name: str
) -> None:
    (old_tree / "metal" / name).parent.mkdir(exist_ok=True)
    (old_tree / "metal" / name).write_text("mine")
    before = snapshot(old_tree)
    with pytest.raises(OutputError, match=f"metal: holds {name.partition('/')[0]}.*--force"):
        convert(make_dataset(), old_tree, force=True)
    assert snapshot(old_tree) == before


def test_force_does_not_replace_a_file_or_a_link(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset()
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/file").write_text("mine")
    (tmp_path / "out/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out/dangling").symlink_to(tmp_path / "nowhere")
    for category in ("file", "link", "dangling"):
        with pytest.raises(OutputError, match="exists already"):
            convert(root, tmp_path / "out", category=category)
        with pytest.raises(OutputError, match="remove it yourself"):
            convert(root, tmp_path / "out", category=category, force=True)
    assert (tmp_path / "out/file").read_text() == "mine"
    assert listing(tmp_path / "elsewhere") == []
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize("category", ["..", "../raw", "/etc", "", "a\0b", "train/good"])
def test_category_that_leads_elsewhere_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, category: str
) -> None:
    root = make_dataset()
    before = listing(tmp_path)
    with pytest.raises(UsageError, match="category"):
        check_output(root, tmp_path / "out", category, force=True)
    with pytest.raises(UsageError, match="category"):
        convert(root, tmp_path / "out", category=category, force=True)
    assert listing(tmp_path) == before


def test_relative_output_is_made_and_removed_where_one_stands(
    make_dataset: MakeDataset, in_tmp_path: Path
) -> None:
    root = make_dataset()
    convert(root, Path("deep/out"))
    assert (in_tmp_path / "deep/out/metal/manifest.json").is_file()
    with pytest.raises(SourceError, match="changed"):
        convert(root, Path("other/out"), before_writing=lambda: damage(root / "kos01/Part1.jpg"))
    assert not (in_tmp_path / "other").exists()


def test_output_may_be_a_link_to_a_folder(make_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    convert(make_dataset(), tmp_path / "out")
    assert (tmp_path / "disk/metal/manifest.json").is_file()
    assert (tmp_path / "out").is_symlink()


def test_manifest_on_disk_is_the_one_returned(make_dataset: MakeDataset, tmp_path: Path) -> None:
    manifest = convert(make_dataset(), tmp_path / "out", category="Größe")
    assert (tmp_path / "out/Größe/manifest.json").read_bytes() == to_bytes(manifest)
