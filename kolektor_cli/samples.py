"""Samples, their labels, and pairs of samples that are the same picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

Label: TypeAlias = Literal["good", "defective"]

OfficialSplit: TypeAlias = Literal["train", "test"]

Color: TypeAlias = tuple[int, int, int]
"""Red, green and blue; three equal ones are a gray value."""

DuplicateKind: TypeAlias = Literal["file", "pixels", "near"]

DUPLICATE_KINDS: tuple[DuplicateKind, ...] = ("file", "pixels", "near")

DUPLICATE_TITLES: Mapping[DuplicateKind, str] = MappingProxyType(
    {"file": "same file", "pixels": "same pixels", "near": "taken again"}
)
"""What the kinds are called in tables and captions."""

MANY_ALIKE = 32
"""The most samples of one picture of which every pair is told. Of n samples there are n (n - 1) / 2
pairs; where there are more samples, each is paired with the first good and the first defective."""

LABELS: tuple[Label, ...] = ("good", "defective")


DEFECT = "defect"
"""The type of all defects where masks do not tell types apart."""

COMBINED = "combined"
"""The type of an image with defects of several types, as in MVTec AD."""


@dataclass(frozen=True, slots=True)
class MaskRule:
    """How the values of a mask file become marks.

    A pixel is marked if its value, of 0 to 255, is above `threshold`. Then each mark grows to a
    square of `dilate` x `dilate` pixels around it; `dilate` is odd. With `classes`, pairs of a
    value and the type of defect that it stands for, a mark is the number of its type in `types`,
    from 1; a value is a gray value (``3``), a colour (``#ff0000``) or a label of labelme.
    """

    threshold: int = 0
    dilate: int = 1
    classes: tuple[tuple[str, str], ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The types of defects, each once; none if all are one."""
        return tuple(dict.fromkeys(name for _, name in self.classes))


PLAIN_MASKS = MaskRule()
"""Every non-zero pixel is marked, and no mark grows."""


def type_of(found: Sequence[str]) -> str:
    """Return the type of an image with defects of some types, at least one."""
    return found[0] if len(found) == 1 else COMBINED


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of the source with its mask.

    `name` is ``item/part``. Where the release itself splits its images, each image is an item,
    `name` is ``train/number`` or ``test/number``, and `official_split` is not None. Of people's own
    images, `name` is the image's path without its suffix. `group` names
    the physical item; items that share a picture are one physical item. `image` and `mask` are the
    names of the two files in the source; `mask` and its hash are empty if the image has none. Sizes
    are in pixels. `defect_pixels` counts the pixels that `mask_rule` marks in the mask, `types` are
    the types of defects that it tells. `folder_label` is the label that the image's folder gives,
    in a source without masks. The hashes are SHA-256 of the two files' bytes, in hexadecimal.
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
    mask_rule: MaskRule = PLAIN_MASKS
    types: tuple[str, ...] = ()
    folder_label: Label | None = None

    @property
    def label(self) -> Label:
        """``defective`` if a pixel is marked, else ``good``; without masks that of the folder."""
        return self.folder_label or ("defective" if self.is_marked else "good")

    @property
    def is_marked(self) -> bool:
        """Whether its mask marks a pixel; a defective sample without a mask is not marked."""
        return self.defect_pixels > 0

    @property
    def kind(self) -> str:
        """``good``, or the type of its defects."""
        if self.label == "good":
            return "good"
        return type_of(self.types) if self.types else DEFECT


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two samples that are the same picture; `first` comes before `second` in natural order.

    `kind` is ``file`` for identical files, ``pixels`` for identical pixels in different files, and
    ``near`` for a picture that was photographed or encoded again.
    """

    first: str
    second: str
    kind: DuplicateKind


def natural_key(name: str) -> tuple[object, ...]:
    """Return a sort key that puts ``Part10`` after ``Part9``; distinct names have distinct keys."""
    parts = re.split(r"0*(\d+)", name, flags=re.ASCII)
    # Without leading zeros, the longer number is the greater.
    keys = tuple((len(p), p) if index % 2 else p for index, p in enumerate(parts))
    return keys, name


def connected(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each name to the first name, in the order of `names`, of its connected component."""
    order = {name: place for place, name in enumerate(names)}
    leader = {name: name for name in order}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for first, second in pairs:
        earlier, later = sorted((find(first), find(second)), key=order.__getitem__)
        leader[later] = earlier
    return {name: find(name) for name in order}
