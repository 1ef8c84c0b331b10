"""Splits, the options that decide them, and the leaks and counts in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from kolektor_cli.samples import (
    DUPLICATE_KINDS,
    MANY_ALIKE,
    Duplicate,
    DuplicateKind,
    Label,
    Sample,
    connected,
)

SplitName: TypeAlias = Literal["train", "val", "test", "unused"]

SideDefects: TypeAlias = Literal["unused", "test", "train"]
"""What becomes of the defective samples on the training side."""

TrainDefects: TypeAlias = SideDefects | int
"""What becomes of them, or how many defective samples train."""

ProtocolName: TypeAlias = Literal["balanced", "vicos", "grouped", "anomalib", "official"]

Counts: TypeAlias = Mapping[tuple[SplitName, Label], int]
"""Numbers of samples or images, by split and label."""

SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test", "unused")


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """Options of a split: a protocol with its own options, or a split file.

    Parameters
    ----------
    protocol
        Name of the protocol; by default ``balanced``, for KolektorSDD2 ``official``.
    seed
        For ``balanced`` and ``grouped``, for numbers in `train_defects` and `train_good`, and for
        the windows of the fit ``square``; default 0.
    test_good
        For ``balanced``: number of good samples to test; by default as many as are defective.
    val
        For ``balanced``: fraction of the good samples not tested that goes to validation.
    fold
        For ``vicos``, ``grouped`` and a pickled split file: the fold to test, from 0.
    folds
        For ``grouped``: number of folds; default 3.
    drop_leaks
        For ``vicos``: leave out training images that are also tested.
    train_defects
        Number of defective samples to train on. Or, where a protocol or a pickle of the authors has
        a training side: what becomes of all its defective samples, ``unused`` or ``train``, for
        ``official`` also ``test``; default ``unused``.
    train_good
        Number of good samples to train on; by default all. The others are unused.
    file
        Split file to use instead of a protocol: CSV or a pickle of the authors; ``-`` is standard
        input.
    """

    protocol: ProtocolName | None = None
    seed: int | None = None
    test_good: int | None = None
    val: float | None = None
    fold: int | None = None
    folds: int | None = None
    drop_leaks: bool = False
    train_defects: TrainDefects | None = None
    train_good: int | None = None
    file: str | os.PathLike[str] | None = None

    def given(self) -> dict[str, object]:
        """Return the protocol options that were given, by name."""
        options = {option.name: getattr(self, option.name) for option in fields(self)}
        del options["protocol"], options["file"]
        # By identity, because the seed 0 and the fold 0 equal False.
        return {
            n: value for n, value in options.items() if value is not None and value is not False
        }


DEFAULT_SPLIT = SplitOptions()
"""The default protocol of the release, with its default options."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A pair of samples that are the same picture, of which `train` trains and `test` is tested."""

    train: str
    test: str
    kind: DuplicateKind


@dataclass(frozen=True, slots=True)
class Split:
    """The split of every sample, and the protocol that assigned it.

    `assigned` maps the name of every sample to its split. `parameters` are the protocol's options,
    as in the manifest. `segmented` says of the samples for which the split tells it whether their
    pixel labels are to be used, or, in supervised training, only their image labels.
    """

    protocol: str
    parameters: Mapping[str, int | float | str]
    assigned: Mapping[str, SplitName]
    segmented: Mapping[str, bool] = field(default_factory=dict)


def split_by_items(
    samples: Sequence[Sample], items: Iterable[str], defective: SplitName = "unused"
) -> dict[str, SplitName]:
    """Assign all samples of `items` to test; of other items good ones to train, and `defective`."""
    tested = frozenset(items)
    assigned: dict[str, SplitName] = {}
    for sample in samples:
        other: SplitName = "train" if sample.label == "good" else defective
        assigned[sample.name] = "test" if sample.item in tested else other
    return assigned


def find_leaks(assigned: Mapping[str, SplitName], duplicates: Iterable[Duplicate]) -> list[Leak]:
    """Return the pairs that are the same picture, one in train or val and one in test.

    Of a picture of more than `MANY_ALIKE` samples `duplicates` tell only some pairs: a sample that
    is in none of these leaks is told with the first one of the other side.
    """
    duplicates = list(duplicates)
    leaks = []
    for pair in duplicates:
        for train, test in ((pair.first, pair.second), (pair.second, pair.first)):
            if assigned.get(train) in ("train", "val") and assigned.get(test) == "test":
                leaks.append(Leak(train, test, pair.kind))
    told = {name for leak in leaks for name in (leak.train, leak.test)}
    for picture in _large_pictures(duplicates):
        leaks += _leaks_of(picture, assigned, told)
    return leaks


def _large_pictures(duplicates: Sequence[Duplicate]) -> list[dict[str, DuplicateKind]]:
    """Return the pictures of more than `MANY_ALIKE` samples: each sample's kind with the first."""
    names = dict.fromkeys(name for pair in duplicates for name in (pair.first, pair.second))
    leaders = connected(names, ((pair.first, pair.second) for pair in duplicates))
    pictures: dict[str, dict[str, DuplicateKind]] = {}
    for name, leader in leaders.items():
        pictures.setdefault(leader, {})[name] = "near"
    for pair in duplicates:
        if pair.first in pictures:
            pictures[pair.first] |= {pair.first: "file", pair.second: pair.kind}
    return [picture for picture in pictures.values() if len(picture) > MANY_ALIKE]


def _leaks_of(
    picture: Mapping[str, DuplicateKind], assigned: Mapping[str, SplitName], told: Collection[str]
) -> Iterator[Leak]:
    """Pair samples of a large picture that are not told yet with the first one of the other side.

    The kind is that of the pair of both with the first sample, the weaker one.
    """
    trained = [name for name in picture if assigned.get(name) in ("train", "val")]
    tested = [name for name in picture if assigned.get(name) == "test"]
    if not trained or not tested:
        return
    pairs = [(trained[0], test) for test in tested if test not in told]
    told = {*told, *(name for pair in pairs for name in pair)}
    pairs += [(train, tested[0]) for train in trained if train not in told]
    for train, test in pairs:
        kind = max(picture[train], picture[test], key=DUPLICATE_KINDS.index)
        yield Leak(train, test, kind)


@dataclass(frozen=True, slots=True)
class SegmentedCounts:
    """How many training samples a split lists, and of how many the pixel labels are known.

    Samples that supervised methods alone train on count, too.
    """

    listed: int
    segmented: int
    defective: int
    defective_segmented: int


def count_segmented(split: Split, samples: Iterable[Sample]) -> SegmentedCounts | None:
    """Return the numbers of training samples with pixel labels; None if the split tells of none."""
    known = [
        (sample.label == "defective", split.segmented[sample.name])
        for sample in samples
        if sample.name in split.segmented and split.assigned[sample.name] != "test"
    ]
    if not known:
        return None
    return SegmentedCounts(
        listed=len(known),
        segmented=sum(segmented for _, segmented in known),
        defective=sum(defective for defective, _ in known),
        defective_segmented=sum(defective and segmented for defective, segmented in known),
    )
