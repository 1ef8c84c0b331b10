"""From a source to a tree, complete and in place, or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

from kolektor_cli.consumers.catalogue import CENTER_CROPS, ConsumerName, Consumers, names_of
from kolektor_cli.consumers.needs import (
    Guide,
    Offer,
    defaults_for,
    guide_for,
    refuse_contradictory,
    require_needs,
)
from kolektor_cli.consumers.sidefiles import own_names, side_files, side_names
from kolektor_cli.core.inspection import require_usable, tells_swapped
from kolektor_cli.core.splitting import check_split, refuse_contradictions, split_scan
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.imaging.depth import Depth, check_depth
from kolektor_cli.io.parallel import dask_cluster
from kolektor_cli.io.places import inputs_of, refuse_inputs
from kolektor_cli.io.source import Source, open_source
from kolektor_cli.io.staging import clear_unfinished, staged
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.raw.scan import Scan, scan_and_derive, scan_source
from kolektor_cli.splits.protocols import number_of_folds
from kolektor_cli.splits.split import DEFAULT_SPLIT, Counts, Leak, Split, SplitOptions, find_leaks
from kolektor_cli.tree.defects import FitSummary, summarise_fit
from kolektor_cli.tree.derive import DerivedView, derive_sample, make_folder, share_derived
from kolektor_cli.tree.fit import AskedSize, Fit, FitName, make_fit
from kolektor_cli.tree.layout import Color, Names
from kolektor_cli.tree.manifest import Manifest
from kolektor_cli.tree.plan import Plan, make_plan
from kolektor_cli.tree.target import choose_target, put_in_place, refuse_existing
from kolektor_cli.tree.views import Views, count_images, view_samples
from kolektor_cli.tree.write import write_tree


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """Everything that decides what is in a tree, and for whom.

    Parameters
    ----------
    layout
        How the source is read; see `LayoutOptions`.
    category
        Name of the category folder; by default ``metal``, for KolektorSDD2 ``kolektorsdd2``, for
        people's own images the name of the source.
    consumers
        A code that is to train on the tree, or several: their needs are met or the conversion is
        refused.
    fit, size
        How images are brought to which size, (width, height) in pixels; by default stretched to
        500 x 1240, for KolektorSDD2 to 230 x 630; people's own images keep their sizes. For
        `consumers` that make images square they are padded, if these have no size of their own to
        squares of the longer side.
    color
        ``rgb`` for three equal channels, which every consumer reads, or ``gray`` for one.
    names
        ``index`` for 000.png, 001.png, ..., or ``source`` for kos01_Part5.png.
    depth
        How the values of 16-bit images become 8-bit ones: ``"full"`` keeps the upper 8 bits, a
        number from 8 to 16 the upper 8 bits of so many (12 for a camera of 12 bits). By default
        the upper 8 bits, and an image that would keep fewer than 32 gray values is an error.
    split
        The protocol and its options, or a split file.
    table
        For the consumer ``anomalib``: list the images in a CSV file.
    skip_bad
        Leave out samples with errors instead of refusing the source.
    trust_masks
        Take the masks' labels, even of official images that have another label officially.
    """

    layout: LayoutOptions = KOLEKTOR_LAYOUT
    category: str | None = None
    consumers: Consumers = ()
    fit: FitName | None = None
    size: AskedSize = None
    color: Color = "rgb"
    names: Names = "index"
    depth: Depth = None
    split: SplitOptions = DEFAULT_SPLIT
    table: bool = False
    skip_bad: bool = False
    trust_masks: bool = False


DEFAULT_OPTIONS = ConvertOptions()


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion made, or would make.

    `target` is the category folder, `beside` names the files that lie beside it, `counts` are of
    output images, `guides` tell how each consumer trains. `summary` is there for a dry run,
    `manifest` for a real one.
    """

    target: Path
    scan: Scan
    plan: Plan
    counts: Counts
    leaks: tuple[Leak, ...]
    beside: tuple[str, ...]
    guides: tuple[Guide, ...]
    summary: FitSummary | None = None
    manifest: Manifest | None = None


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ConvertOptions = DEFAULT_OPTIONS,
    *,
    force: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
    progress: StepProgress = no_steps,
) -> Conversion:
    """Write the MVTec-AD-style tree of a source: complete, or not at all.

    The tree is written to a hidden folder beside its place, the names and lengths of its files are
    checked, and it takes its name by one rename. On any error or interruption nothing is left
    behind, and a tree that was there before stays.

    Parameters
    ----------
    source
        A folder or a zip archive.
    out
        The folder that gets the category folder.
    options
        What is to be made; see `ConvertOptions`.
    force
        Replace the category folder if it exists.
    jobs
        Number of threads; by default one a processor.
    dask
        Address of the scheduler of a Dask cluster that is to read and write. All its workers must
        have `source` and `out` at the same paths.
    progress
        Called with step, number done and total.

    Raises
    ------
    SourceError, ImageError
        The source cannot be read, holds no dataset that is known, has errors, or changes meanwhile.
    UsageError
        Options contradict each other, or ask for what cannot be made of the source.
    SplitFileError
        The split file cannot be read or does not fit the source.
    OutputError
        The category folder exists and `force` is not given, or something cannot be written.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> options = kolektor.ConvertOptions(size=(250, 620), split=kolektor.SplitOptions(seed=7))
    >>> conversion = kolektor.convert("KolektorSDD", "small", options)
    >>> len(conversion.manifest.files)
    36
    """
    with tells_swapped(source, out), open_source(Path(source)) as opened:
        choices = [_choose(opened, Path(out), options)]
        [made] = _convert(opened, choices, force=force, jobs=jobs, dask=dask, progress=progress)
    return made


def convert_folds(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ConvertOptions,
    *,
    force: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
    progress: StepProgress = no_steps,
) -> tuple[Conversion, ...]:
    """Write a tree for each fold of a protocol: ``out/fold0``, ``out/fold1``, ... get them.

    Each is what `convert` writes for that fold. The source is scanned once, and equal files are
    hard links where the file system has them. The first tree gets its name
    after all are written; each appears complete, or not at all.

    Parameters are those of `convert`; the protocol in `options` is ``vicos`` or ``grouped``, and
    its ``fold`` is left open.

    Raises
    ------
    UsageError
        The protocol has no folds, or a fold is chosen.
    KolektorError
        See `convert`.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> options = kolektor.ConvertOptions(split=kolektor.SplitOptions("grouped", folds=2))
    >>> [str(made.target) for made in kolektor.convert_folds("KolektorSDD", "folds", options)]
    ['folds/fold0/metal', 'folds/fold1/metal']
    """
    folds = _folds_of(options)
    with tells_swapped(source, out), open_source(Path(source)) as opened:
        choices = _choose_folds(opened, Path(out), folds)
        return _convert(opened, choices, force=force, jobs=jobs, dask=dask, progress=progress)


def _folds_of(options: ConvertOptions) -> list[ConvertOptions]:
    """Return the options of each fold; refuse a protocol without folds, and a fold chosen."""
    split = options.split
    if split.fold is not None:
        raise UsageError("--fold and --all-folds exclude each other")
    return [
        replace(options, split=replace(split, fold=fold))
        for fold in range(number_of_folds(split.protocol, split.folds))
    ]


def _choose_folds(source: Source, out: Path, folds: Sequence[ConvertOptions]) -> list[_Choices]:
    return [_choose(source, out / f"fold{n}", options) for n, options in enumerate(folds)]


def _convert(
    source: Source,
    trees: Sequence[_Choices],
    *,
    force: bool,
    jobs: int | None,
    dask: str | None,
    progress: StepProgress,
) -> tuple[Conversion, ...]:
    """Write trees that differ in their splits alone; the files of the first serve all."""
    for tree in trees:
        clear_unfinished(tree.target)
        refuse_existing(tree.target, tree.beside, force=force)
    with _writers(dask, jobs) as (executor, writers), ExitStack() as stack:
        stages = [stack.enter_context(staged(tree.target)) for tree in trees]
        scan, made = _scan(source, trees[0], stages[0], writers, progress, executor)
        progress("planning", 0, 0)
        views = view_samples(trees[0].fit, source, scan.samples, jobs=jobs)
        planned = [_plan(scan, tree, views) for tree in trees]
        for stage in stages[1:] if made else []:
            share_derived(stages[0], stage)
        manifests = [
            write_tree(
                one.plan,
                source,
                stage,
                made,
                jobs=writers,
                executor=executor,
                progress=partial(progress, "converting"),
            )
            for one, stage in zip(planned, stages, strict=True)
        ]
        for tree, one, stage in zip(trees, planned, stages, strict=True):
            put_in_place(stage, tree.target, one.beside, force=force)
    return tuple(
        _result(tree, scan, one, manifest=manifest)
        for tree, one, manifest in zip(trees, planned, manifests, strict=True)
    )


def plan_conversion(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ConvertOptions = DEFAULT_OPTIONS,
    *,
    force: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Conversion:
    """Return what `convert` would make, and what the fit does to each defect; write nothing.

    Parameters and errors are those of `convert`.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> planned = kolektor.plan_conversion("KolektorSDD", "planned")
    >>> planned.plan.images[0].path, planned.summary.lost
    ('train/good/000.png', ())
    """
    with tells_swapped(source, out), open_source(Path(source)) as opened:
        choices = [_choose(opened, Path(out), options)]
        [planned] = _plan_all(opened, choices, force=force, jobs=jobs, progress=progress)
    return planned


def plan_folds(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ConvertOptions,
    *,
    force: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> tuple[Conversion, ...]:
    """Return what `convert_folds` would make, and what the fit does; write nothing.

    The source is scanned once. Parameters and errors are those of `convert_folds`. The `summary` of
    all folds is the same.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> options = kolektor.ConvertOptions(split=kolektor.SplitOptions("grouped", folds=2))
    >>> planned = kolektor.plan_folds("KolektorSDD", "planned", options)
    >>> [fold.counts["test", "defective"] for fold in planned]
    [2, 2]
    """
    folds = _folds_of(options)
    with tells_swapped(source, out), open_source(Path(source)) as opened:
        choices = _choose_folds(opened, Path(out), folds)
        return _plan_all(opened, choices, force=force, jobs=jobs, progress=progress)


def _plan_all(
    source: Source,
    trees: Sequence[_Choices],
    *,
    force: bool,
    jobs: int | None,
    progress: StepProgress,
) -> tuple[Conversion, ...]:
    """Plan trees that differ in their splits alone; one scan serves all."""
    for tree in trees:
        refuse_existing(tree.target, tree.beside, force=force)
    scan, _ = _scan(source, trees[0], None, jobs, progress)
    progress("planning", 0, 0)
    views = view_samples(trees[0].fit, source, scan.samples, jobs=jobs)
    planned = [_plan(scan, tree, views) for tree in trees]
    summary = summarise_fit(views, source, scan.samples, CENTER_CROPS, jobs=jobs)
    return tuple(
        _result(tree, scan, one, summary=summary) for tree, one in zip(trees, planned, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Choices:
    """What the options and the release decide, before any sample is known."""

    options: ConvertOptions
    consumers: tuple[ConsumerName, ...]
    out: Path
    category: str
    target: Path
    fit: Fit
    protocol: str
    beside: tuple[str, ...]


def _choose(source: Source, out: Path, options: ConvertOptions) -> _Choices:
    """Settle what the options leave open, and refuse what options alone make wrong."""
    _require_known(options)
    consumers = names_of(options.consumers)
    release = recognise(source, options.layout)
    defaults = defaults_for(consumers, release.category, release.size, options.fit, options.size)
    fit = make_fit(defaults.fit, options.size, default=defaults.size, seed=options.split.seed or 0)
    refuse_contradictions(options.split, fit=fit.name)
    check_split(options.split, release.protocol, fit=fit.name)
    category = defaults.category if options.category is None else options.category
    sizes = [fit.size] if fit.size else []
    refuse_contradictory(consumers, category)
    defects = options.split.train_defects not in (None, "unused", "test")
    has_masks = options.layout.has_masks
    require_needs(consumers, Offer(out, category, sizes, [options.color], defects, has_masks))
    target = choose_target(source.path, out, category)
    beside = side_names(consumers, category, table=options.table)
    _protect(source, [target, *(out / name for name in beside)], options.split)
    return _Choices(
        options=options,
        consumers=consumers,
        out=out,
        category=category,
        target=target,
        fit=fit,
        protocol=release.protocol,
        beside=beside,
    )


def _protect(source: Source, outputs: Sequence[Path], split: SplitOptions) -> None:
    """Refuse outputs that would change what is read."""
    inputs = inputs_of(source, [] if split.file is None else [split.file])
    for output in outputs:
        refuse_inputs(output, inputs)


def _require_known(options: ConvertOptions) -> None:
    """Refuse values that are none of an option's choices, as the command line does."""
    choices: tuple[tuple[str, object, Collection[str]], ...] = (
        ("color", options.color, get_args(Color)),
        ("names", options.names, get_args(Names)),
    )
    for name, value, known in choices:
        require_one_of(name, value, known)
    if options.split.seed is not None:
        require_whole("seed", options.split.seed)
    check_depth(options.depth)


@contextmanager
def _writers(dask: str | None, jobs: int | None) -> Iterator[tuple[Executor | None, int | None]]:
    """Provide the executor that reads and writes, and its number of workers; None for threads."""
    if dask is None:
        yield None, jobs
        return
    with dask_cluster(dask) as cluster:
        yield cluster


def _scan(
    source: Source,
    choices: _Choices,
    stage: Path | None,
    jobs: int | None,
    progress: StepProgress,
    executor: Executor | None = None,
) -> tuple[Scan, dict[str, tuple[DerivedView, ...]]]:
    """Scan the source; where there is a stage, write the output files of each sample to it."""
    options = choices.options
    told = partial(progress, "scanning" if stage is None else "converting")
    layout, depth, trust = options.layout, options.depth, options.trust_masks
    made: dict[str, tuple[DerivedView, ...]] = {}
    if stage is None:
        scan = scan_source(
            source, layout=layout, depth=depth, trust_masks=trust, jobs=jobs, progress=told
        )
    else:
        folder = make_folder(stage).absolute()
        derive = partial(derive_sample, folder, choices.fit, options.color)
        scan, made = scan_and_derive(
            source,
            derive,
            layout=layout,
            depth=depth,
            trust_masks=trust,
            jobs=jobs,
            executor=executor,
            progress=told,
        )
    require_usable(scan, skip_bad=options.skip_bad)
    return scan, made


@dataclass(frozen=True, slots=True)
class _Planned:
    """What goes where: the split, the views of each sample, the plan and the files beside it."""

    split: Split
    views: Views
    plan: Plan
    beside: dict[str, bytes]
    guides: tuple[Guide, ...]


def _plan(scan: Scan, choices: _Choices, views: Views) -> _Planned:
    options = choices.options
    split = split_scan(scan, options.split, choices.protocol, fit=choices.fit.name)
    plan = make_plan(
        scan,
        split,
        views,
        category=choices.category,
        color=options.color,
        names=options.names,
        trust_masks=options.trust_masks,
        depth=options.depth,
    )
    offer = _offer(choices, plan)
    paths = [image.path for image in plan.images]
    beside = side_files(choices.consumers, offer, paths, table=options.table)
    return _Planned(split, views, plan, beside, _guides(choices, offer))


def _guides(choices: _Choices, offer: Offer) -> tuple[Guide, ...]:
    table = choices.options.table
    return tuple(
        guide_for(name, offer, own_names(name, offer.category, table=table))
        for name in choices.consumers
    )


def _offer(choices: _Choices, plan: Plan) -> Offer:
    """Return the tree that is planned; refuse what a consumer cannot train on."""
    sizes = {image.view.geometry.size for image in plan.images}
    defects = any((i.split, i.view.label) == ("train", "defective") for i in plan.images)
    has_masks = choices.options.layout.has_masks
    offer = Offer(choices.out, plan.category, sizes, [plan.color], defects, has_masks)
    require_needs(choices.consumers, offer)
    return offer


def _result(
    choices: _Choices,
    scan: Scan,
    planned: _Planned,
    *,
    summary: FitSummary | None = None,
    manifest: Manifest | None = None,
) -> Conversion:
    return Conversion(
        target=choices.target,
        scan=scan,
        plan=planned.plan,
        counts=count_images(planned.views, planned.split),
        leaks=tuple(find_leaks(planned.split.assigned, scan.duplicates)),
        beside=tuple(planned.beside),
        guides=planned.guides,
        summary=summary,
        manifest=manifest,
    )
