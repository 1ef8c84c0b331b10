"""One model: its maps with what was seen of them, and all that is scored from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kolektor_cli.findings import Finding
from kolektor_cli.io.parallel import Progress, no_progress
from kolektor_cli.scoring.figures import FIGURES, Floats
from kolektor_cli.scoring.given import (
    Binding,
    binding_remarks,
    read_binding,
    read_image_scores,
    write_binding,
)
from kolektor_cli.scoring.images import image_figures
from kolektor_cli.scoring.looks import Look, look_at, remarks
from kolektor_cli.scoring.maps import Maps, MapSource, open_maps
from kolektor_cli.scoring.options import ScoreOptions, top_of
from kolektor_cli.scoring.pixels import PixelFigures, pixel_figures, validation_threshold
from kolektor_cli.scoring.results import ImageScore, ModelScores
from kolektor_cli.scoring.summary import by_item, by_size, doubts, figure
from kolektor_cli.tree.truth import Defects, GroundTruth

_NO_GOOD_PIXEL = "no good pixel in the test set"


@dataclass(frozen=True, slots=True)
class ModelMaps:
    """The maps of one model, and what was seen of them.

    Attributes
    ----------
    name, place
        The model's name, and where its maps lie; empty for arrays.
    maps, binding
        The maps, and what is said of them.
    scores, image_score
        The score of each image, by path, and what these are.
    looks
        What was seen of each map, by path.
    """

    name: str
    place: str
    maps: Maps
    binding: Binding
    scores: Mapping[str, float]
    image_score: str
    looks: Mapping[str, Look]

    def bound_to(self, truth: GroundTruth) -> ModelMaps:
        """Write a file beside the maps that names their tree, and return them with it."""
        place = Path(self.place)
        write_binding(place, truth)
        return replace(self, binding=read_binding(place, truth)[0])


def place_of(source: MapSource) -> str:
    """Return where maps lie; empty for arrays."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""


def look_at_model(
    truth: GroundTruth,
    defects: Mapping[str, Defects],
    source: MapSource,
    name: str,
    given: Path | None,
    options: ScoreOptions,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[ModelMaps, list[Finding]]:
    """Open the maps of a model and look at each; return what is wrong with them, too.

    `given` is a CSV file of image scores.
    """
    place = place_of(source)
    binding, wrong_tree = read_binding(Path(place), truth) if place else ({}, [])
    maps = open_maps(source, truth.category, truth.paths)
    looks, findings = look_at(truth.images, defects, maps, options, jobs=jobs, progress=progress)
    findings = [*wrong_tree, *maps.findings, *findings]
    if options.threshold == "val":
        findings += look_at(truth.validation, {}, maps, options, jobs=jobs)[1]
    scores, asked, wrong = _image_scores(truth, maps, looks, given, options)
    model = ModelMaps(name, place, maps, binding, scores, asked, looks)
    return model, [*findings, *wrong]


def _image_scores(
    truth: GroundTruth,
    maps: Maps,
    looks: Mapping[str, Look],
    given: Path | None,
    options: ScoreOptions,
) -> tuple[Mapping[str, float], str, list[Finding]]:
    """Return the score of each image by path, what these are, and what is wrong with them."""
    if given is not None:
        wanted = [image.path for image in truth.images]
        found, wrong = read_image_scores(given, truth.category, wanted, truth.paths)
        return found, f"from {given.name}", wrong
    if maps.scores and options.image_score is None:
        return maps.scores, "from the file of the maps", []
    scores = {path: look.score for path, look in looks.items()}
    top = top_of(options.image_score)
    asked = f"mean of the {top} highest values of the map" if top else "maximum of the map"
    return scores, asked, []


def score_model(
    truth: GroundTruth,
    defects: Mapping[str, Defects],
    model: ModelMaps,
    options: ScoreOptions,
    weights: Floats | None,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[ModelScores, Mapping[str, Floats]]:
    """Return the figures of a model, and their values in each draw."""
    by_image = image_figures(
        truth.images, [model.scores[image.path] for image in truth.images], weights
    )
    area = sum(len(found.rows) for found in defects.values())
    seen = sum(len(look.defects.scores) for look in model.looks.values())
    why = _why_not(truth, area, seen)
    by_pixel = PixelFigures({}, {}, None, {})
    if seen and why != _NO_GOOD_PIXEL:
        threshold = _threshold(truth, model.maps, options)
        by_pixel = pixel_figures(
            truth.images,
            defects,
            model.maps,
            model.looks,
            options,
            threshold,
            weights,
            jobs=jobs,
            progress=progress,
        )
    drawn = {**by_image.drawn, **by_pixel.drawn}
    exact = {**by_image.exact, **by_pixel.exact}
    images = {image.path: image for image in truth.images}
    notes = [*binding_remarks(model.binding, truth)] if model.place else []
    notes += remarks(images, model.looks.values(), options)
    unseen = 1 - seen / area if area else 0.0
    result = ModelScores(
        name=model.name,
        maps=model.place,
        binding=model.binding,
        image_score=model.image_score,
        figures={key: figure(key, exact, drawn, why) for key in FIGURES},
        image_threshold=by_image.threshold,
        pixel_threshold=by_pixel.threshold,
        segmentation=by_pixel.segmentation,
        unseen=unseen,
        images=tuple(_images(truth, model, by_pixel)),
        regions=by_pixel.regions,
        by_size=tuple(by_size(by_pixel.regions)),
        by_item=tuple(by_item(truth.images, model.scores, by_pixel.regions)),
        curves={**by_image.curves, **by_pixel.curves},
        notes=(*notes, *doubts(by_pixel, unseen)),
    )
    return result, drawn


def _threshold(truth: GroundTruth, maps: Maps, options: ScoreOptions) -> tuple[float, str] | None:
    if options.threshold is None:
        return None
    if options.threshold == "val":
        return validation_threshold(truth.validation, maps, options)
    return options.threshold, "given"


def _why_not(truth: GroundTruth, area: int, seen: int) -> str:
    """Return why a figure of a test set has no meaning, if it has none.

    `area` are its defect pixels, `seen` those that maps show.
    """
    labels = {image.label for image in truth.images}
    if "defective" not in labels:
        return "no defect in the test set"
    if not truth.has_masks:
        return "the tree has no masks"
    if area == sum(image.inside[2] * image.inside[3] for image in truth.images):
        return _NO_GOOD_PIXEL
    if "good" not in labels:
        return "no good image in the test set"
    return "" if seen else "the maps show no defect"


def _images(truth: GroundTruth, model: ModelMaps, by_pixel: PixelFigures) -> list[ImageScore]:
    aupimo = by_pixel.aupimo or {}
    return [
        ImageScore(
            path=image.path,
            label=image.label,
            item=image.item,
            score=model.scores[image.path],
            map_sha256=model.looks[image.path].sha256,
            aupimo=aupimo.get(image.path),
        )
        for image in truth.images
    ]
