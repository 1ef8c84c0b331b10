"""``kolektor report``: where the page goes, what is printed, and exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.reporting import report
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import damage_jpeg
from tests.pages import read_page
from tests.running import error_of, run


@pytest.fixture
def maps(tree: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "runs/model"
    for image in load_tree(tree):
        if image.split == "test":
            place = folder / image.path.replace(".png", ".npy")
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, image.mask() / np.float32(255))
    return folder


def test_path_of_the_page_is_printed(raw: Path, in_tmp_path: Path) -> None:
    shown = run("report", raw)
    assert shown.stdout == "report.html\n"
    assert re.fullmatch(r"wrote report\.html in \d+\.\d s\n", shown.stderr)
    assert (in_tmp_path / "report.html").read_text() == report(raw).page


def test_page_goes_to_standard_output(raw: Path) -> None:
    assert run("report", raw, "-o", "-", LC_ALL="C").stdout == report(raw).page


def test_tree_with_maps(tree: Path, maps: Path, tmp_path: Path) -> None:
    run("report", tree, maps, "-o", tmp_path / "a.html", "-j", "1")
    run("report", tree, maps, "-o", tmp_path / "b.html", "-j", "4")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "Misses" in read_page((tmp_path / "a.html").read_text()).texts("h2")


def test_existing_file_is_replaced_only_by_force(raw: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    place.write_text("old")
    assert "--force replaces it" in error_of("report", raw, "-o", place, code=3)
    assert place.read_text() == "old"
    run("report", raw, "-o", place, "--force")
    assert place.read_text() == report(raw).page


def test_errors_end_with_1_after_the_page_is_written(raw: Path, tmp_path: Path) -> None:
    damage_jpeg(raw / "kos02/Part1.jpg")
    shown = run("report", raw, "-o", tmp_path / "page.html", code=1)
    assert shown.stdout == f"{tmp_path / 'page.html'}\n"
    assert shown.stderr.startswith("the page tells of 1 error\n")
    assert run("report", raw, "-o", tmp_path / "q.html", "-q", code=1).stderr == ""


def test_wrong_maps_are_named_and_no_page_is_written(
    tree: Path, maps: Path, tmp_path: Path
) -> None:
    place = tmp_path / "page.html"
    (maps / "test/good/000.npy").unlink()
    shown = run("report", tree, maps, "-o", place, code=1)
    assert shown.stdout == ""
    assert shown.stderr == "error   test/good/000.png: has no map (map-missing)\n"
    (maps / "test/good/000.npy").write_bytes(b"text")
    assert "is no .npy file" in run("report", tree, maps, "-o", place, code=3).stderr
    assert not place.exists()


def test_wrong_usage_ends_with_2(raw: Path, tree: Path, maps: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    assert "maps belong to a tree" in error_of("report", raw, maps, "-o", place, code=2)
    assert "is not RESIZE:SIDE" in error_of("report", tree, maps, "--crop", "9", code=2)
    both = ("--crop", "256:224", "--for", "patchcore")
    assert "contradict each other" in error_of("report", tree, maps, *both, "-o", place, code=2)
    inside = tree / "report.html"
    assert "lies inside" in error_of("report", tree, "-o", inside, code=2)
    assert not inside.exists()


def test_what_is_not_there_ends_with_3(tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    error_of("report", tmp_path / "no", "-o", place, code=3)
    error_of("report", tree, tmp_path / "no", "-o", place, code=3)
    error_of("report", tree, "-o", tmp_path / "no/page.html", code=3)
