"""Every protocol is complete, depends on nothing it should not, and keeps together what it says."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.raw.releases import kolektorsdd
from kolektor_cli.samples import Duplicate, Sample, connected
from kolektor_cli.splits.drawn import seeded_order
from kolektor_cli.splits.protocols import (
    PROTOCOLS,
    VICOS_TEST_ITEMS,
    anomalib,
    balanced,
    grouped,
    make_split,
    vicos,
)
from kolektor_cli.splits.protocols import official as official_split
from kolektor_cli.splits.split import Leak, Split, SplitName, find_leaks
from tests.samples import (
    Dataset,
    count_samples,
    datasets,
    fractions,
    make_sample,
    make_samples,
    official,
    official_2,
    sample_tuples,
    seeds,
    with_groups,
)


def sides(split: Split, groups: dict[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, side in split.assigned.items():
        if side != "unused":
            found[groups[name]].add(side)
    return found


@given(datasets(), st.integers(0, 5), st.sampled_from([0.0, 0.2, 0.5]))
def test_balanced_keeps_pictures_together_and_reaches_its_number(
    dataset: Dataset, seed: int, val: float
) -> None:
    samples, duplicates = dataset
    good = sum(sample.label == "good" for sample in samples)
    assume(1 <= len(samples) - good < good)
    split = balanced(samples, duplicates, seed=seed, val=val)
    pictures = connected([s.name for s in samples], [(d.first, d.second) for d in duplicates])
    assert all(len(found) == 1 for found in sides(split, pictures).values())
    assert find_leaks(split.assigned, duplicates) == []
    assert split.assigned.keys() == {sample.name for sample in samples}
    counts = count_samples(split, samples)
    assert counts["test", "defective"] == len(samples) - good
    assert counts["test", "good"] <= len(samples) - good
    assert counts["unused", "good"] == 0
    again = balanced(samples[::-1], duplicates[::-1], seed=seed, val=val)
    assert again == split


@given(datasets(), st.integers(0, 3), st.integers(2, 5))
def test_grouped_folds_partition_the_data_and_never_part_a_group(
    dataset: Dataset, seed: int, folds: int
) -> None:
    samples, duplicates = dataset
    groups = {sample.name: sample.group for sample in samples}
    assume(folds <= len(set(groups.values())))
    tested: list[str] = []
    defects = []
    for fold in range(folds):
        split = grouped(samples, duplicates, fold=fold, folds=folds, seed=seed)
        assert all(len(found) <= 1 for found in sides(split, groups).values())
        assert find_leaks(split.assigned, duplicates) == []
        assert split == grouped(samples[::-1], duplicates, fold=fold, folds=folds, seed=seed)
        tested += [name for name, side in split.assigned.items() if side == "test"]
        defects.append(count_samples(split, samples)["test", "defective"])
    assert sorted(tested) == sorted(groups)
    largest = Counter(s.group for s in samples if s.label == "defective").most_common(1)
    assert max(defects) - min(defects) <= (largest[0][1] if largest else 0)


def test_balanced_passes_over_pictures_that_do_not_fit() -> None:
    samples = [make_sample(f"kos01/Part{part}", defective=part < 3) for part in range(11)]
    linked = [(samples[a], samples[b]) for a, b in ((3, 4), (5, 6), (7, 8), (8, 9))]
    dataset = with_groups(samples, linked)
    for seed in range(30):
        counts = count_samples(balanced(*dataset, seed=seed), samples)
        assert counts["test", "good"] == 3
    twos = with_groups(samples[:9], [*linked[:2], (samples[7], samples[8])])
    assert count_samples(balanced(*twos), twos[0])["test", "good"] == 2
    with pytest.raises(UsageError, match="3 good samples cannot be tested without parting"):
        balanced(*twos, test_good=3)


def test_groups_of_five_duplicates_with_chains_stay_together() -> None:
    samples = [
        make_sample(f"kos{item:02}/Part{part}", defective=part == 0)
        for item in range(50)
        for part in range(3)
    ]
    chains = [
        (samples[3 * item + part], samples[3 * item + 3 + part])
        for item in range(50)
        if item % 5 < 4
        for part in (0, 1, 2)
    ]
    dataset = with_groups(samples, chains)
    assert len({sample.group for sample in dataset[0]}) == 10
    for seed in range(20):
        split = balanced(*dataset, seed=seed)
        assert find_leaks(split.assigned, dataset[1]) == []
        assert count_samples(split, samples)["test", "good"] == 50


def test_protocols_have_their_known_counts_on_kolektorsdd() -> None:
    samples, duplicates = official()
    for split, train, good, defective, leaks in (
        (balanced(samples, duplicates), 295, 52, 52, 0),
        (vicos(samples, duplicates, fold=0), 230, 117, 18, 13),
        (vicos(samples, duplicates, fold=1), 229, 118, 18, 13),
        (vicos(samples, duplicates, fold=2), 235, 112, 16, 14),
        (vicos(samples, duplicates, fold=0, drop_leaks=True), 217, 117, 18, 0),
        (anomalib(samples, duplicates), 277, 70, 52, 5),
    ):
        counts = count_samples(split, samples)
        found = (counts["train", "good"], counts["test", "good"], counts["test", "defective"])
        assert found == (train, good, defective), split.protocol
        assert len(find_leaks(split.assigned, duplicates)) == leaks, split.protocol


def test_grouped_spreads_the_defects_of_kolektorsdd() -> None:
    samples, duplicates = official()
    assert len({sample.group for sample in samples}) == 47
    for folds, expected in ((3, {17, 18}), (4, {13}), (5, {10, 11}), (47, {1, 2, 4})):
        found = {
            count_samples(grouped(samples, duplicates, fold=fold, folds=folds), samples)[
                "test", "defective"
            ]
            for fold in range(folds)
        }
        assert found == expected


def test_vicos_folds_are_a_partition_of_the_items() -> None:
    everything = [item for fold in VICOS_TEST_ITEMS for item in fold]
    assert sorted(everything) == sorted(kolektorsdd().items)


def test_anomalib_is_the_permutation_of_its_source() -> None:
    samples, _ = official(linked=False)
    good = sorted(sample.name for sample in samples if sample.label == "good")
    tested = {good[i] for i in np.random.RandomState(42).permutation(347)[:70]}
    split = anomalib(samples[::-1])
    assert {n for n in good if split.assigned[n] == "test"} == tested


@pytest.mark.parametrize(
    ("protocol", "options", "message"),
    [
        ("balanced", {"fold": 0}, "balanced takes --seed, --test-good, --val, not --fold"),
        ("anomalib", {"seed": 0}, "anomalib takes no option, not --seed"),
        ("vicos", {}, "vicos needs --fold"),
        ("vicos", {"fold": 3}, "no fold 3"),
        ("vicos", {"fold": -1}, "--fold -1 is not a whole number"),
        ("grouped", {}, "grouped needs --fold"),
        ("grouped", {"fold": 0, "folds": 48}, "48 folds of 47 physical items"),
        ("grouped", {"fold": 0, "folds": 1}, "1 folds are too few"),
        ("grouped", {"fold": 3}, "no fold 3"),
    ],
)
def test_impossible_requests_are_usage_errors(
    protocol: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_split(protocol, *official(), options)


@pytest.mark.parametrize("protocol", ["balanced", "anomalib"])
@pytest.mark.parametrize("defective", [True, False])
def test_samples_of_one_label_cannot_be_split(protocol: str, defective: bool) -> None:
    samples = [make_sample(f"kos01/Part{part}", defective=defective) for part in range(8)]
    with pytest.raises(UsageError):
        make_split(protocol, samples, (), {})


def test_items_that_the_authors_did_not_have_are_in_no_fold() -> None:
    with pytest.raises(UsageError, match="kos77 is in none"):
        vicos([make_sample("kos77/Part0", defective=False)], fold=0)


def test_parameters_of_every_protocol_make_the_split_again() -> None:
    dataset = official()
    for protocol, options in (
        ("balanced", {"seed": 3, "val": 0.1}),
        ("vicos", {"fold": 0, "drop_leaks": True}),
        ("grouped", {"fold": 1}),
        ("anomalib", {}),
    ):
        split = make_split(protocol, *dataset, options)
        assert make_split(split.protocol, *dataset, split.parameters) == split
    dataset = official_2(), ()
    split = make_split("official", *dataset, {"train_defects": "test"})
    assert split.parameters == {"train_defects": "test"}
    assert make_split(split.protocol, *dataset, split.parameters) == split
    assert {"balanced", "vicos", "grouped", "anomalib", "official"} == PROTOCOLS.keys()


def test_official_takes_the_folders_and_leaves_out_defective_training_images() -> None:
    samples = official_2()
    split = official_split(samples)
    assert count_samples(split, samples) == {
        ("train", "good"): 2085, ("test", "good"): 894, ("test", "defective"): 110,
        ("unused", "defective"): 246,
    }  # fmt: skip
    for sample in samples:
        wanted = "test" if sample.name.startswith("test/") else "train"
        assert split.assigned[sample.name] in (wanted, "unused")
    assert official_split(samples[::-1]) == split


def test_official_can_test_the_defective_training_images() -> None:
    samples = official_2()
    split = official_split(samples, train_defects="test")
    assert count_samples(split, samples) == {
        ("train", "good"): 2085, ("test", "good"): 894, ("test", "defective"): 356,
    }  # fmt: skip


def test_official_leaks_are_found() -> None:
    samples = official_2()
    pair = Duplicate("test/20000", "train/12330", "file")
    [leak] = find_leaks(official_split(samples).assigned, [pair])
    assert (leak.train, leak.test) == ("train/12330", "test/20000")


def test_leaks_of_very_many_samples_of_one_picture_are_told_once_a_sample() -> None:
    """Only the pairs with a0 are known, which no side has."""
    names = [f"a{number}" for number in range(1, 41)]
    pairs = [Duplicate("a0", name, "file" if name in ("a1", "a4") else "near") for name in names]
    assigned: dict[str, SplitName] = dict.fromkeys(names[3:], "test")
    assigned |= {"a0": "unused", "a1": "train", "a2": "val", "a3": "unused"}
    leaks = find_leaks(assigned, pairs)
    assert [(leak.train, leak.test) for leak in leaks] == [
        *(("a1", name) for name in names[3:]),
        ("a2", "a4"),
    ]
    assert [leak.kind for leak in leaks] == ["file", *["near"] * 37]
    pairs.append(Duplicate("a2", "a9", "file"))
    assert find_leaks(assigned, pairs)[0] == Leak("a2", "a9", "file")
    assert len(find_leaks(assigned, pairs)) == 37
    assert find_leaks(dict.fromkeys(["a0", *names], "train"), pairs) == []
    same = [Duplicate("a0", name, "file") for name in names]
    assert {leak.kind for leak in find_leaks(assigned, same)} == {"file"}


def test_protocols_of_one_release_say_what_to_use_for_the_other() -> None:
    with pytest.raises(UsageError, match=r"as in KolektorSDD2.*balanced, or vicos"):
        official_split(official()[0])
    with pytest.raises(UsageError, match="for KolektorSDD2 choose official"):
        vicos(official_2(), fold=0)
    with pytest.raises(
        UsageError, match="'val' is neither a number nor one of unused, train, test"
    ):
        official_split(official_2(), train_defects="val")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'test' is neither a number nor one of unused, train$"):
        vicos(official()[0], fold=0, train_defects="test")


def test_other_protocols_split_kolektorsdd2_as_any_other() -> None:
    samples = official_2()
    for split in (balanced(samples), anomalib(samples), grouped(samples, fold=1, folds=5)):
        assert split.assigned.keys() == {sample.name for sample in samples}
    assert count_samples(balanced(samples), samples) == {
        ("train", "good"): 2979 - 356, ("test", "good"): 356, ("test", "defective"): 356,
    }  # fmt: skip
    tested = [
        name
        for fold in range(5)
        for name, side in grouped(samples, fold=fold, folds=5).assigned.items()
        if side == "test"
    ]
    assert sorted(tested) == sorted(sample.name for sample in samples)


def test_grouped_spreads_good_and_defective_images_that_are_items_of_their_own() -> None:
    samples = official_2()
    counts = [count_samples(grouped(samples, fold=fold), samples) for fold in range(3)]
    assert sorted(c["test", "defective"] for c in counts) == [118, 119, 119]
    assert sorted(c["test", "good"] + c["test", "defective"] for c in counts) == [1111, 1112, 1112]


def members(split: Split, name: SplitName) -> set[str]:
    return {sample for sample, place in split.assigned.items() if place == name}


@given(sample_tuples(), seeds, fractions)
def test_every_sample_has_exactly_one_place(
    samples: tuple[Sample, ...], seed: int, val: float
) -> None:
    split = balanced(samples, seed=seed, val=val)
    assert split.assigned.keys() == {sample.name for sample in samples}
    assert set(split.assigned.values()) <= {"train", "val", "test"}


@given(sample_tuples(), seeds, fractions)
def test_counts_are_those_of_the_formula(
    samples: tuple[Sample, ...], seed: int, val: float
) -> None:
    split = balanced(samples, seed=seed, val=val)
    defective = sum(sample.label == "defective" for sample in samples)
    remaining = len(samples) - 2 * defective
    counts = count_samples(split, samples)
    assert counts["test", "defective"] == defective
    assert counts["test", "good"] == defective
    assert counts["val", "good"] == int(val * remaining)
    assert counts["train", "good"] == remaining - int(val * remaining)
    assert counts["train", "good"] >= 1
    assert counts.total() == len(samples)


@given(sample_tuples(), seeds, fractions, st.randoms(use_true_random=False))
def test_order_of_samples_does_not_matter(
    samples: tuple[Sample, ...], seed: int, val: float, shuffler: random.Random
) -> None:
    shuffled = list(samples)
    shuffler.shuffle(shuffled)
    assert balanced(shuffled, seed=seed, val=val) == balanced(samples, seed=seed, val=val)


@given(seeds, seeds)
def test_seeds_differ_and_each_gives_one_split(one: int, other: int) -> None:
    samples = make_samples(good=80, defective=20)
    assert balanced(samples, seed=one) == balanced(samples, seed=one)
    if one != other:
        first, second = balanced(samples, seed=one), balanced(samples, seed=other)
        assert members(first, "train") != members(second, "train")


@given(sample_tuples(), seeds, fractions)
def test_validation_takes_from_training_only(
    samples: tuple[Sample, ...], seed: int, val: float
) -> None:
    plain, validated = balanced(samples, seed=seed), balanced(samples, seed=seed, val=val)
    assert members(plain, "test") == members(validated, "test")
    assert members(plain, "train") == members(validated, "train") | members(validated, "val")


@given(sample_tuples(), seeds, st.data())
def test_more_good_ones_tested_are_those_and_further_ones(
    samples: tuple[Sample, ...], seed: int, data: st.DataObject
) -> None:
    good = sum(sample.label == "good" for sample in samples)
    fewer = data.draw(st.integers(1, good - 1))
    more = data.draw(st.integers(fewer, good - 1))
    small = balanced(samples, seed=seed, test_good=fewer)
    large = balanced(samples, seed=seed, test_good=more)
    assert count_samples(large, samples)["test", "good"] == more
    assert members(small, "test") <= members(large, "test")


def test_real_numbers_are_those_of_the_field() -> None:
    samples = make_samples(good=347, defective=52)
    assert count_samples(balanced(samples), samples) == {
        ("train", "good"): 295,
        ("test", "good"): 52,
        ("test", "defective"): 52,
    }


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_seed_0_is_a_seed_and_the_default() -> None:
    samples = make_samples(good=40, defective=10)
    assert balanced(samples) == balanced(samples, seed=0)
    order = seeded_order(map(str, range(10)), 0)
    assert order == sorted(map(str, range(10)), key=lambda n: sha256(f"0/{n}"))
    assert order != sorted(order)


def test_parameters_make_the_same_split_again() -> None:
    samples = make_samples(good=40, defective=10)
    for given_parameters in ({}, {"seed": 5, "test_good": 7, "val": 0.25}):
        split = balanced(samples, **given_parameters)  # type: ignore[arg-type]
        assert PROTOCOLS[split.protocol](samples, **split.parameters) == split
    assert split.parameters == {"seed": 5, "test_good": 7, "val": 0.25}
    assert balanced(samples).parameters == {"seed": 0, "test_good": 10, "val": 0.0}


@pytest.mark.parametrize(
    ("samples", "parameters", "message"),
    [
        (make_samples(9, 0), {}, "no defective sample"),
        (make_samples(3, 3), {}, "3 good samples to test out of 3"),
        (make_samples(3, 4), {}, "4 good samples to test out of 3"),
        (make_samples(0, 4), {}, "out of 0"),
        (make_samples(9, 3), {"test_good": 0}, "--test-good"),
        (make_samples(9, 3), {"test_good": -1}, "--test-good"),
        (make_samples(9, 3), {"test_good": 9}, "1 left to train on"),
        (make_samples(9, 3), {"val": 1.0}, "not a fraction"),
        (make_samples(9, 3), {"val": -0.1}, "not a fraction"),
        (make_samples(9, 3), {"val": float("nan")}, "not a fraction"),
        ((), {}, "no defective sample"),
    ],
)
def test_impossible_request_is_a_usage_error(
    samples: Sequence[Sample], parameters: dict[str, int | float], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        PROTOCOLS["balanced"](samples, **parameters)


def test_all_but_one_good_sample_may_be_tested() -> None:
    samples = make_samples(9, 3)
    split = balanced(samples, test_good=8)
    assert (len(members(split, "train")), len(members(split, "test"))) == (1, 11)


@given(st.lists(st.text(st.characters(codec="utf-8")), unique=True), seeds)
def test_seeded_order_is_that_of_the_hashes(names: list[str], seed: int) -> None:
    assert seeded_order(names, seed) == sorted(names, key=lambda name: sha256(f"{seed}/{name}"))


def test_seeded_order_never_changes() -> None:
    names = [f"kos01/Part{part}" for part in range(8)]
    assert "".join(name[-1] for name in seeded_order(names, 0)) == "40712365"
    assert "".join(name[-1] for name in seeded_order(names, 7)) == "20347156"


def test_seeded_order_takes_names_that_are_not_unicode() -> None:
    assert sorted(seeded_order(["a\udcff", "b"], 0)) == ["a\udcff", "b"]
