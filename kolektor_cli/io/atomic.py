"""Atomic renames, and functions that flush files and folders to disk.

Linux and macOS each have their own calls to rename without replacing and to exchange two names;
Python offers neither. Each function documents what it does where the system or the file system has
no such call.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
"""Folder descriptor that makes paths relative to the current folder (fcntl.h)."""

_NOREPLACE = {"linux": 1, "darwin": 4}
"""RENAME_NOREPLACE of renameat2(2), RENAME_EXCL of renamex_np(2)."""

_EXCHANGE = {"linux": 2, "darwin": 2}
"""RENAME_EXCHANGE of renameat2(2), RENAME_SWAP of renamex_np(2)."""

_NOT_TO_BE_HAD = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of a system or a file system that does not know a call or one of its flags."""


def sync_file(path: Path) -> None:
    """Flush a file's data to disk; the file must be writable."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Write a file and, on Linux, ask the system to start flushing it to disk.

    This leaves little for `sync_file` to wait for.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if sys.platform == "linux":
            # To drop a file's pages, Linux first starts to write them, and does not wait.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, where the system can.

    It cannot on Windows, on some network file systems, or without permission to read the folder.
    """
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_TO_BE_HAD:
            raise
    finally:
        os.close(descriptor)


def rename_new(old: Path, new: Path) -> None:
    """Rename a file or folder to a name that must be free.

    Where the system has no call for this, a file or an empty folder that takes the name between
    the check and the rename is replaced.

    Raises
    ------
    FileExistsError
        The name is taken.
    """
    if _rename(old, new, _NOREPLACE):
        return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
    old.rename(new)


def exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; return False, with nothing done, if the system cannot."""
    return _rename(first, second, _EXCHANGE)


def _rename(old: Path, new: Path, flags: dict[str, int]) -> bool:
    """Call the system's own rename with a flag; return False if it has none."""
    flag = flags.get(sys.platform)
    if flag is None:
        return False
    library = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(old), os.fsencode(new)
    try:
        if sys.platform == "linux":
            failed = library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], flag)
        else:
            failed = library.renamex_np(*paths, flag)
    except AttributeError:
        return False
    number = ctypes.get_errno()
    if failed and number not in _NOT_TO_BE_HAD:
        raise OSError(number, os.strerror(number), str(new))
    return not failed
