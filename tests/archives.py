"""Folders and zip archives to test on, and zips spoiled byte by byte."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, bytes]

CENTRAL = b"PK\x01\x02"
"""The start of an entry in a zip's central directory, of which these are fields by offset and
layout (.ZIP File Format Specification, 4.3.12)."""

FLAGS, METHOD, CRC = (8, "<H"), (10, "<H"), (16, "<I")
PACKED_SIZE, FILE_SIZE = (20, "<I"), (24, "<I")
Field = tuple[int, str]


def write_folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    root.mkdir(exist_ok=True)
    return root


def write_zip(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def set_field(path: Path, field: Field, value: int, entry: int = 0) -> None:
    """Change a field of one entry in a zip's central directory."""
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(entry + 1):
        place = data.index(CENTRAL, place + 1)
    offset, layout = field
    struct.pack_into(layout, data, place + offset, value)
    path.write_bytes(data)


def replace_bytes(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def zip_of(folder: Path) -> Path:
    """Zip a folder beside it, with names relative to it."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(folder).as_posix())
    return target
