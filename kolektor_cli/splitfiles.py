"""Split files: the CSV that `kolektor split` writes, and the pickles that the authors publish."""

from __future__ import annotations

import csv
import io
import pickle
import pickletools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NoReturn, get_args

from kolektor_cli.errors import SplitFileError
from kolektor_cli.records import Sample, Split, SplitName, natural_key
from kolektor_cli.split import split_by_items

COLUMNS = ("sample", "item", "group", "label", "split")
"""The columns of a split file, in this order; only ``sample`` and ``split`` are needed to read."""


def split_rows(split: Split, samples: Sequence[Sample]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a split file, `COLUMNS` first, in the natural order of the samples."""
    yield COLUMNS
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        split_name = split.assigned[sample.name]
        yield sample.name, sample.item, sample.group, sample.label, split_name


def read_split(
    data: bytes, samples: Sequence[Sample], name: str, *, fold: int | None = None
) -> Split:
    """Read a split file: CSV, or a pickle of the authors', of which `fold` may choose a fold.

    `name` is how error messages call the file. A CSV file must give every sample of `samples` a
    place, and no other; columns may come in any order, rows too, and unknown columns are ignored.
    For pickles see `read_pickled_folds` and `read_pickled_numbers`. Of KolektorSDD's folds the
    items of the chosen test list are tested, the good samples of all others train. Of
    KolektorSDD2's two lists the numbers of the second are tested, the good ones of the first train.

    Raises
    ------
    SplitFileError
        The file is not UTF-8, its header lacks a column, a sample is unknown, repeated or missing,
        a split is no split's name, a label is not the sample's, or a defective sample is to be
        trained on; or a pickle is of another release than the samples, see there.
    """
    if data.startswith(_PICKLE_START):
        return _split_by_pickle(data, samples, name, fold)
    if fold is not None:
        raise SplitFileError(f"{name}: has no folds: --fold is for the authors' .pyb files")
    rows = _read_rows(data, name)
    by_name = {sample.name: sample for sample in samples}
    assigned: dict[str, SplitName] = {}
    for line, row in rows:
        sample, split = _check_row(row, by_name, f"{name}, line {line}")
        if sample.name in assigned:
            raise SplitFileError(f"{name}, line {line}: {sample.name} stands here again")
        assigned[sample.name] = split
    missing = [sample.name for sample in samples if sample.name not in assigned]
    if missing:
        raise SplitFileError(
            f"{name}: does not say where {_some(missing)} of the source should go; "
            "give each a line, with the split 'unused' if it is to be left out"
        )
    return Split("file", {}, assigned)


def _read_rows(data: bytes, name: str) -> list[tuple[int, Mapping[str, str]]]:
    """Parse a split file to its rows, each with its line number."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SplitFileError(f"{name}: is not text in UTF-8: {error}") from error
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
            f"{name}, line {reader.reader.line_num}: is not CSV: {error}"
        ) from error


def _check_row(
    row: Mapping[str, str], by_name: Mapping[str, Sample], place: str
) -> tuple[Sample, SplitName]:
    """Return sample and split of one row."""
    sample = by_name.get(row["sample"] or "")
    if sample is None:
        raise SplitFileError(f"{place}: the source has no usable sample {row['sample']!r}")
    label = row.get("label")
    if label and label != sample.label:
        raise SplitFileError(f"{place}: {sample.name} is {sample.label}, not {label!r}")
    split = _split_name(row["split"], place)
    if sample.label == "defective" and split in ("train", "val"):
        raise SplitFileError(
            f"{place}: {sample.name} is defective and cannot go to {split}, which is of good "
            "samples only; use 'test' or 'unused'"
        )
    return sample, split


def _split_name(text: str | None, place: str) -> SplitName:
    names: tuple[SplitName, ...] = get_args(SplitName)
    for name in names:
        if text == name:
            return name
    raise SplitFileError(f"{place}: {text!r} is no split; it should be {', '.join(names)}")


def _some(names: Sequence[str]) -> str:
    """Name a few, and count the others."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more samples"


_PICKLE_START = b"\x80"
"""The first byte of every pickle since protocol 2; no text in UTF-8 starts with it."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds plain values alone; a pickle that asks for a class or a function is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"asks for {module}.{name}, which a split has no need of")

    def persistent_load(self, _: object) -> NoReturn:
        raise pickle.UnpicklingError("asks for an object outside of it")


def read_pickled_folds(data: bytes, name: str) -> tuple[tuple[str, ...], ...]:
    """Read the items of the test lists, fold by fold, from the authors' pickle.

    Both published forms are read: ``(train, test)`` of lists of ``(item, is_segmented)`` and
    ``(train, test, all)`` of lists of items, ``train`` and ``test`` with a list a fold. Nothing of
    the file is executed.

    Raises
    ------
    SplitFileError
        The pickle is damaged, asks for anything but plain values, or is of another form.
    """
    content = _load_pickle(data, name)
    try:
        _, test, *_ = content
        return tuple(tuple(_item_of(entry) for entry in fold) for fold in test)
    except (TypeError, ValueError, LookupError) as error:
        raise SplitFileError(
            f"{name}: is no pickle of KolektorSDD's folds, (train, test) with a list a fold; that "
            "of KolektorSDD2's split is for KolektorSDD2"
        ) from error


def read_pickled_numbers(data: bytes, name: str) -> tuple[frozenset[int], frozenset[int]]:
    """Read the numbers to train on and those to test from the authors' pickle of KolektorSDD2.

    Its form is ``(train, test)``, lists of ``(number, is_segmented)``. Nothing of the file is
    executed.

    Raises
    ------
    SplitFileError
        The pickle is damaged, asks for anything but plain values, or is of another form.
    """
    content = _load_pickle(data, name)
    try:
        train, test = (frozenset(number for number, _ in entries) for entries in content)
    except (TypeError, ValueError) as error:
        raise SplitFileError(
            f"{name}: is no pickle of KolektorSDD2's split, (train, test) of numbers; those of "
            "KolektorSDD's folds are for KolektorSDD"
        ) from error
    if not all(isinstance(number, int) for number in train | test):
        raise SplitFileError(f"{name}: is no split of KolektorSDD2, whose images have numbers")
    return train, test


def _load_pickle(data: bytes, name: str) -> Any:
    try:
        _refuse_far_places(data)
        return _PlainUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, *_DAMAGE) as error:
        raise SplitFileError(f"{name}: is refused as a pickle of splits: {error}") from error


# What the unpickler raises on damaged data, beside its own error.
_DAMAGE = (EOFError, IndexError, KeyError, ValueError, TypeError, AttributeError, MemoryError)


def _refuse_far_places(data: bytes) -> None:
    """Refuse a pickle that fills a place far off: Python takes memory for all those before it."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _PUTS and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError(f"puts something in the place {argument}")


_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


def _item_of(entry: Any) -> str:
    """Return the item of an entry, which is a name or begins with one."""
    item = entry if isinstance(entry, str) else entry[0]
    if not isinstance(item, str):
        raise TypeError("an entry does not begin with an item's name")
    return item


def _split_by_pickle(data: bytes, samples: Sequence[Sample], name: str, fold: int | None) -> Split:
    if any(sample.official_split for sample in samples):
        if fold is not None:
            raise SplitFileError(f"{name}: has no folds: leave out --fold with KolektorSDD2")
        return _split_by_numbers(*read_pickled_numbers(data, name), samples, name)
    folds = read_pickled_folds(data, name)
    if fold is None or not 0 <= fold < len(folds):
        raise SplitFileError(f"{name}: has the folds 0 to {len(folds) - 1}; choose with --fold")
    items = {sample.item for sample in samples}
    strangers = sorted(set(folds[fold]) - items, key=natural_key)
    if strangers:
        raise SplitFileError(f"{name}: fold {fold} tests {strangers[0]}, which the source has not")
    return Split("file", {"fold": fold}, split_by_items(samples, folds[fold]))


def _split_by_numbers(
    train: Collection[int], test: Collection[int], samples: Sequence[Sample], name: str
) -> Split:
    """Test the samples of some numbers, and train on the good ones of others."""
    items = {sample.item for sample in samples}
    strangers = sorted(number for number in {*train, *test} if str(number) not in items)
    if strangers:
        raise SplitFileError(f"{name}: names the image {strangers[0]}, which the source has not")
    trained, tested = set(map(str, train)), set(map(str, test))
    if trained & tested:
        both = min(trained & tested, key=natural_key)
        raise SplitFileError(f"{name}: names the image {both} both to train on and to test")
    assigned: dict[str, SplitName] = dict.fromkeys((sample.name for sample in samples), "unused")
    for sample in samples:
        if sample.item in tested:
            assigned[sample.name] = "test"
        elif sample.item in trained and sample.label == "good":
            assigned[sample.name] = "train"
    return Split("file", {}, assigned)
