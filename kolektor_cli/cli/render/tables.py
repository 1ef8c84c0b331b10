"""Tables, lines and JSON that several commands share; nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kolektor_cli.findings import Finding, first_names
from kolektor_cli.samples import LABELS, Sample
from kolektor_cli.splits.split import SPLIT_NAMES, Counts, Leak, Split, count_segmented

if TYPE_CHECKING:
    from kolektor_cli.raw.synthetic import SyntheticCounts

Cell: TypeAlias = "str | int"

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table to show; numbers are set flush right, `total` stands below a line."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


def text_range(ends: Sequence[int]) -> str:
    """Write a range from its ends; one number if they are the same."""
    return "-".join(map(str, sorted(set(ends))))


def leaks_line(leaks: Sequence[Leak]) -> str:
    """Say in one line what is on both sides of a split."""
    pairs = first_names([f"{leak.train} = {leak.test}" for leak in leaks])
    number = f"{len(leaks)} pictures are" if len(leaks) > 1 else "1 picture is"
    return f"leaks   {number} in train and in test: {pairs}"


def leaks_json(leaks: Iterable[Leak]) -> list[JsonObject]:
    """Put leaks into JSON."""
    return [asdict(leak) for leak in leaks]


def findings_json(findings: Iterable[Finding]) -> list[JsonObject]:
    """Put findings into JSON."""
    return [asdict(finding) for finding in findings]


def counts_table(title: str, counts: Counts) -> Table:
    """Make a table of good and defective per split; splits without samples are not shown."""
    numbers = [[counts.get((split, label), 0) for label in LABELS] for split in SPLIT_NAMES]
    rows = [(split, *row, sum(row)) for split, row in zip(SPLIT_NAMES, numbers, strict=True)]
    sums = [sum(column) for column in zip(*numbers, strict=True)]
    shown = tuple(row for row in rows if row[-1])
    return Table(title, ("split", *LABELS, "total"), shown, ("total", *sums, sum(sums)))


def counts_json(counts: Counts) -> JsonObject:
    """Put numbers of good and defective per split into JSON."""
    return {
        split: {label: counts.get((split, label), 0) for label in LABELS} for split in SPLIT_NAMES
    }


def synthetic_table(title: str, counts: SyntheticCounts) -> Table:
    """Make a table of what a synthetic dataset holds."""
    columns = ("items", "samples", "good", "defective")
    samples = counts.good + counts.defective
    return Table(title, columns, ((counts.items, samples, counts.good, counts.defective),))


def synthetic_json(folder: Path, counts: SyntheticCounts) -> JsonObject:
    """Put what a synthetic dataset holds into JSON."""
    return {
        "folder": str(folder),
        "items": counts.items,
        "samples": counts.good + counts.defective,
        "good": counts.good,
        "defective": counts.defective,
    }


def split_notes(split: Split, samples: Iterable[Sample]) -> Iterator[str]:
    """Say of how many training samples pixel labels are known, and that none is for validation."""
    if split.parameters.get("val") and "val" not in split.assigned.values():
        share = split.parameters["val"]
        yield f"warning no sample is for validation: --val {share} is less than one of so few"
    counts = count_segmented(split, samples)
    if counts is not None:
        yield (
            f"segmented: {counts.segmented} of {counts.listed} training samples are fully labelled "
            f"by the split file, {counts.defective_segmented} of the {counts.defective} defective"
        )
