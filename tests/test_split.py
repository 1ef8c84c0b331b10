"""Splits: the protocol's promises on any samples, and split files read back or refused."""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import SplitFileError, UsageError
from kolektor_cli.records import Sample, Split, SplitName
from kolektor_cli.split import PROTOCOLS, balanced, count_samples, seeded_order
from kolektor_cli.splitfiles import COLUMNS, read_split, split_rows


def make_sample(name: str, *, defective: bool = False) -> Sample:
    item = name.partition("/")[0]
    return Sample(
        name=name,
        item=item,
        group=item,
        image=f"{name}.jpg",
        mask=f"{name}_label.bmp",
        width=40,
        height=60,
        defect_pixels=9 if defective else 0,
        image_sha256="0" * 64,
        mask_sha256="1" * 64,
    )


def make_samples(good: int = 9, defective: int = 3) -> tuple[Sample, ...]:
    return tuple(
        make_sample(f"kos{number // 4 + 1:02}/Part{number % 4}", defective=number < defective)
        for number in range(good + defective)
    )


# Python's csv module before 3.13 writes a carriage return so that it does not read it back.
letters = st.characters(codec="utf-8", exclude_characters="\0\r")
sample_names = st.text(letters, min_size=1).map("item/{}".format)


@st.composite
def sample_tuples(draw: st.DrawFn) -> tuple[Sample, ...]:
    """Draw samples of which one is defective at least, and one more good than defective."""
    names = draw(st.lists(sample_names, min_size=3, max_size=40, unique=True))
    defective = draw(st.integers(1, (len(names) - 1) // 2))
    return tuple(make_sample(name, defective=index < defective) for index, name in enumerate(names))


seeds = st.integers(0, 2**64)
fractions = st.floats(0, 1, exclude_max=True)


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
        (make_samples(9, 3), {"val": 1.0}, "no fraction"),
        (make_samples(9, 3), {"val": -0.1}, "no fraction"),
        (make_samples(9, 3), {"val": float("nan")}, "no fraction"),
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


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@given(st.lists(st.text(st.characters(codec="utf-8")), unique=True), seeds)
def test_seeded_order_is_that_of_the_hashes(names: list[str], seed: int) -> None:
    assert seeded_order(names, seed) == sorted(names, key=lambda name: sha256(f"{seed}/{name}"))


def test_seeded_order_never_changes() -> None:
    names = [f"kos01/Part{part}" for part in range(8)]
    assert "".join(name[-1] for name in seeded_order(names, 0)) == "40712365"
    assert "".join(name[-1] for name in seeded_order(names, 7)) == "20347156"


def test_seeded_order_takes_names_that_are_not_unicode() -> None:
    assert sorted(seeded_order(["a\udcff", "b"], 0)) == ["a\udcff", "b"]


def write_csv(rows: Sequence[Sequence[str]], line_end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows(rows)
    return text.getvalue().encode()


def rows_of(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    return list(split_rows(balanced(samples), samples))


SAMPLES = make_samples()


def test_split_file_has_a_line_a_sample_in_natural_order() -> None:
    samples = [make_sample(f"kos01/Part{part}") for part in (10, 9, 1)]
    samples.append(make_sample("kos01/Part2", defective=True))
    split = Split(
        "file",
        {},
        {
            "kos01/Part1": "train",
            "kos01/Part2": "test",
            "kos01/Part9": "val",
            "kos01/Part10": "unused",
        },
    )
    assert list(split_rows(split, samples)) == [
        ("sample", "item", "group", "label", "split"),
        ("kos01/Part1", "kos01", "kos01", "good", "train"),
        ("kos01/Part2", "kos01", "kos01", "defective", "test"),
        ("kos01/Part9", "kos01", "kos01", "good", "val"),
        ("kos01/Part10", "kos01", "kos01", "good", "unused"),
    ]


@given(sample_tuples(), seeds, fractions)
def test_split_file_reads_back_as_it_was_written(
    samples: tuple[Sample, ...], seed: int, val: float
) -> None:
    split = balanced(samples, seed=seed, val=val)
    again = read_split(write_csv(list(split_rows(split, samples))), samples, "split.csv")
    assert again.assigned == split.assigned
    assert (again.protocol, again.parameters) == ("file", {})


@given(st.permutations(range(1, len(SAMPLES) + 1)), st.permutations(range(len(COLUMNS) + 1)))
def test_rows_and_columns_may_come_in_any_order(rows: list[int], columns: list[int]) -> None:
    table = [(*row, "a, note") for row in rows_of(SAMPLES)]
    mixed = [[table[row][column] for column in columns] for row in (0, *rows)]
    # A column that is not known must not be taken for one that is.
    mixed[0][columns.index(len(COLUMNS))] = "remark"
    found = read_split(write_csv(mixed), SAMPLES, "split.csv")
    assert found.assigned == balanced(SAMPLES).assigned


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_byte_order_mark_and_line_ends_do_not_matter(start: bytes, line_end: str) -> None:
    data = start + write_csv(rows_of(SAMPLES), line_end)
    assert read_split(data, SAMPLES, "s.csv").assigned == balanced(SAMPLES).assigned


def test_two_columns_are_enough() -> None:
    rows = [(row[0], row[4]) for row in rows_of(SAMPLES)]
    found = read_split(write_csv(rows), SAMPLES, "s.csv")
    assert found.assigned == balanced(SAMPLES).assigned


def test_empty_lines_and_empty_labels_do_not_matter() -> None:
    rows = [(*row[:3], "label" if row[3] == "label" else "", row[4]) for row in rows_of(SAMPLES)]
    data = write_csv(rows).replace(b"\n", b"\n\n")
    assert read_split(data, SAMPLES, "s.csv").assigned == balanced(SAMPLES).assigned


def test_defective_sample_may_be_unused() -> None:
    data = write_csv(rows_of(SAMPLES)).replace(
        b"kos01/Part0,kos01,kos01,defective,test", b"kos01/Part0,kos01,kos01,defective,unused"
    )
    assert read_split(data, SAMPLES, "s.csv").assigned["kos01/Part0"] == "unused"


def edited(old: str, new: str) -> bytes:
    """Write the split file of `SAMPLES` with one text changed."""
    text = write_csv(rows_of(SAMPLES)).decode()
    assert text.count(old) == 1
    return text.replace(old, new).encode()


ROW_2 = "kos01/Part0,kos01,kos01,defective,test"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (edited("kos01/Part0,", "kos01/Part9,"), "my.csv, line 2: .* no usable .*kos01/Part9"),
        (edited("kos01/Part0,", ","), "my.csv, line 2: .* no usable sample ''"),
        (edited("kos01/Part0,", "KOS01/Part0,"), "my.csv, line 2: .* no usable .*KOS01/Part0"),
        (edited("kos01/Part1,", "kos01/Part0,"), "my.csv, line 3: kos01/Part0 stands here again"),
        (edited(f"{ROW_2}\n", ""), "my.csv: does not say where kos01/Part0 of the source"),
        (edited("defective,test\nkos01/Part1,", "defective,tset\nkos01/Part1,"), "line 2: 'tset'"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,Test"), "my.csv, line 2: 'Test'"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,"), "my.csv, line 2: '' is no split"),
        (edited(ROW_2, "kos01/Part0"), "my.csv, line 2: None is no split"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,good,test"), "line 2: .* defective, not 'good'"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,train"), "line 2: .*go to train"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,val"), "line 2: .*go to val"),
        (edited("sample,item", "name,item"), "my.csv, line 1: .* no column sample"),
        (edited("label,split", "label,set"), "my.csv, line 1: .* no column split"),
        (b"a;b\n1;2\n", "my.csv, line 1: .*no column sample and no column split"),
        (b"", "my.csv: is empty"),
        (b"\xef\xbb\xbf", "my.csv: is empty"),
        (write_csv(rows_of(SAMPLES)).decode().encode("utf-16"), "my.csv: is not text in UTF-8"),
        (edited(ROW_2, '"kos01/Part0"x,kos01,kos01,defective,test'), "my.csv, line 2: is not CSV"),
        (edited(ROW_2, '"kos01/Part0'), "my.csv, line 13: is not CSV"),
        (b"\x89PNG\r\n\x1a\n\xff\xff", "my.csv: is not text in UTF-8"),
    ],
)
def test_bad_split_file_is_refused_with_its_name_and_line(data: bytes, message: str) -> None:
    with pytest.raises(SplitFileError, match=message):
        read_split(data, SAMPLES, "my.csv")
