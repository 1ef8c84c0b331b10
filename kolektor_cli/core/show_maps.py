"""Panels of a tree's test images and of a model's anomaly maps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kolektor_cli.core.scoring import score
from kolektor_cli.core.show_plan import ShowOptions, ShowPlan, caption_of, side_of
from kolektor_cli.core.show_tree import choose_images, longest_sides, read_pair
from kolektor_cli.core.steps import StepProgress
from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.reports.panel import number_text, panel_cell
from kolektor_cli.reports.sheet import Cell
from kolektor_cli.scoring.maps import Maps, MapSource, open_maps
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.placing import Placed, place
from kolektor_cli.scoring.results import ModelScores
from kolektor_cli.tree.dataset import TreeImage, load_tree
from kolektor_cli.tree.truth import TruthImage, open_truth

_PICTURES = 5
"""Pictures of a panel."""


@dataclass(frozen=True, slots=True)
class _Model:
    """The maps of a model, with what all its panels share."""

    maps: Maps
    images: Mapping[str, TruthImage]
    scores: Mapping[str, float]
    scale: tuple[float, float]
    threshold: float
    crop: CenterCrop | None


def plan_panels(
    folder: Path,
    names: Sequence[str],
    options: ShowOptions,
    source: MapSource,
    jobs: int | None,
    progress: StepProgress,
) -> ShowPlan:
    """Return what a page of panels is to show, after all maps were scored.

    Raises
    ------
    UsageError
        A named image is no test image, or no threshold is given and none can be chosen.
    SourceError
        There are no such maps, or one is missing or wrong.
    OutputError, ManifestError
        The tree cannot be read or is not whole, there is no such image, or nothing to show.
    """
    images = list(load_tree(folder))
    tested = [image for image in images if image.split == "test"]
    chosen = choose_images(folder, images if names else tested, names, options)
    for image in chosen:
        if image.split != "test":
            raise UsageError(f"{image.path}: is no test image, so it has no map")
    side = side_of(options, _PICTURES * len(chosen), longest_sides(chosen) if names else ())
    model = _scored(folder, options, source, jobs, progress)
    shared = _share(folder, chosen, source, model, options, jobs, progress)
    low, high = map(number_text, shared.scale)
    heading = (
        f"{model.name}: {len(chosen)} of {len(tested)} test images; colours from {low} to {high}",
        f"threshold {number_text(shared.threshold)}, {_origin(options)}; "
        "outlines: cyan label, orange predicted",
    )
    return ShowPlan(heading, [partial(_panel, shared, image, side) for image in chosen], side)


def _scored(
    folder: Path,
    options: ShowOptions,
    source: MapSource,
    jobs: int | None,
    progress: StepProgress,
) -> ModelScores:
    """Score all maps: this finds what is wrong with any of them, and the threshold."""
    asked = ScoreOptions(threshold=options.threshold, crop=options.crop)
    scored = score(folder, source, options=asked, jobs=jobs, progress=progress)
    if scored.findings:
        first = scored.findings[0]
        more = len(scored.findings) - 1
        others = f" (and {more} more errors)" if more else ""
        raise SourceError(f"{first.path}: {first.message}{others}; see 'kolektor score'")
    return scored.models[0]


def _share(
    folder: Path,
    chosen: Sequence[TreeImage],
    source: MapSource,
    model: ModelScores,
    options: ShowOptions,
    jobs: int | None,
    progress: StepProgress,
) -> _Model:
    threshold = _threshold(model, options)
    truth = open_truth(folder)
    maps = open_maps(source, truth.category, truth.paths)
    images = {image.path: image for image in truth.images}
    shown = {image.path for image in chosen}
    # In the order, and by as many threads, as maps are read fastest.
    paths = [path for path in maps.paths if path in shown]
    threads = 1 if maps.in_order else jobs
    find = partial(_ends, maps, images, options.crop)
    ends = parallel_map(find, paths, threads, partial(progress, "finding the scale"))
    scale = min(low for low, _ in ends), max(high for _, high in ends)
    scores = {image.path: image.score for image in model.images}
    return _Model(maps, images, scores, scale, threshold, options.crop)


def _threshold(model: ModelScores, options: ShowOptions) -> float:
    if options.threshold is not None:
        return options.threshold
    if model.pixel_threshold is None:
        why = model.figures["pixel_f1_max"].reason
        raise UsageError(f"--maps need a --threshold here, as none can be chosen: {why}")
    return model.pixel_threshold


def _origin(options: ShowOptions) -> str:
    given = options.threshold is not None
    return "given" if given else "that of the best F1 of pixels, chosen on test"


def _placed(maps: Maps, image: TruthImage, crop: CenterCrop | None) -> Placed:
    return place(maps.read(image.path).scores, image.size, image.inside, crop)


def _ends(
    maps: Maps, images: Mapping[str, TruthImage], crop: CenterCrop | None, path: str
) -> tuple[float, float]:
    scores = _placed(maps, images[path], crop).scores
    return float(scores.min()), float(scores.max())


def _panel(model: _Model, image: TreeImage, side: int) -> Cell:
    placed = _placed(model.maps, model.images[image.path], model.crop)
    pixels, mask = read_pair(image)
    scores: npt.NDArray[np.floating[Any]] = np.full(pixels.shape[:2], np.nan, placed.scores.dtype)
    left, top, width, height = placed.window
    scores[top : top + height, left : left + width] = placed.scores
    score_text, threshold = map(number_text, (model.scores[image.path], model.threshold))
    caption = caption_of(image, mask, f"score {score_text}", f"threshold {threshold}")
    return panel_cell(pixels, mask, scores, model.scale, model.threshold, caption, side)
