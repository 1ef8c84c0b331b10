"""A scan as tables, as JSON and as rows of CSV: the same facts each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TypeAlias, get_args

from kolektor_cli.cli.render.conversion import fit_json, fit_tables
from kolektor_cli.cli.render.tables import Cell, JsonObject, Table, findings_json, text_range
from kolektor_cli.core.inspection import Inspection
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.releases import OWN_IMAGES
from kolektor_cli.raw.scan import Scan
from kolektor_cli.samples import DUPLICATE_KINDS, DUPLICATE_TITLES, OfficialSplit, Sample


def scan_tables(scan: Scan, *, every: bool) -> list[Table]:
    """Make tables of a scan: the halves of its official split, the whole, and what is one.

    With `every`, all items have a row.
    """
    if _is_split(scan):
        parts = Table("Splits", *_rows_of("split", _splits(scan), scan))
        return [parts, _whole_table(scan), *_pictures_table(scan)]
    tables = [_whole_table(scan)]
    if every and len(list(_by_item(scan.samples))) < len(scan.samples):
        items = [_item_facts(item, samples) for item, samples in _by_item(scan.samples)]
        tables.insert(0, Table("Items", *_rows_of("item", items, scan)))
    shared = [group for group in _groups(scan) if len(group["items"]) > 1]
    if shared:
        rows = tuple((" ".join(g["items"]), *(g[kind] for kind in DUPLICATE_KINDS)) for g in shared)
        tables.append(Table("Items that are one", ("items", *DUPLICATE_TITLES.values()), rows))
    return tables


Rows: TypeAlias = tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...], tuple[Cell, ...]]
"""Columns, rows and total of a table."""


def _rows_of(kind: str, parts: Iterable[JsonObject], scan: Scan) -> Rows:
    columns = (kind, "samples", "good", "defective", "width", "height", "defect pixels")
    return columns, tuple(map(_part_row, parts)), _part_row(_item_facts("all", scan.samples))


def _whole_table(scan: Scan) -> Table:
    """Make a table of what holds for the whole source, as far as it is known of its release."""
    samples = len(scan.samples)
    whole = _item_facts("all", scan.samples)
    types = _types(scan)
    facts: list[tuple[Cell, ...] | None] = [
        ("release", scan.release),
        None if _is_split(scan) else ("items", str(len(list(_by_item(scan.samples))))),
        ("samples", str(samples)),
        ("good", str(whole["good"])),
        ("defective", str(whole["defective"])),
        ("width", text_range(whole["width"])),
        ("height", text_range(whole["height"])),
        ("left out", str(len(scan.left_out))),
        _official("image", scan.official_images, samples),
        _official("mask", scan.official_masks, samples),
        ("types of defects", ", ".join(f"{kind} {n}" for kind, n in types.items()))
        if types
        else None,
        ("defect pixels", _defect_range(scan.samples)),
        ("distinct pictures", str(scan.distinct)),
        None if _is_split(scan) else ("physical items", str(len(_groups(scan)))),
    ]
    return Table("Dataset", ("what", "value"), tuple(fact for fact in facts if fact))


def _official(kind: str, count: int | None, samples: int) -> tuple[Cell, ...] | None:
    return None if count is None else (f"official {kind} files", f"{count} of {samples}")


def _pictures_table(scan: Scan) -> list[Table]:
    """Count the pairs that are the same picture, by the halves of the official split."""
    split_of = {sample.name: sample.official_split or "" for sample in scan.samples}
    pairs = Counter(
        (" and ".join(sorted({split_of[pair.first], split_of[pair.second]})), pair.kind)
        for pair in scan.duplicates
    )
    places = sorted({place for place, _ in pairs})
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (place, *(pairs[place, kind] for kind in DUPLICATE_KINDS)) for place in places
    )
    title = "Pairs that are the same picture"
    return [Table(title, ("in", *DUPLICATE_TITLES.values()), rows)] if rows else []


def _is_split(scan: Scan) -> bool:
    return any(sample.official_split for sample in scan.samples)


def _splits(scan: Scan) -> list[JsonObject]:
    """Count the samples in each half of the official split; none if there is no such split."""
    found = []
    for split in get_args(OfficialSplit):
        samples = [sample for sample in scan.samples if sample.official_split == split]
        if samples:
            found.append(_part_facts("split", split, samples))
    return found


def _groups(scan: Scan) -> list[JsonObject]:
    """Collect the physical items: their items, and how many pairs of pictures these share."""
    group_of = {sample.name: sample.group for sample in scan.samples}
    items: dict[str, dict[str, None]] = {}
    for sample in scan.samples:
        items.setdefault(sample.group, {})[sample.item] = None
    pairs = Counter((group_of[pair.first], pair.kind) for pair in scan.duplicates)
    return [
        {"group": group, "items": list(own), **{k: pairs[group, k] for k in DUPLICATE_KINDS}}
        for group, own in items.items()
    ]


def _by_item(samples: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    items: dict[str, list[Sample]] = {}
    for sample in samples:
        items.setdefault(sample.item, []).append(sample)
    yield from items.items()


def _item_facts(item: str, samples: Sequence[Sample]) -> JsonObject:
    return _part_facts("item", item, samples)


def _part_facts(kind: str, name: str, samples: Sequence[Sample]) -> JsonObject:
    """Count a part's samples; sizes are [smallest, largest] in pixels, empty without samples."""
    widths = [sample.width for sample in samples]
    heights = [sample.height for sample in samples]
    defective = sum(sample.label == "defective" for sample in samples)
    return {
        kind: name,
        "samples": len(samples),
        "good": len(samples) - defective,
        "defective": defective,
        "width": [min(widths), max(widths)] if widths else [],
        "height": [min(heights), max(heights)] if heights else [],
        "defect_pixels": _pixels_of(samples),
    }


def _pixels_of(samples: Sequence[Sample]) -> int | None:
    """Return the defect pixels of samples; None where defective ones have no masks."""
    if any(sample.label == "defective" and not sample.is_marked for sample in samples):
        return None
    return sum(sample.defect_pixels for sample in samples)


def _part_row(facts: JsonObject) -> tuple[Cell, ...]:
    name, samples, good, defective, width, height, defect_pixels = facts.values()
    pixels = "\N{EN DASH}" if defect_pixels is None else defect_pixels
    return name, samples, good, defective, text_range(width), text_range(height), pixels


def _types(scan: Scan) -> dict[str, int]:
    """Count the defective samples by the type of their defects, where masks tell types apart."""
    return dict(Counter(sample.kind for sample in scan.samples if sample.types))


def _defect_range(samples: Sequence[Sample]) -> str:
    pixels = [sample.defect_pixels for sample in samples if sample.defect_pixels]
    if not pixels:
        return "not known: no masks" if any(s.label == "defective" for s in samples) else "none"
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
        "types": _types(scan),
        "splits": _splits(scan),
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
    del facts["mask_rule"]  # an option, the same for all
    del facts["folder_label"]  # the label, where there are no masks
    facts["defect_pixels"] = _pixels_of([sample])
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
    "official_split",
    "problem",
)


def scan_rows(scan: Scan) -> Iterator[tuple[Cell, ...]]:
    """Put a scan into rows of CSV, header first; what was left out comes last, with its problem."""
    yield SCAN_COLUMNS
    for sample in scan.samples:
        facts = {**sample_json(sample), "problem": ""}
        facts |= {key: "" for key in ("official_split", "defect_pixels") if facts[key] is None}
        yield tuple(facts[column] for column in SCAN_COLUMNS)
    for name, problem in scan.left_out.items():
        facts = {"sample": name, "item": _item_of(name, scan), "problem": problem}
        yield tuple(facts.get(column, "") for column in SCAN_COLUMNS)


def _item_of(name: str, scan: Scan) -> str:
    """Return the item that the name of a sample tells; of people's own images, none."""
    folder, _, part = name.rpartition("/")
    if scan.release == OWN_IMAGES:
        return ""
    return part if _is_split(scan) else folder


def inspection_tables(inspection: Inspection, *, every: bool) -> list[Table]:
    """Make tables of an inspection: of the scan, and of what the fit asked for would make.

    With `every`, all items and all defective samples have a row.
    """
    tables = scan_tables(inspection.scan, every=every)
    if inspection.fit:
        tables += fit_tables(inspection.fit, every=every)
    return tables


def verdict(scan: Scan) -> str:
    """Say in one line what the source is, and whether anything is wrong with it."""
    of = Counter(finding.severity for finding in scan.findings)
    told = [
        f"{of[severity]} {severity}{'s' if of[severity] > 1 else ''}"
        for severity in ("error", "warning")
        if of[severity]
    ]
    state = "FAILED" if of["error"] else "ok"
    return f"{scan.release}: {state}" + (f"; {', '.join(told)}" if told else "")


def next_command(
    inspection: Inspection,
    source: Path,
    layout: LayoutOptions,
    fit: str | None,
    size: str | None,
) -> list[str]:
    """Return the command that converts what was inspected, as it was; none if it has errors."""
    if not inspection.ok or layout != KOLEKTOR_LAYOUT:
        return []
    options = [*(["--fit", fit] if fit else []), *(["--size", size] if size else [])]
    return ["kolektor", "convert", str(source), "data", *options]


def inspection_json(inspection: Inspection) -> JsonObject:
    """Put an inspection into JSON."""
    geometry = {"geometry": fit_json(inspection.fit)} if inspection.fit else {}
    return scan_json(inspection.scan) | geometry
