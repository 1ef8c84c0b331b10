"""The manifest's file format: JSON that is versioned, sorted and checked to the byte.

A manifest is written in exactly one way (keys in the order below, two spaces of indent, ASCII) and
ends with a SHA-256 of itself, so any change of the file is found. It holds no time, host name or
absolute path: the same source and options give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from kolektor_cli.errors import ManifestError
from kolektor_cli.records import FileEntry, Geometry, Manifest
from kolektor_cli.rules import MANIFEST_NAME

FORMAT = 1
"""The number of the format that this version writes, and the newest that it reads."""


def fingerprint(files: Iterable[tuple[str, str]]) -> str:
    r"""Identify a dataset by what a consumer reads: SHA-256 over paths and pixels.

    `files` are pairs of path (in the category folder) and ``pixels_sha256``; hashed is a line
    ``"<pixels_sha256> <path>\n"`` (UTF-8) each, sorted by path. Two trees with one fingerprint
    have the same pixels under the same names, however their PNGs are compressed.
    """
    lines = (f"{pixels} {path}\n" for path, pixels in sorted(files))
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


def to_bytes(manifest: Manifest) -> bytes:
    """Serialise a manifest."""
    content = {
        "format": FORMAT,
        "kolektor": manifest.kolektor,
        "category": manifest.category,
        "release": manifest.release,
        "options": dict(manifest.options),
        "split": {"protocol": manifest.protocol, **manifest.protocol_parameters},
        "fingerprint": manifest.fingerprint,
        "unused": list(manifest.unused),
        "left_out": dict(manifest.left_out),
        "files": [_file_to_json(entry) for entry in manifest.files],
    }
    return _to_bytes(content)


def _to_bytes(content: dict[str, Any]) -> bytes:
    """Write a manifest's content with its own checksum."""
    checksum = hashlib.sha256(_dump(content)).hexdigest()
    return _dump({**content, "sha256": checksum})


def _dump(content: object) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode("ascii")


def _file_to_json(entry: FileEntry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "role": entry.role,
        "sample": entry.sample,
        "split": entry.split,
        "label": entry.label,
        "sha256": entry.sha256,
        "pixels_sha256": entry.pixels_sha256,
        "source_sha256": entry.source_sha256,
        "source_size": list(entry.geometry.source_size),
        "window": list(entry.geometry.window),
        "size": list(entry.geometry.size),
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
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise ManifestError(f"{MANIFEST_NAME}: is no manifest of kolektor: it has no format number")
    if content["format"] > FORMAT:
        raise ManifestError(
            f"{MANIFEST_NAME}: is of format {content['format']}, this version reads up to "
            f"{FORMAT}; use a newer kolektor"
        )
    content.pop("sha256", None)
    if _to_bytes(content) != data:
        raise ManifestError(f"{MANIFEST_NAME}: was altered: it does not fit its own checksum")
    try:
        return _from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: lacks or garbles {error}") from error


def _from_json(content: dict[str, Any]) -> Manifest:
    split = dict(content["split"])
    return Manifest(
        kolektor=content["kolektor"],
        category=content["category"],
        release=content["release"],
        options=content["options"],
        protocol=split.pop("protocol"),
        protocol_parameters=split,
        unused=tuple(content["unused"]),
        left_out=dict(content["left_out"]),
        fingerprint=content["fingerprint"],
        files=tuple(_file_from_json(entry) for entry in content["files"]),
    )


def _file_from_json(entry: dict[str, Any]) -> FileEntry:
    x, y, width, height = entry["window"]
    source_width, source_height = entry["source_size"]
    out_width, out_height = entry["size"]
    return FileEntry(
        path=entry["path"],
        role=entry["role"],
        sample=entry["sample"],
        split=entry["split"],
        label=entry["label"],
        sha256=entry["sha256"],
        pixels_sha256=entry["pixels_sha256"],
        source_sha256=entry["source_sha256"],
        geometry=Geometry(
            (source_width, source_height), (x, y, width, height), (out_width, out_height)
        ),
    )
