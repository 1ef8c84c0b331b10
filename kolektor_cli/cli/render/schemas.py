"""What each command's JSON holds, as types; `schemas` makes JSON Schemas of them.

Tests compare real outputs with these types, key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from kolektor_cli.consumers.needs import Guide
from kolektor_cli.core.comparison import TreeDifference, ValueDifference
from kolektor_cli.exports.options import ExportFormat
from kolektor_cli.findings import Finding, State
from kolektor_cli.samples import Duplicate, Label, OfficialSplit
from kolektor_cli.scoring.published import PublishedRow
from kolektor_cli.scoring.results import (
    Difference,
    Figure,
    Group,
    ImageScore,
    RegionScore,
    Segmentation,
)
from kolektor_cli.splits.split import Leak, SplitName
from kolektor_cli.tree.fit import FitName

Range: TypeAlias = list[int]
"""The smallest and the largest number; empty if there are none."""


class Envelope(TypedDict):
    """What every object holds: the version, the command, and whether it found nothing wrong."""

    kolektor: str
    command: str
    ok: bool


class Error(TypedDict):
    """What went wrong, and the exit code."""

    message: str
    exit_code: int


class Failure(TypedDict):
    """What any command prints if it fails: `ok` is false, `command` null if none is known."""

    kolektor: str
    command: str | None
    ok: bool
    error: Error


class Labelled(TypedDict):
    """Numbers of samples or images."""

    good: int
    defective: int


Counts: TypeAlias = dict[SplitName, Labelled]


class Archive(Envelope):
    """An official archive; `size` is in bytes."""

    file: str
    url: str
    algorithm: str
    hash: str
    size: int | None
    licence: str
    cite: str
    page: str


class Fetched(Envelope):
    """The file that is there now; `kept` is the new name of another file that was in its place."""

    path: str
    size: int
    sha256: str
    downloaded: bool
    kept: str | None


class ScanCounts(TypedDict):
    """Numbers of a source; `distinct` counts pictures, `groups` physical items."""

    items: int
    samples: int
    good: int
    defective: int
    left_out: int
    distinct: int
    groups: int


class Official(TypedDict):
    """How many files are those of the official release; null where that is not known."""

    images: int | None
    masks: int | None


class DefectPixels(TypedDict):
    """Sizes of the defects of a sample, in pixels."""

    min: int
    median: float
    max: int


class Part(TypedDict):
    """Numbers of an item, or of a half of the official split."""

    samples: int
    good: int
    defective: int
    width: Range
    height: Range
    defect_pixels: int | None


class ItemPart(Part):
    """An item."""

    item: str


class SplitPart(Part):
    """A half of the official split."""

    split: OfficialSplit


class PhysicalItem(TypedDict):
    """Items that are one, and the pairs of pictures that they share, by what is the same."""

    group: str
    items: list[str]
    file: int
    pixels: int
    near: int


class InspectedSample(TypedDict):
    """A sample: its files, their hashes, and its size in pixels."""

    sample: str
    item: str
    group: str
    label: Label
    image: str
    mask: str
    width: int
    height: int
    defect_pixels: int | None
    image_sha256: str
    mask_sha256: str
    official_split: OfficialSplit | None
    types: list[str]


class CropEffect(TypedDict):
    """What the center crop of a code leaves of all masks."""

    name: str
    resize: int
    side: int
    masks: int
    empty_masks: int
    area_kept: float


class DefectEffect(TypedDict):
    """What a fit leaves of a sample's defects."""

    sample: str
    images: int
    defective: int
    area_kept: float
    smallest_defect: int


class Geometry(TypedDict):
    """What a fit does to all images; `size` is width and height, or ``source``."""

    fit: FitName
    size: list[int] | Literal["source"]
    images: Labelled
    width: Range
    height: Range
    lost: list[str]
    center_crops: list[CropEffect]
    defects: list[DefectEffect]


class WithGeometry(TypedDict, total=False):
    """What stands there if a fit was asked for, or with --dry-run."""

    geometry: Geometry


class Inspection(Envelope, WithGeometry):
    """What a source holds."""

    release: str
    counts: ScanCounts
    official: Official
    width: Range
    height: Range
    defect_pixels: DefectPixels | None
    types: dict[str, int]
    splits: list[SplitPart]
    items: list[ItemPart]
    groups: list[PhysicalItem]
    duplicates: list[Duplicate]
    samples: list[InspectedSample]
    left_out: dict[str, str]
    findings: list[Finding]


class MaybeSegmented(TypedDict, total=False):
    """Whether the sample's pixel labels are to be used, where the split tells it."""

    segmented: bool


class SplitSample(MaybeSegmented):
    """A sample, and where it goes."""

    sample: str
    item: str
    group: str
    label: Label
    split: SplitName


class Splitting(Envelope):
    """A split; `file` is that of --output."""

    file: str | None
    release: str
    protocol: str
    parameters: dict[str, int | float | str]
    counts: Counts
    samples: list[SplitSample]
    leaks: list[Leak]
    left_out: dict[str, str]
    findings: list[Finding]


class OutputImage(TypedDict):
    """An image of the tree, its mask, and the sample that it is made from."""

    path: str
    mask_path: str | None
    sample: str
    split: SplitName
    label: Label


class WithConsumers(TypedDict, total=False):
    """What stands there with --for: how each code trains on the tree."""

    consumers: list[Guide]


class Conversion(WithGeometry, WithConsumers):
    """A tree, written or planned; `split` has the protocol and its parameters."""

    out: str
    dry_run: bool
    fingerprint: str | None
    category: str
    release: str
    options: dict[str, Any]
    split: dict[str, int | float | str]
    images: list[OutputImage]
    lost: list[str]
    unused: list[str]
    left_out: dict[str, str]
    counts: Counts
    leaks: list[Leak]
    findings: list[Finding]


class OneConversion(Envelope, Conversion):
    """A tree, written or planned; `split` has the protocol and its parameters."""


class Folds(Envelope):
    """The trees of all folds, written or planned."""

    folds: list[Conversion]


class CheckResult(TypedDict):
    """A check of a tree; `skipped` says why it did not run."""

    name: str
    description: str
    ok: bool
    state: State
    skipped: str | None
    findings: list[Finding]


class Category(TypedDict):
    """What was found in a category folder."""

    category: str
    ok: bool
    counts: Counts
    fingerprint: str | None
    checks: list[CheckResult]


class Verification(Envelope):
    """What was found in each category folder."""

    categories: list[Category]


class ComparedTree(TypedDict):
    """One of two trees, or a manifest alone: then `files` is false."""

    path: str
    files: bool
    manifest: bool
    fingerprint: str | None
    counts: Counts
    missing: list[str]
    added: list[str]
    changed: list[str]


class Comparison(Envelope):
    """Two trees, and what differs; `by` says what pictures were compared by."""

    same: bool
    by: Literal["sample", "path"]
    first: ComparedTree
    second: ComparedTree
    values: list[ValueDifference]
    differences: list[TreeDifference]


class Training(Envelope):
    """The folder of anomaly maps, and all that is needed to train the model again."""

    maps: str
    images: int
    own_image_scores: bool
    keeps_aspect: bool
    model: str
    input_size: list[int]
    epochs: int | None
    steps: int | None
    batch: int
    seed: int
    settings: dict[str, Any]
    weights_sha256: str | None
    device: str
    versions: dict[str, str]


class Model(TypedDict):
    """The figures of one model's maps, by their keys; `definitions` explains the keys."""

    name: str
    maps: str
    binding: dict[str, Any]
    image_score: str
    figures: dict[str, Figure]
    image_threshold: float | None
    pixel_threshold: float | None
    segmentation: Segmentation | None
    unseen: float
    images: list[ImageScore]
    regions: list[RegionScore]
    by_size: list[Group]
    by_item: list[Group]
    notes: list[Finding]


class Scoring(Envelope):
    """The figures of all models on one tree, and the published ones."""

    category: str
    fingerprint: str | None
    good: int
    defective: int
    regions: int
    items: int
    models: list[Model]
    differences: list[Difference]
    draws: int
    seed: int
    leaks: list[str] | None
    versions: dict[str, str]
    findings: list[Finding]
    definitions: dict[str, str]
    published: list[PublishedRow]


class Picture(Envelope):
    """The file of a picture; `cells` are the samples or pairs that it shows."""

    path: str
    cells: int
    width: int
    height: int
    findings: list[Finding]


class Report(Envelope):
    """A page and its size in bytes, null and 0 if maps are wrong; and what was found on the way."""

    path: str | None
    kind: Literal["source", "tree"]
    size: int
    findings: list[Finding]


class Export(Envelope):
    """The folder of an export; `instances` counts defects by split."""

    folder: str
    format: ExportFormat
    counts: Counts
    instances: dict[str, int]
    classes: list[str]
    linked: int
    unlabelled: list[str]
    weak: list[str]


class Synthetic(Envelope):
    """A synthetic dataset."""

    folder: str
    items: int
    samples: int
    good: int
    defective: int


SCHEMAS: Mapping[str, Any] = {
    "any command that fails": Failure,
    "fetch": Fetched,
    "fetch --print": Archive,
    "inspect": Inspection,
    "split": Splitting,
    "convert": OneConversion,
    "convert --all-folds": Folds,
    "verify": Verification,
    "compare": Comparison,
    "train": Training,
    "score": Scoring,
    "report": Report,
    "show": Picture,
    "export": Export,
    "sample": Synthetic,
}
"""The type of the object that a command prints with --json."""

_COMMENT = (
    "What a command prints on standard output with --json: one object, in ASCII. 'ok' is false if "
    "it found something wrong (exit code 1) or failed. Later versions may add keys."
)


def schemas() -> dict[str, Any]:
    """Return the JSON Schemas of all commands: a reference for each, and their definitions."""
    from msgspec.json import schema_components

    references, definitions = schema_components(
        SCHEMAS.values(), schema_hook=_of_type, ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": _COMMENT,
        "anyOf": list(references),
        "commands": dict(zip(SCHEMAS, references, strict=True)),
        "$defs": definitions,
    }


def _of_type(shape: type) -> dict[str, Any]:
    """Return the schema of a type that msgspec has none for: `object` is any value."""
    if shape is object:
        return {"description": "any value"}  # an empty schema counts as none
    raise NotImplementedError
