"""What is in a folder, before and after; and how many of a series a test tries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

SERIES = (
    pytest.param(10, id="each tenth"),
    pytest.param(1, id="each", marks=pytest.mark.stress),
)
"""Every how many of a long series are tried: all of them by ``make stress``."""


def state(folder: Path) -> Mapping[str, tuple[object, ...]]:
    """Describe all in a folder by what changes with it: contents, times, identity."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        times = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
        found[str(path)] = (*times, path.read_bytes() if path.is_file() else None)
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
