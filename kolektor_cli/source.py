"""A folder or a zip archive as a list of names and the bytes behind each."""

from __future__ import annotations

import lzma
import os
import secrets
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from kolektor_cli.errors import SourceError

MAX_FILE_BYTES = 2**28
"""The largest file that is read, 256 MiB: a thousand times a KolektorSDD image, and a bound on the
memory that a damaged or hostile archive can ask for."""

_ENCRYPTED_FLAG, _UTF8_FLAG = 0x1, 0x800
"""Bits of a zip entry's general purpose flags (.ZIP File Format Specification, 4.4.4)."""


class Source(ABC):
    """Files by name; names are relative and have forward slashes. Reading is thread-safe.

    A context manager: leaving it closes what it holds open.
    """

    path: Path
    names: tuple[str, ...]
    """The names of all files, sorted; folders are not listed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = secrets.token_hex(8)

    def __reduce__(self) -> tuple[Callable[[str, str], Source], tuple[str, str]]:
        """Pickle as a path: another process, or another machine, opens what it finds there."""
        return _open_again, (str(self.path.absolute()), self._token)

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises
        ------
        SourceError
            The file cannot be read whole.
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


@lru_cache(maxsize=1)
def _open_again(path: str, _token: str) -> Source:
    """Open what was opened elsewhere, once in a process and not once for each task."""
    return open_source(Path(path))


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
    source: Source = FolderSource(path) if stat.S_ISDIR(status.st_mode) else ZipSource(path)
    if not source.names:
        source.close()
        raise SourceError(f"{path}: is empty; give the folder or zip with the item folders")
    return source


class FolderSource(Source):
    """A folder with everything below it; links are followed, a loop of links only once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.names = tuple(sorted(_files_below(path, "", frozenset())))

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; see `Source.read`."""
        file = self.path / name
        try:
            if not file.is_file():
                raise SourceError(f"{name}: is not a regular file, or a link that leads nowhere")
            _check_size(name, file.stat().st_size)
            return file.read_bytes()
        except OSError as error:
            raise SourceError(f"{name}: cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Do nothing: no file is held open."""


def _files_below(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    """Yield the name of each file below `folder`; `above` identifies the folders on the way."""
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_folder(entry):
                    below = above | {identity}
                    yield from _files_below(Path(entry.path), f"{prefix}{entry.name}/", below)
                else:
                    yield prefix + entry.name
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed: {error.strerror}") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself; reading it as a file says so.
        return False


class ZipSource(Source):
    """A zip archive, read in place: nothing is extracted to disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise SourceError(_not_a_zip(path)) from error
        listed = self._archive.infolist()
        entries = [entry for entry in listed if not _entry_name(entry).endswith("/")]
        self._entries = {_entry_name(entry): entry for entry in entries}
        self.names = tuple(sorted(self._entries))
        try:
            self._refuse_unreadable(entries)
        except SourceError:
            self.close()
            raise

    def _refuse_unreadable(self, entries: list[zipfile.ZipInfo]) -> None:
        if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
            raise SourceError(f"{self.path}: is encrypted; unpack it and give the folder")
        counts = Counter(map(_entry_name, entries))
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            raise SourceError(f"{self.path}: holds {repeated[0]} twice; unpack and clean it first")

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, checked by the archive's CRC; see `Source.read`."""
        try:
            entry = self._entries.get(name)
            if entry is None:
                raise SourceError(f"{name}: is not in the archive {self.path}")
            _check_size(name, entry.file_size)
            return self._archive.read(entry)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise SourceError(f"{name}: is damaged in the archive: {error}") from error
        except NotImplementedError as error:
            raise SourceError(f"{name}: cannot be unpacked: {error}") from error
        except OSError as error:
            # bzip2 reports damaged data as an OSError that has no number.
            if error.errno is None:
                raise SourceError(f"{name}: is damaged in the archive: {error}") from error
            raise SourceError(f"{self.path}: cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


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


def _check_size(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{name}: has {size} bytes; no image of these datasets is that large")
