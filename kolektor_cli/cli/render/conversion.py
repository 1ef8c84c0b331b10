"""Conversions, planned or done, and what a fit will do: as tables, as lines and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from kolektor_cli.cli.render.tables import (
    Cell,
    JsonObject,
    Table,
    counts_json,
    counts_table,
    findings_json,
    leaks_json,
    split_notes,
    text_range,
)
from kolektor_cli.core.conversion import Conversion
from kolektor_cli.findings import first_names
from kolektor_cli.samples import DEFECT, LABELS, Sample
from kolektor_cli.tree.defects import FitSummary
from kolektor_cli.tree.fit import SQUEEZED, Fit, fit_of, squeezed_by, turned_size
from kolektor_cli.tree.plan import Plan

_NOTHING_WRITTEN = "dry run: nothing was written"


def fit_tables(summary: FitSummary, *, every: bool) -> list[Table]:
    """Make tables of what a fit does: to the whole, and with `every` to each defective sample."""
    facts = [
        ("images", str(summary.good + summary.defective)),
        ("good", str(summary.good)),
        ("defective", str(summary.defective)),
        ("width", text_range(summary.widths)),
        ("height", text_range(summary.heights)),
    ]
    facts += [*_defect_facts(summary)]
    whole = Table(f"Geometry: {fit_text(summary.fit)}", ("what", "value"), tuple(facts))
    if not every:
        return [whole]
    columns = ("sample", "images", "defective", "area kept", "smallest defect")
    rows = tuple(
        (d.sample, d.images, d.defective, _percent(d.area_kept), d.smallest_defect)
        for d in summary.defects
    )
    return [whole, Table("Defective samples", columns, rows)]


def _defect_facts(summary: FitSummary) -> Iterator[tuple[str, str]]:
    """Yield what a fit does to defects, as far as masks tell it."""
    if summary.defective and not summary.defects:
        yield "defect area kept", "not known: no masks"
        return
    yield "samples without a defect left", first_names(summary.lost) or "none"
    yield "defect area kept", _least_kept(summary)
    yield "smallest defect", _smallest(summary)
    for crop in crops_json(summary):
        yield f"after the center crop of {crop['name']}", _crop_text(crop)


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


def _least_kept(summary: FitSummary) -> str:
    if not summary.defects:
        return "no defective sample"
    least = min(summary.defects, key=lambda defects: defects.area_kept)
    mean = sum(defects.area_kept for defects in summary.defects) / len(summary.defects)
    return f"{_percent(mean)} on average, least {_percent(least.area_kept)} ({least.sample})"


def _smallest(summary: FitSummary) -> str:
    kept = [defects for defects in summary.defects if defects.defective]
    if not kept:
        return "none"
    least = min(kept, key=lambda defects: defects.smallest_defect)
    return f"{least.smallest_defect} pixels ({least.sample})"


def _crop_text(crop: JsonObject) -> str:
    return (
        f"{_percent(crop['area_kept'])} of the defect area, "
        f"{crop['empty_masks']} of {crop['masks']} masks empty"
    )


def crops_json(summary: FitSummary) -> list[JsonObject]:
    """Put into JSON what the center crops of consumers leave of all output masks."""
    crops = []
    marked = [pixels for defects in summary.defects for pixels in defects.marked]
    for index, crop in enumerate(summary.crops):
        left = [n for defects in summary.defects for n in defects.marked_in_crops[index]]
        kept = sum(left) / sum(marked) if marked else 1.0
        facts = {"masks": len(left), "empty_masks": left.count(0), "area_kept": kept}
        crops.append(asdict(crop) | facts)
    return crops


def fit_json(summary: FitSummary) -> JsonObject:
    """Put into JSON what a fit does."""
    return {
        "fit": summary.fit.name,
        "size": list(summary.fit.size) if summary.fit.size else "source",
        "images": {"good": summary.good, "defective": summary.defective},
        "width": list(summary.widths),
        "height": list(summary.heights),
        "lost": list(summary.lost),
        "center_crops": crops_json(summary),
        "defects": [
            {
                "sample": defects.sample,
                "images": defects.images,
                "defective": defects.defective,
                "area_kept": defects.area_kept,
                "smallest_defect": defects.smallest_defect,
            }
            for defects in summary.defects
        ],
    }


def conversion_notes(conversion: Conversion) -> Iterator[str]:
    """Say if the size is turned, what defects are lost, and what the files beside do not list."""
    plan = conversion.plan
    yield from split_notes(plan.split, conversion.scan.samples)
    yield from shape_notes(fit_of(plan.options), conversion.scan.samples)
    if plan.lost:
        lost = first_names(plan.lost)
        yield f"lost    the fit cuts off every defect of {lost}: what is left counts as good"
    listed = [name for name in conversion.beside if not name.endswith(".yaml")]
    if listed and any(image.split == "val" for image in plan.images):
        names = " and ".join(listed)
        yield f"images for validation are not in {names}: its reader takes none"


def shape_notes(fit: Fit, samples: Sequence[Sample]) -> Iterator[str]:
    """Say that the output lies where most images stand, or squeezes them, and what would not."""
    sizes = [(sample.width, sample.height) for sample in samples]
    turned, factor = turned_size(fit, sizes), squeezed_by(fit, sizes)
    if turned:
        width, height = turned
        kind = "higher than wide" if width < height else "wider than high"
        yield (
            f"warning most images are {kind}, but {fit_text(fit)} is not; "
            f"did you mean --size {width}x{height}?"
        )
    elif factor >= SQUEEZED:
        yield (
            f"note    {fit_text(fit)} changes the aspect of images by a factor of {factor:.1f}; "
            "--fit pad keeps it"
        )


def plan_table(plan: Plan) -> Table:
    """Make a table of the files of a plan and the samples they are made from."""
    rows = [
        (path, image.sample.name)
        for image in plan.images
        for path in (image.path, image.mask_path)
        if path
    ]
    return Table("Files", ("path", "sample"), tuple(rows))


def conversion_tables(conversion: Conversion, *, files: bool) -> list[Table]:
    """Make tables of a conversion: good and defective per split, and what a fit would do.

    With `files`, all files have a row, and of a dry run all defective samples.
    """
    tables = [counts_table(str(conversion.target), conversion.counts)]
    if conversion.summary:
        tables += fit_tables(conversion.summary, every=files)
    return [*tables, plan_table(conversion.plan)] if files else tables


def folds_tables(folds: Sequence[Conversion]) -> list[Table]:
    """Make tables of all folds: images per split and what leaks, and what a fit would do."""
    columns = (
        *("folder", "train good", "train defective", "test good", "test defective", "unused"),
        "leaks",
    )
    rows: list[tuple[Cell, ...]] = []
    for fold in folds:
        numbers = [
            fold.counts.get((split, label), 0) for split in ("train", "test") for label in LABELS
        ]
        unused = sum(fold.counts.get(("unused", label), 0) for label in LABELS)
        rows.append((str(fold.target), *numbers, unused, len(fold.leaks)))
    tables = [Table("Folds", columns, tuple(rows))]
    summary = folds[0].summary  # that of all
    return [*tables, *fit_tables(summary, every=False)] if summary else tables


def conversion_lines(conversion: Conversion) -> Iterator[str]:
    """Write what stands below the tables of a conversion."""
    if not conversion.manifest:
        yield _NOTHING_WRITTEN
    yield from _tree_lines(conversion)


def folds_lines(folds: Sequence[Conversion]) -> Iterator[str]:
    """Write what stands below the tables of all folds; lines of a tree begin with its folder."""
    if not all(fold.manifest for fold in folds):
        yield _NOTHING_WRITTEN
    for fold in folds:
        yield from (f"{fold.target.parent.name}: {line}" for line in _tree_lines(fold))


def _tree_lines(conversion: Conversion) -> Iterator[str]:
    yield from _types_line(conversion.plan)
    if conversion.manifest:
        yield f"fingerprint {conversion.manifest.fingerprint}"
    for guide in conversion.guides:
        yield f"{guide.title}:"
        yield from (f"  {command}" for command in guide.commands)
        yield from (f"note    {note}" for note in guide.notes)


def _types_line(plan: Plan) -> Iterator[str]:
    """Count the images of each type of defects, where there are types."""
    found = Counter(
        (image.split, image.view.kind) for image in plan.images if image.view.kind != "good"
    )
    if {kind for _, kind in found} - {DEFECT}:
        told = (f"{split} {kind} {number}" for (split, kind), number in sorted(found.items()))
        yield f"types of defects: {', '.join(told)}"


def conversion_json(conversion: Conversion) -> JsonObject:
    """Put a conversion into JSON."""
    plan, manifest = conversion.plan, conversion.manifest
    result = {
        "out": str(conversion.target),
        "dry_run": manifest is None,
        "fingerprint": manifest.fingerprint if manifest else None,
        **_plan_json(plan),
        "counts": counts_json(conversion.counts),
        "leaks": leaks_json(conversion.leaks),
        "findings": findings_json(conversion.scan.findings),
    }
    if conversion.summary:
        result["geometry"] = fit_json(conversion.summary)
    if conversion.guides:
        result["consumers"] = [asdict(guide) for guide in conversion.guides]
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
