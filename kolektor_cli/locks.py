"""A folder that one process at a time works in, and that tells a dead process from a living one.

The lock is the system's (flock), on a file in the folder: it ends with its process, however that
ends, so no process number and no time is guessed by.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kolektor_cli.errors import OutputError

_LOCK = "lock"

if sys.platform == "win32":

    def _lock(_: int) -> bool | None:
        """Return None: Windows has no such lock."""
        return None

else:
    import fcntl

    def _lock(descriptor: int) -> bool | None:
        """Lock a file; return False if another process has, None where files cannot be locked."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Lustre and others may be mounted without locks.
            return None
        return True


@contextmanager
def locked_folder(folder: Path, target: Path) -> Iterator[None]:
    """Make a folder, or take over a dead process's, and hold it; it is removed if it is empty.

    Where the system or the file system has no locks, a folder that is there is never taken over:
    nobody could tell whether its process lives. `target` is what messages say is being written.

    Raises
    ------
    OutputError
        Another process holds the folder, or may hold it.
    """
    descriptor = None
    while descriptor is None:
        descriptor = _try_to_take(folder, target)
    try:
        yield
    finally:
        # Where there are locks, this one must outlive its file; Windows removes no open file.
        if sys.platform == "win32":
            os.close(descriptor)
        try:
            with suppress(OSError):
                (folder / _LOCK).unlink()
                folder.rmdir()
        finally:
            if sys.platform != "win32":
                os.close(descriptor)


def _try_to_take(folder: Path, target: Path) -> int | None:
    """Return the descriptor of the locked file, or None if its owner just removed it."""
    if folder.is_symlink():
        raise OutputError(f"{folder}: is a link, where unfinished work should go; remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        # pathlib raises this, too, for a folder that its owner removes just then; `_open` tells.
        if not folder.parent.is_dir():
            raise
    try:
        descriptor, new = _open(folder / _LOCK)
    except FileNotFoundError:
        return None
    try:
        locked = _lock(descriptor)
        if locked is False:
            raise OutputError(f"{target}: another run is writing it; wait for that to end")
        if locked is None and not new:
            raise OutputError(
                f"{target}: {folder} is there, and without file locks it cannot be told whether "
                "its run has ended; remove it if so"
            )
        if _is_at(descriptor, folder / _LOCK):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _open(path: Path) -> tuple[int, bool]:
    """Open a file to be locked, and tell whether it is new."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), False


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
