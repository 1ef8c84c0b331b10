"""Results as tables, as JSON and as rows of CSV: the same facts each time, and no output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from typing import Any, TypeAlias, get_args

from kolektor_cli.records import (
    DUPLICATE_KINDS,
    LABELS,
    SPLIT_NAMES,
    Check,
    Conversion,
    Counts,
    Finding,
    Fit,
    Leak,
    OfficialSplit,
    Plan,
    Preview,
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
    """Make tables of a scan: its items, or the halves of its official split, and the whole."""
    if _is_split(scan):
        parts = Table("Splits", *_rows_of("split", _splits(scan), scan))
        return [parts, _whole_table(scan), *_pictures_table(scan)]
    items = [_item_facts(item, samples) for item, samples in _by_item(scan.samples)]
    tables = [Table("Items", *_rows_of("item", items, scan)), _whole_table(scan)]
    shared = [group for group in _groups(scan) if len(group["items"]) > 1]
    if shared:
        rows = tuple((" ".join(g["items"]), *(g[kind] for kind in DUPLICATE_KINDS)) for g in shared)
        tables.append(Table("Items that are one", ("items", *_KIND_TITLES), rows))
    return tables


_KIND_TITLES = ("same file", "same pixels", "taken again")

Rows: TypeAlias = tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...], tuple[Cell, ...]]
"""Columns, rows and total of a table."""


def _rows_of(kind: str, parts: Iterable[JsonObject], scan: Scan) -> Rows:
    columns = (kind, "samples", "good", "defective", "width", "height", "defect pixels")
    return columns, tuple(map(_part_row, parts)), _part_row(_item_facts("all", scan.samples))


def _whole_table(scan: Scan) -> Table:
    """Make a table of what holds for the whole source, as far as it is known of its release."""
    samples = len(scan.samples)
    facts: list[tuple[Cell, ...] | None] = [
        ("release", scan.release),
        None if _is_split(scan) else ("items", str(len(list(_by_item(scan.samples))))),
        ("samples", str(samples)),
        ("left out", str(len(scan.left_out))),
        _official("image", scan.official_images, samples),
        _official("mask", scan.official_masks, samples),
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
    return [Table(title, ("in", *_KIND_TITLES), rows)] if rows else []


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
        "defect_pixels": sum(sample.defect_pixels for sample in samples),
    }


def _part_row(facts: JsonObject) -> tuple[Cell, ...]:
    name, samples, good, defective, width, height, defect_pixels = facts.values()
    return name, samples, good, defective, _range(width), _range(height), defect_pixels


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
        facts["official_split"] = sample.official_split or ""
        yield tuple(facts[column] for column in SCAN_COLUMNS)
    for name, problem in scan.left_out.items():
        folder, _, part = name.rpartition("/")
        facts = {"sample": name, "item": part if _is_split(scan) else folder, "problem": problem}
        yield tuple(facts.get(column, "") for column in SCAN_COLUMNS)


def preview_tables(preview: Preview) -> list[Table]:
    """Make tables of what a fit does: to the whole, and to the defects of each sample."""
    facts = [
        ("images", str(preview.good + preview.defective)),
        ("good", str(preview.good)),
        ("defective", str(preview.defective)),
        ("width", _range(preview.widths)),
        ("height", _range(preview.heights)),
        ("samples without a defect left", _few(preview.lost) or "none"),
        ("defect area kept", _least_kept(preview)),
        ("smallest defect", _smallest(preview)),
    ]
    facts += [
        (f"after the center crop of {crop['name']}", _crop_text(crop))
        for crop in crops_json(preview)
    ]
    columns = ("sample", "images", "defective", "area kept", "smallest defect")
    rows = tuple(
        (d.sample, d.images, d.defective, _percent(d.area_kept), d.smallest_defect)
        for d in preview.defects
    )
    return [
        Table(f"Geometry: {fit_text(preview.fit)}", ("what", "value"), tuple(facts)),
        Table("Defective samples", columns, rows),
    ]


def fit_text(fit: Fit) -> str:
    """Name a fit and its size."""
    if fit.name == "thirds":
        return fit.name
    return f"{fit.name} to {fit.size[0]}x{fit.size[1]}" if fit.size else f"{fit.name}, not resized"


def _percent(part: float) -> str:
    """Write a part of the whole so that only the whole is 100 % and only nothing is 0 %."""
    percent = 100 * part
    if 0 < percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def _few(names: Sequence[str]) -> str:
    """Name a few, and count the others."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _least_kept(preview: Preview) -> str:
    if not preview.defects:
        return "no defective sample"
    least = min(preview.defects, key=lambda defects: defects.area_kept)
    mean = sum(defects.area_kept for defects in preview.defects) / len(preview.defects)
    return f"{_percent(mean)} on average, least {_percent(least.area_kept)} ({least.sample})"


def _smallest(preview: Preview) -> str:
    kept = [defects for defects in preview.defects if defects.defective]
    if not kept:
        return "none"
    least = min(kept, key=lambda defects: defects.smallest_defect)
    return f"{least.smallest_defect} pixels ({least.sample})"


def _crop_text(crop: JsonObject) -> str:
    return (
        f"{_percent(crop['area_kept'])} of the defect area, "
        f"{crop['empty_masks']} of {crop['masks']} masks empty"
    )


def crops_json(preview: Preview) -> list[JsonObject]:
    """Put into JSON what the center crops of consumers leave of all output masks."""
    crops = []
    marked = [pixels for defects in preview.defects for pixels in defects.marked]
    for index, crop in enumerate(preview.crops):
        left = [n for defects in preview.defects for n in defects.marked_in_crops[index]]
        kept = sum(left) / sum(marked) if marked else 1.0
        facts = {"masks": len(left), "empty_masks": left.count(0), "area_kept": kept}
        crops.append(asdict(crop) | facts)
    return crops


def preview_json(preview: Preview) -> JsonObject:
    """Put into JSON what a fit does."""
    return {
        "fit": preview.fit.name,
        "size": list(preview.fit.size) if preview.fit.size else "source",
        "images": {"good": preview.good, "defective": preview.defective},
        "width": list(preview.widths),
        "height": list(preview.heights),
        "lost": list(preview.lost),
        "center_crops": crops_json(preview),
        "defects": [
            {
                "sample": defects.sample,
                "images": defects.images,
                "defective": defects.defective,
                "area_kept": defects.area_kept,
                "smallest_defect": defects.smallest_defect,
            }
            for defects in preview.defects
        ],
    }


def lost_line(lost: Sequence[str]) -> str:
    """Say in one line which defective samples show no defect in the output."""
    return f"lost    the fit cuts off every defect of {_few(lost)}: what is left counts as good"


def leaks_line(leaks: Sequence[Leak]) -> str:
    """Say in one line what is on both sides of a split."""
    pairs = _few([f"{leak.train} = {leak.test}" for leak in leaks])
    return f"leaks   {len(leaks)} pictures are in train and in test: {pairs}"


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


def conversion_tables(conversion: Conversion) -> list[Table]:
    """Make tables of a conversion: good and defective per split, and more of a dry run."""
    tables = [counts_table(conversion.target, conversion.counts)]
    if conversion.preview:
        tables += [*preview_tables(conversion.preview), plan_table(conversion.plan)]
    return tables


def conversion_lines(conversion: Conversion) -> Iterator[str]:
    """Write what stands below the tables of a conversion."""
    if conversion.manifest:
        yield f"fingerprint {conversion.manifest.fingerprint}"
    else:
        yield "dry run: nothing was written"
    if conversion.guide:
        yield f"{conversion.guide.title}:"
        yield from (f"  {command}" for command in conversion.guide.commands)
        yield from (f"note    {note}" for note in conversion.guide.notes)


def conversion_json(conversion: Conversion) -> JsonObject:
    """Put a conversion into JSON."""
    plan, manifest = conversion.plan, conversion.manifest
    result = {
        "out": conversion.target,
        "dry_run": manifest is None,
        "fingerprint": manifest.fingerprint if manifest else None,
        **_plan_json(plan),
        "counts": counts_json(conversion.counts),
        "leaks": leaks_json(conversion.leaks),
        "findings": findings_json(conversion.scan.findings),
    }
    if conversion.preview:
        result["geometry"] = preview_json(conversion.preview)
    if conversion.guide:
        result["consumer"] = asdict(conversion.guide)
    return result


def _plan_json(plan: Plan) -> JsonObject:
    return {
        "category": plan.category,
        "release": plan.release,
        "options": dict(plan.options),
        "split": {"protocol": plan.split.protocol, **plan.split.parameters},
        "images": [
            {
                "path": image.path,
                "mask_path": image.mask_path,
                "sample": image.sample.name,
                "split": image.split,
                "label": image.view.label,
            }
            for image in plan.images
        ],
        "lost": list(plan.lost),
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
