"""The manifest's file format: JSON that is versioned, sorted and checked to the byte.

A manifest is written in exactly one way (keys in the order below, two spaces of indent, ASCII) and
ends with a SHA-256 of itself, so any change of the file is found. It holds no time, host name or
absolute path: the same source and options give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar, get_args

from kolektor_cli.errors import ManifestError
from kolektor_cli.records import (
    LABELS,
    SPLIT_NAMES,
    FileEntry,
    Geometry,
    Manifest,
    Rectangle,
    Role,
    Size,
)
from kolektor_cli.rules import MANIFEST_NAME

Known = TypeVar("Known")

FORMAT = 2
"""The number of the format that this version writes, and the newest that it reads.

Format 2 has ``lost``, the `placement` of each file's geometry, and ``fit`` among the options. In
format 1 every image was stretched, so its placement is the whole output and nothing is lost.
"""


_END = b"\n}\n"


def fingerprint(files: Iterable[tuple[str, str]]) -> str:
    r"""Identify a dataset by what a consumer reads: SHA-256 over paths and pixels.

    `files` are pairs of path (in the category folder) and ``pixels_sha256``; hashed is a line
    ``"<pixels_sha256> <path>\n"`` (UTF-8) each, sorted by path. Two trees with one fingerprint
    have the same pixels under the same names, however their PNGs are compressed.
    """
    digest = hashlib.sha256()
    for path, pixels in sorted(files):
        digest.update(f"{pixels} {path}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def to_bytes(manifest: Manifest) -> bytes:
    """Serialise a manifest."""
    return b"".join(to_pieces(manifest))


def to_pieces(manifest: Manifest) -> Iterator[bytes]:
    """Serialise a manifest piece by piece: of 40 000 samples the whole takes 31 MB."""
    content = {
        "format": FORMAT,
        "kolektor": manifest.kolektor,
        "category": manifest.category,
        "release": manifest.release,
        "options": dict(manifest.options),
        "split": {"protocol": manifest.protocol, **manifest.protocol_parameters},
        "fingerprint": manifest.fingerprint,
        "lost": list(manifest.lost),
        "unused": list(manifest.unused),
        "left_out": dict(manifest.left_out),
    }
    return _with_checksum(content, map(_file_to_json, manifest.files))


def _with_checksum(content: dict[str, Any], files: Iterable[object]) -> Iterator[bytes]:
    """Write a manifest's content, its files and its checksum: that of all before, and the end."""
    digest = hashlib.sha256()
    for text in _texts_of(content, files):
        piece = text.encode("ascii")
        digest.update(piece)
        yield piece
    digest.update(_END)
    yield f',\n  "sha256": "{digest.hexdigest()}"'.encode("ascii") + _END


def _texts_of(content: dict[str, Any], files: Iterable[object]) -> Iterator[str]:
    """Write one JSON object, files last, as ``json.dumps`` does with an indent of 2; no end yet."""
    yield json.dumps(content, indent=2).removesuffix("\n}")
    yield ',\n  "files": ['
    end = "]"
    for index, entry in enumerate(files):
        # Line feeds stand between values only: in a text they are escaped.
        indented = json.dumps(entry, indent=2).replace("\n", "\n    ")
        yield ("," if index else "") + "\n    " + indented
        end = "\n  ]"
    yield end


def _file_to_json(entry: FileEntry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "role": entry.role,
        "sample": entry.sample,
        "group": entry.group,
        "split": entry.split,
        "label": entry.label,
        "sha256": entry.sha256,
        "pixels_sha256": entry.pixels_sha256,
        "source_sha256": entry.source_sha256,
        "source_size": list(entry.geometry.source_size),
        "window": list(entry.geometry.window),
        "size": list(entry.geometry.size),
        "placement": list(entry.geometry.placement),
    }


def from_bytes(data: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ManifestError
        It is no manifest, of a format newer than `FORMAT`, or not as it was written.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: is not JSON: {error}") from error
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ManifestError(f"{MANIFEST_NAME}: is no manifest of kolektor: it has no format number")
    if content["format"] > FORMAT:
        raise ManifestError(
            f"{MANIFEST_NAME}: is of format {content['format']}, this version reads up to "
            f"{FORMAT}; use a newer kolektor"
        )
    if content["format"] < 1:
        raise ManifestError(f"{MANIFEST_NAME}: is of format {content['format']}, which never was")
    content.pop("sha256", None)
    try:
        files = _list(content.pop("files"), "files")
        if not _consists_of(data, _with_checksum(content, files)):
            raise ManifestError(f"{MANIFEST_NAME}: was altered: it does not fit its own checksum")
        return _from_json(content, files)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: lacks or garbles {error}") from error


def _consists_of(data: bytes, pieces: Iterable[bytes]) -> bool:
    position = 0
    for piece in pieces:
        if not data.startswith(piece, position):
            return False
        position += len(piece)
    return position == len(data)


def _from_json(content: dict[str, Any], files: list[Any]) -> Manifest:
    split = _object(content, "split")
    return Manifest(
        kolektor=_text(content, "kolektor"),
        category=_text(content, "category"),
        release=_text(content, "release"),
        options=_object(content, "options"),
        protocol=_text(split, "protocol"),
        protocol_parameters={key: split[key] for key in split if key != "protocol"},
        lost=tuple(_texts(content["lost"], "lost")) if content["format"] > 1 else (),
        unused=tuple(_texts(content["unused"], "unused")),
        left_out=dict(zip(*_left_out(_object(content, "left_out")), strict=True)),
        fingerprint=_text(content, "fingerprint"),
        files=tuple(_file_from_json(entry, content["format"]) for entry in _taken_out(files)),
    )


def _taken_out(values: list[Any]) -> Iterator[Any]:
    """Yield values in order and forget each: what is made of one can have its memory."""
    values.reverse()
    while values:
        yield values.pop()


def _left_out(content: dict[str, Any]) -> tuple[list[str], list[str]]:
    return list(content), _texts(list(content.values()), "left_out")


def _file_from_json(entry: Any, format_: int) -> FileEntry:
    if not isinstance(entry, dict):
        raise TypeError(f"'files': {entry!r} is no object")
    return FileEntry(
        path=_text(entry, "path"),
        role=_one_of(entry, "role", get_args(Role)),
        sample=_text(entry, "sample"),
        group=_text(entry, "group"),
        split=_one_of(entry, "split", SPLIT_NAMES),
        label=_one_of(entry, "label", LABELS),
        sha256=_text(entry, "sha256"),
        pixels_sha256=_text(entry, "pixels_sha256"),
        source_sha256=_text(entry, "source_sha256"),
        geometry=_geometry_from_json(entry, format_),
    )


def _geometry_from_json(entry: dict[str, Any], format_: int) -> Geometry:
    source_width, source_height = _numbers(entry, "source_size", 2)
    width, height = _numbers(entry, "size", 2)
    whole = (0, 0, width, height)
    return _geometry(
        (source_width, source_height),
        _rectangle(entry, "window"),
        (width, height),
        whole if format_ == 1 else _rectangle(entry, "placement"),
    )


@lru_cache(maxsize=1024)
def _geometry(source_size: Size, window: Rectangle, size: Size, placement: Rectangle) -> Geometry:
    """Make a geometry; equal ones are one, which of 40 000 images takes 22 MB less."""
    return Geometry(source_size, window, size, placement)


def _rectangle(entry: dict[str, Any], key: str) -> Rectangle:
    left, top, width, height = _numbers(entry, key, 4)
    return left, top, width, height


def _text(content: dict[str, Any], key: str) -> str:
    if not isinstance(content[key], str):
        raise TypeError(f"{key!r}: {content[key]!r} is no text")
    return str(content[key])


def _object(content: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(content[key], dict):
        raise TypeError(f"{key!r}: {content[key]!r} is no object")
    return dict(content[key])


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{key!r}: {value!r} is no list")
    return value


def _texts(value: Any, key: str) -> list[str]:
    if not all(isinstance(entry, str) for entry in _list(value, key)):
        raise TypeError(f"{key!r}: {value!r} is no list of texts")
    return list(value)


def _numbers(content: dict[str, Any], key: str, count: int) -> list[int]:
    value = _list(content[key], key)
    if len(value) != count or not all(type(number) is int for number in value):
        raise TypeError(f"{key!r}: {value!r} is no list of {count} whole numbers")
    return value


def _one_of(content: dict[str, Any], key: str, known: Sequence[Known]) -> Known:
    for value in known:
        if content[key] == value:
            return value
    raise ValueError(f"{key!r}: {content[key]!r} is none of {', '.join(map(str, known))}")
