"""Results as tables, as JSON and as rows of CSV: the same facts each time, and no output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from typing import Any, TypeAlias

from kolektor_cli.records import (
    DUPLICATE_KINDS,
    LABELS,
    SPLIT_NAMES,
    Check,
    Counts,
    Finding,
    Leak,
    Plan,
    Report,
    Sample,
    SampleCounts,
    Scan,
)

Cell: TypeAlias = "str | int"
JsonObject: TypeAlias = dict[str, Any]


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def one_line(text: str) -> str:
    """Write control characters as escapes: a name may hold line feeds and a terminal's commands."""
    return text.translate(_CONTROLS)


@dataclass(frozen=True, slots=True)
class Table:
    """A table to show; numbers are set flush right, `total` stands below a line."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


def scan_tables(scan: Scan) -> list[Table]:
    """Make tables of a scan: its items, and the whole."""
    items = [_item_facts(item, samples) for item, samples in _by_item(scan.samples)]
    whole = _item_facts("all", scan.samples)
    columns = ("item", "samples", "good", "defective", "width", "height", "defect pixels")
    facts = [
        ("release", scan.release),
        ("items", str(len(items))),
        ("samples", str(len(scan.samples))),
        ("left out", str(len(scan.left_out))),
        ("official image files", f"{scan.official_images} of {len(scan.samples)}"),
        ("official mask files", f"{scan.official_masks} of {len(scan.samples)}"),
        ("defect pixels", _defect_range(scan.samples)),
        ("distinct pictures", str(scan.distinct)),
        ("physical items", str(len(_groups(scan)))),
    ]
    tables = [
        Table("Items", columns, tuple(map(_item_row, items)), _item_row(whole)),
        Table("Dataset", ("what", "value"), tuple(facts)),
    ]
    shared = [group for group in _groups(scan) if len(group["items"]) > 1]
    if shared:
        rows = tuple((" ".join(g["items"]), *(g[kind] for kind in DUPLICATE_KINDS)) for g in shared)
        tables.append(Table("Items that are one", ("items", *_KIND_TITLES), rows))
    return tables


_KIND_TITLES = ("same file", "same pixels", "taken again")


def _groups(scan: Scan) -> list[JsonObject]:
    """Collect the physical items: their items, and how many pairs of pictures these share."""
    group_of = {sample.name: sample.group for sample in scan.samples}
    groups: dict[str, JsonObject] = {}
    for sample in scan.samples:
        empty: JsonObject = {"group": sample.group, "items": []}
        empty |= dict.fromkeys(DUPLICATE_KINDS, 0)
        group = groups.setdefault(sample.group, empty)
        if sample.item not in group["items"]:
            group["items"].append(sample.item)
    for pair in scan.duplicates:
        groups[group_of[pair.first]][pair.kind] += 1
    return list(groups.values())


def _by_item(samples: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    for item, members in groupby(samples, key=lambda sample: sample.item):
        yield item, list(members)


def _item_facts(item: str, samples: Sequence[Sample]) -> JsonObject:
    """Count one item's samples; sizes are [smallest, largest] in pixels, empty without samples."""
    widths = [sample.width for sample in samples]
    heights = [sample.height for sample in samples]
    defective = sum(sample.label == "defective" for sample in samples)
    return {
        "item": item,
        "samples": len(samples),
        "good": len(samples) - defective,
        "defective": defective,
        "width": [min(widths), max(widths)] if widths else [],
        "height": [min(heights), max(heights)] if heights else [],
        "defect_pixels": sum(sample.defect_pixels for sample in samples),
    }


def _item_row(facts: JsonObject) -> tuple[Cell, ...]:
    return (
        facts["item"],
        facts["samples"],
        facts["good"],
        facts["defective"],
        _range(facts["width"]),
        _range(facts["height"]),
        facts["defect_pixels"],
    )


def _range(ends: Sequence[int]) -> str:
    return "-".join(map(str, sorted(set(ends))))


def _defect_range(samples: Iterable[Sample]) -> str:
    pixels = [sample.defect_pixels for sample in samples if sample.defect_pixels]
    if not pixels:
        return "none"
    return f"{min(pixels)} to {max(pixels)}, median {median(pixels):g}"


def scan_json(scan: Scan) -> JsonObject:
    """Put a scan into JSON."""
    pixels = [sample.defect_pixels for sample in scan.samples if sample.defect_pixels]
    whole = _item_facts("all", scan.samples)
    items = [_item_facts(item, samples) for item, samples in _by_item(scan.samples)]
    return {
        "release": scan.release,
        "counts": {
            "items": len(items),
            "samples": whole["samples"],
            "good": whole["good"],
            "defective": whole["defective"],
            "left_out": len(scan.left_out),
            "distinct": scan.distinct,
            "groups": len(_groups(scan)),
        },
        "official": {"images": scan.official_images, "masks": scan.official_masks},
        "width": whole["width"],
        "height": whole["height"],
        "defect_pixels": {"min": min(pixels), "median": median(pixels), "max": max(pixels)}
        if pixels
        else None,
        "items": items,
        "groups": _groups(scan),
        "duplicates": [asdict(pair) for pair in scan.duplicates],
        "samples": [sample_json(sample) for sample in scan.samples],
        "left_out": dict(scan.left_out),
        "findings": findings_json(scan.findings),
    }


def sample_json(sample: Sample) -> JsonObject:
    """Put one sample into JSON."""
    facts = asdict(sample)
    names = {"sample": facts.pop("name"), "item": facts.pop("item"), "group": facts.pop("group")}
    return {**names, "label": sample.label, **facts}


SCAN_COLUMNS = (
    "sample",
    "item",
    "group",
    "label",
    "width",
    "height",
    "defect_pixels",
    "image",
    "mask",
    "image_sha256",
    "mask_sha256",
    "problem",
)


def scan_rows(scan: Scan) -> Iterator[tuple[Cell, ...]]:
    """Put a scan into rows of CSV, header first; what was left out comes last, with its problem."""
    yield SCAN_COLUMNS
    for sample in scan.samples:
        facts = {**sample_json(sample), "problem": ""}
        yield tuple(facts[column] for column in SCAN_COLUMNS)
    for name, problem in scan.left_out.items():
        facts = {"sample": name, "item": name.rpartition("/")[0], "problem": problem}
        yield tuple(facts.get(column, "") for column in SCAN_COLUMNS)


def leaks_line(leaks: Sequence[Leak]) -> str:
    """Say in one line what is on both sides of a split."""
    shown = ", ".join(f"{leak.train} = {leak.test}" for leak in leaks[:3])
    more = f" and {len(leaks) - 3} more" if len(leaks) > 3 else ""
    return f"leaks   {len(leaks)} pictures are in train and in test: {shown}{more}"


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


def plan_table(plan: Plan) -> Table:
    """Make a table of the files of a plan and the samples they are made from."""
    rows = [
        (path, image.sample.name)
        for image in plan.images
        for path in (image.path, image.mask_path)
        if path
    ]
    return Table("Files", ("path", "sample"), tuple(rows))


def plan_json(plan: Plan, counts: Counts) -> JsonObject:
    """Put a plan into JSON."""
    return {
        "category": plan.category,
        "release": plan.release,
        "options": dict(plan.options),
        "split": {"protocol": plan.split.protocol, **plan.split.parameters},
        "counts": counts_json(counts),
        "images": [
            {
                "path": image.path,
                "mask_path": image.mask_path,
                "sample": image.sample.name,
                "split": image.split,
                "label": image.sample.label,
            }
            for image in plan.images
        ],
        "unused": list(plan.unused),
        "left_out": dict(plan.left_out),
    }


def report_tables(report: Report) -> list[Table]:
    """Make tables of a category folder: its images, and a line a check."""
    rows = tuple((check.name, _result(check), check.description) for check in report.checks)
    return [
        counts_table(report.category, report.counts),
        Table("Checks", ("check", "result", "passes if"), rows),
    ]


def _result(check: Check) -> str:
    if check.skipped:
        return f"skipped: {check.skipped}"
    return "ok" if check.ok else "FAILED"


def report_json(report: Report) -> JsonObject:
    """Put what was found in a category folder into JSON."""
    return {
        "category": report.category,
        "ok": report.ok,
        "counts": counts_json(report.counts),
        "fingerprint": report.fingerprint,
        "checks": [
            {
                "name": check.name,
                "description": check.description,
                "ok": check.ok,
                "skipped": check.skipped,
                "findings": findings_json(check.findings),
            }
            for check in report.checks
        ],
    }


def sample_table(title: str, counts: SampleCounts) -> Table:
    """Make a table of what a synthetic dataset holds."""
    columns = ("items", "samples", "good", "defective")
    samples = counts.good + counts.defective
    return Table(title, columns, ((counts.items, samples, counts.good, counts.defective),))


def envelope(version: str, command: str, ok: bool, result: Mapping[str, Any]) -> JsonObject:
    """Wrap a result as every command prints it."""
    return {"kolektor": version, "command": command, "ok": ok, **result}
