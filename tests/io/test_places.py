"""Where a command may write: places are told apart by what they are, not by their spelling."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.io.places import (
    descriptor_of,
    inputs_of,
    is_stream,
    refuse_file,
    refuse_inputs,
)
from kolektor_cli.io.source import open_source
from tests.archives import zip_of


@pytest.fixture
def around(in_tmp_path: Path) -> Path:
    """Hold a source that links to a file and a folder elsewhere, a split file, and other places."""
    for folder in ("raw/kos01", "far/kos02", "out/metal"):
        (in_tmp_path / folder).mkdir(parents=True)
    for file in ("raw/kos01/a.jpg", "far/kos02/b.jpg", "far/c.jpg", "far/d.txt", "split.csv"):
        (in_tmp_path / file).write_text(file)
    (in_tmp_path / "raw/kos02").symlink_to("../far/kos02")
    (in_tmp_path / "raw/c.jpg").symlink_to("../far/c.jpg")
    (in_tmp_path / "link").symlink_to("raw")
    (in_tmp_path / "hard.jpg").hardlink_to("raw/kos01/a.jpg")
    (in_tmp_path / "to a file").symlink_to("raw/kos01/a.jpg")
    (in_tmp_path / "split link").symlink_to("split.csv")
    (in_tmp_path / "split hard").hardlink_to("split.csv")
    return in_tmp_path


def refuse(name: str, base: Path) -> None:
    with open_source(Path("raw")) as source:
        inputs = inputs_of(source, ["split.csv"])
        for output in (Path(name), base / name, Path("out/..", name), Path("nowhere/..", name)):
            refuse_inputs(output, inputs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raw", "source"),
        ("raw/", "source"),
        ("raw/new.csv", "inside the source"),
        ("raw/new/deep/er", "inside the source"),
        ("raw/kos01/a.jpg", "is the source, or a file of it"),
        ("link", "source"),
        ("link/new", "inside the source"),
        ("link/kos01/../x", "inside the source"),
        ("hard.jpg", "a file of it"),
        ("to a file", "a file of it"),
        ("raw/c.jpg", "a file of it"),
        ("far/c.jpg", "a file of it"),
        ("far/kos02/new.csv", "inside the source"),
        ("far/kos02/b.jpg", "a file of it"),
        ("far", "holds the source"),
        (".", "holds the source"),
        ("split.csv", "is a file that is read"),
        ("split link", "is a file that is read"),
        ("split hard", "is a file that is read"),
    ],
)
def test_what_is_read_is_refused_by_every_name(around: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refuse(name, around)


@pytest.mark.parametrize("name", ["out", "out/metal", "new", "new/deep", "far/d.txt", "raw2"])
def test_other_places_are_fine(around: Path, name: str) -> None:
    refuse(name, around)


def test_archive_is_refused_by_every_name(around: Path) -> None:
    zip_of(around / "raw")
    (around / "zip link").symlink_to("raw.zip")
    (around / "zip hard").hardlink_to("raw.zip")
    for name in ("raw.zip", "zip link", "zip hard"):
        with open_source(Path(name)) as source:
            inputs = inputs_of(source)
        for output in ("raw.zip", "zip link", "zip hard", "out/../raw.zip", around / "raw.zip"):
            with pytest.raises(UsageError, match="is the source"):
                refuse_inputs(Path(output), inputs)
        # What has the name of something in the archive is something else.
        refuse_inputs(Path("kos01"), inputs)
        refuse_inputs(Path("raw.csv"), inputs)
        with pytest.raises(UsageError, match="holds the source"):
            refuse_inputs(Path(), inputs)


def test_source_in_a_folder_for_unfinished_work_is_refused(around: Path) -> None:
    (around / "raw").rename(around / "out/.metal.unfinished")
    with open_source(Path("out/.metal.unfinished")) as source:
        inputs = inputs_of(source)
    with pytest.raises(UsageError, match="source"):
        refuse_inputs(Path("out/metal"), inputs)
    refuse_inputs(Path("out/metal2"), inputs)


def test_existing_file_is_refused_without_force(around: Path) -> None:
    for name in ("split.csv", "split link", "far/../split.csv"):
        with pytest.raises(OutputError, match=r"exists already; --force replaces it"):
            refuse_file(Path(name), force=False)
        refuse_file(Path(name), force=True)
    (around / "dangling").symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists already"):
        refuse_file(Path("dangling"), force=False)
    refuse_file(Path("new.csv"), force=False)


@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_a_file_is_refused_at_once(around: Path, force: bool) -> None:
    assert around
    with pytest.raises(OutputError, match=r"out: is a folder"):
        refuse_file(Path("out"), force=force)
    with pytest.raises(OutputError, match=r"link: is a folder"):
        refuse_file(Path("link"), force=force)
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        refuse_file(Path("nowhere/new.csv"), force=force)
    with pytest.raises(OutputError, match="cannot be written"):
        refuse_file(Path("split.csv/new.csv"), force=force)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_devices_pipes_and_open_files_are_streams(around: Path) -> None:
    os.mkfifo(around / "pipe")
    with (around / "split.csv").open("rb") as file:
        for name in ("/dev/null", "pipe", "/dev/stdout", "/dev/stderr", f"/dev/fd/{file.fileno()}"):
            assert is_stream(Path(name)), name
            refuse_file(Path(name), force=False)
        assert descriptor_of(Path(f"/dev/fd/{file.fileno()}")) == file.fileno()
    assert descriptor_of(Path("/dev/stdout")) == 1
    for name in ("split.csv", "split link", "out", "new", "/dev/null"):
        assert descriptor_of(Path(name)) is None
    for name in ("split.csv", "split link", "out", "new", "loop", "a\0b"):
        assert not is_stream(Path(name))
