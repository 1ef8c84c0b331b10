"""What trains of a split: defective samples and few good ones, drawn by a seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.samples import connected
from kolektor_cli.splits.protocols import make_split
from kolektor_cli.splits.split import Split, find_leaks
from tests.samples import Dataset, count_samples, datasets, make_samples, official, official_2

PROTOCOLS_OF_KOLEKTORSDD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("balanced", {}),
    ("vicos", {"fold": 0}),
    ("vicos", {"fold": 2, "drop_leaks": True}),
    ("grouped", {"fold": 1}),
    ("anomalib", {}),
)


def members(split: Split, name: str) -> set[str]:
    return {sample for sample, side in split.assigned.items() if side == name}


def moved(before: Split, after: Split) -> Counter[tuple[str, str]]:
    """Count the samples that changed their split, by the old and the new one."""
    pairs = ((before.assigned[name], after.assigned[name]) for name in before.assigned)
    return Counter((old, new) for old, new in pairs if old != new)


@pytest.mark.parametrize(("protocol", "options"), PROTOCOLS_OF_KOLEKTORSDD)
@pytest.mark.parametrize("count", [1, 10])
def test_defective_samples_that_train_are_the_only_ones_that_move(
    protocol: str, options: dict[str, Any], count: int
) -> None:
    dataset = official()
    before = make_split(protocol, *dataset, options)
    after = make_split(protocol, *dataset, {**options, "train_defects": count})
    side = "unused" if "fold" in options else "test"
    assert moved(before, after) == {(side, "train"): count}
    assert count_samples(after, dataset[0])["train", "defective"] == count
    assert len(find_leaks(after.assigned, dataset[1])) == len(
        find_leaks(before.assigned, dataset[1])
    )
    assert after.parameters["train_defects"] == count
    assert make_split(protocol, *dataset, after.parameters) == after


@given(datasets(), st.integers(0, 9), st.integers(1, 4), st.sampled_from(["balanced", "grouped"]))
def test_nothing_leaks_through_defective_samples_that_train(
    dataset: Dataset, seed: int, count: int, protocol: str
) -> None:
    samples, duplicates = dataset
    options = {"fold": 0, "folds": 2} if protocol == "grouped" else {}
    try:
        before = make_split(protocol, samples, duplicates, {**options, "seed": seed})
        after = make_split(
            protocol, samples, duplicates, {**options, "seed": seed, "train_defects": count}
        )
    except UsageError:
        assume(False)
    assert moved(before, after).total() == count
    trained = [s for s in samples if after.assigned[s.name] == "train" and s.label == "defective"]
    assert len(trained) == count
    assert find_leaks(after.assigned, duplicates) == []
    if protocol == "grouped":
        tested = {s.group for s in samples if after.assigned[s.name] == "test"}
        assert not tested & {s.group for s in trained}
    pictures = connected([s.name for s in samples], [(d.first, d.second) for d in duplicates])
    whole = {pictures[s.name] for s in trained}
    assert all(
        after.assigned[s.name] == "train"
        for s in samples
        if s.label == "defective" and pictures[s.name] in whole
    )
    again = make_split(protocol, samples[::-1], duplicates[::-1], after.parameters)
    assert again == after


def test_picture_of_a_tested_sample_never_trains() -> None:
    samples, duplicates = official()
    split = make_split("vicos", samples, duplicates, {"fold": 0})
    others = {s.name for s in samples if s.label == "defective"} - members(split, "test")
    leaks = {d.first for d in duplicates} | {d.second for d in duplicates}
    free = len(others - leaks)
    with pytest.raises(UsageError, match=r"34 defective samples .* cannot be drawn"):
        make_split("vicos", samples, duplicates, {"fold": 0, "train_defects": 34})
    made = make_split("vicos", samples, duplicates, {"fold": 0, "train_defects": free})
    assert len(find_leaks(made.assigned, duplicates)) == 13


def test_all_defective_samples_of_the_training_side_train_as_the_authors_do() -> None:
    samples, duplicates = official()
    for protocol in ("vicos", "grouped"):
        before = make_split(protocol, samples, duplicates, {"fold": 0})
        after = make_split(protocol, samples, duplicates, {"fold": 0, "train_defects": "train"})
        assert moved(before, after) == {("unused", "train"): 34}
        assert make_split(protocol, samples, duplicates, after.parameters) == after
    options = {"fold": 0, "drop_leaks": True, "train_defects": "train"}
    clean = make_split("vicos", samples, duplicates, options)
    assert find_leaks(clean.assigned, duplicates) == []
    assert 0 < count_samples(clean, samples)["train", "defective"] < 34


def test_official_trains_on_its_defective_training_images() -> None:
    samples = official_2()
    split = make_split("official", samples, (), {"train_defects": "train"})
    assert count_samples(split, samples) == {
        ("train", "good"): 2085, ("train", "defective"): 246,
        ("test", "good"): 894, ("test", "defective"): 110,
    }  # fmt: skip
    few = make_split("official", samples, (), {"train_defects": 16})
    assert count_samples(few, samples)["train", "defective"] == 16
    assert few.parameters == {"train_defects": 16, "seed": 0}


@pytest.mark.parametrize(
    ("protocol", "options", "message"),
    [
        ("balanced", {"train_defects": "train"}, "balanced takes a number for --train-defects"),
        ("anomalib", {"train_defects": "test"}, "anomalib takes a number for --train-defects"),
        ("balanced", {"train_defects": 52}, "--train-defects 52 leaves no defective sample"),
        ("balanced", {"train_defects": 53}, "cannot be drawn .* 52 can: --train-defects 52"),
        ("balanced", {"train_defects": 0}, "not a whole number from 1 on"),
        ("balanced", {"train_good": 0}, "not a whole number from 1 on"),
        ("balanced", {"train_good": 1.5}, "not a whole number from 1 on"),
        ("balanced", {"train_good": 296}, "296 good samples .* there are 295"),
        ("vicos", {"fold": 0, "seed": 1}, "not --seed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    protocol: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_split(protocol, *official(), options)


@pytest.mark.parametrize(("protocol", "options"), PROTOCOLS_OF_KOLEKTORSDD)
def test_few_good_samples_are_nested_and_the_others_are_unused(
    protocol: str, options: dict[str, Any]
) -> None:
    dataset = official()
    whole = make_split(protocol, *dataset, options)
    good = {s.name for s in dataset[0] if s.label == "good"}
    larger = members(whole, "train") & good
    for count in (150, 60, 8, 4, 1):
        split = make_split(protocol, *dataset, {**options, "train_good": count})
        trained = members(split, "train")
        assert len(trained) == count
        assert trained < larger
        assert moved(whole, split) == {("train", "unused"): len(members(whole, "train")) - count}
        assert make_split(protocol, *dataset, split.parameters) == split
        larger = trained


@given(datasets(), st.integers(0, 9), st.data())
def test_few_good_samples_are_of_as_many_items_and_pictures_as_there_are(
    dataset: Dataset, seed: int, data: st.DataObject
) -> None:
    samples, duplicates = dataset
    try:
        whole = make_split("balanced", samples, duplicates, {"seed": seed})
    except UsageError:
        assume(False)
    trained = members(whole, "train")
    count = data.draw(st.integers(1, len(trained)))
    options = {"seed": seed, "train_good": count}
    few = members(make_split("balanced", samples, duplicates, options), "train")
    pictures = connected([s.name for s in samples], [(d.first, d.second) for d in duplicates])
    for kinds in ({s.name: s.group for s in samples}, pictures):
        kinds_there = {kinds[name] for name in trained}
        assert len({kinds[name] for name in few}) == min(count, len(kinds_there))


def test_few_good_and_some_defective_samples_may_train_together() -> None:
    samples = make_samples(good=20, defective=6)
    split = make_split("balanced", samples, (), {"train_good": 2, "train_defects": 3})
    assert count_samples(split, samples) == {
        ("train", "good"): 2, ("train", "defective"): 3, ("unused", "good"): 12,
        ("test", "good"): 6, ("test", "defective"): 3,
    }  # fmt: skip


def test_choices_never_change() -> None:
    split = make_split("balanced", *official(), {"train_good": 4, "train_defects": 2})
    assert " ".join(sorted(members(split, "train"))) == (
        "kos26/Part7 kos33/Part6 kos35/Part7 kos39/Part2 kos42/Part3 kos49/Part0"
    )
