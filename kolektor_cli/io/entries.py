"""Entries of archives: which are read as files, under which names, and which are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from kolektor_cli.errors import SourceError
from kolektor_cli.io.source import MAX_ARCHIVE_BYTES, Unread

Member = TypeVar("Member")

EntryKind: TypeAlias = Literal["file", "folder", "other"]


@dataclass(frozen=True, slots=True)
class Entry(Generic[Member]):
    """One entry of an archive: its name with slashes, its kind and size, and how to read it.

    `odd` says why the entry cannot be read, if its archive's format tells.
    """

    name: str
    kind: EntryKind
    size: int
    member: Member
    odd: str | None = None


@dataclass(frozen=True, slots=True)
class Contents(Generic[Member]):
    """What an archive holds: files by name, folders, and entries that are not read."""

    files: dict[str, Member]
    folders: tuple[str, ...]
    unread: tuple[Unread, ...]


def contents_of(path: Path, entries: Iterable[Entry[Member]]) -> Contents[Member]:
    """Sort the entries of an archive.

    Raises
    ------
    SourceError
        A file is there twice, or all files together are too large.
    """
    kept: list[Entry[Member]] = []
    unread: list[Unread] = []
    for entry in entries:
        why = _why_not_read(entry)
        if why:
            unread.append(Unread(entry.name, why))
        else:
            kept.append(entry)
    files = [(_plain(entry.name), entry) for entry in kept if entry.kind == "file"]
    _refuse_repeated(path, [name for name, _ in files])
    total = sum(entry.size for _, entry in files)
    if total > MAX_ARCHIVE_BYTES:
        raise SourceError(too_large(path, f"{total} bytes"))
    folders = {_plain(entry.name) for entry in kept if entry.kind == "folder"} - {""}
    folders |= _folders_above([*folders, *(name for name, _ in files)])
    by_name = {name: entry.member for name, entry in files}
    return Contents(by_name, tuple(sorted(folders)), tuple(sorted(unread)))


def too_large(path: Path, size: str) -> str:
    """Return the message that refuses an archive for its unpacked size."""
    return f"{path}: unpacks to {size}; no archive of these datasets is that large"


def _plain(name: str) -> str:
    """Return a name without ``./`` before it, as tar writes it, and a slash behind it."""
    return "" if name in (".", "./") else name.removeprefix("./").removesuffix("/")


def _why_not_read(entry: Entry[Member]) -> str | None:
    """Return why an entry is not read (an unsafe name, or not a file), or None."""
    if entry.odd:
        return entry.odd
    if entry.name.startswith("/") or re.match("[A-Za-z]:", entry.name):
        return "has an absolute path as its name; unpack the archive and give the folder"
    name = _plain(entry.name)
    if {"", ".", ".."} & set(name.split("/")) and not (name == "" and entry.kind == "folder"):
        return "has a name that leads elsewhere; unpack the archive and give the folder"
    if entry.kind == "other":
        return "is a link or a device in the archive; unpack it and give the folder"
    return None


def _refuse_repeated(path: Path, names: Sequence[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise SourceError(f"{path}: holds {name} twice; unpack and clean it first")


def _folders_above(names: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
