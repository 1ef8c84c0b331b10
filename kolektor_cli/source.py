"""A folder or a zip archive as a list of names and the bytes behind each."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
import struct
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO

from isal import isal_zlib

from kolektor_cli.errors import KolektorError, LimitError, SourceError, reason
from kolektor_cli.inflate import inflate

MAX_FILE_BYTES = 2**28
"""The largest file that is read, 256 MiB: a thousand times a KolektorSDD image, and a bound on the
memory that a damaged or hostile archive can ask for."""

MAX_ARCHIVE_BYTES = 2**35
"""What an archive may unpack to, 32 GiB: a hundred times KolektorSDD, and a bound on the time that
a hostile archive can take."""

MAX_FILES = 2**17
"""The most files and folders of a source, 131 072: a hundred times KolektorSDD's."""

_MAX_DIRECTORY_BYTES = 2**24
"""The longest directory of an archive, 16 MiB: 128 bytes for each of `MAX_FILES`."""

_STEP = 2**20
"""Bytes to read from an archive at a time."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How files may be packed. By others zipfile unpacks all that it was given, whatever it is asked
for: 4 kB of bzip2 are 5 GB of zeros."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

_ENCRYPTED_FLAG, _UTF8_FLAG = 0x1, 0x800
"""Bits of a zip entry's general purpose flags (.ZIP File Format Specification, 4.4.4)."""


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """Something in a source that is not read, and why; `harmless` if nothing is lost by it."""

    name: str
    why: str
    harmless: bool = False


class Source(ABC):
    """Files by name; names are relative and have forward slashes. Reading is thread-safe.

    A context manager: leaving it closes what it holds open.
    """

    path: Path
    names: tuple[str, ...]
    """The names of all files, sorted."""

    folders: tuple[str, ...]
    """The names of all folders, sorted."""

    unread: tuple[Unread, ...]
    """What is there and neither a file to read nor a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = secrets.token_hex(8)

    def __reduce__(self) -> tuple[type[Source], tuple[Path, str]]:
        """Pickle as a path: another process, or another machine, reads what it finds there."""
        return _SourceElsewhere, (self.path.absolute(), self._token)

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises
        ------
        SourceError
            The file cannot be read whole.
        LimitError
            The system lets no more files be opened.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what is held open."""

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
    """A source that another process has opened; opened here when it is first read."""

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self._token = token

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; see `Source.read`."""
        return _open_again(self.path, self._token).read(name)

    def close(self) -> None:
        """Do nothing: what is open serves the other tasks, until another source is read."""


@lru_cache(maxsize=1)
def _open_again(path: Path, _token: str) -> Source:
    """Open what was opened elsewhere, once in a process and not once for each task."""
    return open_source(path)


def open_source(path: Path) -> Source:
    """Open a folder or a zip archive.

    Raises
    ------
    SourceError
        There is nothing at `path`, it is neither a folder nor a readable zip archive, or it holds
        no file.
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
    """A folder with everything below it; links are followed, a loop of links only once."""

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
            # Not opened before: to open a named pipe is to wait for its writer.
            if not path.is_file():
                raise SourceError(f"{name}: is not a regular file, or a link that leads nowhere")
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                _check_size(name, size)
                return file.read(size)
        except OSError as error:
            raise _not_read(name, error) from error

    def close(self) -> None:
        """Do nothing: no file is held open."""


def _list_below(root: Path) -> tuple[list[str], list[str], list[Unread]]:
    """List files, folders and links that lead back to a folder above them, by name."""
    files: list[str] = []
    folders: list[str] = []
    unread: list[Unread] = []
    # Each folder with its name and, by device and inode, the folders on the way to it.
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
    """List the folders in a folder, and what else is in it."""
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
        # A link that leads to itself; reading it as a file says so.
        return False


class ZipSource(Source):
    """A zip archive, read in place: nothing is extracted to disk, and no name is used as a path."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._file = _ShortReads(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
        try:
            self._archive = _open_archive(path, self._file)
            self._take(self._archive.infolist())
        except BaseException:
            self._file.close()
            raise

    def _take(self, entries: list[zipfile.ZipInfo]) -> None:
        """Tell what is read from what is not, and refuse an archive that cannot be read whole."""
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
                raise NotImplementedError(f"it is packed by the method {entry.compress_type}")
            packed = self._read_packed(entry)
        except (zipfile.BadZipFile, EOFError, *_DAMAGE) as error:
            raise SourceError(f"{name}: is damaged in the archive: {error}") from error
        except NotImplementedError as error:
            message = f"{name}: cannot be unpacked: {error}; unpack the archive and give the folder"
            raise SourceError(message) from error
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {reason(error)}") from error
        stored = entry.compress_type == zipfile.ZIP_STORED
        data = packed if stored else inflate(packed, entry.file_size, raw=True)
        if data is None or len(data) != entry.file_size:
            raise SourceError(
                f"{name}: is damaged in the archive: it does not unpack to the size that it claims"
            )
        if isal_zlib.crc32(data) != entry.CRC:
            raise SourceError(f"{name}: is damaged in the archive: it does not fit its checksum")
        return data

    def _read_packed(self, entry: zipfile.ZipInfo) -> bytes:
        """Read the bytes of a file as they are packed; zipfile finds their place and checks it.

        It can inflate them, too, but by zlib: to read all of KolektorSDD then takes 0.57 s in one
        thread, and not 0.36 s.
        """
        packed = copy(entry)
        packed.compress_type = zipfile.ZIP_STORED
        packed.file_size = entry.compress_size
        # That of the unpacked bytes; zipfile does not miss it.
        del packed.CRC
        with self._archive.open(packed) as file:
            return _read_in_steps(file, entry.compress_size)

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()
        self._file.close()


class _ShortReads(io.FileIO):
    """A file that refuses to be read much at once, as zipfile does with a directory of any size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes.

        Raises
        ------
        zipfile.BadZipFile
            That is more than `_MAX_DIRECTORY_BYTES`.
        """
        if size is not None and size > _MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"{size} bytes are asked for at once")
        return super().read(size) or b""


def _open_archive(path: Path, file: io.FileIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, *_DAMAGE) as error:
        raise SourceError(_not_a_zip(path)) from error


# What zipfile raises on damaged fields, beside its own error.
_DAMAGE = (struct.error, UnicodeDecodeError, OverflowError)


def _read_in_steps(file: IO[bytes], size: int) -> bytes:
    """Read up to `size` bytes; `_ShortReads` does not let zipfile read them at once."""
    parts = []
    left = size
    while left and (part := file.read(min(left, _STEP))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _folders_of(names: Iterable[str]) -> set[str]:
    """Name the folders that names lie in or, if they end with a slash, are."""
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _why_not_read(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Say why an entry is not read: its name would lead out of a folder, or it is no file."""
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
    """Return an entry's name.

    Some packers write UTF-8 and do not set the flag that says so; some, under Windows, write
    backslashes where slashes must stand.
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
    """Blame the file, or the system where that would refuse any other file, too."""
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
