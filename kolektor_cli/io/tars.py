"""Tar archives as sources; a compressed one is unpacked once, into a file without a name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TypeAlias

from kolektor_cli.errors import LimitError, SourceError, reason
from kolektor_cli.io.entries import Entry, EntryKind, contents_of, too_large
from kolektor_cli.io.source import MAX_ARCHIVE_BYTES, Source, check_number, check_size

BLOCK = tarfile.BLOCKSIZE

_CHUNK, _INPUT = 2**20, 2**16
"""Numbers of bytes to unpack and to read at once."""

_MAX_EXTENSION = 2**20
"""Longest extended header to read, in bytes: tarfile reads one as a whole."""

_MAX_DICTIONARY = 2**28
"""Most memory for unpacking xz, in bytes: ``xz -9`` needs a quarter of it."""

_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, UnicodeError, ValueError)
"""What tarfile and the decompressors raise on damaged data; bz2 and gzip raise OSError, too."""

_Place: TypeAlias = tuple[int, int]
"""Offset and size of a file's data."""


class TarSource(Source):
    """A tar archive; its files are read where they lie in it, or in its unpacked copy.

    Raises
    ------
    SourceError
        It is damaged, too large, holds too many entries, or one of them twice.
    LimitError
        There is no room for the copy.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()
        self._file = _open_unpacked(path)
        # A process that reads for others keeps its source open until it reads another one.
        weakref.finalize(self, self._file.close)
        try:
            places = self._check_blocks()
            contents = contents_of(path, self._entries(places))
        except (*_DAMAGE, OSError) as error:
            self._file.close()
            raise SourceError(_damaged(path, error)) from error
        except BaseException:
            self._file.close()
            raise
        self._places = contents.files
        self.names = tuple(sorted(contents.files))
        self.folders = contents.folders
        self.unread = contents.unread

    def _check_blocks(self) -> set[int]:
        """Walk all headers; return where they lie, and refuse an archive that is not whole.

        tarfile takes a damaged header for the end, and reads extended headers of any length.
        """
        headers: set[int] = set()
        offset = 0
        while True:
            self._file.seek(offset)
            block = self._file.read(BLOCK)
            if len(block) < BLOCK:
                raise tarfile.ReadError("its end is missing")
            if not any(block):
                break
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            check_number(self.path, len(headers))
            if header.size < 0:
                raise tarfile.ReadError("a file has a negative size")
            if header.type == tarfile.GNUTYPE_SPARSE:
                raise SourceError(_sparse(self.path, header.name))
            if header.type in _EXTENSIONS:
                if header.size > _MAX_EXTENSION:
                    raise tarfile.ReadError(f"a header has {header.size} bytes")
            else:
                headers.add(offset)
            offset += BLOCK + (_padded(header.size) if _has_data(header) else 0)
        self._refuse_data_behind(offset)
        return headers

    def _refuse_data_behind(self, end: int) -> None:
        self._file.seek(end)
        while chunk := self._file.read(_CHUNK):
            if any(chunk):
                raise tarfile.ReadError("there is more behind its end")

    def _entries(self, headers: set[int]) -> Iterator[Entry[_Place]]:
        """Yield the entries with the names and sizes that extended headers give them."""
        self._file.seek(0)
        seen: set[int] = set()
        with tarfile.open(
            fileobj=self._file, mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for member in archive:
                if member.issparse():
                    raise SourceError(_sparse(self.path, member.name))
                seen.add(member.offset_data - BLOCK)
                yield _entry(member)
        if seen != headers:
            raise tarfile.ReadError("its headers contradict each other")

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; see `Source.read`."""
        place = self._places.get(name)
        if place is None:
            raise SourceError(f"{name}: is not in the archive {self.path}")
        offset, size = place
        check_size(name, size)
        try:
            with self._lock:
                self._file.seek(offset)
                data = self._file.read(size)
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {reason(error)}") from error
        if len(data) != size:
            raise SourceError(f"{name}: is cut short in the archive")
        return data

    def close(self) -> None:
        """Close the archive, and drop its copy."""
        self._file.close()


def _entry(member: tarfile.TarInfo) -> Entry[_Place]:
    kind: EntryKind = "folder" if member.isdir() else "file" if member.isreg() else "other"
    odd = "has a name with a NUL in the archive" if "\0" in member.name else None
    return Entry(member.name, kind, member.size, (member.offset_data, member.size), odd)


def _sparse(path: Path, name: str) -> str:
    return f"{path}: holds {name} as a sparse file; unpack it and give the folder"


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _has_data(header: tarfile.TarInfo) -> bool:
    """Return whether data follow a header, as tarfile decides."""
    return (
        header.isreg() or header.type not in tarfile.SUPPORTED_TYPES or (header.type in _EXTENSIONS)
    )


def is_tar_header(block: bytes) -> bool:
    """Return whether a file that starts with these 512 bytes is a tar archive."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _chunks_gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        while chunk := unpacked.read(_CHUNK):
            yield chunk


def _chunks(
    file: IO[bytes], start: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
) -> Iterator[bytes]:
    """Unpack one stream after the other; bz2 and lzma can bound their memory only so."""
    unpacker = start()
    data = b""
    while True:
        if unpacker.eof:
            data = (unpacker.unused_data or file.read(_INPUT)).lstrip(b"\0")
            if not data:
                return
            unpacker = start()
        elif unpacker.needs_input and not data:
            data = file.read(_INPUT)
            if not data:
                raise EOFError("its end is missing")
        yield unpacker.decompress(data, _CHUNK)
        data = b""


_PACKINGS: Mapping[bytes, Callable[[IO[bytes]], Iterator[bytes]]] = {
    b"\x1f\x8b": _chunks_gzip,
    b"BZh": lambda file: _chunks(file, bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": lambda file: _chunks(
        file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MAX_DICTIONARY)
    ),
}
"""How to unpack a compressed archive, by its first bytes."""


def packing_of(start: bytes) -> Callable[[IO[bytes]], Iterator[bytes]] | None:
    """Return how to unpack a file that starts with these bytes, or None."""
    return next((unpack for magic, unpack in _PACKINGS.items() if start.startswith(magic)), None)


def _open_unpacked(path: Path) -> IO[bytes]:
    """Open an archive, or the copy of a compressed one, in which any place can be read."""
    try:
        packed = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    unpack = packing_of(packed.read(BLOCK))
    packed.seek(0)
    if unpack is None:
        return packed
    with packed:
        copy = _temporary(path)
        try:
            _unpack(path, unpack(packed), copy)
        except BaseException:
            copy.close()
            raise
    return copy


def _temporary(path: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise LimitError(_no_room(path, error)) from error


def _unpack(path: Path, chunks: Iterator[bytes], copy: IO[bytes]) -> None:
    """Write what a compressed archive holds, up to `MAX_ARCHIVE_BYTES`, if that is a tar."""
    start, total = b"", 0
    while True:
        try:
            chunk = next(chunks, None)
        except (*_DAMAGE, OSError) as error:
            raise SourceError(_damaged(path, error)) from error
        if chunk is None:
            break
        if len(start) < BLOCK <= len(start) + len(chunk) and not is_tar_header(
            (start + chunk)[:BLOCK]
        ):
            break
        start = (start + chunk)[:BLOCK]
        total += len(chunk)
        if total > MAX_ARCHIVE_BYTES:
            raise SourceError(too_large(path, f"more than {MAX_ARCHIVE_BYTES} bytes"))
        try:
            copy.write(chunk)
        except OSError as error:
            raise LimitError(_no_room(path, error)) from error
    if not is_tar_header(start):
        raise SourceError(f"{path}: is compressed, but holds no tar archive; unpack it")


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: is a tar archive that is damaged or cut short ({error}); download it again"


def _no_room(path: Path, error: OSError) -> str:
    where = tempfile.gettempdir()
    return (
        f"{path}: cannot be unpacked to a temporary file in {where}: {reason(error)}; set TMPDIR, "
        "or unpack it yourself and give the folder"
    )
