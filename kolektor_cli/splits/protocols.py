"""Split protocols, which assign samples to train, val, test or unused.

A protocol is a function that takes samples and the pairs among them that are the same picture, with
its own options by keyword, and returns a `Split`. The order of the samples does not matter.
`make_split` then draws the defective and the good samples that train, where numbers are asked for.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.samples import Duplicate, OfficialSplit, Sample, natural_key
from kolektor_cli.splits.drawn import (
    draw_defective,
    draw_good,
    leaders_of,
    seeded_order,
    take_pictures,
)
from kolektor_cli.splits.split import (
    SideDefects,
    Split,
    SplitName,
    find_leaks,
    split_by_items,
)

VICOS_TEST_ITEMS: tuple[frozenset[str], ...] = tuple(
    frozenset(f"kos{number}" for number in fold.split())
    for fold in (
        "02 08 09 10 15 19 21 25 27 28 30 37 38 41 43 46 47",
        "01 03 04 06 11 17 22 24 29 31 32 36 39 40 42 44 48",
        "05 07 12 13 14 16 18 20 23 26 33 34 35 45 49 50",
    )
)
"""Test items of the authors' three folds, from their file ``KSDD_split_33_33.pyb``."""

DEFAULT_FOLDS = 3
"""Number of folds of the protocol ``grouped``, as many as the authors have."""


def make_split(
    protocol: str,
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate],
    options: Mapping[str, Any],
) -> Split:
    """Return the split of a protocol, by its name and its options.

    With the parameters of a split as options, it is the same split again.

    Raises
    ------
    UsageError
        See `check_request`; or the samples do not allow it.
    """
    check_request(protocol, options)
    split = PROTOCOLS[protocol](samples, duplicates, **_own(protocol, options))
    drawn = _drawn(options)
    if not drawn:
        return split
    assigned, seed = split.assigned, options.get("seed", 0)
    if "train_defects" in drawn:
        side: SplitName = "unused" if "train_defects" in protocol_options(protocol) else "test"
        count = drawn["train_defects"]
        assigned = draw_defective(assigned, samples, duplicates, count, seed, side)
    if "train_good" in drawn:
        assigned = draw_good(assigned, samples, duplicates, drawn["train_good"], seed)
    return replace(split, parameters={**split.parameters, **drawn, "seed": seed}, assigned=assigned)


def number_of_folds(protocol: str | None, folds: int | None) -> int:
    """Return how many folds a protocol has, of which `folds` asks for a number.

    Raises
    ------
    UsageError
        The protocol has no folds, or `folds` is no number of them.
    """
    if protocol == "vicos":
        return len(VICOS_TEST_ITEMS)
    if protocol != "grouped":
        raise UsageError("--all-folds needs a protocol with folds: --protocol vicos or grouped")
    if folds is None:
        return DEFAULT_FOLDS
    require_whole("folds", folds, 2)
    return folds


def takes_seed(protocol: str, options: Mapping[str, Any]) -> bool:
    """Return whether a protocol with some options draws at random."""
    return "seed" in protocol_options(protocol) or bool(_drawn(options))


def _drawn(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of samples to draw: every protocol takes them, and a seed with them."""
    return {
        name: options[name]
        for name in ("train_defects", "train_good")
        if options.get(name) is not None and not isinstance(options[name], str)
    }


def _own(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the function of a protocol takes."""
    own, drawn = protocol_options(protocol), _drawn(options)
    return {n: value for n, value in options.items() if n in own and n not in drawn}


def check_request(protocol: str, options: Mapping[str, Any]) -> None:
    """Check, without any sample, that a protocol can be made with some options.

    Raises
    ------
    UsageError
        There is no such protocol; or it does not take an option, needs one that is missing, or
        refuses a value.
    """
    require_one_of("protocol", protocol, PROTOCOLS)
    known, drawn = protocol_options(protocol), _drawn(options)
    for name in options:
        seeds = name == "seed" and takes_seed(protocol, options)
        if name not in known and name not in drawn and not seeds:
            raise UsageError(f"the protocol {protocol} {_refusal(known, name, options[name])}")
    for name, value in drawn.items():
        require_whole(name.replace("_", "-"), value, 1)
    for name, default in known.items():
        if default is inspect.Parameter.empty and name not in options:
            raise UsageError(f"the protocol {protocol} needs {_option(name)}")
    for name in _WHOLE_NUMBERS & options.keys():
        if options[name] is not None:
            require_whole(name.replace("_", "-"), options[name])
    _VALUE_CHECKS[protocol](**_own(protocol, options))


def _refusal(known: Mapping[str, object], name: str, value: object) -> str:
    if name == "train_defects":
        return f"takes a number for --train-defects, not {value!r}: it has no training side"
    takes = ", ".join(map(_option, known)) or "no option"
    return f"takes {takes}, not {_option(name)}"


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
    defective are unused. Pictures are taken in an order that depends only on `seed` and the names
    (see `seeded_order`). The first ones are tested, `test_good` samples in all (by default as many
    as are defective), without pictures that make this sum impossible. Of the n good samples left,
    the first ``floor(val * n)`` are for validation. Where duplicates make these numbers impossible,
    val gets the next smaller one, and so does test unless `test_good` is given.

    On KolektorSDD: 295 train, 52 good and 52 defective test, and nothing leaks.

    Raises
    ------
    UsageError
        There is no defective sample, the numbers leave no good sample to test or to train on,
        `test_good` is impossible without parting duplicates, or `val` is out of range.
    """
    _check_balanced(test_good=test_good, val=val)
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
    tested, others = take_pictures(good, wanted)
    found = sum(map(len, tested))
    if test_good is not None and found != test_good:
        raise UsageError(
            f"{test_good} good samples cannot be tested without parting duplicates; {found} can"
        )
    validated, trained = take_pictures(others, int(val * (count - found)))
    assigned: dict[str, SplitName] = dict.fromkeys((s.name for s in samples), "unused")
    assigned |= dict.fromkeys(defective, "test")
    parts: tuple[tuple[SplitName, list[list[str]]], ...] = (
        *(("test", tested), ("val", validated), ("train", trained)),
    )
    for name, pictures in parts:
        assigned |= {sample: name for picture in pictures for sample in picture}
    return Split("balanced", {"seed": seed, "test_good": found, "val": val}, assigned)


def _good_pictures(
    samples: Sequence[Sample], duplicates: Sequence[Duplicate], seed: int
) -> list[list[str]]:
    """Group good samples by picture, in seeded order, without pictures that are also defective."""
    leaders = leaders_of(samples, duplicates)
    pictures: dict[str, list[str]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        if sample.label == "good":
            pictures[leaders[sample.name]].append(sample.name)
    for sample in samples:
        if sample.label == "defective":
            pictures.pop(leaders[sample.name], None)
    return [pictures[leader] for leader in seeded_order(pictures, seed)]


def vicos(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),
    *,
    fold: int,
    drop_leaks: bool = False,
    train_defects: SideDefects = "unused",
) -> Split:
    """Test the items of one of the authors' three folds; train on the good samples of the others.

    Source: J. Bozic, D. Tabernik, D. Skocaj, Mixed supervision for surface-defect detection,
    Computers in Industry, 2021; the published file ``KSDD_split_33_33.pyb``. The defective samples
    of the training items are unused; with `train_defects` ``train``, they train, as the authors'
    do. Each fold has the same pictures on both sides; with `drop_leaks`, those on the training side
    are unused.

    On KolektorSDD: fold 0 tests 117 good and 18 defective, fold 1 118 and 18, fold 2 112 and 16.

    Raises
    ------
    UsageError
        There is no such fold, or an item is in no fold.
    """
    _check_vicos(fold=fold, train_defects=train_defects)
    if any(sample.official_split for sample in samples):
        raise UsageError(
            "the protocol vicos works only with KolektorSDD's items; for KolektorSDD2 "
            "choose official"
        )
    strangers = {s.item for s in samples} - frozenset().union(*VICOS_TEST_ITEMS)
    if strangers:
        raise UsageError(
            f"{min(strangers, key=natural_key)} is in none of the authors' folds; choose another "
            "protocol, such as grouped"
        )
    assigned = split_by_items(samples, VICOS_TEST_ITEMS[fold], train_defects)
    if drop_leaks:
        for leak in find_leaks(assigned, duplicates):
            assigned[leak.train] = "unused"
    parameters = {"fold": fold, "drop_leaks": drop_leaks, **_unless_unused(train_defects)}
    return Split("vicos", parameters, assigned)


def _unless_unused(train_defects: SideDefects) -> dict[str, int | float | str]:
    """Return a parameter that manifests have only where it changes something."""
    return {} if train_defects == "unused" else {"train_defects": train_defects}


def grouped(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (the groups hold them)
    *,
    fold: int,
    folds: int = DEFAULT_FOLDS,
    seed: int = 0,
    train_defects: SideDefects = "unused",
) -> Split:
    """Put whole physical items into folds; test one fold, train on the good samples of the others.

    Items that share a picture are one physical item (47 in KolektorSDD), so nothing leaks; in
    KolektorSDD2 each image is an item. Groups are dealt by falling number of defective samples,
    then of samples, then in seeded order. Each goes to the fold with the fewest defective samples,
    then the fewest samples; a group without defective samples goes to the fold with the fewest
    samples. So the numbers of defective samples in two folds differ by no more than the most in one
    group. The defective samples of the training folds are unused; with `train_defects` ``train``,
    they train.

    Raises
    ------
    UsageError
        There are fewer groups than folds, fewer than 2 folds, or no such fold.
    """
    _check_grouped(fold=fold, folds=folds, train_defects=train_defects)
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    if folds > len(groups):
        raise UsageError(f"{folds} folds of {len(groups)} groups: choose from 2 to {len(groups)}")
    tested = _deal(groups, folds, seed)[fold]
    items = {sample.item for group in tested for sample in groups[group]}
    parameters = {"fold": fold, "folds": folds, "seed": seed, **_unless_unused(train_defects)}
    return Split("grouped", parameters, split_by_items(samples, items, train_defects))


def _deal(groups: Mapping[str, Sequence[Sample]], folds: int, seed: int) -> list[list[str]]:
    """Deal groups to folds with about equal numbers of defective samples and of all samples."""

    def size(name: str) -> tuple[int, int]:
        return sum(sample.label == "defective" for sample in groups[name]), len(groups[name])

    dealt: list[list[str]] = [[] for _ in range(folds)]
    loads = [(0, 0)] * folds
    for name in sorted(seeded_order(groups, seed), key=size, reverse=True):
        defective, samples = size(name)
        # Else all groups without defects would go to the folds with one defective sample less.
        keys = [load if defective else load[1:] for load in loads]
        place = keys.index(min(keys))
        dealt[place].append(name)
        loads[place] = (loads[place][0] + defective, loads[place][1] + samples)
    return dealt


def anomalib(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (Anomalib ignores them)
) -> Split:
    """Split like Anomalib's own Kolektor data module, so that results can be compared.

    Source: Anomalib 2, ``anomalib/data/datasets/image/kolektor.py``. The n good samples are sorted
    by path and permuted by ``numpy.random.RandomState(42)``; the first ``n - floor(0.8 n)`` are
    tested, the others train. All defective samples are tested.

    On KolektorSDD: 277 train, 70 good and 52 defective test; duplicates are on both sides.

    Raises
    ------
    UsageError
        There is no good or no defective sample.
    """
    good = sorted((s for s in samples if s.label == "good"), key=lambda sample: sample.image)
    if not good or len(good) == len(samples):
        raise UsageError("the protocol anomalib needs good and defective samples")
    # NumPy guarantees the stream of this legacy generator for all versions.
    order = np.random.RandomState(42).permutation(len(good)).tolist()
    tested = set(order[: len(good) - int(0.8 * len(good))])
    assigned: dict[str, SplitName] = {sample.name: "test" for sample in samples}
    assigned |= {s.name: "test" if i in tested else "train" for i, s in enumerate(good)}
    return Split("anomalib", {}, assigned)


def official(
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate] = (),  # noqa: ARG001  (the folders ignore them)
    *,
    train_defects: SideDefects = "unused",
) -> Split:
    """Train on the good images of KolektorSDD2's folder ``train``; test all of its ``test``.

    `train_defects` says whether the defective images of ``train`` are unused, train as the authors'
    do, or are tested.

    On KolektorSDD2: 2085 good train, 894 good and 110 defective test, 246 unused.

    Raises
    ------
    UsageError
        The samples lie in no such folders, or `train_defects` has another value.
    """
    _check_official(train_defects=train_defects)
    assigned: dict[str, SplitName] = {}
    for sample in samples:
        if sample.official_split is None:
            halves = set(get_args(OfficialSplit))
            apart = (s.image for s in samples if not halves & {*s.image.casefold().split("/")})
            raise UsageError(
                "the protocol official needs each image in one folder, train or test, as in "
                f"KolektorSDD2, and {next(apart, sample.image)} is in none; choose another, such "
                "as balanced, or vicos for the folds of KolektorSDD's authors"
            )
        trains = sample.official_split == "train"
        unfit = trains and sample.label == "defective"
        assigned[sample.name] = train_defects if unfit else sample.official_split
    return Split("official", {"train_defects": train_defects}, assigned)


def _check_balanced(*, test_good: int | None = None, val: float = 0.0, **_: object) -> None:
    if not isinstance(val, int | float) or not 0 <= val < 1:
        raise UsageError(f"{val} is not a fraction for validation: it goes from 0 to below 1")
    if test_good is not None and test_good < 1:
        raise UsageError(
            f"{test_good} good samples to test is not possible: test at least 1 with --test-good"
        )


def _check_side(train_defects: SideDefects, *others: str) -> None:
    choices = ("unused", "train", *others)
    if train_defects not in choices:
        raise UsageError(
            f"--train-defects {train_defects!r} is neither a number nor one of {', '.join(choices)}"
        )


def _check_vicos(*, fold: int, train_defects: SideDefects = "unused", **_: object) -> None:
    _check_side(train_defects)
    if not 0 <= fold < len(VICOS_TEST_ITEMS):
        raise UsageError(f"there is no fold {fold}: the authors published the folds 0, 1 and 2")


def _check_grouped(
    *, fold: int, folds: int = DEFAULT_FOLDS, train_defects: SideDefects = "unused", **_: object
) -> None:
    _check_side(train_defects)
    if folds < 2:
        raise UsageError(f"{folds} folds are too few: choose at least 2 with --folds")
    if not 0 <= fold < folds:
        raise UsageError(f"there is no fold {fold}: with --folds {folds} they go to {folds - 1}")


def _check_anomalib() -> None:
    """Do nothing: the protocol has no option."""


def _check_official(*, train_defects: SideDefects = "unused") -> None:
    _check_side(train_defects, "test")


_WHOLE_NUMBERS = {"seed", "test_good", "fold", "folds"}

_VALUE_CHECKS: Mapping[str, Callable[..., None]] = {
    "balanced": _check_balanced,
    "vicos": _check_vicos,
    "grouped": _check_grouped,
    "anomalib": _check_anomalib,
    "official": _check_official,
}
"""What no sample is needed to refuse."""

PROTOCOLS: Mapping[str, Callable[..., Split]] = {
    "balanced": balanced,
    "vicos": vicos,
    "grouped": grouped,
    "anomalib": anomalib,
    "official": official,
}
"""Protocols by name."""
