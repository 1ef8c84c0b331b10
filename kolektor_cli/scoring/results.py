"""What scoring returns; everything is frozen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kolektor_cli.findings import Finding
from kolektor_cli.imaging.geometry import Rectangle
from kolektor_cli.samples import Label
from kolektor_cli.scoring.published import PublishedRow

UNREADABLE = "unreadable-map"
"""The code of findings about maps that cannot be read."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, with its 95 % interval if one was drawn.

    `value` is None where it has no meaning; `reason` then says why.
    """

    value: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One test image: its score, the SHA-256 of its map, and its AUPIMO if it is defective."""

    path: str
    label: Label
    item: str
    score: float
    map_sha256: str
    aupimo: float | None = None


@dataclass(frozen=True, slots=True)
class RegionScore:
    """One defect: its area in pixels, its box (left, top, width, height), and its overlaps.

    `pro_03` and `pro_005` are its parts of AUPRO@0.3 and @0.05, whose means over all regions these
    are.
    """

    image: str
    area: int
    box: Rectangle
    pro_03: float
    pro_005: float


@dataclass(frozen=True, slots=True)
class Group:
    """Regions or images that are scored apart: of one range of sizes, or of one physical item.

    `least` and `most` are the areas of its smallest and largest region, 0 if it has none; `aupro`
    is the AUPRO@0.3 of its regions, `highest` the highest image score.
    """

    name: str
    images: int
    defective: int
    regions: int
    least: int
    most: int
    aupro: float | None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Masks that a given threshold makes of the maps, compared with the true ones.

    Scores from `threshold` on are defect; `origin` says where it comes from.
    """

    threshold: float
    origin: str
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, from the highest threshold to the lowest."""

    x_name: str
    y_name: str
    thresholds: tuple[float, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]


def whole_curve(
    y_name: str, thresholds: Sequence[float], rates: Iterable[float], heights: Iterable[float]
) -> Curve:
    """Return a curve over the false-positive rate, from no positive at all to all of them."""
    return Curve(
        "false-positive rate",
        y_name,
        (math.inf, *thresholds, -math.inf),
        (0.0, *map(float, rates), 1.0),
        (0.0, *map(float, heights), 1.0),
    )


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The figures of one model's maps.

    Attributes
    ----------
    name
        The model's name, or that of the folder of its maps.
    maps
        Where the maps come from.
    binding
        What ``kolektor.json`` beside the maps says of them.
    image_score
        What an image's score is: ``maximum of the map``, or what was asked for.
    figures
        The figures by their keys; see `FIGURES`.
    image_threshold, pixel_threshold
        The thresholds of the F1-max of images and of pixels, chosen on the test set.
    segmentation
        The figures of a threshold that was given.
    unseen
        The share of the defect area that the maps do not cover.
    images, regions
        Every test image, and every defect.
    by_size, by_item
        The same in groups.
    curves
        By name: ``image_roc``, ``pixel_roc``, ``pixel_pr``, ``pro``.
    notes
        Warnings and remarks.
    """

    name: str
    maps: str
    binding: Mapping[str, object]
    image_score: str
    figures: Mapping[str, Figure]
    image_threshold: float | None
    pixel_threshold: float | None
    segmentation: Segmentation | None
    unseen: float
    images: tuple[ImageScore, ...]
    regions: tuple[RegionScore, ...]
    by_size: tuple[Group, ...]
    by_item: tuple[Group, ...]
    curves: Mapping[str, Curve]
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the figures of `first` are than those of `second`, on the same draws."""

    first: str
    second: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of all models on one tree.

    Attributes
    ----------
    category, fingerprint
        The tree's category, and its fingerprint if it has a manifest.
    good, defective, regions, items
        Numbers of good and defective test images, of defects, and of physical items.
    models
        The figures of each model, in the order of their maps; empty if a map is wrong.
    differences
        Of each pair of models, if intervals were drawn.
    draws, seed
        How often items were drawn for the intervals, 0 for none, and the seed.
    leaks
        What is both trained on and tested; None where the tree does not tell.
    published
        The published rows to show beside them.
    versions
        Of this tool, Python, NumPy and OpenCV.
    findings
        What is wrong with maps.
    """

    category: str
    fingerprint: str | None
    good: int
    defective: int
    regions: int
    items: int
    models: tuple[ModelScores, ...]
    differences: tuple[Difference, ...] = ()
    draws: int = 0
    seed: int = 0
    leaks: tuple[str, ...] | None = None
    published: tuple[PublishedRow, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether no map is wrong."""
        return not self.findings

    @property
    def unreadable(self) -> bool:
        """Whether a map cannot be read."""
        return any(finding.code == UNREADABLE for finding in self.findings)
