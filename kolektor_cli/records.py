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
ConsumerName: TypeAlias = Literal[
    "anomalib",
    "patchcore",
    "cflow",
    "cfa",
    "fastflow",
    "efficientad",
    "simplenet",
    "anomalyclip",
    "adaclip",
    "ader",
]
FitName: TypeAlias = Literal["stretch", "pad", "crop", "thirds", "square"]
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels, in this order."""
AskedSize: TypeAlias = Size | Literal["source"] | None
"""A size, or each source image's own, or nothing asked for."""
Rectangle: TypeAlias = tuple[int, int, int, int]
"""Left, top, width and height in whole pixels; the origin is the image's top left corner."""

DUPLICATE_KINDS: tuple[DuplicateKind, ...] = ("file", "pixels", "near")
LABELS: tuple[Label, ...] = ("good", "defective")
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test", "unused")
FIT_NAMES: tuple[FitName, ...] = ("stretch", "pad", "crop", "thirds", "square")


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
class Fit:
    """How source images are brought to output images; see `kolektor_cli.fits`.

    `size` is the width and height of every output image, or None where each has its own; `seed`
    decides where the windows of ``square`` lie on good images, and nothing else.
    """

    name: FitName
    size: Size | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the pixels of a source image become those of an output image.

    The `window` of the source is scaled to the `placement` in the output image of `size` (width,
    height); what of the output lies outside of the placement is padding. All in pixels, with the
    origin at the outer corner of the top left pixel. See `kolektor_cli.geometry`.
    """

    source_size: Size
    window: Rectangle
    size: Size
    placement: Rectangle


@dataclass(frozen=True, slots=True)
class View:
    """One output image of a sample: how it is made, and the label that its own mask gives it."""

    geometry: Geometry
    label: Label


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit makes of samples: the views of each, from top to bottom, by the sample's name."""

    fit: Fit
    views: Mapping[str, tuple[View, ...]]


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """What a consumer does to images of its own accord.

    The shorter side is resized to `resize` pixels, then the central square of `side` pixels cut
    out. `name` says whose it is.
    """

    name: str
    resize: int
    side: int


@dataclass(frozen=True, slots=True)
class FittedDefects:
    """What a fit does to the defects of one sample.

    `area_kept` is the part of the source's marked pixels that lies in an output image, from 0 to 1;
    `smallest_defect` the marked pixels of the smallest 8-connected component of an output mask, 0
    if every mask is empty; `marked` those of all output masks, and `marked_in_crops` how many of
    them each center crop leaves, for each mask by itself.
    """

    sample: str
    images: int
    defective: int
    area_kept: float
    smallest_defect: int
    marked: tuple[int, ...]
    marked_in_crops: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a fit makes of a whole source: output images, their sizes, and what becomes of defects.

    `widths` and `heights` are (smallest, largest) in pixels.
    """

    fit: Fit
    good: int
    defective: int
    widths: tuple[int, int]
    heights: tuple[int, int]
    defects: tuple[FittedDefects, ...]
    crops: tuple[CenterCrop, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """The defective samples of which no output image is defective."""
        return tuple(defects.sample for defects in self.defects if not defects.defective)


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to write, with its mask if it is defective.

    Paths are relative to the category folder, with forward slashes.
    """

    sample: Sample
    split: SplitName
    view: View
    path: str
    mask_path: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the bytes of a tree.

    `options` are those of the command, as they stand in the manifest. `lost` names the defective
    samples that are tested and of which no output image shows a defect.
    """

    category: str
    release: str
    options: Mapping[str, object]
    color: Color
    split: Split
    images: tuple[PlannedImage, ...]
    lost: tuple[str, ...]
    unused: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Guide:
    """How a consumer trains on a tree.

    `files` are the names of what it reads beside the category folder; `commands` are for a shell,
    in the folder of the consumer's code.
    """

    consumer: ConsumerName
    title: str
    files: tuple[str, ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...]


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
    """The record of how a tree was made; see `kolektor_cli.manifest` for its file format.

    `lost`, `unused` and `left_out` are as in `Plan` and `Scan`.
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
class Conversion:
    """What came of a conversion, or would.

    `counts` are of output images; `preview` is that of a dry run, `manifest` of a real one.
    """

    target: str
    scan: Scan
    plan: Plan
    counts: Counts
    leaks: tuple[Leak, ...]
    guide: Guide | None
    preview: Preview | None
    manifest: Manifest | None


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
