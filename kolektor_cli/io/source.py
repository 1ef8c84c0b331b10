"""Sources, read as lists of names with the bytes of each: folders, and what archives share."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType

from kolektor_cli.errors import KolektorError, LimitError, SourceError, reason

MAX_FILE_BYTES = 2**28
"""Largest file to read, 256 MiB: a thousand times a KolektorSDD image. It bounds the memory that a
damaged or hostile archive can claim."""

MAX_ARCHIVE_BYTES = 2**35
"""Largest size of an unpacked archive, 32 GiB: a hundred times KolektorSDD. It bounds the time that
a hostile archive can take."""

MAX_FILES = 2**18
"""Maximum number of files and folders in a source: enough for 100 000 images with their masks."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of a system that would refuse any other file, too."""


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """An entry of a source that is not read, and why; `harmless` if no data is lost by it."""

    name: str
    why: str
    harmless: bool = False


class Source(ABC):
    """Files by name; names are relative and have forward slashes. Reading is thread-safe.

    A context manager that closes the source at its end.
    """

    path: Path
    names: tuple[str, ...]
    """Names of all files, sorted."""

    folders: tuple[str, ...]
    """Names of all folders, sorted."""

    unread: tuple[Unread, ...]
    """Entries that are neither a folder nor a file to read, sorted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = secrets.token_hex(8)

    def __reduce__(self) -> tuple[type[Source], tuple[Path, str]]:
        """Pickle as a path, which another process or machine opens for itself."""
        return _SourceElsewhere, (self.path.absolute(), self._token)

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises
        ------
        SourceError
            The file cannot be read completely.
        LimitError
            The system has no open files or no memory left.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what the source holds open."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _SourceElsewhere(Source):
    """A source that another process has opened; opens its own at the first read."""

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self._token = token

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; see `Source.read`."""
        return _open_again(self.path, self._token).read(name)

    def close(self) -> None:
        """Do nothing: other tasks use what is open, until another source is read."""


@lru_cache(maxsize=1)
def _open_again(path: Path, _token: str) -> Source:
    """Open a source once in a process, not once for each task."""
    return open_source(path)


def open_source(path: Path) -> Source:
    """Open a folder, or a zip or tar archive.

    Raises
    ------
    SourceError
        `path` does not exist, is neither a folder nor a readable archive, or holds no file.
    """
    # Here, since archives are sources, too.
    from kolektor_cli.io.archives import open_archive

    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(_not_there(path)) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be opened: {error}") from error
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        raise SourceError(f"{path}: is neither a folder nor a file; save it to a file first")
    source: Source = FolderSource(path) if stat.S_ISDIR(status.st_mode) else open_archive(path)
    if not source.names:
        source.close()
        raise SourceError(_empty(source))
    return source


def _not_there(path: Path) -> str:
    # An address as a path has lost one of its two slashes.
    address = re.fullmatch(r"([a-z][a-z0-9+.-]+:)[/\\]+(.*)", str(path), re.IGNORECASE)
    if address:
        where = f"{address[1]}//{address[2]}"
        return f"{where}: is an address on the network; download it first, and give the file"
    return f"{path}: no such file or folder{_how_to_get(path.name)}"


def _how_to_get(name: str) -> str:
    """Say how to download what a missing source is called like."""
    release = re.fullmatch(r"(kolektorsdd(?:2|-boxes)?)(?:\.zip)?", name, re.IGNORECASE)
    return f"; 'kolektor fetch {release[1].lower()}' downloads it" if release else ""


def _empty(source: Source) -> str:
    for unread in source.unread:
        return f"{source.path}: holds no file that is read; {unread.name} {unread.why}"
    return f"{source.path}: is empty; give the folder or archive with the item folders"


class FolderSource(Source):
    """A folder with everything below it; follows links, but a loop of links only once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        files, folders, unread = _list_below(path)
        self.names = tuple(sorted(files))
        self.folders = tuple(sorted(folders))
        self.unread = tuple(sorted(unread))

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; see `Source.read`."""
        path = self.path / name
        try:
            # Check before opening: opening a named pipe waits for its writer.
            if not path.is_file():
                raise SourceError(f"{name}: is not a regular file, or is a broken link")
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                check_size(name, size)
                return file.read(size)
        except OSError as error:
            raise _not_read(name, error) from error

    def close(self) -> None:
        """Do nothing: no file is held open."""


def _list_below(root: Path) -> tuple[list[str], list[str], list[Unread]]:
    """Return the names of files and folders, and the links that lead to a folder above them."""
    files: list[str] = []
    folders: list[str] = []
    unread: list[Unread] = []
    # Each folder with its name, and device and inode of the folders above it.
    waiting: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
    while waiting:
        folder, name, above = waiting.pop()
        try:
            status = folder.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                unread.append(Unread(name, "links to a folder that holds it", harmless=True))
                continue
            below, beside = _list_folder(folder)
        except OSError as error:
            raise SourceError(f"{folder}: cannot be listed: {reason(error)}") from error
        prefix = f"{name}/" if name else ""
        waiting += [(folder / entry, prefix + entry, above | {identity}) for entry in below]
        folders += [prefix + entry for entry in below]
        files += [prefix + entry for entry in beside]
        check_number(root, len(files) + len(folders))
    return files, folders, unread


def _list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the folders in a folder, and of all other entries."""
    below: list[str] = []
    beside: list[str] = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MAX_FILES + 1):
            (below if _is_folder(entry) else beside).append(entry.name)
    return below, beside


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself: reading it as a file reports that.
        return False


def _not_read(name: str, error: OSError) -> KolektorError:
    """Return a SourceError, or a LimitError if the system would refuse any other file, too."""
    kind = LimitError if error.errno in _SHORTAGES else SourceError
    return kind(f"{name}: cannot be read: {reason(error)}")


def check_size(name: str, size: int) -> None:
    """Refuse a file that is larger than any of a dataset."""
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{name}: has {size} bytes; no image of these datasets is that large")


def check_number(path: Path, number: int) -> None:
    """Refuse a source that holds more files and folders than any dataset."""
    if number > MAX_FILES:
        raise SourceError(
            f"{path}: holds more than {MAX_FILES} files and folders; give the folder or zip with "
            "the item folders alone"
        )
