"""Pickles as the datasets' authors publish their splits, read without executing them."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, TypeVar

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.split import SideDefects, Split, SplitName

PICKLE_START = b"\x80"
"""First byte of every pickle since protocol 2; no text in UTF-8 starts with it."""

_DAMAGE = (EOFError, IndexError, KeyError, ValueError, TypeError, AttributeError, MemoryError)
"""What the unpickler raises on damaged data, besides its own error."""

_Entry = TypeVar("_Entry")

Listed: TypeAlias = dict[_Entry, bool | None]
"""Items or numbers, each with whether its pixel labels are to be used; None if unsaid."""

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
"""Opcodes that store a value in the unpickler's memo."""


def split_by_pickle(
    data: bytes,
    samples: Sequence[Sample],
    name: str,
    fold: int | None,
    train_defects: SideDefects = "unused",
) -> Split:
    """Return the split in a pickle of the authors; `fold` selects a fold of KolektorSDD.

    `train_defects` is where the defective samples go that it lists to train on.

    Raises
    ------
    SplitFileError
        The pickle cannot be read or does not match the samples, or `fold` does not match it.
    """
    if any(sample.official_split for sample in samples):
        if fold is not None:
            raise SplitFileError(f"{name}: has no folds: leave out --fold with KolektorSDD2")
        numbers = read_pickled_numbers(data, name)
        return _split_by_numbers(*numbers, samples, name, train_defects)
    folds = read_pickled_lists(data, name)
    if fold is None or not 0 <= fold < len(folds):
        raise SplitFileError(f"{name}: has the folds 0 to {len(folds) - 1}; choose with --fold")
    train, test = folds[fold]
    items = {sample.item for sample in samples}
    for verb, listed in (("tests", test), ("trains on", train)):
        strangers = sorted(listed.keys() - items, key=natural_key)
        if strangers:
            raise SplitFileError(
                f"{name}: fold {fold} {verb} {strangers[0]}, which is not in the source"
            )
    return _split_by_lists(train, test, samples, name, {"fold": fold}, train_defects)


def _split_by_numbers(
    train: Listed[int],
    test: Listed[int],
    samples: Sequence[Sample],
    name: str,
    train_defects: SideDefects,
) -> Split:
    """Test the samples with the numbers `test`; train on the good ones of `train`."""
    items = {sample.item for sample in samples}
    strangers = sorted(number for number in {*train, *test} if str(number) not in items)
    if strangers:
        raise SplitFileError(f"{name}: names the image {strangers[0]}, which is not in the source")
    trained, tested = ({str(n): known for n, known in listed.items()} for listed in (train, test))
    return _split_by_lists(trained, tested, samples, name, {}, train_defects)


def _split_by_lists(
    train: Listed[str],
    test: Listed[str],
    samples: Sequence[Sample],
    name: str,
    parameters: Mapping[str, int],
    train_defects: SideDefects,
) -> Split:
    """Test the samples of the items `test`, train on the good ones of `train`, and no others."""
    both = sorted(train.keys() & test.keys(), key=natural_key)
    if both:
        noun = "the item" if parameters else "the image"
        raise SplitFileError(f"{name}: names {noun} {both[0]} both to train on and to test")
    assigned: dict[str, SplitName] = {}
    segmented: dict[str, bool] = {}
    for sample in samples:
        known = test.get(sample.item, train.get(sample.item))
        if known is not None:
            segmented[sample.name] = known
        side: SplitName = "train" if sample.label == "good" else train_defects
        listed: SplitName = side if sample.item in train else "unused"
        assigned[sample.name] = "test" if sample.item in test else listed
    told = {} if train_defects == "unused" else {"train_defects": train_defects}
    return Split("file", {**parameters, **told}, assigned, segmented)


def read_pickled_lists(data: bytes, name: str) -> tuple[tuple[Listed[str], Listed[str]], ...]:
    """Return the items of each fold in the authors' pickle of KolektorSDD: to train on, to test.

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
        train, test, *_ = content
        folds = [tuple(map(_items_of, fold)) for fold in zip(train, test, strict=True)]
        return tuple((trained, tested) for trained, tested in folds)
    except (TypeError, ValueError, LookupError) as error:
        raise SplitFileError(
            f"{name}: is not a pickle of KolektorSDD's folds, (train, test) with a list a fold; "
            "that of KolektorSDD2's split is for KolektorSDD2"
        ) from error


def read_pickled_numbers(data: bytes, name: str) -> tuple[Listed[int], Listed[int]]:
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
        train, test = map(_numbers_of, content)
    except (TypeError, ValueError) as error:
        raise SplitFileError(
            f"{name}: is not a pickle of KolektorSDD2's split, (train, test) of numbers; those of "
            "KolektorSDD's folds are for KolektorSDD"
        ) from error
    if not all(isinstance(number, int) for number in (*train, *test)):
        raise SplitFileError(f"{name}: is not a split of KolektorSDD2, whose images have numbers")
    return train, test


def pickle_numbers(train: Iterable[tuple[int, bool]], test: Iterable[tuple[int, bool]]) -> bytes:
    """Return a split as the authors pickle that of KolektorSDD2; see `read_pickled_numbers`.

    The same split gives the same bytes.
    """
    return pickle.dumps((list(train), list(test)), protocol=4)


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


def _items_of(entries: Iterable[Any]) -> Listed[str]:
    """Return the items of entries, which are names, or names and whether they are segmented."""
    found: Listed[str] = {}
    for entry in entries:
        item, known = (entry, None) if isinstance(entry, str) else (entry[0], _truth(entry[1]))
        if not isinstance(item, str):
            raise TypeError("an entry does not begin with an item's name")
        found[item] = known
    return found


def _numbers_of(entries: Iterable[Any]) -> Listed[int]:
    return {number: _truth(known) for number, known in entries}


def _truth(value: object) -> bool:
    """Return a truth value, which some write as 0 or 1."""
    if value not in (0, 1):
        raise TypeError(f"{value!r} does not say whether an image is segmented")
    return bool(value)
