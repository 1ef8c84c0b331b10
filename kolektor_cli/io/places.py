"""Where a command may write: never into its source, nor over another file that it reads.

Places are compared by device and inode, not by spelling. So links, hard links, ``..`` and the upper
and lower case of a file system that ignores it lead to the same answer.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kolektor_cli.errors import OutputError, UsageError, reason
from kolektor_cli.io.source import Source

_Identity: TypeAlias = tuple[int, int | str]
"""Device and inode; where the file system tells no inode, the path."""

_UNREAD: tuple[type[Exception], ...] = (OSError, ValueError)
"""What asking for a path raises: it is missing or not allowed, or it contains NUL."""

_LONGEST_NAME = 200
"""Longest name in bytes that leaves room for prefix and suffix; file systems allow 255."""

_LINKS = 40
"""Links to follow one after the other, as Linux does."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a command reads: the files and folders of its source, and other files.

    `source_files` holds the source itself, too. `above` are the folders that hold any of it.
    """

    source: Path
    source_files: frozenset[_Identity]
    source_folders: frozenset[_Identity]
    files: frozenset[_Identity]
    above: frozenset[_Identity]


def inputs_of(source: Source, files: Iterable[str | os.PathLike[str]] = ()) -> Inputs:
    """Return what a command reads: a source and further `files`; ``-`` is standard input."""
    return _inputs(source.path, source.names, source.folders, list(map(str, files)))


def inputs_at(source: Path) -> Inputs:
    """Return what is known of a source that is not opened: its own place."""
    return _inputs(source, (), (), [])


def _inputs(source: Path, names: Iterable[str], folders: Iterable[str], files: list[str]) -> Inputs:
    is_folder = source.is_dir()
    inside = [source / name for name in (*names, *folders)] if is_folder else []
    paths = [Path(file) for file in files if file != "-"]
    linked = (path for path in inside if path.is_symlink())
    above = {place for path in (source, *linked, *paths) for place in _folders_above(path)}
    own = _identities([source])
    held = own | _identities(source / name for name in names) if is_folder else own
    below = own | _identities(source / name for name in folders) if is_folder else frozenset()
    others = _identities(paths) | (_standard_input() if "-" in files else frozenset())
    return Inputs(source, held, below, others, frozenset(above))


def _standard_input() -> frozenset[_Identity]:
    with suppress(*_UNREAD):  # closed, or no file of the system
        status = os.fstat(sys.stdin.fileno())
        return frozenset({(status.st_dev, status.st_ino)})
    return frozenset()


def _identities(paths: Iterable[Path]) -> frozenset[_Identity]:
    return frozenset(found for path in paths if (found := _identity(path)))


def _identity(path: str | os.PathLike[str]) -> _Identity | None:
    with suppress(*_UNREAD):
        status = os.stat(path)  # noqa: PTH116 - takes a text as it is, too
        return status.st_dev, status.st_ino or os.path.normcase(os.path.realpath(path))
    return None


def _folders_above(path: Path) -> Iterator[_Identity]:
    """Yield the folders that hold a path, as it is written and where its links lead."""
    for place in {path.absolute(), Path(os.path.realpath(path))}:
        yield from _identities(place.parents)


def refuse_inputs(output: Path, inputs: Inputs) -> None:
    """Check that writing a file or folder `output` changes nothing that is read.

    Raises
    ------
    UsageError
        `output` is a file that is read, lies inside the source, or holds one of both.
    """
    _refuse(output, inputs)
    if output.name:
        _refuse(workshop_of(output), inputs)


def _refuse(output: Path, inputs: Inputs) -> None:
    source, own = inputs.source, _identity(output)
    # A file that is replaced changes the folder that holds its name, wherever a link leads.
    places = (Path(os.path.realpath(output)), Path(os.path.realpath(output.parent)))
    around = _identities(folder for place in places for folder in (place, *place.parents))
    if own in inputs.source_files:
        raise UsageError(f"{output}: is the source, or a file of it; choose another place")
    if around & inputs.source_folders:
        raise UsageError(f"{output}: lies inside the source {source}; choose a place outside of it")
    if own in inputs.files:
        raise UsageError(f"{output}: is a file that is read; choose another place")
    if own in inputs.above:
        raise UsageError(
            f"{output}: holds the source {source} or a file that is read; choose another place"
        )


def workshop_of(target: Path) -> Path:
    """Return the hidden folder for unfinished work on a file or folder; it is emptied at first."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:20] + hashlib.sha256(os.fsencode(name)).hexdigest()
    return target.with_name(f".{name}.unfinished")


def is_stream(path: Path) -> bool:
    """Return whether a path is a device, a pipe or an open file, which is written to as it is."""
    if descriptor_of(path) is not None:
        return True
    with suppress(*_UNREAD):
        return path.exists() and not path.is_file() and not path.is_dir()
    return False


def descriptor_of(path: Path) -> int | None:
    """Return the number of this process's open file that a path such as ``/dev/stdout`` names."""
    with suppress(*_UNREAD):
        for _ in range(_LINKS):
            folder = os.path.realpath(path.parent)
            if re.fullmatch(rf"/dev/fd|/proc/(self|{os.getpid()})/fd", folder):
                return int(path.name) if path.name.isdecimal() else None
            if not path.is_symlink():
                return None
            path = Path(folder, os.readlink(path))  # noqa: PTH115 - may lead to no path at all
    return None


def refuse_file(path: Path, *, force: bool) -> None:
    """Check, before any work, that a file may be written: to a free name, or with `force` over one.

    A device, a named pipe or an open file (see `is_stream`) is always fine.

    Raises
    ------
    OutputError
        The file exists and `force` is not given; it is a folder; or its folder does not exist.
    """
    if is_stream(path):
        return
    if not _exists(path):
        return
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; choose another name for the output")
    if not force:
        raise OutputError(f"{path}: exists already; --force replaces it")


def refuse_folder(path: Path, mark: str, command: str, *, force: bool) -> None:
    """Check, before any work, that a folder may be written: `force` replaces a command's own only.

    Those of `command` hold a file `mark`.

    Raises
    ------
    OutputError
        The path exists without `force`, or is none that the command wrote.
    """
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputError(f"{path}: exists already; --force replaces it, or choose another place")
    if path.is_symlink() or not (path / mark).is_file():
        raise OutputError(f"{path}: is no folder that {command!r} wrote; remove it yourself")


def _exists(path: Path) -> bool:
    """Return whether a name is taken in its folder, which must be there."""
    try:
        if not stat.S_ISDIR(path.parent.stat().st_mode):
            raise OutputError(f"{path}: cannot be written: {path.parent} is not a folder")
        with suppress(FileNotFoundError):
            path.lstat()
            return True
    except _UNREAD as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"{path}: cannot be written: {why}") from error
    return False
