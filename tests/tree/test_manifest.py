"""The manifest: its exact bytes, and that nothing else than these is taken for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import ManifestError
from kolektor_cli.tree.manifest import FORMAT, Manifest, fingerprint, from_bytes
from tests.manifests import TINY, manifests, sealed, texts, to_bytes

FORMAT_1 = """{
  "format": 1,
  "kolektor": "9.9.9",
  "category": "Gr\\u00f6\\u00dfe",
  "release": "KolektorSDD",
  "options": {
    "size": [
      256,
      640
    ],
    "color": "rgb",
    "names": "index"
  },
  "split": {
    "protocol": "balanced",
    "seed": 0,
    "test_good": 52,
    "val": 0.0
  },
  "fingerprint": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
  "unused": [
    "kos01/Part1"
  ],
  "left_out": {
    "kos02/Part0": "unreadable"
  },
  "files": [
    {
      "path": "test/defect/000.png",
      "role": "image",
      "sample": "kos01/Part5",
      "group": "kos01",
      "split": "test",
      "label": "defective",
      "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "pixels_sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
      "source_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
      "source_size": [
        500,
        1263
      ],
      "window": [
        0,
        0,
        500,
        1263
      ],
      "size": [
        256,
        640
      ]
    }
  ]%s
}
"""
"""The tiny manifest as versions before 0.2 wrote it; the last line is its SHA-256 without it."""

FORMAT_2 = """{
  "format": 2,
  "kolektor": "9.9.9",
  "category": "Gr\\u00f6\\u00dfe",
  "release": "KolektorSDD",
  "options": {
    "size": [
      256,
      640
    ],
    "color": "rgb",
    "names": "index"
  },
  "split": {
    "protocol": "balanced",
    "seed": 0,
    "test_good": 52,
    "val": 0.0
  },
  "fingerprint": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
  "lost": [],
  "unused": [
    "kos01/Part1"
  ],
  "left_out": {
    "kos02/Part0": "unreadable"
  },
  "files": [
    {
      "path": "test/defect/000.png",
      "role": "image",
      "sample": "kos01/Part5",
      "group": "kos01",
      "split": "test",
      "label": "defective",
      "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "pixels_sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
      "source_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
      "source_size": [
        500,
        1263
      ],
      "window": [
        0,
        0,
        500,
        1263
      ],
      "size": [
        256,
        640
      ],
      "placement": [
        0,
        0,
        256,
        640
      ]
    }
  ]%s
}
"""
"""The tiny manifest as it must be written; the last line is its SHA-256 without that line."""


def tiny_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(to_bytes(TINY))
    del content["sha256"]
    return content


def with_checksum(text: str) -> str:
    checksum = hashlib.sha256((text % "").encode()).hexdigest()
    return text % f',\n  "sha256": "{checksum}"'


def test_bytes_of_a_manifest_never_change() -> None:
    assert to_bytes(TINY).decode() == with_checksum(FORMAT_2)
    assert FORMAT == 2


@pytest.mark.parametrize("text", [FORMAT_1, FORMAT_2], ids=["1", "2"])
def test_manifest_of_every_format_is_read(text: str) -> None:
    assert from_bytes(with_checksum(text).encode()) == TINY


@given(manifests)
def test_manifest_reads_back_as_it_was_written(manifest: Manifest) -> None:
    data = to_bytes(manifest)
    assert from_bytes(data) == manifest
    assert to_bytes(from_bytes(data)) == data
    assert data.isascii()


def single_byte_changes(data: bytes) -> Iterator[bytes]:
    """Yield the data with each byte flipped in its lowest bit, in its case, removed and doubled."""
    for index, byte in enumerate(data):
        start, end = data[:index], data[index + 1 :]
        for other in (bytes([byte ^ 1]), bytes([byte ^ 0x20]), b"", bytes([byte, byte])):
            yield start + other + end


def test_every_change_of_a_byte_is_refused() -> None:
    data = to_bytes(TINY)
    changes = list(single_byte_changes(data))
    assert len(changes) == 4 * len(data)
    for changed in changes:
        with pytest.raises(ManifestError, match=r"manifest\.json: "):
            from_bytes(changed)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"\n",
        lambda data: json.dumps(json.loads(data), indent=2, sort_keys=True).encode() + b"\n",
        lambda data: data.replace(b'"format": 2,', b'"format": 2,\n  "format": 2,'),
    ],
    ids=["one line", "CRLF", "BOM", "newline", "sorted keys", "key twice"],
)
def test_other_ways_to_write_the_same_are_refused(rewrite: Any) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.json: was altered"):
        from_bytes(rewrite(to_bytes(TINY)))


def test_wrong_checksum_is_refused() -> None:
    data = to_bytes(TINY)
    with pytest.raises(ManifestError, match="does not match its own checksum"):
        from_bytes(data.replace(b"9.9.9", b"9.9.8"))


@pytest.mark.parametrize("number", [FORMAT + 1, 999])
def test_newer_format_is_refused_with_the_way_out(number: int) -> None:
    content = {"format": number, "something": "new"}
    with pytest.raises(ManifestError, match=rf"format {number}.*use a newer kolektor"):
        from_bytes(sealed(content))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"not JSON",
        b"\xff\xfe",
        b"\0" * 10,
        b'{"format": 1',
        b'{"format": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.json: is not JSON"):
        from_bytes(data)


@pytest.mark.parametrize(
    "content", ["[]", "null", "1", '"text"', "{}", '{"format": "1"}', '{"format": null}']
)
def test_json_that_is_no_manifest_is_refused(content: str) -> None:
    with pytest.raises(ManifestError, match="no format number"):
        from_bytes(content.encode())


@pytest.mark.parametrize("number", [0, -1])
def test_format_that_never_was_is_refused(number: int) -> None:
    with pytest.raises(ManifestError):
        from_bytes(sealed({**tiny_content(), "format": number}))


def nested(depth: int) -> bytes:
    return b'{"format": 1, "options": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def can_be_parsed(data: bytes) -> bool:
    try:
        json.loads(data)
    except RecursionError:
        return False
    return True


def deepest_nesting() -> int:
    """Find the depth at which Python's parser gives up, by bisection."""
    readable, unreadable = 1, 10**6
    while unreadable - readable > 1:
        middle = (readable + unreadable) // 2
        if can_be_parsed(nested(middle)):
            readable = middle
        else:
            unreadable = middle
    return readable


def test_nesting_of_any_depth_is_refused() -> None:
    # What writes JSON gives up at another depth than what reads it, so the edge is tried.
    edge = deepest_nesting()
    for depth in (10, *range(edge - 8, edge + 8), 10**6):
        with pytest.raises(ManifestError, match=r"manifest\.json: "):
            from_bytes(nested(depth))


@pytest.mark.parametrize(
    "name",
    [
        *("kolektor", "category", "release", "options", "split", "fingerprint", "unused"),
        *("left_out", "files"),
    ],
)
def test_manifest_without_one_of_its_keys_is_refused(name: str) -> None:
    content = tiny_content()
    del content[name]
    with pytest.raises(ManifestError, match=name):
        from_bytes(sealed(content))


@pytest.mark.parametrize("name", list(tiny_content()["files"][0]))
def test_file_without_one_of_its_keys_is_refused(name: str) -> None:
    content = tiny_content()
    del content["files"][0][name]
    with pytest.raises(ManifestError, match=name):
        from_bytes(sealed(content))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kolektor", 1),
        ("category", None),
        ("release", []),
        ("options", []),
        ("options", None),
        ("split", "balanced"),
        ("split", {"protocol": ["balanced"]}),
        ("fingerprint", 5),
        ("unused", "kos01/Part1"),
        ("unused", 5),
        ("unused", [["kos01/Part1"]]),
        ("left_out", []),
        ("left_out", "x"),
        ("files", {}),
        ("files", "files"),
        ("files", [1]),
        ("files", None),
    ],
)
def test_manifest_with_a_value_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ManifestError):
        from_bytes(sealed({**tiny_content(), name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", 5),
        ("path", None),
        ("sample", ["kos01/Part5"]),
        ("sha256", 0),
        ("pixels_sha256", None),
        ("source_sha256", {}),
        ("source_size", [500]),
        ("source_size", ["500", "1263"]),
        ("window", [0, 0, 500]),
        ("window", "0005"),
        ("size", 256),
        ("size", [256, 640, 3]),
        ("size", [256.5, 640]),
        ("placement", None),
        ("placement", [0, 0, 256]),
    ],
)
def test_file_with_a_value_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    content = tiny_content()
    content["files"][0][name] = value
    with pytest.raises(ManifestError):
        from_bytes(sealed(content))


def test_manifest_without_files_or_parameters_is_read() -> None:
    bare = replace(TINY, files=(), unused=(), left_out={}, protocol_parameters={}, options={})
    assert from_bytes(to_bytes(bare)) == bare


FILES = [("test/good/000.png", "0" * 64), ("train/good/000.png", "1" * 64)]


def test_fingerprint_is_a_hash_of_pixels_and_paths_sorted_by_path() -> None:
    lines = "".join(f"{pixels} {path}\n" for path, pixels in FILES)
    assert fingerprint(FILES) == hashlib.sha256(lines.encode()).hexdigest()
    assert fingerprint([]) == hashlib.sha256(b"").hexdigest()
    umlaut = hashlib.sha256("1 ä.png\n".encode()).hexdigest()
    assert fingerprint([("ä.png", "1")]) == umlaut


@given(st.dictionaries(texts, texts, min_size=2), st.data())
def test_fingerprint_does_not_depend_on_order(files: dict[str, str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(list(files.items())))
    assert fingerprint(shuffled) == fingerprint(files.items())


@pytest.mark.parametrize(
    "other",
    [
        [("test/good/001.png", "0" * 64), FILES[1]],
        [("test/good/000.png", "2" * 64), FILES[1]],
        [("test/good/000.png", "1" * 64), ("train/good/000.png", "0" * 64)],
        FILES[:1],
        [*FILES, ("train/good/001.png", "1" * 64)],
    ],
    ids=["path", "pixels", "swapped", "removed", "added"],
)
def test_fingerprint_depends_on_paths_and_pixels(other: list[tuple[str, str]]) -> None:
    assert fingerprint(other) != fingerprint(FILES)
