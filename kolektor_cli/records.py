"""The values that the modules hand to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Label: TypeAlias = Literal["good", "defective"]
SplitName: TypeAlias = Literal["train", "val", "test", "unused"]
OfficialSplit: TypeAlias = Literal["train", "test"]
TrainDefects: TypeAlias = Literal["unused", "test"]
SampleLayout: TypeAlias = Literal["kolektorsdd", "boxes", "kolektorsdd2"]
Severity: TypeAlias = Literal["error", "warning", "info"]
Role: TypeAlias = Literal["image", "mask"]
Color: TypeAlias = Literal["rgb", "gray"]
DuplicateKind: TypeAlias = Literal["file", "pixels", "near"]
Names: TypeAlias = Literal["index", "source"]
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels, in this order."""

DUPLICATE_KINDS: tuple[DuplicateKind, ...] = ("file", "pixels", "near")
LABELS: tuple[Label, ...] = ("good", "defective")
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test", "unused")


def natural_key(name: str) -> tuple[object, ...]:
    """Sort key that puts ``Part10`` behind ``Part9``; distinct names have distinct keys."""
    parts = re.split(r"0*(\d+)", name, flags=re.ASCII)
    # Of two numbers without leading zeros, the longer is the greater.
    keys = tuple((len(p), p) if index % 2 else p for index, p in enumerate(parts))
    return keys, name


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one file or about the whole, worth telling.

    `severity`: ``error`` for what is damaged, missing or ambiguous; ``warning`` for what deviates
    from what was expected but can be worked with; ``info`` for what is harmless. `path` names the
    file or folder, relative to the source or the tree, with forward slashes.
    """

    severity: Severity
    code: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of the source with its mask.

    `name` is ``item/part``, or ``train/number`` and ``test/number`` where the release itself splits
    its images (`official_split`; None elsewhere), each of which is an item then; `group` names the
    physical item, which items that share a picture are one of; `image` and `mask` are the names of
    the two files in the source; sizes are in pixels; `defect_pixels` counts the mask's non-zero
    pixels; the hashes are SHA-256 of the two files' bytes, in hexadecimal.
    """

    name: str
    item: str
    group: str
    image: str
    mask: str
    width: int
    height: int
    defect_pixels: int
    image_sha256: str
    mask_sha256: str
    official_split: OfficialSplit | None = None

    @property
    def label(self) -> Label:
        """Defective if any pixel of the mask is marked."""
        return "defective" if self.defect_pixels else "good"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two samples that are the same picture; `first` comes before `second` in natural order.

    `kind`: ``file`` for identical files, ``pixels`` for identical pixels in other files, ``near``
    for a picture that was taken or encoded again.
    """

    first: str
    second: str
    kind: DuplicateKind


@dataclass(frozen=True, slots=True)
class Leak:
    """The same picture on both sides: a sample that is trained on and one that is tested."""

    train: str
    test: str
    kind: DuplicateKind


@dataclass(frozen=True, slots=True)
class Scan:
    """What a source holds: the usable samples, in natural order of their names, and findings.

    `duplicates` are all pairs of samples that are the same picture; `distinct` counts pictures.
    Candidates that are no usable sample are in `left_out`, with the code of the finding that says
    why.
    `official_images` and `official_masks` count the files that are, byte for byte, those of the
    official release; None where these are not known.
    """

    release: str
    samples: tuple[Sample, ...]
    left_out: Mapping[str, str]
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...]
    distinct: int
    official_images: int | None
    official_masks: int | None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stand in the way of a conversion."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """What a synthetic dataset holds."""

    items: int
    good: int
    defective: int


@dataclass(frozen=True, slots=True)
class Split:
    """Which sample goes where, and by what rule.

    `assigned` maps sample names to split names and covers every sample; `parameters` are the
    protocol's own, as they stand in the manifest.
    """

    protocol: str
    parameters: Mapping[str, int | float | str]
    assigned: Mapping[str, SplitName]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the pixels of a source image become those of an output image.

    The `window` of the source (x, y, width, height in source pixels; the origin is the outer
    corner of the top left pixel) is scaled to the output `size`. See `kolektor_cli.geometry`.
    """

    source_size: Size
    window: tuple[int, int, int, int]
    size: Size


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to write, with its mask if it is defective.

    Paths are relative to the category folder, with forward slashes.
    """

    sample: Sample
    split: SplitName
    path: str
    mask_path: str | None
    geometry: Geometry


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the bytes of a tree.

    `options` are those of the command, as they stand in the manifest.
    """

    category: str
    release: str
    options: Mapping[str, object]
    color: Color
    split: Split
    images: tuple[PlannedImage, ...]
    unused: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a tree, as the manifest records it.

    `sha256` is that of the file's bytes; `pixels_sha256` that of its decoded pixels (uint8,
    row-major; height x width, or height x width x 3 in the order red, green, blue where the
    channels differ); `source_sha256` that of the file in the source from which it was made.
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
    """The record of how a tree was made; see `kolektor_cli.manifest` for its file format."""

    kolektor: str
    category: str
    release: str
    options: Mapping[str, object]
    protocol: str
    protocol_parameters: Mapping[str, object]
    unused: tuple[str, ...]
    left_out: Mapping[str, str]
    fingerprint: str
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of a tree and what it found; `skipped` says why it could not be made."""

    name: str
    description: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: warnings and information do not count."""
        return all(finding.severity != "error" for finding in self.findings)


Counts: TypeAlias = Mapping[tuple[SplitName, Label], int]
"""Numbers of samples or images, by split and label."""


@dataclass(frozen=True, slots=True)
class Report:
    """The checks of one category folder, and how many images it holds."""

    category: str
    counts: Counts
    fingerprint: str | None
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)
