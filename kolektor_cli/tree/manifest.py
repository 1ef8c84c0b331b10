"""The manifest of a tree and its file format: versioned JSON in a fixed order, with a checksum.

A manifest is written in exactly one way (keys in the order below, an indent of two spaces, ASCII)
and ends with the SHA-256 of this JSON without the checksum. It holds no time, host name or absolute
path: the same source and options give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

from kolektor_cli.errors import ManifestError, UsageError
from kolektor_cli.imaging.geometry import Geometry
from kolektor_cli.raw.layout_options import LayoutOptions, layout_of
from kolektor_cli.samples import Label
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.layout import MANIFEST_NAME

FORMAT = 2
"""The format that this version writes, and the newest that it reads.

Format 2 added ``lost``, the `placement` of each file's geometry, and the option ``fit``. In format
1 every image is stretched, so its placement is the whole output and nothing is lost. ``segmented``
is there only if the split tells of it, so it needs no format of its own.
"""

_CHECKSUM = b',\n  "sha256": '

_END = b"\n}\n"

Role: TypeAlias = Literal["image", "mask"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a tree, as the manifest records it.

    `sha256` hashes the file's bytes and `source_sha256` the bytes of its source file.
    `pixels_sha256` hashes the decoded pixels: uint8, row-major; height x width, or height x width x
    3 in the order red, green, blue if the channels differ.
    """

    path: str
    role: Role
    sample: str
    group: str
    split: SplitName
    label: Label
    sha256: str
    pixels_sha256: str
    source_sha256: str
    geometry: Geometry


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record of how a tree was made.

    `lost`, `unused` and `left_out` are as in `Plan`. `segmented` is that of the `Split`.
    """

    kolektor: str
    category: str
    release: str
    options: Mapping[str, object]
    protocol: str
    protocol_parameters: Mapping[str, object]
    lost: tuple[str, ...]
    unused: tuple[str, ...]
    left_out: Mapping[str, str]
    fingerprint: str
    files: tuple[FileEntry, ...]
    segmented: Mapping[str, bool] = field(default_factory=dict)

    @property
    def types(self) -> frozenset[str] | None:
        """The types of defects that the options allow; None if the options are wrong."""
        layout = self._layout
        return layout.types if layout else None

    @property
    def has_masks(self) -> bool:
        """Whether the source has masks, so that defective test images have some, too."""
        layout = self._layout
        return layout is None or layout.has_masks

    @property
    def _layout(self) -> LayoutOptions | None:
        try:
            return layout_of(self.options)
        except UsageError:
            # The check against the source reports it.
            return None


def fingerprint(files: Iterable[tuple[str, str]]) -> str:
    r"""Return the SHA-256 of what a consumer reads: the paths and the pixels.

    `files` are pairs of a path in the category folder and a ``pixels_sha256``. Each gives a line
    ``"<pixels_sha256> <path>\n"`` (UTF-8), and the lines are sorted by path. Trees with the same
    fingerprint have the same pixels under the same names, however their PNGs are compressed.
    """
    digest = hashlib.sha256()
    for path, pixels in sorted(files):
        digest.update(f"{pixels} {path}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def to_pieces(manifest: Manifest) -> Iterator[bytes]:
    """Yield a serialised manifest in pieces, so that the whole text is never in memory."""
    digest = hashlib.sha256()
    for text in _texts_of(manifest):
        piece = text.encode("ascii")
        digest.update(piece)
        yield piece
    digest.update(_END)
    yield _CHECKSUM + _checksum(digest.hexdigest())


def _checksum(sha256: str) -> bytes:
    return f'"{sha256}"'.encode("ascii") + _END


def _texts_of(manifest: Manifest) -> Iterator[str]:
    """Yield the text of ``json.dumps`` with an indent of 2, files last, up to the checksum."""
    content = {
        "format": FORMAT,
        "kolektor": manifest.kolektor,
        "category": manifest.category,
        "release": manifest.release,
        "options": dict(manifest.options),
        "split": {"protocol": manifest.protocol, **manifest.protocol_parameters},
        "fingerprint": manifest.fingerprint,
        "lost": manifest.lost,
        "unused": manifest.unused,
        "left_out": dict(manifest.left_out),
    }
    if manifest.segmented:
        content["segmented"] = dict(manifest.segmented)
    yield json.dumps(content, indent=2).removesuffix("\n}")
    yield ',\n  "files": ['
    end = "]"
    for index, entry in enumerate(manifest.files):
        # Every line feed is between values: JSON escapes those in strings.
        indented = json.dumps(_file_to_json(entry), indent=2).replace("\n", "\n    ")
        yield ("," if index else "") + "\n    " + indented
        end = "\n  ]"
    yield end


def _file_to_json(entry: FileEntry) -> dict[str, Any]:
    facts = _values(entry)
    geometry = _values(facts.pop("geometry"))
    return {**facts, **geometry}


def _values(record: FileEntry | Geometry) -> dict[str, Any]:
    """Return the fields of a record by name; unlike ``asdict``, it copies no value."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def from_bytes(data: bytes) -> Manifest:
    """Return the manifest of a file's bytes, in this format or an older one.

    Raises
    ------
    ManifestError
        The bytes are no manifest, are of a format newer than `FORMAT`, or were changed.
    """
    try:
        content = json.loads(data, object_hook=_made_small)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: is not JSON: {error}") from error
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ManifestError(
            f"{MANIFEST_NAME}: is not a manifest of kolektor: it has no format number"
        )
    if content["format"] > FORMAT:
        raise ManifestError(
            f"{MANIFEST_NAME}: is of format {content['format']}, this version reads up to "
            f"{FORMAT}; use a newer kolektor"
        )
    if content["format"] < 1:
        raise ManifestError(
            f"{MANIFEST_NAME}: is of format {content['format']}, which does not exist"
        )
    if not _fits_checksum(data):
        raise ManifestError(f"{MANIFEST_NAME}: was altered: it does not match its own checksum")
    try:
        return _from_json(content)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: has a missing or wrong value: {error}") from error


def _fits_checksum(data: bytes) -> bool:
    """Return whether a manifest's checksum fits the rest of its bytes."""
    body, _, end = data.rpartition(_CHECKSUM)
    return end == _checksum(hashlib.sha256(body + _END).hexdigest())


def _from_json(content: dict[str, Any]) -> Manifest:
    """Make a manifest of its JSON, and check the values against the types of the dataclasses."""
    split = dict(content["split"])
    facts = {
        "lost": (),  # format 1 has none
        **content,
        "protocol": split.pop("protocol"),
        "protocol_parameters": split,
        "files": (),
    }
    manifest = msgspec.convert(facts, Manifest)
    if not isinstance(content["files"], list):
        raise TypeError("'files', which is not a list")
    files = (_file_from_json(entry, content["format"]) for entry in content["files"])
    return replace(manifest, files=tuple(files))


def _made_small(value: dict[str, Any]) -> object:
    """Make an entry of a JSON object as soon as it is read, if it is one of this format.

    All objects of a large manifest together would take several times the memory of the entries,
    and leave it in pieces. What is no right entry stays, to be reported.
    """
    if "placement" not in value:
        return value
    try:
        return _file_from_json(value, FORMAT)
    except (KeyError, msgspec.ValidationError):
        return value


def _file_from_json(entry: object, format_: int) -> FileEntry:
    if isinstance(entry, FileEntry):
        return entry
    facts = msgspec.convert(entry, dict[str, Any])
    if format_ == 1:
        facts["placement"] = [0, 0, *facts["size"]]
    geometry = {key: facts[key] for key in ("source_size", "window", "size", "placement")}
    made = msgspec.convert({**facts, "geometry": geometry}, FileEntry)
    return replace(made, geometry=_one_of_equal(made.geometry))


@lru_cache(maxsize=1024)
def _one_of_equal(geometry: Geometry) -> Geometry:
    """Return the first geometry that equals this one, as few differ: this saves memory."""
    return geometry
