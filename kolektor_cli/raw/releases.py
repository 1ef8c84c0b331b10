"""The official releases: their structure, facts about their files, and defaults of a conversion.

`kolektorsdd.csv` beside this module lists the 399 samples of KolektorSDD as its authors publish it
(https://www.vicos.si/resources/kolektorsdd/): size in pixels, number of non-zero mask pixels and
SHA-256 of both files, all measured on these files.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from typing import Literal, TypeAlias

from kolektor_cli.imaging.geometry import Size
from kolektor_cli.samples import Label, OfficialSplit, Sample, natural_key

ReleaseLayout: TypeAlias = Literal["kolektorsdd", "boxes", "kolektorsdd2"]

KOLEKTORSDD2_NUMBERS: Mapping[OfficialSplit, range] = {
    "train": range(10000, 12331),
    "test": range(20000, 21004),
}
"""The numbers of KolektorSDD2's images, 2331 and 1004, from the authors' file
``KSDD2_split_246.pyb``."""

KOLEKTORSDD2_DEFECTIVE: Mapping[OfficialSplit, int] = {"train": 246, "test": 110}
"""Numbers of defective images in KolektorSDD2, from its authors; which ones is not known here."""


OWN_IMAGES = "pairs"
"""The name that stands for a release where the images are people's own."""


@dataclass(frozen=True, slots=True)
class OfficialSample:
    """One sample of a release: size in pixels, marked pixels of its mask, SHA-256 of the files."""

    name: str
    width: int
    height: int
    defect_pixels: int
    image_sha256: str
    mask_sha256: str

    @property
    def label(self) -> Label:
        """``defective`` if the mask has a non-zero pixel, else ``good``."""
        return "defective" if self.defect_pixels else "good"


@dataclass(frozen=True)
class Release:
    """One official release.

    Attributes
    ----------
    names
        Names of all samples.
    samples
        Facts about the files of each sample, by name; empty if none are known.
    knows_masks
        Whether the facts about masks in `samples` hold.
    splits
        Folders of the official split, each with its number of defective images; empty if samples
        lie in item folders.
    mask_ending
        What a mask's name adds to the name of its image.
    category, size, protocol
        Defaults of a conversion; `size` is (width, height) in pixels, or None for each image's own.
    largest_defect
        Share of an image above which a mask counts as inverted.
    knows_near
        Whether near duplicates were measured to be separable from other pictures.
    """

    name: str
    names: frozenset[str]
    samples: Mapping[str, OfficialSample] = field(default_factory=dict)
    knows_masks: bool = True
    splits: Mapping[OfficialSplit, int] = field(default_factory=dict)
    mask_ending: str = "_label"
    image_suffix: str = ".jpg"
    mask_suffix: str = ".bmp"
    category: str = "metal"
    size: Size | None = (500, 1240)
    protocol: str = "balanced"
    largest_defect: float = 0.5
    knows_near: bool = True

    @cached_property
    def items(self) -> frozenset[str]:
        """The names of the release's folders: its items, or the halves of the official split."""
        return frozenset(name.rpartition("/")[0] for name in self.names)

    def samples_of(self, item: str) -> list[OfficialSample]:
        """Return the samples of one item, in natural order."""
        names = (name for name in self.samples if name.startswith(f"{item}/"))
        return [self.samples[name] for name in sorted(names, key=natural_key)]

    def has_image(self, sample: Sample) -> bool:
        """Return whether a sample's image file is the official one, byte for byte."""
        official = self.samples.get(sample.name)
        return official is not None and official.image_sha256 == sample.image_sha256

    def has_mask(self, sample: Sample) -> bool:
        """Return whether a sample's mask file is the official one, byte for byte."""
        official = self.samples.get(sample.name)
        return official is not None and official.mask_sha256 == sample.mask_sha256

    @cached_property
    def by_image(self) -> Mapping[str, tuple[OfficialSample, ...]]:
        """The samples by the SHA-256 of their image; two, where one file is in two items."""
        found: dict[str, tuple[OfficialSample, ...]] = {}
        for name in sorted(self.samples, key=natural_key):
            sample = self.samples[name]
            found[sample.image_sha256] = (*found.get(sample.image_sha256, ()), sample)
        return found

    @cached_property
    def _by_folded_name(self) -> dict[str, str]:
        return {name.casefold(): name for name in (*self.items, *self.names)}

    def official_name(self, name: str) -> str:
        """Return the release's spelling of an item's or sample's name, else the name as it is."""
        return self._by_folded_name.get(name.casefold(), name)


@cache
def kolektorsdd() -> Release:
    """Return KolektorSDD with fine annotations: 50 items, 399 samples, 52 of them defective."""
    table = resources.files(__package__).joinpath("kolektorsdd.csv")
    with table.open(encoding="ascii") as lines:
        samples = [
            OfficialSample(
                row["sample"],
                int(row["width"]),
                int(row["height"]),
                int(row["defect_pixels"]),
                row["image_sha256"],
                row["mask_sha256"],
            )
            for row in csv.DictReader(lines)
        ]
    by_name = {sample.name: sample for sample in samples}
    return Release("KolektorSDD", frozenset(by_name), by_name)


@cache
def kolektorsdd_boxes() -> Release:
    """Return KolektorSDD-boxes: the images of KolektorSDD, with filled boxes as masks."""
    return replace(kolektorsdd(), name="KolektorSDD-boxes", knows_masks=False)


@cache
def kolektorsdd2() -> Release:
    """Return KolektorSDD2: 2331 training and 1004 test images, whose files are not known here.

    Its largest defect was not measured, so a mask may mark more than half of its image. More than
    nine tenths is an error: the inverted mask of a good image marks all of it.
    """
    return Release(
        name="KolektorSDD2",
        names=frozenset(
            f"{split}/{number}"
            for split, numbers in KOLEKTORSDD2_NUMBERS.items()
            for number in numbers
        ),
        splits=KOLEKTORSDD2_DEFECTIVE,
        mask_ending="_GT",
        image_suffix=".png",
        mask_suffix=".png",
        category="kolektorsdd2",
        size=(230, 630),
        protocol="official",
        largest_defect=0.9,
        knows_near=False,
    )


def own_images(category: str) -> Release:
    """Return what is known of people's own images: nothing but the category they are named by.

    Masks may mark more than half of an image, and near duplicates were not measured.
    """
    return Release(
        name=OWN_IMAGES,
        names=frozenset(),
        category=category,
        size=None,
        largest_defect=0.9,
        knows_near=False,
    )
