"""``kolektor compare``: its exit code, and what it prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import cv2
import pytest

from tests.conftest import color_image, write_png
from tests.running import KOLEKTOR, error_of, run
from tests.trees import IMAGES, MANIFEST, MASKS, forge, read_manifest


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """Hold a copy of `tree`, that a test may change."""
    return shutil.copytree(tree, tmp_path / "copy/metal")


def test_the_same_trees_end_with_0(tree: Path, copy: Path) -> None:
    fingerprint = read_manifest(tree).fingerprint
    for other in (copy, copy.parent, copy / MANIFEST):
        lines = run("compare", tree, other).stdout.splitlines()
        assert lines[0] == f"A  {tree}: 12 images, fingerprint {fingerprint}"
        assert lines[1].endswith(f": 12 images, fingerprint {fingerprint}")
        assert lines[2:] == ["same"]
    forge(copy, kolektor="9.9")
    text = run("compare", tree, copy).stdout
    assert "  kolektor   " in text
    assert (
        text.splitlines()[-1]
        == "same pixels under the same names; what is recorded of them differs"
    )


def test_trees_that_differ_end_with_1_and_what_differs_is_counted(tree: Path, copy: Path) -> None:
    samples = {entry.path: entry.sample for entry in read_manifest(tree).files}
    (copy / IMAGES[0]).unlink()
    (copy / MASKS[0]).unlink()
    write_png(copy / IMAGES[1], color_image(77))
    pixels = cv2.imread(str(copy / IMAGES[2]))
    assert pixels is not None
    pixels[0, 0] ^= 1
    write_png(copy / IMAGES[2], pixels)
    (copy / "test/good/000.png").rename(copy / "train/good/006.png")
    text = run("compare", tree, copy, code=1).stdout
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert f"B in its manifest, and missing: {MASKS[0]}, test/good/000.png, {IMAGES[0]}" in rows
    assert "B not in its manifest: train/good/006.png" in rows
    assert f"B other pixels than in its manifest: {IMAGES[1]}, {IMAGES[2]}" in rows
    assert f"only in A 1 {samples[IMAGES[0]]}" in rows
    assert f"split test train 1 {samples['test/good/000.png']}" in rows
    assert f"mask only in A 1 {samples[MASKS[0]]}" in rows
    assert f"image: by at most 1 gray value 1 {samples[IMAGES[2]]}" in rows
    assert any(
        row.startswith(f"image: by more than 1 gray value 1 {samples[IMAGES[1]]} (up to ")
        for row in rows
    )
    assert rows[-1] == "different"


def test_a_tree_without_manifest_is_told(foreign: Path, tree: Path) -> None:
    text = run("compare", foreign, tree, code=1).stdout
    assert "A  no manifest: images are compared by pixels, then by path\n" in text
    assert "B  no manifest" not in text


def test_json_has_every_difference(tree: Path, copy: Path) -> None:
    for path in IMAGES[:5]:
        (copy / path).unlink()
    printed = json.loads(run("compare", tree, copy, "--json", code=1).stdout)
    assert (printed["ok"], printed["same"], printed["by"]) == (False, False, "sample")
    assert [d["kind"] for d in printed["differences"]] == ["alone"] * 5
    assert {d["first"] for d in printed["differences"]} == set(IMAGES[:5])
    assert printed["second"]["missing"] == sorted(IMAGES[:5])
    assert printed["first"]["counts"]["train"] == {"good": 6, "defective": 0}
    assert json.loads(run("compare", tree, tree, "--json").stdout)["ok"]


def test_what_cannot_be_read_ends_with_3(tree: Path, copy: Path, tmp_path: Path) -> None:
    assert "is not a folder" in error_of("compare", tree, tmp_path / "none", code=3)
    (tmp_path / "tree.zip").write_bytes(b"PK\x03\x04\xff")
    assert "tree.zip: is no manifest; if it is a packed tree, unpack it" in error_of(
        "compare", tree, tmp_path / "tree.zip", code=3
    )
    (copy / IMAGES[0]).write_bytes((copy / IMAGES[0]).read_bytes()[:-20])
    assert f"{copy / IMAGES[0]}: " in error_of("compare", tree, copy, code=3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes of Unix")
def test_a_manifest_may_come_through_a_pipe(tree: Path) -> None:
    command = f'{" ".join(KOLEKTOR)} compare "$0" <(cat "$0/{MANIFEST}")'
    result = subprocess.run(
        ["bash", "-c", command, str(tree)], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "same"


def test_environment_variables_stand_for_options(tree: Path, raw: Path, tmp_path: Path) -> None:
    assert "KOLEKTOR_JOBS" in run("compare", tree, tree, code=2, KOLEKTOR_JOBS="x").stderr
    run("compare", tree, tree, KOLEKTOR_JOBS="2")
    run("compare", tree, tree, "--jobs", 1, KOLEKTOR_JOBS="x")
    run("compare", tree, tree, KOLEKTOR_JOBS="")
    assert "derived again" not in run("verify", tree, "--checks", KOLEKTOR_SOURCE="").stdout
    assert "derived again" in run("verify", tree, "--checks", KOLEKTOR_SOURCE=str(raw)).stdout
    run("verify", tree, "--source", raw, KOLEKTOR_SOURCE=str(tmp_path / "none"))
    run("verify", tree, code=3, KOLEKTOR_SOURCE=str(tmp_path / "none"))
