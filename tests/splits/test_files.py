"""Split files as CSV: read back as they were written, or refused by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample
from kolektor_cli.splits.files import COLUMNS, check_split_file, read_split, split_rows
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import Split
from tests.samples import fractions, make_sample, make_samples, sample_tuples, seeds


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


@pytest.mark.parametrize("side", ["unused", "train"])
def test_defective_sample_may_be_unused_or_train(side: str) -> None:
    data = write_csv(rows_of(SAMPLES)).replace(
        b"kos01/Part0,kos01,kos01,defective,test",
        f"kos01/Part0,kos01,kos01,defective,{side}".encode(),
    )
    assert read_split(data, SAMPLES, "s.csv").assigned["kos01/Part0"] == side


def test_table_says_itself_what_trains() -> None:
    data = write_csv(rows_of(SAMPLES))
    with pytest.raises(SplitFileError, match=r"s\.csv: says itself what trains"):
        read_split(data, SAMPLES, "s.csv", train_defects="train")
    with pytest.raises(SplitFileError, match=r"s\.csv: says itself what trains"):
        check_split_file(data, "s.csv", train_defects="train")


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
        (edited("kos01/Part1,", "kos01/Part0,"), "my.csv, line 3: kos01/Part0 is repeated"),
        (edited(f"{ROW_2}\n", ""), "my.csv: does not say where kos01/Part0 of the source"),
        (edited("defective,test\nkos01/Part1,", "defective,tset\nkos01/Part1,"), "line 2: 'tset'"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,Test"), "my.csv, line 2: 'Test'"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,defective,"), "my.csv, line 2: '' is not a split"),
        (edited(ROW_2, "kos01/Part0"), "my.csv, line 2: None is not a split"),
        (edited(ROW_2, "kos01/Part0,kos01,kos01,good,test"), "line 2: .* defective, not 'good'"),
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
