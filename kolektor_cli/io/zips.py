"""Zip archives as sources, read in place: nothing is extracted, and no name is used as a path."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from kolektor_cli.errors import SourceError, reason
from kolektor_cli.io.entries import Entry, EntryKind, contents_of
from kolektor_cli.io.source import Source, check_number, check_size

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods to read. zipfile ignores the limit on size with all others, so a small entry
could fill the memory."""

_DAMAGE = (struct.error, UnicodeDecodeError, OverflowError)
"""What zipfile raises on damaged fields, besides its own error."""

_ENCRYPTED_FLAG, _UTF8_FLAG = 0x1, 0x800
"""Bits of a zip entry's general purpose flags (.ZIP File Format Specification, 4.4.4)."""


class ZipSource(Source):
    """A zip archive, read in place.

    Raises
    ------
    SourceError
        It is damaged, encrypted, too large, holds too many entries, or one of them twice.
    """

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
        check_number(self.path, len(entries))
        if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
            raise SourceError(f"{self.path}: is encrypted; unpack it and give the folder")
        contents = contents_of(self.path, map(_entry, entries))
        self._entries = contents.files
        self.names = tuple(sorted(contents.files))
        self.folders = contents.folders
        self.unread = contents.unread

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, checked by the archive's CRC; see `Source.read`."""
        try:
            entry = self._entries.get(name)
            if entry is None:
                raise SourceError(f"{name}: is not in the archive {self.path}")
            check_size(name, max(entry.file_size, entry.compress_size))
            if entry.compress_type not in _METHODS:
                raise NotImplementedError(f"it uses the {_method(entry.compress_type)}")
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
    name = f" ({names[number]})" if number in names else ""
    return f"compression method {number}{name}"


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, *_DAMAGE) as error:
        message = f"{path}: is a zip archive that is damaged or cut short; download it again"
        raise SourceError(message) from error


def _entry(entry: zipfile.ZipInfo) -> Entry[zipfile.ZipInfo]:
    name = _entry_name(entry)
    file_type = stat.S_IFMT(entry.external_attr >> 16)
    kind: EntryKind = "folder" if name.endswith("/") else "file"
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "other"
    odd = "has a name with a NUL in the archive" if "\0" in entry.orig_filename else None
    return Entry(name, kind, entry.file_size, entry, odd)


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name, in UTF-8 and with slashes.

    Some packers write UTF-8 without its flag; some, on Windows, write backslashes for slashes.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
