"""Figures of models on a tree, from their anomaly maps."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import OutputError, UsageError, reason, require_one_of
from kolektor_cli.findings import Finding
from kolektor_cli.io.parallel import Progress, parallel_map
from kolektor_cli.scoring.given import check_can_bind
from kolektor_cli.scoring.intervals import draw_items
from kolektor_cli.scoring.maps import MapSource
from kolektor_cli.scoring.model import look_at_model, place_of, score_model
from kolektor_cli.scoring.options import ScoreOptions, check_options
from kolektor_cli.scoring.published import published_for
from kolektor_cli.scoring.results import Scores
from kolektor_cli.scoring.summary import differences
from kolektor_cli.tree.truth import Defects, GroundTruth, open_truth, read_defects
from kolektor_cli.version import __version__


def score(
    tree: str | os.PathLike[str],
    maps: MapSource | list[MapSource] | tuple[MapSource, ...],
    *,
    options: ScoreOptions | None = None,
    image_scores: str | os.PathLike[str] | None = None,
    consumer: ConsumerName | None = None,
    bind: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Scores:
    """Return the figures of one model or of several, exact, from their anomaly maps.

    Parameters
    ----------
    tree
        A category folder, or a folder that holds exactly one; any MVTec-AD-style tree.
    maps
        A folder with a map for each test image; or an .npz with ``maps`` and ``paths``; or arrays
        by the paths of their images, such as ``test/defect/000.png``, or a function that returns
        the map of a path; it is called twice for each image, from `jobs` threads. Or a list of
        these, one for each model.
    options
        How maps are scored.
    image_scores
        A CSV file with the columns ``path`` and ``score``; for a single model.
    consumer
        The code that made the maps: its center crop is `ScoreOptions.crop`.
    bind
        Write a ``kolektor.json`` into each folder of maps that names the tree.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    UsageError
        Options are wrong or contradict each other.
    OutputError, ManifestError
        The tree cannot be read or is not whole, or maps belong to another tree.
    SourceError
        There are no such maps, or no such scores.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> tree = kolektor.load_tree("data/metal")
    >>> perfect = {image.path: image.mask() / 255 for image in tree if image.split == "test"}
    >>> scores = kolektor.score("data/metal", perfect)
    >>> round(scores.models[0].figures["aupro_0.3"].value, 6)
    1.0
    """
    sources = list(maps) if isinstance(maps, (list, tuple)) else [maps]
    options = with_crop(options or ScoreOptions(), consumer)
    check_options(options)
    if image_scores is not None and len(sources) != 1:
        raise UsageError("--image-scores is for one folder of maps; score the others by themselves")
    if bind and not all(map(place_of, sources)):
        raise UsageError("--bind writes a file beside maps, and these are maps in memory")
    truth = open_truth(Path(tree))
    for source in sources if bind else ():
        check_can_bind(Path(place_of(source)), truth)
    if options.threshold == "val" and not truth.validation:
        raise UsageError(f"--threshold val: {truth.folder} has no validation images")
    defects = _read_defects(truth, jobs, progress)
    given = None if image_scores is None else Path(image_scores)
    models, findings = [], []
    for source, name in zip(sources, _names(sources), strict=True):
        told = partial(progress, f"reading {name}")
        model, wrong = look_at_model(
            truth, defects, source, name, given, options, jobs=jobs, progress=told
        )
        models.append(model)
        findings += _of_model(wrong, name if len(sources) > 1 else "")
    scored = _summary(truth, defects, options)
    if findings:
        return replace(scored, findings=tuple(findings))
    if bind:
        models = [model.bound_to(truth) for model in models]
    weights = draw_items(scored.items, options.draws, options.seed) if options.draws else None
    measured, drawn = [], {}
    for model in models:
        telling = _telling(progress, model.name, with_intervals=weights is not None)
        result, drawn[model.name] = score_model(
            truth, defects, model, options, weights, jobs=jobs, progress=telling
        )
        measured.append(result)
    return replace(scored, models=tuple(measured), differences=tuple(differences(drawn, measured)))


def count_steps(maps: Sequence[MapSource]) -> int:
    """Return how many steps `score` counts: the masks, and two passes over each model's maps."""
    return 1 + 2 * len(maps)


def _telling(progress: StepProgress, name: str, *, with_intervals: bool) -> Progress:
    """Tell of each map of a model, and after the last one what is computed from all."""

    def told(done: int, total: int) -> None:
        progress(f"scoring {name}", done, total)
        if done == total:
            what = "intervals" if with_intervals else "figures"
            progress(f"computing the {what} of {name}", 0, 0)

    return told


def _read_defects(
    truth: GroundTruth, jobs: int | None, progress: StepProgress
) -> dict[str, Defects]:
    read, told = partial(read_defects, truth), partial(progress, "reading masks")
    found = parallel_map(read, truth.images, jobs, told)
    return {image.path: defects for image, defects in zip(truth.images, found, strict=True)}


def with_crop(options: ScoreOptions, consumer: ConsumerName | None) -> ScoreOptions:
    """Return options with the center crop of the code that made the maps, if one is given.

    Raises
    ------
    UsageError
        There is no such code, or the options have a crop of their own.
    """
    if consumer is None:
        return options
    require_one_of("for", consumer, CONSUMERS)
    if options.crop is not None:
        raise UsageError("--for and --crop contradict each other; give one")
    return replace(options, crop=CONSUMERS[consumer].center_crop)


def _names(sources: Sequence[MapSource]) -> list[str]:
    """Name each model by its folder, or by the whole path where two folders have one name."""
    places = [place_of(source) for source in sources]
    short = [Path(place).resolve().name if place else "maps" for place in places]
    names = [
        place or name if short.count(name) > 1 else name
        for place, name in zip(places, short, strict=True)
    ]
    return [
        f"{name} {names[:row].count(name) + 1}" if names.count(name) > 1 else name
        for row, name in enumerate(names)
    ]


def _of_model(findings: Sequence[Finding], name: str) -> list[Finding]:
    return [replace(f, path=f"{name}: {f.path}") if name else f for f in findings]


def _summary(truth: GroundTruth, defects: Mapping[str, Defects], options: ScoreOptions) -> Scores:
    good = sum(image.label == "good" for image in truth.images)
    return Scores(
        category=truth.category,
        fingerprint=truth.fingerprint,
        good=good,
        defective=len(truth.images) - good,
        regions=sum(len(found.found) for found in defects.values()),
        items=len({image.item for image in truth.images}),
        models=(),
        draws=options.draws,
        seed=options.seed,
        leaks=truth.leaks,
        published=published_for(truth.release),
        versions={
            "kolektor": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    )


def save_curves(scores: Scores, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write the curves of each model to a folder, as CSV; return the files.

    They are named ``<maps>_<curve>.csv``, with the columns ``threshold`` and those of the curve.

    Raises
    ------
    OutputError
        A file exists already, or cannot be written.
    """
    place = Path(folder)
    files = {
        place / f"{model.name.replace(os.sep, '_')}_{name}.csv": curve
        for model in scores.models
        for name, curve in model.curves.items()
    }
    for file in files:
        if file.exists():
            raise OutputError(f"{file}: exists already; remove it, or choose another folder")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file, curve in files.items():
            with file.open("w", newline="", encoding="utf-8") as stream:
                rows = csv.writer(stream, lineterminator="\n")
                rows.writerow(("threshold", curve.x_name, curve.y_name))
                rows.writerows(zip(curve.thresholds, curve.x, curve.y, strict=True))
    except OSError as error:
        raise OutputError(
            f"{error.filename or place}: cannot be written: {reason(error)}"
        ) from error
    return tuple(files)
