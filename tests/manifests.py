"""Manifests to read and to spoil, made by hand and by Hypothesis."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import strategies as st

from kolektor_cli.imaging.geometry import Geometry
from kolektor_cli.tree.manifest import FileEntry, Manifest, to_pieces

IMAGE = FileEntry(
    path="test/defect/000.png",
    role="image",
    sample="kos01/Part5",
    group="kos01",
    split="test",
    label="defective",
    sha256="a" * 64,
    pixels_sha256="b" * 64,
    source_sha256="c" * 64,
    geometry=Geometry((500, 1263), (0, 0, 500, 1263), (256, 640), (0, 0, 256, 640)),
)

TINY = Manifest(
    kolektor="9.9.9",
    category="Größe",
    release="KolektorSDD",
    options={"size": [256, 640], "color": "rgb", "names": "index"},
    protocol="balanced",
    protocol_parameters={"seed": 0, "test_good": 52, "val": 0.0},
    lost=(),
    unused=("kos01/Part1",),
    left_out={"kos02/Part0": "unreadable"},
    fingerprint="d" * 64,
    files=(IMAGE,),
)


def sealed(content: dict[str, Any]) -> bytes:
    """Write a manifest with a checksum that fits, as a newer version or a forger would."""
    data = (json.dumps(content, indent=2) + "\n").encode()
    checksum = hashlib.sha256(data).hexdigest()
    return (json.dumps({**content, "sha256": checksum}, indent=2) + "\n").encode()


texts = st.text()

numbers = st.integers(0, 2**40)
sizes = st.tuples(numbers, numbers)
rectangles = st.tuples(numbers, numbers, numbers, numbers)
entries = st.builds(
    FileEntry,
    path=texts,
    sample=texts,
    sha256=texts,
    pixels_sha256=texts,
    source_sha256=texts,
    geometry=st.builds(Geometry, sizes, rectangles, sizes, rectangles),
)
parameter_names = texts.filter(lambda name: name != "protocol")
manifests = st.builds(
    Manifest,
    kolektor=texts,
    category=texts,
    release=texts,
    options=st.dictionaries(texts, texts | numbers | st.lists(numbers)),
    protocol=texts,
    protocol_parameters=st.dictionaries(parameter_names, numbers | st.floats(0, 1) | texts),
    lost=st.lists(texts).map(tuple),
    unused=st.lists(texts).map(tuple),
    left_out=st.dictionaries(texts, texts),
    fingerprint=texts,
    files=st.lists(entries, max_size=4).map(tuple),
)


def to_bytes(manifest: Manifest) -> bytes:
    """Serialise a manifest."""
    return b"".join(to_pieces(manifest))
