"""Pickles in which the datasets' authors publish their splits, read without executing them."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.split import Split, SplitName, split_by_items

PICKLE_START = b"\x80"
"""First byte of every pickle since protocol 2; no text in UTF-8 starts with it."""

_DAMAGE = (EOFError, IndexError, KeyError, ValueError, TypeError, AttributeError, MemoryError)
"""What the unpickler raises on damaged data, besides its own error."""

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
"""Opcodes that store a value in the unpickler's memo."""


def split_by_pickle(data: bytes, samples: Sequence[Sample], name: str, fold: int | None) -> Split:
    """Return the split in a pickle of the authors; `fold` selects a fold of KolektorSDD.

    Raises
    ------
    SplitFileError
        The pickle cannot be read or does not match the samples, or `fold` does not match it.
    """
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
        raise SplitFileError(
            f"{name}: fold {fold} tests {strangers[0]}, which is not in the source"
        )
    return Split("file", {"fold": fold}, split_by_items(samples, folds[fold]))


def _split_by_numbers(
    train: Collection[int], test: Collection[int], samples: Sequence[Sample], name: str
) -> Split:
    """Test the samples with the numbers `test`; train on the good ones of `train`."""
    items = {sample.item for sample in samples}
    strangers = sorted(number for number in {*train, *test} if str(number) not in items)
    if strangers:
        raise SplitFileError(f"{name}: names the image {strangers[0]}, which is not in the source")
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


def read_pickled_folds(data: bytes, name: str) -> tuple[tuple[str, ...], ...]:
    """Return the tested items of each fold in the authors' pickle of KolektorSDD.

    Reads both published forms: ``(train, test)`` with lists of ``(item, is_segmented)`` and
    ``(train, test, all)`` with lists of items; ``train`` and ``test`` have a list for each fold.
    Executes nothing in the file.

    Raises
    ------
    SplitFileError
        The pickle is damaged, asks for anything but plain values, or has another form.
    """
    content = load_pickle(data, name)
    try:
        _, test, *_ = content
        return tuple(tuple(_item_of(entry) for entry in fold) for fold in test)
    except (TypeError, ValueError, LookupError) as error:
        raise SplitFileError(
            f"{name}: is not a pickle of KolektorSDD's folds, (train, test) with a list a fold; "
            "that of KolektorSDD2's split is for KolektorSDD2"
        ) from error


def read_pickled_numbers(data: bytes, name: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers to train on and those to test in the authors' pickle of KolektorSDD2.

    Its form is ``(train, test)``, with lists of ``(number, is_segmented)``. Executes nothing in the
    file.

    Raises
    ------
    SplitFileError
        The pickle is damaged, asks for anything but plain values, or has another form.
    """
    content = load_pickle(data, name)
    try:
        train, test = (frozenset(number for number, _ in entries) for entries in content)
    except (TypeError, ValueError) as error:
        raise SplitFileError(
            f"{name}: is not a pickle of KolektorSDD2's split, (train, test) of numbers; those of "
            "KolektorSDD's folds are for KolektorSDD"
        ) from error
    if not all(isinstance(number, int) for number in train | test):
        raise SplitFileError(f"{name}: is not a split of KolektorSDD2, whose images have numbers")
    return train, test


class _RefusedError(pickle.UnpicklingError):
    """A pickle asks for what a split does not need; the message says for what."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds plain values only; refuses a pickle that asks for a class or a function."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _RefusedError(f"asks for {module}.{name}, which a split does not need")

    def persistent_load(self, _: object) -> NoReturn:
        raise _RefusedError("asks for an object outside the file")


def load_pickle(data: bytes, name: str) -> Any:
    """Return the plain values in a pickle; executes nothing in it.

    Raises
    ------
    SplitFileError
        The pickle is damaged, or asks for anything but plain values.
    """
    try:
        _refuse_far_places(data)
        return _PlainUnpickler(io.BytesIO(data)).load()
    except _RefusedError as error:
        raise SplitFileError(f"{name}: is refused as a pickle of splits: {error}") from error
    except (pickle.UnpicklingError, *_DAMAGE) as error:
        message = f"{name}: is neither CSV nor a whole pickle of splits; get the file again"
        raise SplitFileError(message) from error


def _refuse_far_places(data: bytes) -> None:
    """Refuse a pickle that stores at a far memo index: Python allocates memory up to that index."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _PUTS and isinstance(argument, int) and argument > len(data):
            raise _RefusedError(f"puts something in the place {argument}")


def _item_of(entry: Any) -> str:
    """Return the item of an entry, which is a name or starts with one."""
    item = entry if isinstance(entry, str) else entry[0]
    if not isinstance(item, str):
        raise TypeError("an entry does not begin with an item's name")
    return item
