"""Pictures of samples: contact sheets, pairs, what a fit does, and panels of anomaly maps."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from kolektor_cli.core.scoring import score
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import (
    KolektorError,
    OutputError,
    SourceError,
    UsageError,
    require_one_of,
    require_whole,
)
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.io.places import inputs_at, inputs_of, refuse_file, refuse_inputs
from kolektor_cli.io.source import Source, open_source
from kolektor_cli.io.staging import replace_file
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.reports.before_after import fit_cell, lost_by
from kolektor_cli.reports.files import encode_page, page_suffix
from kolektor_cli.reports.panel import number_text, panel_cell
from kolektor_cli.reports.sheet import Cell, Page, arrange, pair_cell, picture_cell
from kolektor_cli.samples import Label, Sample
from kolektor_cli.scoring.maps import ArrayMaps, Maps, open_maps
from kolektor_cli.scoring.model import MapSource
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.placing import Placed, place
from kolektor_cli.scoring.results import ModelScores
from kolektor_cli.tree.dataset import TreeImage, load_tree
from kolektor_cli.tree.fit import AskedSize, Fit, FitName, make_fit
from kolektor_cli.tree.layout import MANIFEST_NAME
from kolektor_cli.tree.manifest import from_bytes
from kolektor_cli.tree.read import has_tree_folders, read_file
from kolektor_cli.tree.truth import GroundTruth, TruthImage, open_truth
from kolektor_cli.tree.views import views_of

Which: TypeAlias = Literal["defective", "good", "all", "pairs"]
"""What is shown: samples by their label, or pairs that are the same picture."""

_CELL, _LEAST_CELL, _MOST_CELL = 480, 96, 2048
"""Longest side of a picture in pixels: by default, of very many, and of samples that are named."""

_MANY = 100
"""Cells from which on pictures become smaller, so that the page does not become larger."""

_LARGEST_CELL = 8192
"""The largest side that can be asked for, in pixels."""

_Make: TypeAlias = Callable[[], Cell]


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """What is shown, and how.

    Parameters
    ----------
    which
        ``defective``, ``good`` or ``all`` samples; or ``pairs``: samples of a source that are the
        same picture, or images of a tree that are in training and in test.
    columns
        Cells in a row; by default so many that the page comes near a square.
    cell
        The longest side of each picture in pixels. By default 480, less for many samples; samples
        that are named have their own size, up to 2048.
    fit, size
        With one of them given, show what this fit makes of samples of a source at this size:
        (width, height) in pixels or ``"source"``.
    threshold
        With maps: scores from it on are predicted as defect. By default that of the best F1 of
        pixels, which is chosen on the test set.
    """

    which: Which = "defective"
    columns: int | None = None
    cell: int | None = None
    fit: FitName | None = None
    size: AskedSize = None
    threshold: float | None = None


DEFAULT_SHOW = ShowOptions()


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
        return encode_page(self.page, page_suffix(Path(f"picture{suffix}")))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a page is to show: its heading, a function for each cell, the side of pictures."""

    heading: tuple[str, ...]
    makes: Sequence[_Make]
    side: int


def show(
    place: str | os.PathLike[str],
    samples: Sequence[str] = (),
    options: ShowOptions = DEFAULT_SHOW,
    *,
    maps: MapSource | None = None,
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
    maps
        Anomaly maps of a tree's test images, as for `kolektor_cli.score`. Each image is then shown
        beside its ground truth, its heat map and what the threshold makes of it.
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
        Options are wrong or contradict each other, the picture would be too large, or `output` has
        another suffix or lies inside what is read.
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
    _check(samples, options, maps)
    folder = Path(place)
    file = None if output is None else Path(output)
    if file is not None:
        page_suffix(file)
        refuse_file(file, force=force)
    findings: tuple[Finding, ...] = ()
    if _is_tree(folder):
        if options.fit or options.size:
            raise UsageError("--fit and --size are for a source: a tree is fitted already")
        if file is not None:
            refuse_inputs(file, inputs_at(folder))
        plan = _plan_tree(folder, samples, options, maps, jobs, progress)
        page = _make(plan, options, jobs, progress)
    else:
        if maps is not None:
            raise UsageError("--maps are shown with a tree: give the folder that they belong to")
        with open_source(folder) as source:
            if file is not None:
                refuse_inputs(file, inputs_of(source))
            scan = scan_source(source, jobs=jobs, progress=partial(progress, "scan"))
            findings = scan.findings
            plan = _plan_source(source, scan, samples, options)
            page = _make(plan, options, jobs, progress)
    picture = Picture(page.drawn(), len(plan.makes), findings, page)
    if file is not None:
        replace_file(file, picture.encoded(page_suffix(file)), replace=force)
    return picture


def _make(plan: _Plan, options: ShowOptions, jobs: int | None, progress: StepProgress) -> Page:
    cells = parallel_map(lambda make: make(), plan.makes, jobs, partial(progress, "show"))
    return arrange(cells, plan.heading, side=plan.side, columns=options.columns)


def _check(samples: Sequence[str], options: ShowOptions, maps: MapSource | None) -> None:
    """Refuse what is wrong by itself, before anything is read."""
    if isinstance(samples, str):
        raise UsageError(f"samples {samples!r} is one text; give a list of names")
    require_one_of("show", options.which, get_args(Which))
    if options.columns is not None:
        require_whole("columns", options.columns, 1)
    if options.cell is not None:
        require_whole("cell", options.cell, 16)
        if options.cell > _LARGEST_CELL:
            raise UsageError(f"--cell {options.cell} is more than {_LARGEST_CELL} pixels")
    if samples and options.which in ("good", "all"):
        raise UsageError(f"--{options.which} and names of samples contradict each other; give one")
    if options.threshold is not None and maps is None:
        raise UsageError("--threshold is for --maps, which are not given")
    if options.which == "pairs" and (maps is not None or options.fit or options.size):
        raise UsageError("--pairs shows pictures alone; give it without --maps, --fit and --size")


def _is_tree(folder: Path) -> bool:
    """Return whether a folder is a tree; KolektorSDD2 has folders train and test, too."""
    return folder.is_dir() and any(map(has_tree_folders, [folder, *folder.iterdir()]))


def _side(options: ShowOptions, number: int, named: Sequence[int]) -> int:
    """Return the side of pictures; `named` are the longest sides of samples that are named."""
    if options.cell is not None:
        return options.cell
    if named:
        return max(min(max(named), _MOST_CELL), _LEAST_CELL)
    return max(min(_CELL, int(_CELL * (_MANY / number) ** 0.5)), _LEAST_CELL)


def _is_chosen(which: Which, label: Label) -> bool:
    return which == "all" or which == label


def _require_known(names: Sequence[str], known: Collection[str], error: KolektorError) -> None:
    """Refuse a name that is not known, and tell the nearest one; `error` gives class and place."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1, 0)
            advice = f"; did you mean {near[0]}?" if near else ""
            raise type(error)(f"{error}: has no sample {name}{advice}")


# Of a source.


def _plan_source(source: Source, scan: Scan, names: Sequence[str], options: ShowOptions) -> _Plan:
    by_name = {sample.name: sample for sample in scan.samples}
    for name in names:
        if name in scan.left_out:
            raise SourceError(
                f"{source.path}: {name} is no usable sample ({scan.left_out[name]}); "
                f"see 'kolektor inspect {source.path}'"
            )
    _require_known(names, by_name, SourceError(str(source.path)))
    if options.which == "pairs":
        return _plan_duplicates(source, scan, by_name, names, options)
    chosen = [by_name[name] for name in dict.fromkeys(names)]
    named = [max(sample.width, sample.height) for sample in chosen]
    if not names:
        chosen = [sample for sample in scan.samples if _is_chosen(options.which, sample.label)]
    _refuse_nothing(chosen, SourceError(str(source.path)), options.which)
    side = _side(options, len(chosen), named)
    heading = [_counted(len(chosen), len(scan.samples), [s.label for s in chosen])]
    if options.fit or options.size:
        fit = make_fit(options.fit or "stretch", options.size, default=recognise(source).size)
        heading.append(_fit_text(fit))
        makes = [partial(_fitted_cell, source, fit, sample, side) for sample in chosen]
    else:
        makes = [partial(_sample_cell, source, sample, side) for sample in chosen]
    return _Plan(tuple(heading), makes, side)


def _refuse_nothing(chosen: Sequence[object], error: KolektorError, which: Which) -> None:
    if not chosen:
        what = "sample" if which == "all" else f"{which} sample"
        raise type(error)(f"{error}: has no {what}, so there is nothing to show")


def _counted(shown: int, total: int, labels: Sequence[Label]) -> str:
    defective = labels.count("defective")
    return f"{shown} of {total} samples, {defective} of them defective; outline: label"


def _fit_text(fit: Fit) -> str:
    size = "" if fit.size is None else f" to {fit.size[0]}x{fit.size[1]}"
    return f"fit {fit.name}{size}; orange: windows on the source; red: defect pixels in no window"


def _read(source: Source, sample: Sample) -> tuple[Pixels, Pixels | None]:
    mask = read_mask(source, sample) if sample.label == "defective" else None
    return read_image(source, sample), mask


def _sample_cell(source: Source, sample: Sample, side: int) -> Cell:
    image, mask = _read(source, sample)
    return picture_cell(image, mask, (sample.name, _facts(sample)), side)


def _facts(sample: Sample) -> str:
    size = f"{sample.width}x{sample.height}"
    return f"{_area(sample.defect_pixels)}, {size}"


def _area(pixels: int) -> str:
    return f"defect {pixels} px" if pixels else "good"


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
) -> _Plan:
    pairs = [pair for pair in scan.duplicates if not names or {pair.first, pair.second} & {*names}]
    if not pairs:
        raise SourceError(
            f"{source.path}: no two samples are the same picture, so there is nothing to show"
        )
    side = _side(options, len(pairs), ())
    makes = [
        partial(_duplicate_cell, source, samples[pair.first], samples[pair.second], pair.kind, side)
        for pair in pairs
    ]
    heading = (
        f"{len(pairs)} pairs of samples are the same picture; outlines: cyan left, orange right"
    )
    return _Plan((heading,), makes, side)


_KINDS = {"file": "identical files", "pixels": "identical pixels", "near": "photographed again"}


def _duplicate_cell(source: Source, first: Sample, second: Sample, kind: str, side: int) -> Cell:
    labels = (f"left: {_area(first.defect_pixels)}", f"right: {_area(second.defect_pixels)}")
    caption = (first.name, second.name, _KINDS[kind])
    return pair_cell(_read(source, first), _read(source, second), labels, caption, side)


# Of a tree.


def _plan_tree(
    folder: Path,
    names: Sequence[str],
    options: ShowOptions,
    maps: MapSource | None,
    jobs: int | None,
    progress: StepProgress,
) -> _Plan:
    images = list(load_tree(folder))
    if options.which == "pairs":
        return _plan_leaks(folder, images, names, options)
    chosen = _named(folder, images, names)
    named = [_longest(image) for image in chosen]
    if not names:
        tested = [image for image in images if maps is None or image.split == "test"]
        chosen = [image for image in tested if _is_chosen(options.which, image.label)]
    _refuse_nothing(chosen, OutputError(str(folder)), options.which)
    side = _side(options, len(chosen), named)
    heading = _counted(len(chosen), len(images), [image.label for image in chosen])
    if maps is None:
        makes = [partial(_image_cell, image, side) for image in chosen]
        return _Plan((heading,), makes, side)
    return _plan_panels(folder, chosen, options, maps, side, jobs, progress)


def _named(folder: Path, images: Sequence[TreeImage], names: Sequence[str]) -> list[TreeImage]:
    """Return the images of paths or names of samples; a sample may have several."""
    found: dict[str, list[TreeImage]] = {}
    for image in images:
        for name in {image.path, image.sample or image.path}:
            found.setdefault(name, []).append(image)
    _require_known(names, found, OutputError(str(folder)))
    wanted = {image.path: image for name in names for image in found[name]}
    return list(wanted.values())


def _longest(image: TreeImage) -> int:
    if image.geometry is not None:
        return max(image.geometry.size)
    return int(max(image.image().shape[:2]))


def _image_cell(image: TreeImage, side: int) -> Cell:
    mask = image.mask() if image.label == "defective" else None
    return picture_cell(image.image(), mask, _caption(image, mask), side)


def _caption(image: TreeImage, mask: Pixels | None, *more: str) -> tuple[str, ...]:
    area = 0 if mask is None else int(np.count_nonzero(mask))
    names = (image.path, image.sample) if image.sample else (image.path,)
    return (*names, ", ".join((_area(area), *more)))


def _plan_leaks(
    folder: Path, images: Sequence[TreeImage], names: Sequence[str], options: ShowOptions
) -> _Plan:
    _named(folder, images, names)
    pairs = [
        (first, second)
        for first, second in _leaks(images)
        if not names or {first.path, first.sample, second.path, second.sample} & {*names}
    ]
    if not pairs:
        raise OutputError(
            f"{folder}: no picture is both in training and in test, so there is nothing to show"
        )
    side = _side(options, len(pairs), ())
    makes = [partial(_leak_cell, first, second, side) for first, second in pairs]
    return _Plan((f"{len(pairs)} pictures of the test are in training, too",), makes, side)


def _leaks(images: Sequence[TreeImage]) -> Iterator[tuple[TreeImage, TreeImage]]:
    """Yield the images of training and of test that have equal pixels by the manifest."""
    folder = images[0].folder if images else Path()
    if not images or not (folder / MANIFEST_NAME).is_file():
        raise OutputError(f"{folder}: has no {MANIFEST_NAME}, by which --pairs compares pixels")
    entries = from_bytes(read_file(folder / MANIFEST_NAME)).files
    hashes = {entry.path: entry.pixels_sha256 for entry in entries}
    trained: dict[str | None, list[TreeImage]] = {}
    for image in images:
        if image.split == "train":
            trained.setdefault(hashes.get(image.path), []).append(image)
    for image in images:
        if image.split == "test" and image.path in hashes:
            for first in trained.get(hashes[image.path], ()):
                yield first, image


def _leak_cell(first: TreeImage, second: TreeImage, side: int) -> Cell:
    mask = second.mask() if second.label == "defective" else None
    caption = (*_caption(first, None)[:-1], *_caption(second, mask))
    pair = ((first.image(), None), (second.image(), mask))
    return pair_cell(*pair, ("train", "test"), caption, side)


# Of a tree with maps.


@dataclass(frozen=True, slots=True)
class _Model:
    """The maps of a model, with what all its panels share."""

    maps: Maps
    images: Mapping[str, TruthImage]
    scores: Mapping[str, float]
    scale: tuple[float, float]
    threshold: float


def _plan_panels(
    folder: Path,
    chosen: Sequence[TreeImage],
    options: ShowOptions,
    source: MapSource,
    side: int,
    jobs: int | None,
    progress: StepProgress,
) -> _Plan:
    for image in chosen:
        if image.split != "test":
            raise UsageError(f"{image.path}: is no test image, so it has no map")
    asked = ScoreOptions(threshold=options.threshold)
    scored = score(folder, source, options=asked, jobs=jobs, progress=progress)
    if scored.findings:
        first = scored.findings[0]
        more = len(scored.findings) - 1
        others = f" (and {more} more)" if more else ""
        raise SourceError(f"{first.path}: {first.message}{others}; 'kolektor score' tells all")
    [model] = scored.models
    threshold, origin = _threshold(model, options)
    truth = open_truth(folder)
    maps = _open(source, truth)
    images = {image.path: image for image in truth.images}
    paths = [image.path for image in chosen]
    # One after the other, where these lie in one stream.
    threads = 1 if maps.in_order else jobs
    ends = parallel_map(partial(_ends, maps, images), paths, threads, partial(progress, "scale"))
    scale = min(low for low, _ in ends), max(high for _, high in ends)
    scores = {image.path: image.score for image in model.images}
    shared = _Model(maps, images, scores, scale, threshold)
    heading = (
        f"{model.name}: {len(chosen)} of {len(images)} test images; scores from "
        f"{number_text(scale[0])} to {number_text(scale[1])} in one scale",
        f"threshold {number_text(threshold)}, {origin}; outlines: cyan label, orange predicted",
    )
    return _Plan(heading, [partial(_panel, shared, image, side) for image in chosen], side)


def _threshold(model: ModelScores, options: ShowOptions) -> tuple[float, str]:
    if options.threshold is not None:
        return options.threshold, "given"
    if model.pixel_threshold is None:
        why = model.figures["pixel_f1_max"].reason
        raise UsageError(f"--maps need a --threshold here, as none can be chosen: {why}")
    return model.pixel_threshold, "the best for the F1 of pixels, chosen on test"


def _open(source: MapSource, truth: GroundTruth) -> Maps:
    if isinstance(source, (str, os.PathLike)):
        return open_maps(Path(source), truth.category, truth.paths)
    return ArrayMaps(source, truth.paths)


def _placed(maps: Maps, image: TruthImage) -> Placed:
    return place(maps.read(image.path).scores, image.size, image.inside)


def _ends(maps: Maps, images: Mapping[str, TruthImage], path: str) -> tuple[float, float]:
    scores = _placed(maps, images[path]).scores
    return float(scores.min()), float(scores.max())


def _panel(model: _Model, image: TreeImage, side: int) -> Cell:
    placed = _placed(model.maps, model.images[image.path])
    pixels = image.image()
    mask = image.mask() if image.label == "defective" else None
    scores: npt.NDArray[np.floating[Any]] = np.full(pixels.shape[:2], np.nan, placed.scores.dtype)
    left, top, width, height = placed.window
    scores[top : top + height, left : left + width] = placed.scores
    told = f"score {number_text(model.scores[image.path])}"
    caption = _caption(image, mask, told)
    return panel_cell(pixels, mask, scores, model.scale, model.threshold, caption, side)
