"""Whatever its arguments, no command changes a byte below its source, or of a split file."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives import zip_of
from tests.conftest import snapshot
from tests.running import SMALL, forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs in forks, to be quick")

SOURCES = ("raw", "raw/", "raw.zip", "link", "zip link", "zip hard", "out/../raw", "far/../raw.zip")

PLACES = (
    *SOURCES,
    *("out", "new", "new/deep", ".", "..", "out/metal", "out/metal/train/good", "far", "far/new"),
    *("raw/new", "raw/kos01", "raw/kos01/Part0.jpg", "raw/kos01/Part0.jpg/x", "raw/kos02/new"),
    *("link/new", "nowhere/../raw/new", "out/link", "out/link/new", "hard.jpg", "file link"),
    *("split.csv", "split link", "split hard", "out/metal.csv", "out/meta.json", "/dev/null", "-"),
    *("", "raw/kos01/.", "raw/../raw/kos01", "dangling", "far/kos03", "far/kos03/Part1.jpg"),
)

CATEGORIES = ("metal", "raw", "raw.zip", "split", "kos01", "train", "..", "kos03", "link", "")

CONSUMERS = (
    *((), ("--for", "ader"), ("--for", "anomalib"), ("--for", "anomalib", "--table")),
    ("--for", "uniad", "--for", "anomalib"),
)

places = st.sampled_from(PLACES)
forced = st.sampled_from(((), ("--force",)))


@pytest.fixture(scope="module")
def world(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a source that links elsewhere, its zip, links to both, a split file, and a tree."""
    world = tmp_path_factory.mktemp("world") / "world"
    shutil.copytree(originals / "raw", world / "raw")
    shutil.copytree(originals / "metal", world / "out/metal")
    zip_of(world / "raw")
    (world / "far").mkdir()
    (world / "raw/kos03").rename(world / "far/kos03")
    made = forks().run("split", originals / "raw", "-q", "--seed", 7, stdin="", environment={})
    (world / "split.csv").write_text(made.output)
    for name, target in {
        "raw/kos03": "../far/kos03",
        "link": "raw",
        "zip link": "raw.zip",
        "out/link": "../raw",
        "file link": "raw/kos01/Part0.jpg",
        "split link": "split.csv",
        "dangling": "raw/kos01/new.jpg",
        "out/metal.csv": "../split.csv",
    }.items():
        (world / name).symlink_to(target)
    return world


def run_in_copy(world: Path, source: str, *arguments: str) -> None:
    """Run a command in a copy of the world, of which neither source nor split file may change."""
    read = read_archive if "zip" in source else read_folder
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(world, Path(folder) / "world", symlinks=True))
        for name, target in {
            "hard.jpg": "raw/kos01/Part0.jpg",
            "zip hard": "raw.zip",
            "split hard": "split.csv",
            "out/meta.json": "raw/kos02/Part1.jpg",
        }.items():
            (copy / name).hardlink_to(copy / target)
        before, file = read(copy), (copy / "split.csv").read_bytes()
        here = Path.cwd()
        os.chdir(copy)
        try:
            ended = forks().run(*arguments, stdin=file.decode(), environment={})
        finally:
            os.chdir(here)
        assert ended.code in (0, 1, 2, 3), arguments
        assert "Traceback" not in ended.error
        assert read(copy) == before, arguments
        assert "--split" not in arguments or (copy / "split.csv").read_bytes() == file, arguments


def read_folder(world: Path) -> object:
    """Return the source with the names and links in it."""
    files = [snapshot(world / name) for name in ("raw", "far/kos03")]
    names = sorted(path.relative_to(world) for path in (world / "raw").rglob("*"))
    links = [(world / name).readlink() for name in ("link", "raw/kos03")]
    return files, names, links


def read_archive(world: Path) -> object:
    """Return the archive by all its names."""
    archives = [(world / name).read_bytes() for name in ("raw.zip", "zip link", "zip hard")]
    return archives, (world / "zip link").readlink()


@settings(max_examples=50)
@given(source=st.sampled_from(SOURCES), place=places, force=forced)
def test_split_changes_no_source(
    world: Path, source: str, place: str, force: tuple[str, ...]
) -> None:
    run_in_copy(world, source, "split", source, "-q", "-o", place, *force)


@settings(max_examples=50)
@given(
    source=st.sampled_from(SOURCES),
    place=places,
    category=st.sampled_from(CATEGORIES),
    consumer=st.sampled_from(CONSUMERS),
    file=st.sampled_from(((), ("split.csv",), ("split link",), ("-",), ("out/metal.csv",))),
    force=forced,
)
def test_convert_changes_no_source(
    world: Path,
    source: str,
    place: str,
    category: str,
    consumer: tuple[str, ...],
    file: tuple[str, ...],
    force: tuple[str, ...],
) -> None:
    split = ("--split", *file) if file else ()
    options = (*SMALL, "-q", "--category", category, *consumer, *split, *force)
    run_in_copy(world, source, "convert", source, place, *options)


@settings(max_examples=8)
@given(source=st.sampled_from(SOURCES), place=places)
def test_other_commands_change_no_source(world: Path, source: str, place: str) -> None:
    run_in_copy(world, source, "inspect", source, "-q")
    run_in_copy(world, source, "verify", place, "--source", source, "-q")
    run_in_copy(world, source, "sample", place, "--items", "1", "-q")
