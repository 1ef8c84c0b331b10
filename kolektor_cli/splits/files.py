"""Split files in CSV; `pickles` reads those of the datasets' authors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.pickles import PICKLE_START, load_pickle, split_by_pickle
from kolektor_cli.splits.split import SideDefects, Split, SplitName

COLUMNS = ("sample", "item", "group", "label", "split")
"""Columns of a split file, in this order; reading needs only ``sample`` and ``split``."""

SEGMENTED = "segmented"
"""The column that follows, in a split that tells whose pixel labels are to be used: ``true``,
``false``, or nothing where it does not tell."""

_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def split_rows(split: Split, samples: Sequence[Sample]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a split file: `COLUMNS`, then the samples in natural order."""
    yield (*COLUMNS, SEGMENTED) if split.segmented else COLUMNS
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        split_name = split.assigned[sample.name]
        known = split.segmented.get(sample.name)
        told = ("" if known is None else str(known).lower(),) if split.segmented else ()
        yield sample.name, sample.item, sample.group, sample.label, split_name, *told


def split_bytes(split: Split, samples: Sequence[Sample]) -> bytes:
    """Return a split file in UTF-8; characters that UTF-8 cannot encode are escaped."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(split_rows(split, samples))
    return text.getvalue().encode(errors="backslashreplace")


def read_split(
    data: bytes,
    samples: Sequence[Sample],
    name: str,
    *,
    fold: int | None = None,
    train_defects: SideDefects | None = None,
) -> Split:
    """Return the split in a file: CSV, or a pickle of the authors, in which `fold` selects a fold.

    `name` stands for the file in error messages. A CSV file must have exactly one row for each of
    `samples` and no others. Columns and rows may be in any order; unknown columns are ignored.
    `read_pickled_folds` and `read_pickled_numbers` describe the pickles: what the list for tests
    names is tested, the good samples of what the list for training names train, its defective ones
    with `train_defects` ``train``, and all others are unused. Whose pixel labels are to be used is
    kept.

    Raises
    ------
    SplitFileError
        The file is not UTF-8 or lacks a column; a sample is unknown, repeated or missing; a split
        name, a label or a truth value is wrong; a defective sample is in val; `fold` or
        `train_defects` is given for a CSV file; or a pickle is damaged or of another release than
        the samples.
    """
    if data.startswith(PICKLE_START):
        return split_by_pickle(data, samples, name, fold, train_defects or "unused")
    rows = _read_csv(data, name, fold, train_defects)
    by_name = {sample.name: sample for sample in samples}
    assigned: dict[str, SplitName] = {}
    segmented: dict[str, bool] = {}
    for line, row in rows:
        sample, split = _check_row(row, by_name, f"{name}, line {line}")
        if sample.name in assigned:
            raise SplitFileError(f"{name}, line {line}: {sample.name} is repeated")
        assigned[sample.name] = split
        if row.get(SEGMENTED):
            segmented[sample.name] = _truth(row[SEGMENTED], f"{name}, line {line}")
    missing = [sample.name for sample in samples if sample.name not in assigned]
    if missing:
        raise SplitFileError(
            f"{name}: does not say where {_some(missing)} of the source should go; "
            "give each a line, with the split 'unused' if it is to be left out"
        )
    return Split("file", {}, assigned, segmented)


def _truth(text: str, place: str) -> bool:
    truth = _TRUTHS.get(text.casefold())
    if truth is None:
        raise SplitFileError(f"{place}: {text!r} in {SEGMENTED} is neither true nor false")
    return truth


def check_split_file(
    data: bytes, name: str, *, fold: int | None = None, train_defects: SideDefects | None = None
) -> None:
    """Check what needs no sample: that a split file is a pickle, or has the rows and columns.

    Raises
    ------
    SplitFileError
        See `read_split`.
    """
    if data.startswith(PICKLE_START):
        load_pickle(data, name)
    else:
        _read_csv(data, name, fold, train_defects)


def _read_csv(
    data: bytes, name: str, fold: int | None, train_defects: SideDefects | None
) -> list[tuple[int, Mapping[str, str]]]:
    if fold is not None:
        raise SplitFileError(f"{name}: has no folds: --fold is for the authors' .pyb files")
    if train_defects is not None:
        raise SplitFileError(
            f"{name}: says itself what trains: --train-defects is for the authors' .pyb files"
        )
    return _read_rows(data, name)


def _read_rows(data: bytes, name: str) -> list[tuple[int, Mapping[str, str]]]:
    """Return the rows of a split file, each with its line number."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SplitFileError(
            f"{name}: is not text in UTF-8, from byte {error.start} on, nor a pickle of splits; "
            "save it as CSV in UTF-8"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = reader.fieldnames
        if not columns:
            raise SplitFileError(f"{name}: is empty; 'kolektor split' writes such a file")
        absent = [column for column in ("sample", "split") if column not in columns]
        if absent:
            raise SplitFileError(
                f"{name}, line 1: the header has no column {' and no column '.join(absent)}; "
                f"it should be {','.join(COLUMNS)}"
            )
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise SplitFileError(
            f"{name}, line {reader.reader.line_num}: is not CSV: quotes or line ends are wrong; "
            "'kolektor split' writes such a file"
        ) from error


def _check_row(
    row: Mapping[str, str], by_name: Mapping[str, Sample], place: str
) -> tuple[Sample, SplitName]:
    """Return sample and split of a row."""
    sample = by_name.get(row["sample"] or "")
    if sample is None:
        raise SplitFileError(f"{place}: the source has no usable sample {row['sample']!r}")
    label = row.get("label")
    if label and label != sample.label:
        raise SplitFileError(f"{place}: {sample.name} is {sample.label}, not {label!r}")
    split = _split_name(row["split"], place)
    if sample.label == "defective" and split == "val":
        raise SplitFileError(
            f"{place}: {sample.name} is defective and cannot go to val, which is of good samples "
            "only; use 'train', 'test' or 'unused'"
        )
    return sample, split


def _split_name(text: str | None, place: str) -> SplitName:
    names: tuple[SplitName, ...] = get_args(SplitName)
    for name in names:
        if text == name:
            return name
    raise SplitFileError(f"{place}: {text!r} is not a split; it should be {', '.join(names)}")


def _some(names: Sequence[str]) -> str:
    """Name up to three samples, and count the others."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more samples"
