"""Which sample goes to train, val, test or stays unused: protocols, and split files.

A protocol is a function from samples to a `Split`; none depends on the order of the samples.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import get_args

from kolektor_cli.errors import SplitFileError, UsageError
from kolektor_cli.records import Label, Sample, Split, SplitName, natural_key

COLUMNS = ("sample", "item", "group", "label", "split")
"""The columns of a split file, in this order; only ``sample`` and ``split`` are needed to read."""


def balanced(
    samples: Sequence[Sample], *, seed: int = 0, test_good: int | None = None, val: float = 0.0
) -> Split:
    """Test every defective sample and as many good ones; train on the other good ones.

    The good samples are put in an order that depends on `seed` and their names alone (see
    `seeded_order`). The first `test_good` (by default as many as there are defective samples) are
    tested; of the n that follow, the first ``floor(val * n)`` are for validation.

    On KolektorSDD: 295 train, 52 good and 52 defective test.

    Raises
    ------
    UsageError
        There is no defective sample, or the numbers leave no good sample to test or to train on.
    """
    good = seeded_order((s.name for s in samples if s.label == "good"), seed)
    defective = [sample.name for sample in samples if sample.label == "defective"]
    tested = len(defective) if test_good is None else test_good
    if not defective:
        raise UsageError("there is no defective sample, so there is nothing to test")
    if not 1 <= tested < len(good):
        raise UsageError(
            f"{tested} good samples to test out of {len(good)} is not possible: at least 1 must be "
            "tested and 1 left to train on; choose another number with --test-good"
        )
    if not 0 <= val < 1:
        raise UsageError(f"{val} is no fraction for validation: it goes from 0 to below 1")
    validated = int(val * (len(good) - tested))
    assigned: dict[str, SplitName] = dict.fromkeys(defective, "test")
    assigned |= dict.fromkeys(good[:tested], "test")
    assigned |= dict.fromkeys(good[tested : tested + validated], "val")
    assigned |= dict.fromkeys(good[tested + validated :], "train")
    return Split("balanced", {"seed": seed, "test_good": tested, "val": val}, assigned)


PROTOCOLS: Mapping[str, Callable[..., Split]] = {"balanced": balanced}
"""The protocols by name; each takes the samples and its own parameters, which `Split` records."""


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Order names at random, the same way on every machine and with every library's version.

    The order is that of the SHA-256 of ``"<seed>/<name>"`` (UTF-8). So it does not depend on the
    order in which the names come, and leaving one out does not disturb the others.
    """

    def key(name: str) -> tuple[bytes, str]:
        text = f"{seed}/{name}".encode(errors="surrogatepass")
        return hashlib.sha256(text).digest(), name

    return sorted(names, key=key)


def count_samples(split: Split, samples: Iterable[Sample]) -> Counter[tuple[SplitName, Label]]:
    """Count samples by split and label."""
    return Counter((split.assigned[sample.name], sample.label) for sample in samples)


def split_rows(split: Split, samples: Sequence[Sample]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a split file, `COLUMNS` first, in the natural order of the samples."""
    yield COLUMNS
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        split_name = split.assigned[sample.name]
        yield sample.name, sample.item, sample.item, sample.label, split_name


def read_split(data: bytes, samples: Sequence[Sample], name: str) -> Split:
    """Read a split file, which must give every sample of `samples` a place, and no other.

    `name` is how error messages call the file. Columns may come in any order, rows too; unknown
    columns are ignored.

    Raises
    ------
    SplitFileError
        The file is not UTF-8, its header lacks a column, a sample is unknown, repeated or missing,
        a split is no split's name, a label is not the sample's, or a defective sample is to be
        trained on.
    """
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
        raise SplitFileError(f"{name}, line {reader.line_num}: is not CSV: {error}") from error


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
