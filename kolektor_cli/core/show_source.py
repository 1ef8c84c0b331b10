"""Pictures of a source: its samples, those that are the same picture, and what a fit does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from kolektor_cli.core.show_plan import (
    ShowOptions,
    ShowPlan,
    area_text,
    counted,
    is_chosen,
    refuse_nothing,
    require_known,
    side_of,
)
from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.source import Source
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.raw.scan import Scan
from kolektor_cli.reports.before_after import fit_cell, lost_by
from kolektor_cli.reports.sheet import Cell, pair_cell, picture_cell
from kolektor_cli.samples import DUPLICATE_TITLES, DuplicateKind, Sample
from kolektor_cli.tree.fit import Fit, make_fit
from kolektor_cli.tree.views import views_of


def fit_to_show(source: Source, options: ShowOptions, layout: LayoutOptions) -> Fit | None:
    """Return the fit whose effect is to be shown; None if none is asked for.

    Raises
    ------
    UsageError
        The fit cannot be made.
    SourceError
        The source holds no known dataset.
    """
    if not (options.fit or options.size):
        return None
    default = recognise(source, layout).size
    return make_fit(options.fit or "stretch", options.size, default=default)


def plan_source(
    source: Source, scan: Scan, names: Sequence[str], options: ShowOptions, fit: Fit | None
) -> ShowPlan:
    """Return what a page of a source is to show; nothing but the scan is read yet.

    `fit` is that of `fit_to_show`.

    Raises
    ------
    SourceError
        There is no such sample, or nothing to show.
    """
    by_name = {sample.name: sample for sample in scan.samples}
    _refuse_left_out(source, scan, names)
    require_known(names, by_name, SourceError(str(source.path)))
    if options.which == "pairs":
        return _plan_duplicates(source, scan, by_name, names, options)
    chosen = [by_name[name] for name in dict.fromkeys(names)]
    named = [max(sample.width, sample.height) for sample in chosen]
    if not names:
        chosen = [sample for sample in scan.samples if is_chosen(options.which, sample.label)]
    refuse_nothing(chosen, SourceError(str(source.path)), options.which)
    side = side_of(options, len(chosen) * (1 if fit is None else 2), named)
    heading = [counted(len(chosen), len(scan.samples), [s.label for s in chosen])]
    if fit is None:
        makes = [partial(_sample_cell, source, sample, side) for sample in chosen]
    else:
        heading.append(_fit_text(fit))
        makes = [partial(_fitted_cell, source, fit, sample, side) for sample in chosen]
    return ShowPlan(tuple(heading), makes, side)


def _refuse_left_out(source: Source, scan: Scan, names: Sequence[str]) -> None:
    for name in names:
        if name in scan.left_out:
            raise SourceError(
                f"{source.path}: {name} is no usable sample ({scan.left_out[name]}); "
                "see 'kolektor inspect'"
            )


def _fit_text(fit: Fit) -> str:
    size = "" if fit.size is None else f" to {fit.size[0]}x{fit.size[1]}"
    return f"fit {fit.name}{size}; orange: windows on the source; red: defect pixels in no window"


def _read(source: Source, sample: Sample) -> tuple[Pixels, Pixels | None]:
    mask = read_mask(source, sample) if sample.is_marked else None
    return read_image(source, sample), mask


def _sample_cell(source: Source, sample: Sample, side: int) -> Cell:
    image, mask = _read(source, sample)
    return picture_cell(image, mask, (sample.name, _facts(sample)), side)


def _facts(sample: Sample) -> str:
    size = f"{sample.width}x{sample.height}"
    return f"{area_text(sample.label, sample.defect_pixels)}, {size}"


def _fitted_cell(source: Source, fit: Fit, sample: Sample, side: int) -> Cell:
    image, mask = _read(source, sample)
    marks = np.zeros(image.shape[:2], np.uint8) if mask is None else mask
    places = [view.geometry for view in views_of(fit, sample, mask)]
    lost = int(np.count_nonzero(lost_by(marks, places)))
    told = f", {lost} px of it lost" if lost else ""
    return fit_cell(image, marks, places, (sample.name, f"{_facts(sample)}{told}"), side)


def _plan_duplicates(
    source: Source,
    scan: Scan,
    samples: Mapping[str, Sample],
    names: Sequence[str],
    options: ShowOptions,
) -> ShowPlan:
    pairs = [pair for pair in scan.duplicates if not names or {pair.first, pair.second} & {*names}]
    if not pairs:
        raise SourceError(
            f"{source.path}: no two samples are the same picture, so there is nothing to show"
        )
    side = side_of(options, 2 * len(pairs))
    makes = [
        partial(_duplicate_cell, source, samples[pair.first], samples[pair.second], pair.kind, side)
        for pair in pairs
    ]
    heading = (
        f"{len(pairs)} pairs of samples are the same picture; outlines: cyan left, orange right"
    )
    return ShowPlan((heading,), makes, side)


def _duplicate_cell(
    source: Source, first: Sample, second: Sample, kind: DuplicateKind, side: int
) -> Cell:
    labels = ((first.name, _facts(first)), (second.name, _facts(second)))
    pair = (_read(source, first), _read(source, second))
    return pair_cell(*pair, labels, (DUPLICATE_TITLES[kind],), side)
