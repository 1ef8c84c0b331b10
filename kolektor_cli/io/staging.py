"""Files and folders that appear under their names complete, or not at all.

For ``data/metal``, a run works in the hidden folder ``data/.metal.unfinished`` and holds a lock in
it, which the system releases when the process ends for any reason. The next run cleans up after a
killed run: it restores a folder that was about to be replaced, moves the files beside a new folder
that already has its name into place, and removes the rest.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from kolektor_cli.errors import KolektorError, OutputError, reason
from kolektor_cli.io.atomic import exchange, rename_new, sync_file, sync_folder
from kolektor_cli.io.index import INDEX_NAMES, add_entries
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.io.places import descriptor_of, is_stream, workshop_of

_NEW, _OLD = "new", "old"
"""In the folder for unfinished work: the new folder or file, and the old folder it replaces."""

_BESIDE = "beside"
"""Prefix, in the folder for unfinished work, for the files that go beside the new folder."""

_LOCK = "lock"

_PATIENCE = 0.2
"""Seconds to wait for a lock that another process may be about to release."""

_MERGE_PATIENCE = 60
"""Seconds to wait for the lock of an index; who holds it needs milliseconds."""

_SYNCING = 8
"""Threads that flush files to disk; they do nothing but wait."""


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a new folder on the file system of `target`, to fill and pass to `put_in_place`.

    On any error or interruption it is removed, with the parent folders that were created for it.

    Raises
    ------
    OutputError
        The folder cannot be written, or another run is writing the same target.
    """
    missing: list[Path] = []
    try:
        missing += [path for path in target.parents if not path.exists()]
        with _working_on(target) as workshop:
            (workshop / _NEW).mkdir()
            yield workshop / _NEW
        for path in missing:
            sync_folder(path.parent)
    except BaseException as error:
        for path in missing:
            with suppress(OSError):  # missing, or used by someone else, too
                path.rmdir()
        if isinstance(error, OSError):
            raise _not_written(target, error) from error
        raise


def put_in_place(
    stage: Path, target: Path, beside: Mapping[str, bytes] | None = None, *, replace: bool = False
) -> None:
    """Flush a folder from `staged` to disk, then give it its final name.

    With `replace`, an existing folder is exchanged for it in one step and then removed. Where the
    file system cannot exchange, two renames replace it; if the run is killed between them, the next
    run restores the old folder.

    The files in `beside`, contents by name, replace those in the folder that holds `target`; into
    an index of several folders (see `io.index`), the entries of this one are merged. The files
    are on disk before the new folder gets its name, and get theirs right after it; if the run is
    killed in between, the next run moves them.

    Raises
    ------
    OutputError
        `target` exists, and `replace` is False.
    OSError
        A file or folder cannot be written, renamed or removed.
    """
    waiting = _write_beside(stage, beside or {})
    _sync_tree(stage)
    if not (replace and os.path.lexists(target)):
        _name(stage, target)
    elif not exchange(stage, target):
        _replace_by_renames(stage, target)
    _place_beside(waiting, target)
    sync_folder(target.parent)
    _remove(stage)


def _write_beside(stage: Path, files: Mapping[str, bytes]) -> Path:
    """Write files to a folder named after the new folder's inode, which a rename keeps."""
    waiting = stage.with_name(f"{_BESIDE}-{stage.stat().st_ino}")
    waiting.mkdir()
    for name, data in files.items():
        (waiting / name).write_bytes(data)
        sync_file(waiting / name)
    sync_folder(waiting)
    return waiting


def _place_beside(waiting: Path, target: Path) -> None:
    """Move waiting files into place if the new folder has its name; then remove what waits.

    Into an index of several folders, the entries of the new one are merged.
    """
    if target.is_dir() and waiting.name == f"{_BESIDE}-{target.stat().st_ino}":
        for path in sorted(waiting.iterdir()):
            if path.name in INDEX_NAMES:
                _merge_index(path, target)
            else:
                path.replace(target.with_name(path.name))
    _remove(waiting)


def _merge_index(path: Path, target: Path) -> None:
    """Replace the entries of one folder in an index; one run at a time does so."""
    index = target.with_name(path.name)
    with _working_on(index, patience=_MERGE_PATIENCE) as workshop:
        old = index.read_bytes() if os.path.lexists(index) else None
        (workshop / _NEW).write_bytes(add_entries(path.name, old, path.read_bytes(), target.name))
        sync_file(workshop / _NEW)
        (workshop / _NEW).replace(index)


def _sync_tree(folder: Path) -> None:
    """Flush a folder and everything in it to disk."""
    paths = list(folder.rglob("*"))
    parallel_map(sync_file, [path for path in paths if path.is_file()], _SYNCING)
    for path in (*paths, folder):
        if path.is_dir():
            sync_folder(path)


def _name(stage: Path, target: Path) -> None:
    try:
        rename_new(stage, target)
    except FileExistsError as error:
        raise OutputError(f"{target}: was created by another process in the meantime") from error


def _replace_by_renames(stage: Path, target: Path) -> None:
    target.rename(stage.with_name(_OLD))
    stage.rename(target)
    _remove(stage.with_name(_OLD))


def clear_unfinished(target: Path) -> None:
    """Remove what a killed run left beside `target`, and restore what it was replacing.

    Raises
    ------
    OutputError
        A file or folder cannot be removed, or another run is writing the target.
    """
    if not os.path.lexists(workshop_of(target)):
        return
    try:
        with _holding(workshop_of(target), target):
            pass
    except OSError as error:
        raise _not_written(target, error) from error


def replace_file(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a file completely or not at all; a device, a pipe or an open file is written to.

    Raises
    ------
    OutputError
        The file cannot be written, or another run is writing it; or it exists and `replace` is
        False.
    """
    try:
        if is_stream(path):
            _write_to(path, data)
            return
        path.parent.stat()
        with _working_on(path) as workshop:
            (workshop / _NEW).write_bytes(data)
            sync_file(workshop / _NEW)
            if replace:
                (workshop / _NEW).replace(path)
            else:
                _name(workshop / _NEW, path)
            sync_folder(path.parent)
    except BrokenPipeError:
        raise  # the reader has what it wanted
    except OSError as error:
        raise _not_written(path, error) from error


def _write_to(path: Path, data: bytes) -> None:
    """Write to a device, a pipe or an open file, where the last one who wrote to it stopped."""
    number = descriptor_of(path)
    target: Path | int = path if number is None else os.dup(number)
    with open(target, "wb") as file:  # noqa: PTH123 - a number is no path
        file.write(data)


def _not_written(target: Path, error: OSError) -> OutputError:
    return OutputError(f"{target}: cannot be written: {reason(error)}")


@contextmanager
def _working_on(target: Path, patience: float = _PATIENCE) -> Iterator[Path]:
    """Create and lock the folder for unfinished work; remove it at the end."""
    workshop = workshop_of(target)
    try:
        with _holding(workshop, target, patience):
            yield workshop
    except BaseException:
        # An interruption can come while the folder is created or removed.
        with suppress(KolektorError):
            clear_unfinished(target)
        raise


@contextmanager
def _holding(workshop: Path, target: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Lock the folder for unfinished work; empty it before and after."""
    with _locked_folder(workshop, target, patience):
        try:
            _empty(workshop, target)
            yield
        finally:
            # An error here must not hide one under way; the next run removes what stays.
            _empty(workshop, target, ignore_errors=True)


@contextmanager
def _locked_folder(folder: Path, target: Path, patience: float) -> Iterator[None]:
    """Create a folder, or take over a dead process's, and lock it; then remove it if it is empty.

    Raises
    ------
    OutputError
        Another process holds the folder.
    """
    lock = _lock(folder, target, patience)
    try:
        yield
    finally:
        try:
            if sys.platform != "win32":
                # Unlink while locked: a process that waits for this file then creates a new one.
                with suppress(OSError):
                    (folder / _LOCK).unlink()
        finally:
            _release(lock)
            with suppress(OSError):
                folder.rmdir()


def _lock(folder: Path, target: Path, patience: float) -> BaseFileLock:
    while True:
        if folder.is_symlink():
            raise OutputError(
                f"{folder}: is a link, but the folder for unfinished work belongs there; remove it"
            )
        lock = FileLock(folder / _LOCK, timeout=patience)
        # Another process may remove the folder at the same moment.
        with suppress(FileExistsError):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            message = f"{target}: another run is writing it; wait for that to end"
            raise OutputError(message) from error
        except (FileNotFoundError, FileExistsError):
            if os.path.lexists(folder) and not folder.is_dir():
                raise
        except BaseException:
            # Interrupted: who cleans up needs the lock.
            _release(lock)
            raise
        else:
            return lock


def _release(lock: BaseFileLock) -> None:
    """Release a lock, even if this is interrupted."""
    try:
        lock.release(force=True)
    except BaseException:
        lock.release(force=True)
        raise


def _empty(workshop: Path, target: Path, *, ignore_errors: bool = False) -> None:
    old = workshop / _OLD
    if os.path.lexists(old) and not os.path.lexists(target):
        old.rename(target)
    for waiting in workshop.glob(f"{_BESIDE}-*"):
        _place_beside(waiting, target)
    for path in (workshop / _NEW, old):
        _remove(path, ignore_errors=ignore_errors)


def _remove(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder or a file, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=ignore_errors)
    elif os.path.lexists(path):
        path.unlink()
