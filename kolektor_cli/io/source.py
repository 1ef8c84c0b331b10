"""Folders and zip archives, read as lists of names with the bytes of each."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
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

MAX_FILES = 2**17
"""Maximum number of files and folders in a source: a hundred times that of KolektorSDD."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods to read. zipfile ignores the limit on size with all others, so a small entry
could fill the memory."""

_DAMAGE = (struct.error, UnicodeDecodeError, OverflowError)
"""What zipfile raises on damaged fields, besides its own error."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of a system that would refuse any other file, too."""

_ENCRYPTED_FLAG, _UTF8_FLAG = 0x1, 0x800
"""Bits of a zip entry's general purpose flags (.ZIP File Format Specification, 4.4.4)."""


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
    """Open a folder or a zip archive.

    Raises
    ------
    SourceError
        `path` does not exist, is neither a folder nor a readable zip archive, or holds no file.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{path}: no such file or folder") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be opened: {error}") from error
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        raise SourceError(f"{path}: is neither a folder nor a file; save it to a file first")
    source: Source = FolderSource(path) if stat.S_ISDIR(status.st_mode) else ZipSource(path)
    if not source.names:
        source.close()
        raise SourceError(_empty(source))
    return source


def _empty(source: Source) -> str:
    for unread in source.unread:
        return f"{source.path}: holds no file that is read; {unread.name} {unread.why}"
    return f"{source.path}: is empty; give the folder or zip with the item folders"


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
                _check_size(name, size)
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
        _check_number(root, len(files) + len(folders))
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


class ZipSource(Source):
    """A zip archive, read in place: extracts nothing to disk and uses no name as a path."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._archive = _open_archive(path)
        try:
            self._take(self._archive.infolist())
        except BaseException:
            self._archive.close()
            raise

    def _take(self, entries: list[zipfile.ZipInfo]) -> None:
        """Record files, folders and unread entries; refuse an archive that cannot be read whole."""
        _check_number(self.path, len(entries))
        if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
            raise SourceError(f"{self.path}: is encrypted; unpack it and give the folder")
        named = [(entry, _entry_name(entry)) for entry in entries]
        odd = [(entry, name, _why_not_read(entry, name)) for entry, name in named]
        self.unread = tuple(sorted(Unread(name, why) for _, name, why in odd if why))
        kept = [(entry, name) for entry, name, why in odd if not why]
        files = [(entry, name) for entry, name in kept if not name.endswith("/")]
        self._entries = {name: entry for entry, name in files}
        self.names = tuple(sorted(self._entries))
        self.folders = tuple(sorted(_folders_of(name for _, name in kept)))
        repeated = [name for name, n in Counter(name for _, name in files).items() if n > 1]
        if repeated:
            raise SourceError(f"{self.path}: holds {repeated[0]} twice; unpack and clean it first")
        total = sum(entry.file_size for entry, _ in files)
        if total > MAX_ARCHIVE_BYTES:
            raise SourceError(
                f"{self.path}: unpacks to {total} bytes; no archive of these datasets is that large"
            )

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, checked by the archive's CRC; see `Source.read`."""
        try:
            entry = self._entries.get(name)
            if entry is None:
                raise SourceError(f"{name}: is not in the archive {self.path}")
            _check_size(name, max(entry.file_size, entry.compress_size))
            if entry.compress_type not in _METHODS:
                raise NotImplementedError(f"it is packed by {_method(entry.compress_type)}")
            with self._archive.open(entry) as file:
                # zipfile unpacks no more than is asked for, and checks the CRC at the end.
                data = file.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, *_DAMAGE) as error:
            raise SourceError(f"{name}: is damaged in the archive: {error}") from error
        except NotImplementedError as error:
            message = f"{name}: cannot be unpacked: {error}; unpack the archive and give the folder"
            raise SourceError(message) from error
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {reason(error)}") from error
        if len(data) != entry.file_size:
            raise SourceError(
                f"{name}: is damaged in the archive: it does not unpack to the size that it claims"
            )
        return data

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


def _method(number: int) -> str:
    names = {zipfile.ZIP_BZIP2: "BZIP2", zipfile.ZIP_LZMA: "LZMA", 9: "Deflate64", 93: "Zstandard"}
    return names.get(number, f"the unknown method {number}")


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, *_DAMAGE) as error:
        raise SourceError(_not_a_zip(path)) from error


def _folders_of(names: Iterable[str]) -> set[str]:
    """Return the folders that hold the names; a name that ends with a slash is a folder itself."""
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _why_not_read(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Return why an entry is not read (an unsafe name, or not a file), or None."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\0" in entry.orig_filename:
        return "has a name with a NUL in the archive"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "has an absolute path as its name; unpack the archive and give the folder"
    if {"", ".", ".."} & set(name.removeprefix("./").removesuffix("/").split("/")):
        return "has a name that leads elsewhere; unpack the archive and give the folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device in the archive; unpack it and give the folder"
    return None


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name, in UTF-8 and with slashes.

    Some packers write UTF-8 without its flag; some, on Windows, write backslashes for slashes.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _not_a_zip(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK"):
        return f"{path}: is a zip archive that is damaged or cut short; download it again"
    return f"{path}: is neither a folder nor a zip archive"


def _not_read(name: str, error: OSError) -> KolektorError:
    """Return a SourceError, or a LimitError if the system would refuse any other file, too."""
    kind = LimitError if error.errno in _SHORTAGES else SourceError
    return kind(f"{name}: cannot be read: {reason(error)}")


def _check_size(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{name}: has {size} bytes; no image of these datasets is that large")


def _check_number(path: Path, number: int) -> None:
    if number > MAX_FILES:
        raise SourceError(
            f"{path}: holds more than {MAX_FILES} files and folders; give the folder or zip with "
            "the item folders alone"
        )
