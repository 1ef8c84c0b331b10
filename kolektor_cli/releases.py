"""What is known of each official release, as data.

`kolektorsdd.csv` beside this module lists the 399 samples of KolektorSDD as its authors publish it
(https://www.vicos.si/resources/kolektorsdd/): sizes in pixels, the number of non-zero pixels of
each mask and the SHA-256 of the two files, measured on the files themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from kolektor_cli.records import Sample, natural_key

VICOS_TEST_ITEMS: tuple[frozenset[str], ...] = tuple(
    frozenset(f"kos{number}" for number in fold.split())
    for fold in (
        "02 08 09 10 15 19 21 25 27 28 30 37 38 41 43 46 47",
        "01 03 04 06 11 17 22 24 29 31 32 36 39 40 42 44 48",
        "05 07 12 13 14 16 18 20 23 26 33 34 35 45 49 50",
    )
)
"""The test items of the authors' three folds, from their file ``KSDD_split_33_33.pyb``."""


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
    """One official release; `samples` is keyed by the sample's name."""

    name: str
    samples: Mapping[str, OfficialSample]

    @cached_property
    def items(self) -> frozenset[str]:
        """The names of the release's items."""
        return frozenset(name.rpartition("/")[0] for name in self.samples)

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
        return {name.casefold(): name for name in (*self.items, *self.samples)}

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
    return Release("KolektorSDD", {sample.name: sample for sample in samples})
