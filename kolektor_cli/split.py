"""Which sample goes to train, val, test or stays unused: the protocols, and what leaks.

A protocol is a function from samples and the pairs among them that are the same picture, with its
own options by keyword, to a `Split`. None depends on the order of the samples.
"""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

import numpy as np

from kolektor_cli.duplicates import connected
from kolektor_cli.errors import UsageError
from kolektor_cli.records import (
    Duplicate,
    Label,
    Leak,
    Sample,
    Split,
    SplitName,
    TrainDefects,
    natural_key,
)
from kolektor_cli.releases import VICOS_TEST_ITEMS


def make_split(
    protocol: str,
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate],
    options: Mapping[str, object],
) -> Split:
    """Split by a protocol's name; `options` are passed on, and must be the protocol's.

    Raises
    ------
    UsageError
        The protocol does not take an option, or needs one that is not there; or see the protocol.
    """
    known = protocol_options(protocol)
    for name in options:
        if name not in known:
            takes = ", ".join(map(_option, known)) or "no option"
            raise UsageError(f"the protocol {protocol} takes {takes}, not {_option(name)}")
    for name, default in known.items():
        if default is inspect.Parameter.empty and name not in options:
            raise UsageError(f"the protocol {protocol} needs {_option(name)}")
    return PROTOCOLS[protocol](samples, duplicates, **options)


def protocol_options(protocol: str) -> dict[str, object]:
    """Return the options of a protocol, each with its default or ``inspect.Parameter.empty``."""
    parameters = inspect.signature(PROTOCOLS[protocol]).parameters
    return {n: p.default for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def balanced(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),
    *,
    seed: int = 0,
    test_good: int | None = None,
    val: float = 0.0,
) -> Split:
    """Test every defective sample and as many good ones; train on the other good ones.

    Good samples that are the same picture stay together; those whose picture is tested as
    defective are unused. The pictures are put in an order that depends on `seed` and the samples'
    names alone (see `seeded_order`) and tested, in this order, as far as `test_good` samples (by
    default as many as there are defective ones) can still be reached exactly. Of the n good samples
    that follow, the first pictures that give ``floor(val * n)`` are for validation. Where
    duplicates make these numbers impossible, val gets the next smaller one, and test, too, unless
    `test_good` is given.

    On KolektorSDD: 295 train, 52 good and 52 defective test, and nothing leaks.

    Raises
    ------
    UsageError
        There is no defective sample, or the numbers leave no good sample to test or to train on,
        or `test_good` cannot be reached without parting duplicates.
    """
    if not 0 <= val < 1:
        raise UsageError(f"{val} is no fraction for validation: it goes from 0 to below 1")
    defective = [sample.name for sample in samples if sample.label == "defective"]
    if not defective:
        raise UsageError("there is no defective sample, so there is nothing to test")
    good = _good_pictures(samples, duplicates, seed)
    count = sum(map(len, good))
    wanted = len(defective) if test_good is None else test_good
    if not 1 <= wanted < count:
        raise UsageError(
            f"{wanted} good samples to test out of {count} is not possible: at least 1 must be "
            "tested and 1 left to train on; choose another number with --test-good"
        )
    tested, others = _take(good, wanted)
    found = sum(map(len, tested))
    if test_good is not None and found != test_good:
        raise UsageError(
            f"{test_good} good samples cannot be tested without parting duplicates; {found} can"
        )
    validated, trained = _take(others, int(val * (count - found)))
    assigned: dict[str, SplitName] = dict.fromkeys(_names_of(samples), "unused")
    assigned |= dict.fromkeys(defective, "test")
    parts: tuple[tuple[SplitName, list[list[str]]], ...] = (
        *(("test", tested), ("val", validated), ("train", trained)),
    )
    for name, pictures in parts:
        assigned |= {sample: name for picture in pictures for sample in picture}
    return Split("balanced", {"seed": seed, "test_good": found, "val": val}, assigned)


def _names_of(samples: Iterable[Sample]) -> list[str]:
    return sorted((sample.name for sample in samples), key=natural_key)


def _good_pictures(
    samples: Sequence[Sample], duplicates: Sequence[Duplicate], seed: int
) -> list[list[str]]:
    """Group good samples that are the same picture, in seeded order."""
    leaders = connected(_names_of(samples), ((pair.first, pair.second) for pair in duplicates))
    pictures: dict[str, list[str]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        if sample.label == "good":
            pictures[leaders[sample.name]].append(sample.name)
    for sample in samples:
        if sample.label == "defective":
            pictures.pop(leaders[sample.name], None)
    return [pictures[leader] for leader in seeded_order(pictures, seed)]


def _take(pictures: Sequence[list[str]], wanted: int) -> tuple[list[list[str]], list[list[str]]]:
    """Take pictures, the first ones first, until `wanted` samples, or fewer if none fit exactly.

    A picture is passed over if the later ones could not make up the rest with it.
    """
    # reachable[i] has bit n set, up to `wanted`, if pictures from i on can give exactly n samples.
    reachable = [1]
    bits = (1 << wanted + 1) - 1
    for picture in reversed(pictures):
        sums = (reachable[-1] | reachable[-1] << len(picture)) & bits
        # Of thousands of pictures most have all bits: as one number, not thousands that are equal.
        reachable.append(reachable[-1] if sums == reachable[-1] else sums)
    reachable.reverse()
    rest = next(number for number in range(wanted, -1, -1) if reachable[0] >> number & 1)
    taken, left = [], []
    for index, picture in enumerate(pictures):
        if len(picture) <= rest and reachable[index + 1] >> (rest - len(picture)) & 1:
            rest -= len(picture)
            taken.append(picture)
        else:
            left.append(picture)
    return taken, left


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Order names at random, the same way on every machine and with every library's version.

    The order is that of the SHA-256 of ``"<seed>/<name>"`` (UTF-8). So it does not depend on the
    order in which the names come, and leaving one out does not disturb the others.
    """

    def key(name: str) -> tuple[bytes, str]:
        text = f"{seed}/{name}".encode(errors="surrogatepass")
        return hashlib.sha256(text).digest(), name

    return sorted(names, key=key)


def vicos(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),
    *,
    fold: int,
    drop_leaks: bool = False,
) -> Split:
    """Test the items of one of the authors' three folds, train on the good samples of the others.

    Source: J. Bozic, D. Tabernik, D. Skocaj, Mixed supervision for surface-defect detection,
    Computers in Industry, 2021; the published file ``KSDD_split_33_33.pyb``. The defective samples
    of the training items are unused. Each fold has pictures on both sides; with `drop_leaks` those
    on the training side are unused.

    On KolektorSDD: fold 0 tests 117 good and 18 defective, fold 1 118 and 18, fold 2 112 and 16.

    Raises
    ------
    UsageError
        There is no such fold, or an item is in none of them.
    """
    if not 0 <= fold < len(VICOS_TEST_ITEMS):
        raise UsageError(f"there is no fold {fold}: the authors published the folds 0, 1 and 2")
    if any(sample.official_split for sample in samples):
        raise UsageError(
            "the protocol vicos is of KolektorSDD's items; for KolektorSDD2 choose official"
        )
    strangers = {s.item for s in samples} - frozenset().union(*VICOS_TEST_ITEMS)
    if strangers:
        raise UsageError(
            f"{min(strangers, key=natural_key)} is in none of the authors' folds; choose another "
            "protocol, as grouped"
        )
    assigned = split_by_items(samples, VICOS_TEST_ITEMS[fold])
    if drop_leaks:
        for leak in find_leaks(assigned, duplicates):
            assigned[leak.train] = "unused"
    return Split("vicos", {"fold": fold, "drop_leaks": drop_leaks}, assigned)


def split_by_items(samples: Sequence[Sample], items: Iterable[str]) -> dict[str, SplitName]:
    """Test all samples of `items`, train on the good ones of the others."""
    tested = frozenset(items)
    assigned: dict[str, SplitName] = {}
    for sample in samples:
        other: SplitName = "train" if sample.label == "good" else "unused"
        assigned[sample.name] = "test" if sample.item in tested else other
    return assigned


def grouped(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (the groups are made of them)
    *,
    fold: int,
    folds: int = 3,
    seed: int = 0,
) -> Split:
    """Put whole physical items in K folds, test one of them, train on the good of the others.

    Items that share a picture are one physical item (47 in KolektorSDD), so nothing leaks; in
    KolektorSDD2 each image is an item. Groups are dealt out by falling number of defective samples,
    then of samples, then in seeded order, each to the fold that has the fewest defective, then the
    fewest samples; those without a defective one to the fold with the fewest samples. So the folds'
    numbers of defective samples differ by no more than the largest group has. The defective samples
    of the training folds are unused.

    Raises
    ------
    UsageError
        There are fewer groups than folds, fewer than 2 folds, or no such fold.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    if not 2 <= folds <= len(groups):
        raise UsageError(f"{folds} folds of {len(groups)} groups: choose from 2 to {len(groups)}")
    if not 0 <= fold < folds:
        raise UsageError(f"there is no fold {fold}: with --folds {folds} they go to {folds - 1}")
    tested = _deal(groups, folds, seed)[fold]
    items = {sample.item for group in tested for sample in groups[group]}
    parameters = {"fold": fold, "folds": folds, "seed": seed}
    return Split("grouped", parameters, split_by_items(samples, items))


def _deal(groups: Mapping[str, Sequence[Sample]], folds: int, seed: int) -> list[list[str]]:
    """Deal groups out to folds of about as many defective samples, and about as many at all."""

    def size(name: str) -> tuple[int, int]:
        return sum(sample.label == "defective" for sample in groups[name]), len(groups[name])

    dealt: list[list[str]] = [[] for _ in range(folds)]
    loads = [(0, 0)] * folds
    for name in sorted(seeded_order(groups, seed), key=size, reverse=True):
        defective, samples = size(name)
        # The good ones must not all make up for one defective that a fold lacks.
        keys = [load if defective else load[1:] for load in loads]
        place = keys.index(min(keys))
        dealt[place].append(name)
        loads[place] = (loads[place][0] + defective, loads[place][1] + samples)
    return dealt


def anomalib(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (it does not know of them)
) -> Split:
    """Split as Anomalib's own Kolektor data module does, so that numbers can be compared.

    Source: Anomalib 2, ``anomalib/data/datasets/image/kolektor.py``: of the good samples in the
    order of their paths, a permutation by ``numpy.random.RandomState(42)``; the first
    ``n - floor(0.8 n)`` are tested, the others train. All defective samples are tested.

    On KolektorSDD: 277 train, 70 good and 52 defective test; duplicates are on both sides.

    Raises
    ------
    UsageError
        There is no good or no defective sample.
    """
    good = sorted((s for s in samples if s.label == "good"), key=lambda sample: sample.image)
    if not good or len(good) == len(samples):
        raise UsageError("the protocol anomalib needs good and defective samples")
    # The stream of this legacy generator is frozen for all versions of NumPy.
    order = np.random.RandomState(42).permutation(len(good)).tolist()
    tested = set(order[: len(good) - int(0.8 * len(good))])
    assigned: dict[str, SplitName] = {sample.name: "test" for sample in samples}
    assigned |= {s.name: "test" if i in tested else "train" for i, s in enumerate(good)}
    return Split("anomalib", {}, assigned)


def official(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (the folders do not depend on them)
    *,
    train_defects: TrainDefects = "unused",
) -> Split:
    """Split as KolektorSDD2's folders do: train on the good images of train, test those of test.

    The defective images of the folder train are unused, or tested with `train_defects` ``test``.

    On KolektorSDD2: 2085 train, 894 good and 110 defective test, 246 unused.

    Raises
    ------
    UsageError
        The samples lie in no such folders, or `train_defects` is neither of the two.
    """
    if train_defects not in get_args(TrainDefects):
        raise UsageError(f"defective training images go to unused or test, not {train_defects!r}")
    assigned: dict[str, SplitName] = {}
    for sample in samples:
        if sample.official_split is None:
            raise UsageError(
                "the protocol official is of KolektorSDD2's folders train and test; choose "
                "another, as balanced, or vicos for the folds of KolektorSDD's authors"
            )
        trains = sample.official_split == "train"
        unfit = trains and sample.label == "defective"
        assigned[sample.name] = train_defects if unfit else sample.official_split
    return Split("official", {"train_defects": train_defects}, assigned)


PROTOCOLS: Mapping[str, Callable[..., Split]] = {
    "balanced": balanced,
    "vicos": vicos,
    "grouped": grouped,
    "anomalib": anomalib,
    "official": official,
}
"""The protocols by name; `Split.parameters` are the options that give the same split again."""


def find_leaks(assigned: Mapping[str, SplitName], duplicates: Iterable[Duplicate]) -> list[Leak]:
    """Find pairs that are the same picture, one trained on (or validated with), one tested."""
    leaks = []
    for pair in duplicates:
        for train, test in ((pair.first, pair.second), (pair.second, pair.first)):
            if assigned.get(train) in ("train", "val") and assigned.get(test) == "test":
                leaks.append(Leak(train, test, pair.kind))
    return leaks


def count_samples(split: Split, samples: Iterable[Sample]) -> Counter[tuple[SplitName, Label]]:
    """Count samples by split and label."""
    return Counter((split.assigned[sample.name], sample.label) for sample in samples)
