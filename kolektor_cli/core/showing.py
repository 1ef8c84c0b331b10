"""Pictures of samples: contact sheets, pairs, what a fit does, and panels of anomaly maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

from kolektor_cli.consumers.catalogue import ConsumerName
from kolektor_cli.core.scoring import count_steps as count_scoring
from kolektor_cli.core.scoring import with_crop
from kolektor_cli.core.show_maps import plan_panels
from kolektor_cli.core.show_plan import DEFAULT_SHOW, ShowOptions, ShowPlan, Which
from kolektor_cli.core.show_source import fit_to_show, plan_source
from kolektor_cli.core.show_tree import plan_tree
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.core.verification import reads_tree
from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.io.places import inputs_at, inputs_of, refuse_file, refuse_inputs
from kolektor_cli.io.source import open_source
from kolektor_cli.io.staging import replace_file
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.scan import scan_source
from kolektor_cli.reports.files import encode_page, page_suffix
from kolektor_cli.reports.sheet import Page, arrange, refuse_too_many
from kolektor_cli.scoring.maps import MapSource
from kolektor_cli.scoring.model import place_of
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.tree.read import find_categories

_CELLS = range(16, 8193)
"""The sides of pictures, in pixels, that can be asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture of samples.

    Attributes
    ----------
    pixels
        Height x width x 3 uint8 (RGB), with captions.
    cells
        The number of samples or pairs that it shows.
    findings
        The findings of the source that was read; none of a tree.
    page
        The same picture, with captions as texts.
    """

    pixels: Pixels
    cells: int
    findings: tuple[Finding, ...]
    page: Page

    def encoded(self, suffix: str = ".png") -> bytes:
        """Return the picture as a file; `suffix` is ``.png``, ``.pdf`` or ``.svg``."""
        if suffix == ".png":
            return encode_png(self.pixels, rgb=True)
        return encode_page(self.page, page_suffix(Path(f"picture{suffix}")))


def show(
    place: str | os.PathLike[str],
    samples: Sequence[str] = (),
    options: ShowOptions = DEFAULT_SHOW,
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    maps: MapSource | None = None,
    consumer: ConsumerName | None = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Picture:
    """Return a picture of samples of a source or of a tree, with their defects outlined.

    Parameters
    ----------
    place
        A raw dataset: a folder, or a zip or tar archive. Or an MVTec-AD-style tree: a category
        folder, or a folder that holds exactly one.
    samples
        Names of samples, such as ``kos01/Part5``; or of a tree also paths of images, such as
        ``test/defect/000.png``. They are shown large. By default, all that `options` choose.
    options
        What is shown; see `ShowOptions`.
    layout
        How a source is read; see `LayoutOptions`.
    maps
        Anomaly maps of a tree's test images, as for `kolektor_cli.score`. Each image is then shown
        beside its ground truth, its heat map and what the threshold makes of it.
    consumer
        The code that made the maps: its center crop is `ShowOptions.crop`.
    output
        Write the picture there, all or nothing: ``.png``, ``.pdf`` or ``.svg``.
    force
        Replace `output` if it exists.
    jobs
        Number of threads; by default one a processor. The picture does not depend on it.
    progress
        Called with step, number done and total.

    Raises
    ------
    UsageError
        Options are wrong or contradict each other, `layout` is given with a tree, the picture would
        be too large, or `output` has another suffix or lies inside what is read.
    SourceError
        The source or the maps cannot be read, there is no such sample, or nothing is to be shown.
    OutputError, ManifestError
        The same of a tree; or `output` exists and `force` is not given, or cannot be written.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> picture = kolektor.show("KolektorSDD", output="defects.png")
    >>> picture.cells, picture.pixels.shape[2]
    (4, 3)
    """
    crop = with_crop(ScoreOptions(crop=options.crop), consumer).crop
    options = replace(options, crop=crop)
    _check(samples, options, maps)
    folder = Path(place)
    tree = reads_tree(folder, layout)
    file = None if output is None else Path(output)
    if file is not None:
        page_suffix(file)
        refuse_file(file, force=force)
    if tree:
        picture = _draw_tree(folder, samples, options, maps, file, jobs, progress)
    else:
        picture = _draw_source(folder, samples, options, layout, maps, file, jobs, progress)
    if file is not None:
        replace_file(file, picture.encoded(page_suffix(file)), replace=force)
    return picture


def count_steps(
    place: str | os.PathLike[str],
    maps: MapSource | None,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
) -> int:
    """Return how many steps `show` counts; errors are those of `reads_tree`."""
    drawn = 1
    if maps is not None:
        scaled = 1
        return count_scoring([maps]) + scaled + drawn
    return drawn if reads_tree(Path(place), layout) else 1 + drawn


def _draw_tree(
    folder: Path,
    samples: Sequence[str],
    options: ShowOptions,
    maps: MapSource | None,
    file: Path | None,
    jobs: int | None,
    progress: StepProgress,
) -> Picture:
    if options.fit or options.size:
        raise UsageError("--fit and --size are for a source: a tree is fitted already")
    if file is not None:
        read = find_categories(folder)
        if maps is not None and place_of(maps):
            read.append(Path(place_of(maps)))
        for place in read:
            refuse_inputs(file, inputs_at(place))
    if maps is None:
        plan = plan_tree(folder, samples, options)
    else:
        plan = plan_panels(folder, samples, options, maps, jobs, progress)
    return _make(plan, options, (), jobs, progress)


def _draw_source(
    place: Path,
    samples: Sequence[str],
    options: ShowOptions,
    layout: LayoutOptions,
    maps: MapSource | None,
    file: Path | None,
    jobs: int | None,
    progress: StepProgress,
) -> Picture:
    if maps is not None:
        raise UsageError("--maps are shown with a tree: give the folder that they belong to")
    with open_source(place) as source:
        if file is not None:
            refuse_inputs(file, inputs_of(source))
        fit = fit_to_show(source, options, layout)
        told = partial(progress, "scanning")
        scan = scan_source(source, layout=layout, jobs=jobs, progress=told)
        plan = plan_source(source, scan, samples, options, fit)
        return _make(plan, options, scan.findings, jobs, progress)


def _make(
    plan: ShowPlan,
    options: ShowOptions,
    findings: tuple[Finding, ...],
    jobs: int | None,
    progress: StepProgress,
) -> Picture:
    # All cells are of about one size: one tells whether they fit into memory and on a page.
    first = plan.makes[0]()
    refuse_too_many(first, len(plan.makes))
    told = partial(progress, "drawing")
    cells = [first, *parallel_map(lambda make: make(), plan.makes[1:], jobs, told)]
    page = arrange(cells, plan.heading, side=plan.side, columns=options.columns)
    return Picture(page.drawn(), len(cells), findings, page)


def _check(samples: Sequence[str], options: ShowOptions, maps: MapSource | None) -> None:
    """Refuse what is wrong by itself, before anything is read."""
    if isinstance(samples, str):
        raise UsageError(f"samples {samples!r} is one text; give a list of names")
    require_one_of("show", options.which, get_args(Which))
    if options.columns is not None:
        require_whole("columns", options.columns, 1)
    if options.cell is not None:
        require_whole("cell", options.cell, _CELLS.start)
        if options.cell not in _CELLS:
            raise UsageError(f"--cell {options.cell} is more than {_CELLS[-1]} pixels")
    if samples and options.which in ("good", "all"):
        raise UsageError(f"--{options.which} and names of samples contradict each other; give one")
    if maps is None and (options.threshold is not None or options.crop is not None):
        raise UsageError("--threshold, --for and --crop are for --maps, which are not given")
    if options.which == "pairs" and (maps is not None or options.fit or options.size):
        raise UsageError("--pairs shows pictures alone; give it without --maps, --fit and --size")
