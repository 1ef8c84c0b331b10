"""Writing: what changes meanwhile is found, and on any failure nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.errors import KolektorError, OutputError, SourceError
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.tree.derive import FOLDER
from tests import pipeline
from tests.conftest import SIZE, MakeDataset, damage_jpeg, listing, snapshot, write_pair
from tests.manifests import to_bytes

convert = partial(pipeline.convert, size=SIZE)


def test_progress_is_told_up_to_the_end(make_dataset: MakeDataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    root = make_dataset()
    convert(root, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 12) for done in range(1, 13)]


def modified(folder: Path) -> Mapping[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_failure_leaves_the_old_tree_as_it_was(make_dataset: MakeDataset, tmp_path: Path) -> None:
    old_tree = tmp_path / "out"
    convert(make_dataset("old", items=2), old_tree)
    root = make_dataset()
    before = snapshot(old_tree), modified(old_tree / "metal"), listing(old_tree)
    with pytest.raises(SourceError, match=r"kos02/Part2\.jpg: changed while this command ran"):
        convert(
            root,
            old_tree,
            force=True,
            before_writing=lambda: damage_jpeg(root / "kos02/Part2.jpg"),
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


@pytest.mark.parametrize("name", ["train/good/.DS_Store", "train/good/999.png", "notes.txt"])
def test_file_that_someone_else_adds_meanwhile_is_an_error(
    make_dataset: MakeDataset, tmp_path: Path, name: str
) -> None:
    def add(done: int, total: int) -> None:
        if done == total:
            [stage] = stages(tmp_path / "out")
            (stage / name).write_bytes(b"x")

    with pytest.raises(OutputError, match=f"{name}: was added, removed or changed"):
        convert(make_dataset(), tmp_path / "out", progress=add)
    assert not (tmp_path / "out").exists()


def test_file_that_someone_else_removes_meanwhile_is_an_error(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    def remove(done: int, total: int) -> None:
        if done == total:
            [stage] = stages(tmp_path / "out")
            next((stage / FOLDER).iterdir()).unlink()

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


def test_relative_output_is_made_and_removed_where_one_stands(
    make_dataset: MakeDataset, in_tmp_path: Path
) -> None:
    root = make_dataset()
    convert(root, Path("deep/out"))
    assert (in_tmp_path / "deep/out/metal/manifest.json").is_file()
    with pytest.raises(SourceError, match="changed"):
        convert(
            root, Path("other/out"), before_writing=lambda: damage_jpeg(root / "kos01/Part1.jpg")
        )
    assert not (in_tmp_path / "other").exists()


def test_manifest_on_disk_is_the_one_returned(make_dataset: MakeDataset, tmp_path: Path) -> None:
    manifest = convert(make_dataset(), tmp_path / "out", category="Größe")
    assert (tmp_path / "out/Größe/manifest.json").read_bytes() == to_bytes(manifest)
