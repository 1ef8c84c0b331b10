"""Where a tree may be written, and what it may replace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kolektor_cli.core.conversion import convert
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.tree.target import choose_target, refuse_existing
from tests.archives import zip_of
from tests.conftest import SMALL, MakeDataset, listing, snapshot


@pytest.fixture
def old_tree(make_dataset: MakeDataset, tmp_path: Path) -> Path:
    """Hold an output folder with a tree that further ones may replace."""
    convert(make_dataset("old", items=2), tmp_path / "out", SMALL)
    return tmp_path / "out"


def test_existing_category_is_refused_and_stays(make_dataset: MakeDataset, old_tree: Path) -> None:
    before = snapshot(old_tree)
    with pytest.raises(OutputError, match=r"metal: exists already; --force"):
        convert(make_dataset(), old_tree, SMALL)
    assert snapshot(old_tree) == before


def test_force_replaces_a_tree_as_if_it_had_not_been_there(
    make_dataset: MakeDataset, old_tree: Path, tmp_path: Path
) -> None:
    root = make_dataset()
    (old_tree / "metal/train/good/999.png").write_bytes(b"left over")
    convert(root, old_tree, SMALL, force=True)
    convert(root, tmp_path / "fresh", SMALL)
    assert listing(old_tree) == listing(tmp_path / "fresh")
    assert snapshot(old_tree) == snapshot(tmp_path / "fresh")


def test_force_does_not_need_anything_to_replace(make_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "out/metal").mkdir(parents=True)
    convert(make_dataset(), tmp_path / "out", SMALL, force=True)
    assert (tmp_path / "out/metal/manifest.json").is_file()


@pytest.mark.parametrize("place", ["raw", "raw/out", "raw/kos01", "raw/new/deep", "link/out"])
def test_output_inside_the_source_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, place: str
) -> None:
    root = make_dataset()
    (tmp_path / "link").symlink_to(root)
    before = listing(root)
    with pytest.raises(UsageError, match="inside the source"):
        convert(root, tmp_path / place, SMALL)
    with pytest.raises(UsageError, match="inside the source"):
        choose_target(root, tmp_path / place, "metal")
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
        convert(source, tmp_path / "out", SMALL, force=True)
    assert snapshot(tmp_path) == before


def test_source_that_is_the_category_folder_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset("out/metal")
    with pytest.raises(UsageError, match="source"):
        convert(root, tmp_path / "out", SMALL, force=True)
    assert (root / "kos01/Part0.jpg").is_file()


def test_source_beside_the_category_folder_is_fine(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    convert(make_dataset("out/raw"), tmp_path / "out", SMALL)
    convert(zip_of(tmp_path / "out/raw"), tmp_path / "out", replace(SMALL, category="metal2"))
    assert snapshot(tmp_path / "out/metal").keys() == snapshot(tmp_path / "out/metal2").keys()


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/it", "dangling", "loop/out"])
def test_output_that_is_no_folder_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, place: str
) -> None:
    root = make_dataset()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError, match="a folder"):
        choose_target(root, tmp_path / place, "metal")
    with pytest.raises(OutputError, match="a folder"):
        convert(root, tmp_path / place, SMALL, force=True)
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
        convert(make_dataset(), old_tree, SMALL, force=True)
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
            convert(root, tmp_path / "out", replace(SMALL, category=category))
        with pytest.raises(OutputError, match="remove it yourself"):
            convert(root, tmp_path / "out", replace(SMALL, category=category), force=True)
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
        choose_target(root, tmp_path / "out", category)
    with pytest.raises(UsageError, match="category"):
        convert(root, tmp_path / "out", replace(SMALL, category=category), force=True)
    assert listing(tmp_path) == before


def test_output_may_be_a_link_to_a_folder(make_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    convert(make_dataset(), tmp_path / "out", SMALL)
    assert (tmp_path / "disk/metal/manifest.json").is_file()
    assert (tmp_path / "out").is_symlink()


@pytest.mark.parametrize("place", ["new", "new/deep/er", "link"])
def test_output_that_is_not_there_yet_is_fine(tmp_path: Path, place: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    target = choose_target(tmp_path / "raw", tmp_path / place, "metal")
    assert target == tmp_path / place / "metal"
    refuse_existing(target, ["metal.yaml"], force=False)
    refuse_existing(target, ["metal.yaml"], force=True)
    assert listing(tmp_path) == ["link", "raw", "there"]


def test_relative_output_that_is_not_there_yet_is_fine(in_tmp_path: Path) -> None:
    (in_tmp_path / "raw").mkdir()
    assert choose_target(Path("raw"), Path("out/deep"), "metal") == Path("out/deep/metal")
    refuse_existing(Path("out/deep/metal"), force=False)


@pytest.mark.parametrize("place", ["x" * 300, "loop/out", "a\0b"], ids=["long", "loop", "NUL"])
def test_output_that_cannot_be_a_path_is_refused(
    make_dataset: MakeDataset, tmp_path: Path, place: str
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError):
        convert(make_dataset(), tmp_path / place, SMALL)


def test_files_beside_are_refused_unless_they_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("mine")
    (tmp_path / "metal.yaml").mkdir()
    target = tmp_path / "metal"
    with pytest.raises(OutputError, match=r"meta\.json: is not JSON.*; --force replaces it"):
        refuse_existing(target, ["meta.json"], force=False)
    refuse_existing(target, ["meta.json", "other.json"], force=True)
    with pytest.raises(OutputError, match=r"metal\.yaml: is not a file; remove it yourself"):
        refuse_existing(target, ["metal.yaml"], force=True)
