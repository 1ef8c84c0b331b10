"""Category folders are found where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kolektor_cli.errors import OutputError
from kolektor_cli.tree.read import find_categories
from tests.trees import MANIFEST


def test_category_folder_is_found_as_itself(tree: Path) -> None:
    assert find_categories(tree) == [tree]


def test_categories_in_a_folder_are_found_in_order(tree: Path) -> None:
    out = tree.parent
    for name in ("bottle", "zipper", ".metal.unfinished"):
        shutil.copytree(tree, out / name)
    (out / "notes").mkdir()
    (out / "train.txt").write_text("x")
    assert find_categories(out) == [out / "bottle", out / "metal", out / "zipper"]
    shutil.rmtree(out / "bottle")
    shutil.rmtree(out / "zipper")
    assert find_categories(out) == [tree]


@pytest.mark.parametrize("name", ["train", "test", MANIFEST])
def test_part_of_a_category_is_enough_to_know_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "out/metal" / name).mkdir(parents=True)
    assert find_categories(tmp_path / "out") == [tmp_path / "out/metal"]


def test_folder_without_categories_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pictures/holiday").mkdir(parents=True)
    with pytest.raises(OutputError, match="pictures: is not an MVTec-style tree"):
        find_categories(tmp_path / "pictures")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "missing"):
        with pytest.raises(OutputError, match=f"{name}: is not a folder"):
            find_categories(tmp_path / name)
