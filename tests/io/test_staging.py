"""Files and folders are complete and on disk before they have their names, or leave nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from kolektor_cli.errors import OutputError
from kolektor_cli.io import atomic, staging
from kolektor_cli.io.atomic import _rename
from kolektor_cli.io.staging import clear_unfinished, put_in_place, replace_file, staged
from tests.conftest import listing, snapshot
from tests.pipeline import nothing

Step: TypeAlias = "tuple[int, int] | str"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """List, as they come, what is brought to disk (its inode and size) and each name given."""
    done: list[Step] = []
    fsync, rename, replace = os.fsync, _rename, Path.replace

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


BESIDE = {"metal.yaml": b"config", "metal.csv": b"table"}


class KilledError(BaseException):
    """Stands for the end of the process."""


def fill(stage: Path, text: str = "new") -> None:
    (stage / "train").mkdir()
    (stage / "train/a.txt").write_text(text)


def make(
    target: Path,
    text: str = "new",
    *,
    beside: Mapping[str, bytes] | None = None,
    replace: bool = False,
    before_naming: Callable[[], object] = nothing,
) -> None:
    """Make a folder that holds one file, and give it its name."""
    with staged(target) as stage:
        fill(stage, text)
        before_naming()
        put_in_place(stage, target, beside, replace=replace)


def test_folder_takes_its_name_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "far/out/metal"
    with staged(target) as stage:
        fill(stage)
        assert listing(tmp_path / "far/out")[0] == ".metal.unfinished"
        assert not target.exists()
        put_in_place(stage, target)
    assert listing(tmp_path / "far/out") == ["metal", "metal/train", "metal/train/a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, KilledError, ValueError])
@pytest.mark.parametrize("there", ["", "a", "a/b"], ids=["nothing", "parent", "all"])
def test_what_fails_leaves_nothing_behind(
    tmp_path: Path, error: type[BaseException], there: str
) -> None:
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = listing(tmp_path)

    def fail() -> None:
        raise error

    with pytest.raises(error):
        make(tmp_path / "a/b/metal", before_naming=fail)
    assert listing(tmp_path) == before


def test_what_the_system_refuses_is_an_error_that_names_the_target(tmp_path: Path) -> None:
    def fill_the_disk() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="metal: cannot be written: No space left"):
        make(tmp_path / "metal", before_naming=fill_the_disk)
    assert listing(tmp_path) == []


def test_name_that_was_taken_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def take_the_name() -> None:
        (tmp_path / "metal").mkdir()
        (tmp_path / "metal/precious.txt").write_text("mine")

    with pytest.raises(OutputError, match="metal: was created by another process in the meantime"):
        make(tmp_path / "metal", before_naming=take_the_name)
    assert listing(tmp_path) == ["metal", "metal/precious.txt"]


@pytest.mark.parametrize("exchanged", [True, False], ids=["exchanged", "renamed twice"])
def test_folder_that_is_replaced_is_gone_with_all_that_it_held(
    tmp_path: Path, exchanged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanged:
        monkeypatch.setattr(staging, "exchange", lambda *_: False)
    target = tmp_path / "metal"
    make(target, "old")
    (target / "more.txt").write_text("old")
    make(target, replace=True)
    assert snapshot(tmp_path) == {"metal/train/a.txt": b"new"}


def test_old_folder_is_put_back_if_the_new_one_did_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(stage: Path, target: Path) -> None:
        target.rename(stage.with_name("old"))
        raise KilledError

    target = tmp_path / "metal"
    make(target, "old")
    monkeypatch.setattr(staging, "exchange", lambda *_: False)
    monkeypatch.setattr(staging, "_replace_by_renames", killed)
    with pytest.raises(KilledError):
        make(target, replace=True)
    assert snapshot(tmp_path) == {"metal/train/a.txt": b"old"}


def test_another_run_is_told_of_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "metal"
    with staged(target) as stage:
        fill(stage)
        with pytest.raises(OutputError, match="another run is writing it"):
            make(target, "second")
        with pytest.raises(OutputError, match="another run is writing it"):
            clear_unfinished(target)
        put_in_place(stage, target)
    assert snapshot(tmp_path) == {"metal/train/a.txt": b"new"}


def test_link_in_the_place_of_unfinished_work_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / ".metal.unfinished").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="is a link, but the folder for unfinished work"):
        make(tmp_path / "metal")
    assert listing(tmp_path / "precious") == []


def test_files_beside_are_put_in_place_and_replace_others(tmp_path: Path) -> None:
    (tmp_path / "metal.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    make(tmp_path / "metal", beside=BESIDE)
    assert snapshot(tmp_path) == {
        **BESIDE, "metal/train/a.txt": b"new", "notes.txt": b"mine",
    }  # fmt: skip


@pytest.mark.parametrize("replace", [False, True], ids=["new", "replaced"])
def test_all_is_on_disk_before_the_folder_has_its_name_and_that_after(
    tmp_path: Path, steps: list[Step], replace: bool
) -> None:
    out = tmp_path / "out"
    if replace:
        make(out / "metal", "old", beside=BESIDE)
        steps.clear()
    make(out / "metal", beside=BESIDE, replace=replace)
    contents = [out / "metal", *(out / "metal").rglob("*"), *(out / name for name in BESIDE)]
    assert len(contents) == 5
    check_on_disk_around("metal", steps, out, contents)
    assert steps.index("metal") < min(steps.index(name) for name in BESIDE)
    for name in BESIDE:
        check_on_disk_around(name, steps, out, [out / name])
    if not replace:
        # The folder that was made for it has its own name on disk, too.
        assert steps[-1] == (tmp_path.stat().st_ino, tmp_path.stat().st_size)


@pytest.mark.parametrize("replace", [False, True], ids=["new", "replaced"])
def test_files_beside_that_a_killed_run_left_come_with_the_next(
    tmp_path: Path, replace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "metal"
    if replace:
        make(target, "old")

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patches:
        patches.setattr(staging, "_place_beside", killed)
        with pytest.raises(KilledError):
            make(target, beside=BESIDE, replace=replace)
    assert snapshot(target) == {"train/a.txt": b"new"}
    assert not set(BESIDE) & {path.name for path in tmp_path.iterdir()}
    clear_unfinished(target)
    assert snapshot(tmp_path) == {**BESIDE, "metal/train/a.txt": b"new"}


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "old folder there"])
def test_files_beside_are_dropped_if_their_folder_never_got_its_name(
    tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "metal"
    if there:
        make(target, "old")

    def killed(*_: object) -> None:
        raise KilledError

    before = snapshot(tmp_path)
    # As a run makes it that has not the time to remove anything.
    stage = tmp_path / ".metal.unfinished/new"
    stage.mkdir(parents=True)
    fill(stage)
    with monkeypatch.context() as patches:
        patches.setattr(staging, "exchange" if there else "rename_new", killed)
        with pytest.raises(KilledError):
            put_in_place(stage, target, BESIDE, replace=there)
    assert len(snapshot(stage.parent)) == 3
    clear_unfinished(target)
    assert snapshot(tmp_path) == before
    assert not stage.parent.exists()


def test_a_single_file_is_on_disk_before_it_has_its_name_and_that_after(
    tmp_path: Path, steps: list[Step]
) -> None:
    for data in (b"first", b"second"):
        steps.clear()
        replace_file(tmp_path / "split.csv", data)
        assert (tmp_path / "split.csv").read_bytes() == data
        check_on_disk_around("split.csv", steps, tmp_path, [tmp_path / "split.csv"])


def test_single_file_is_replaced_whole_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "split.csv", b"old")

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(staging, "sync_file", full)
    with pytest.raises(OutputError, match=r"split\.csv: cannot be written: No space left"):
        replace_file(tmp_path / "split.csv", b"new")
    assert snapshot(tmp_path) == {"split.csv": b"old"}
    assert listing(tmp_path) == ["split.csv"]


def test_single_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"split\.csv: cannot be written: No such file"):
        replace_file(tmp_path / "nowhere/split.csv", b"new")
    assert listing(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no such device")
def test_device_is_written_to_and_stays() -> None:
    replace_file(Path("/dev/null"), b"new")
    assert not Path("/dev/null").is_file()
