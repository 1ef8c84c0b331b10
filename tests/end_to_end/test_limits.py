"""What the system refuses: one message, exit code 3, and nothing half done. All limits are real."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system with limits and signals")

from kolektor_cli.core.fetching import fetch
from kolektor_cli.errors import LimitError, OutputError
from kolektor_cli.io.atomic import exchange, rename_new
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.io.staging import _replace_by_renames
from kolektor_cli.raw.archives import ARCHIVES
from tests.conftest import MakeDataset, listing, snapshot
from tests.end_to_end.states import SERIES, names_in, state
from tests.forks import Ended, Forks
from tests.servers import serving
from tests.trees import check

OPTIONS = ("-q", "--size", "200x300", "-j", "2")
MANY_JOBS = ("-q", "--size", "200x300", "-j", "8")
TMPFS = ("tmpfs", "tmpfs")

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="needs to know how much memory a process has"
)


@contextmanager
def mounted(place: Path, device: str, kind: str, *options: str) -> Iterator[Path]:
    """Mount a small file system, or skip where that is not allowed."""
    place.mkdir()
    command = ["mount", "-t", kind, "-o", ",".join(options), device, str(place)]
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def limited_by_quota(place: Path, limit: str) -> Iterator[Path]:
    """Make a folder that takes no more than `limit`, or skip where there is no btrfs for it."""
    image = place.with_suffix(".img")
    image.touch()
    os.truncate(image, 2**28)
    made = shutil.which("btrfs") and subprocess.run(["mkfs.btrfs", "-q", image], check=False)
    if not made or made.returncode:
        pytest.skip("quota are tried on btrfs, which is not installed here")
    with mounted(place, str(image), "btrfs", "loop") as disk:
        folder = disk / "folder"
        for command in (
            ("quota", "enable", disk),
            ("subvolume", "create", folder),
            ("qgroup", "limit", limit, folder),
            ("filesystem", "sync", disk),
        ):
            subprocess.run(["btrfs", *command], capture_output=True, check=True)
        yield folder


def refusal(ended: Ended) -> str:
    """Return the one message of a run that must have failed with 3."""
    assert ended.code == 3, ended
    [line] = ended.error.splitlines()
    assert line.startswith("Error: ")
    return line


def is_whole_or_refused(ended: Ended, out: Path) -> bool:
    """Check that a run did its work, or told in one message why not and gave nothing its name."""
    if ended.code == 0:
        assert check(out / "metal").ok
        assert names_in(out) == ["metal"]
        return True
    refusal(ended)
    assert names_in(out) in ([], [".metal.unfinished"])
    return False


# Disks


@pytest.mark.parametrize("options", ["size=16k", "size=64k", "size=128k", "nr_inodes=9"])
def test_a_full_disk_is_told_and_nothing_is_left(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path, options: str
) -> None:
    source = make_dataset()
    before = state(source)
    with mounted(tmp_path / "disk", *TMPFS, options) as disk:
        message = refusal(forks.run("convert", source, disk, *OPTIONS))
        assert f"{disk}/metal: cannot be written: No space left on device; make room" in message
        assert names_in(disk) == []
        assert "No space left on device" in refusal(forks.run("sample", disk / "raw", "-q"))
        assert names_in(disk) == []
    assert state(source) == before


def test_a_disk_that_the_new_tree_fills_keeps_the_old_one(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    with mounted(tmp_path / "disk", *TMPFS, "size=1m") as disk:
        assert forks.run("convert", source, disk, *OPTIONS).code == 0
        before = snapshot(disk)
        room = shutil.disk_usage(disk).free - 2**16
        (disk / "ballast").write_bytes(bytes(room))
        arguments = ("convert", source, disk, *OPTIONS, "--seed", 1, "--force")
        assert "No space left on device" in refusal(forks.run(*arguments))
        assert names_in(disk) == ["ballast", "metal"]
        assert snapshot(disk / "metal") == {
            name.removeprefix("metal/"): data for name, data in before.items()
        }
        (disk / "ballast").unlink()
        assert forks.run(*arguments).code == 0
        assert names_in(disk) == ["metal"]
        assert snapshot(disk) != before


def test_a_quota_is_told_and_the_old_tree_kept(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    with limited_by_quota(tmp_path / "disk", "1M") as folder:
        assert forks.run("convert", source, folder, "-q", "--size", "20x30").code == 0
        before = snapshot(folder)
        large = ("-q", "--size", "1000x1000", "--force")
        message = refusal(forks.run("convert", source, folder, *large))
        assert f"{folder}/metal: cannot be written: Disk quota exceeded; make room" in message
        assert names_in(folder) == ["metal"]
        assert snapshot(folder) == before


def test_a_disk_that_is_full_for_a_split_file_keeps_the_old_one(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset(items=9, parts=9)
    with mounted(tmp_path / "disk", *TMPFS, "size=8k") as disk:
        assert forks.run("split", source, "-q", "-o", disk / "split.csv").code == 0
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free))
        before = snapshot(disk)
        message = refusal(
            forks.run("split", source, "-q", "-o", disk / "split.csv", "--force", "--seed", 1)
        )
        assert "split.csv: cannot be written: No space left on device" in message
        assert names_in(disk) == ["ballast", "split.csv"]
        assert snapshot(disk) == before


def test_a_disk_that_cannot_be_written_is_told(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    with mounted(tmp_path / "disk", *TMPFS, "size=1m", "ro") as disk:
        for out in (disk, disk / "a/b"):
            message = refusal(forks.run("convert", source, out, *OPTIONS))
            assert "Read-only file system; choose a place that can be written" in message
        for command in (("sample", disk / "raw"), ("split", source, "-o", disk / "a.csv")):
            assert "Read-only file system" in refusal(forks.run(*command, "-q"))


# Limits of a process


@pytest.mark.parametrize("size", [0, 1, 1000, 20_000])
def test_a_limit_on_the_size_of_files_is_told(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path, size: int
) -> None:
    ended = forks.run(
        "convert", make_dataset(), tmp_path / "out", *OPTIONS, limits={"file_size": size}
    )
    assert "out/metal: cannot be written: File too large; raise the limit" in refusal(ended)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("every", SERIES)
def test_a_limit_on_open_files_is_told_or_never_met(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path, every: int
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    told = []
    for files in range(3, 20, min(every, 3)):
        ended = forks.run("convert", source, out, *MANY_JOBS, limits={"files": files})
        if not is_whole_or_refused(ended, out):
            told.append(ended.error)
            # To remove unfinished work takes open files, too: where there were none, it is left.
            assert is_whole_or_refused(forks.run("convert", source, out, *OPTIONS), out)
        shutil.rmtree(out)
    assert told
    assert all("Too many open files; raise the limit" in error for error in told)


def test_too_few_open_files_leave_no_sample_out(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    arguments = ("convert", make_dataset(), tmp_path / "out", *OPTIONS, "--skip-bad")
    assert "Too many open files" in refusal(forks.run(*arguments, limits={"files": 4}))


@needs_proc
def test_without_memory_nothing_half_done_has_the_name(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    arguments = ("convert", source, out, *OPTIONS)
    for extra in range(0, 60, 10):
        # Where a library ends the process, in words and with a code of its own, ours are not had.
        ended = forks.run(*arguments, limits={"memory": extra * 2**20})
        assert ended.code != 0
        assert names_in(out) in ([], [".metal.unfinished"])
    assert is_whole_or_refused(forks.run(*arguments, limits={"memory": 2**32}), out)


@needs_proc
def test_an_image_too_large_for_the_memory_is_told_and_not_left_out(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    (source / "kos01/Part0_label.bmp").write_bytes(b"BM")
    os.truncate(source / "kos01/Part0_label.bmp", 2**27)
    arguments = ("convert", source, tmp_path / "out", "-q", "-j", 1, "--skip-bad")
    ended = forks.run(*arguments, limits={"memory": 2**26})
    assert refusal(ended) == "Error: memory ran out; a smaller --jobs needs less"
    assert not (tmp_path / "out").exists()


def test_threads_that_cannot_be_started_are_told() -> None:
    # 2^47 bytes are all the addresses that a process has.
    usual = threading.stack_size(2**47)
    try:
        with pytest.raises(LimitError, match=r"thread cannot be started.*fewer --jobs"):
            parallel_map(str, range(10), jobs=4)
    finally:
        threading.stack_size(usual)
    assert parallel_map(str, range(3), jobs=2) == ["0", "1", "2"]


# Names


def test_without_an_exchange_a_tree_is_replaced_by_two_renames(tmp_path: Path) -> None:
    for name in ("work/new", "metal"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "it").write_text(name)
    _replace_by_renames(tmp_path / "work/new", tmp_path / "metal")
    assert snapshot(tmp_path) == {"metal/it": b"work/new"}
    assert names_in(tmp_path / "work") == []


def test_names_are_exchanged_in_one_step_and_never_taken_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "it").write_text(name)
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "a", tmp_path / "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "a", tmp_path / "empty")
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange names")
    assert snapshot(tmp_path) == {"a/it": b"b", "b/it": b"a"}
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "nothing")


def test_a_link_where_unfinished_work_should_go_is_refused(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    (victim / "new").mkdir(parents=True)
    (victim / "new/precious").write_text("mine")
    out.mkdir()
    (out / ".metal.unfinished").symlink_to(victim)
    message = refusal(forks.run("convert", make_dataset(), out, *OPTIONS))
    assert "is a link, but the folder for unfinished work" in message
    assert snapshot(victim) == {"new/precious": b"mine"}


def test_full_disk_stops_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server, mounted(tmp_path / "disk", *TMPFS, "size=512k") as disk:
        monkeypatch.setitem(ARCHIVES, "kolektorsdd", server.archive())
        with pytest.raises(OutputError, match="No space left on device; make room there"):
            fetch("kolektorsdd", disk / "new")
        assert listing(disk) == []
