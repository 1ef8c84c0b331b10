"""Archives as sources, known by their first bytes, whatever their names."""

from __future__ import annotations

import zipfile
from pathlib import Path

from kolektor_cli.errors import SourceError, reason
from kolektor_cli.io.source import Source
from kolektor_cli.io.tars import BLOCK, TarSource, is_tar_header, packing_of
from kolektor_cli.io.zips import ZipSource

_OTHER_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"MSCF": "cabinet",
    b"\x60\xea": "ARJ",
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "LZ4",
    b"LZIP": "lzip",
}
"""First bytes of archives that are not read."""

_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"BM")


def open_archive(path: Path) -> Source:
    """Open a zip archive, or a tar archive that may be compressed by gzip, bzip2 or xz.

    Raises
    ------
    SourceError
        The file is no such archive, or it is damaged or too large.
    """
    try:
        with path.open("rb") as file:
            start = file.read(BLOCK)
        is_zip = start.startswith(b"PK") or zipfile.is_zipfile(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    if is_tar_header(start) or packing_of(start):
        return TarSource(path)
    if is_zip:
        return ZipSource(path)
    raise SourceError(f"{path}: {_why_no_archive(start)}")


def _why_no_archive(start: bytes) -> str:
    """Say what a file is by its first bytes, and what to do."""
    if not start:
        return "is an empty file: the download failed; download it again"
    for magic, name in _OTHER_ARCHIVES.items():
        if start.startswith(magic):
            return f"is a {name} archive, which is not read; unpack it and give the folder"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body")):
        return "is a web page, not an archive: the download failed; download it again"
    if not any(start):
        return "holds nothing but zeros: the download failed; download it again"
    if start.startswith(_IMAGES):
        return "is one image; give the folder or archive that holds the dataset"
    return (
        "is neither a folder nor a zip archive nor a tar; give the folder or archive of the dataset"
    )
