"""What is known of each official release, as data.

`kolektorsdd.csv` beside this module lists the 399 samples of KolektorSDD as its authors publish it
(https://www.vicos.si/resources/kolektorsdd/): sizes in pixels, the number of non-zero pixels of
each mask and the SHA-256 of the two files, measured on the files themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources

from kolektor_cli.records import OfficialSplit, Sample, Size, natural_key

VICOS_TEST_ITEMS: tuple[frozenset[str], ...] = tuple(
    frozenset(f"kos{number}" for number in fold.split())
    for fold in (
        "02 08 09 10 15 19 21 25 27 28 30 37 38 41 43 46 47",
        "01 03 04 06 11 17 22 24 29 31 32 36 39 40 42 44 48",
        "05 07 12 13 14 16 18 20 23 26 33 34 35 45 49 50",
    )
)
"""The test items of the authors' three folds, from their file ``KSDD_split_33_33.pyb``."""

KOLEKTORSDD2_NUMBERS: Mapping[OfficialSplit, range] = {
    "train": range(10000, 12331),
    "test": range(20000, 21004),
}
"""The numbers of KolektorSDD2's images, 2331 and 1004, from the authors' file
``KSDD2_split_246.pyb``."""

KOLEKTORSDD2_DEFECTIVE: Mapping[OfficialSplit, int] = {"train": 246, "test": 110}
"""How many of KolektorSDD2's images are defective, as its authors say; which, is not known here."""


@dataclass(frozen=True, slots=True)
class OfficialSample:
    """One sample of a release: size in pixels, marked pixels of its mask, SHA-256 of the files."""

    name: str
    width: int
    height: int
    defect_pixels: int
    image_sha256: str
    mask_sha256: str


@dataclass(frozen=True)
class Release:
    """One official release: its structure, what is known of its files, and how it is converted.

    `names` are those of all its samples. `samples` holds what is known of their files, by name, and
    is empty where nothing is; the facts on masks in it only count if `knows_masks`. `splits` names
    the folders of the official split, each with its number of defective images, and is empty where
    samples lie in item folders. A mask is named
    as its image with `mask_ending` behind. `category`, `size` (width, height in pixels) and
    `protocol` are what a conversion takes unless told otherwise. `largest_defect` is the share of
    an image from which a mask is taken for one that is inverted. `knows_near` tells whether it was
    measured that other pictures are told apart from those that were taken again.
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
    size: Size = (500, 1240)
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
        """Tell whether a sample's image file is the official one, byte for byte."""
        official = self.samples.get(sample.name)
        return official is not None and official.image_sha256 == sample.image_sha256

    def has_mask(self, sample: Sample) -> bool:
        """Tell whether a sample's mask file is the official one, byte for byte."""
        official = self.samples.get(sample.name)
        return official is not None and official.mask_sha256 == sample.mask_sha256

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
    """Return KolektorSDD2: 2331 images to train on and 1004 to test, of files not known here.

    Nobody has measured its largest defect here, so half of an image is not too much to be one; but
    a mask that marks nine tenths is not believed: those of good images, if inverted, mark all.
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
