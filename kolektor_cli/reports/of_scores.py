"""Parts about anomaly maps: figures, curves, misses, false alarms and overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kolektor_cli.findings import first_names
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.reports import plots
from kolektor_cli.reports.cells import called, heat, whole
from kolektor_cli.reports.page import (
    Cell,
    Html,
    Picture,
    Section,
    Value,
    bullets,
    cell,
    chapter,
    facts,
    folded,
    gallery,
    joined,
    name,
    paragraph,
    plot,
    table,
    text,
)
from kolektor_cli.reports.page import plots as plots_part
from kolektor_cli.reports.parts import number, scale
from kolektor_cli.scoring.figures import DEFINITIONS, FIGURES
from kolektor_cli.scoring.maps import Maps, MapSource, open_maps
from kolektor_cli.scoring.placing import place, within
from kolektor_cli.scoring.results import (
    Difference,
    Figure,
    Group,
    ImageScore,
    ModelScores,
    RegionScore,
    Scores,
)
from kolektor_cli.tree.dataset import TreeDataset
from kolektor_cli.tree.manifest import fingerprint
from kolektor_cli.tree.truth import GroundTruth, TruthImage

ALARMS = 24
"""The most good images that are shown, those with the highest scores first."""

_COUNTED = ("image_fp_at_fn0",)
"""Figures that are numbers of images."""


@dataclass(frozen=True, slots=True)
class MapPictures:
    """The pictures of one model's maps.

    `low` and `high` are the scores of the first and of the last colour; `pictures` are those of an
    image with its defects outlined and of its map, by the image's path.
    """

    low: float
    high: float
    pictures: Mapping[str, tuple[Picture, Picture]]


def draw_maps(
    truth: GroundTruth,
    images: TreeDataset,
    source: MapSource,
    model: ModelScores,
    crop: CenterCrop | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> MapPictures:
    """Return pictures of all maps of defective images, and of good ones that score highest.

    The colours go from the lowest score of the test set to its highest.

    Parameters
    ----------
    truth, images
        The tree.
    source
        Where the maps come from.
    model
        What was measured of them.
    crop
        The center crop that they show.
    jobs, progress
        Number of threads; called for each map.

    Raises
    ------
    ImageError, OutputError, SourceError
        A map or an image cannot be read.
    """
    maps = open_maps(source, truth.category, truth.paths)
    tested = {image.path: image for image in truth.images}
    paths = [path for path in maps.paths if path in tested]
    threads = 1 if maps.in_order else jobs
    ends = parallel_map(lambda path: _ends(maps, tested[path], crop), paths, threads)
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    wanted = {one.path for one in (*misses(model), *alarms(model))}
    shown = [path for path in paths if path in wanted]
    draw = partial(_draw, maps, images, crop=crop, low=low, high=high)
    drawn = parallel_map(lambda path: draw(tested[path]), shown, threads, progress)
    return MapPictures(low, high, dict(zip(shown, drawn, strict=True)))


def _ends(maps: Maps, image: TruthImage, crop: CenterCrop | None) -> tuple[float, float]:
    scores = within(maps.read(image.path).scores, image.size, image.inside, crop)
    return float(scores.min()), float(scores.max())


def _draw(
    maps: Maps,
    images: TreeDataset,
    image: TruthImage,
    *,
    crop: CenterCrop | None,
    low: float,
    high: float,
) -> tuple[Picture, Picture]:
    placed = place(maps.read(image.path).scores, image.size, image.inside, crop)
    pixels = images[image.path].image()
    unmarked = image.label == "good" or images[image.path].weak
    mask = np.zeros(pixels.shape[:2], np.uint8) if unmarked else images[image.path].mask()
    shown, colors = whole(pixels, mask), heat(placed, mask, low, high)
    outlined = "" if unmarked else ", defects outlined"
    return (
        called(shown, f"{image.path}{outlined}"),
        called(colors, f"heat map of {image.path}{outlined}"),
    )


def misses(model: ModelScores) -> list[ImageScore]:
    """Return the defective images, the lowest score first."""
    defective = [one for one in model.images if one.label == "defective"]
    return sorted(defective, key=lambda one: (one.score, one.path))


def alarms(model: ModelScores) -> list[ImageScore]:
    """Return the good images with the highest scores, the highest first."""
    good = [one for one in model.images if one.label == "good"]
    return sorted(good, key=lambda one: (-one.score, one.path))[:ALARMS]


def map_fingerprints(scores: Scores) -> dict[str, str]:
    """Return the SHA-256 over the paths and the maps of each model, by what it is called."""
    return {
        f"maps of {model.name}": fingerprint((one.path, one.map_sha256) for one in model.images)
        for model in scores.models
    }


def score_sections(scores: Scores, drawn: Sequence[MapPictures]) -> list[Section]:
    """Return the parts about all models; `drawn` are the pictures of each."""
    parts = [_results(scores), _curves(scores)]
    for index, (model, pictures) in enumerate(zip(scores.models, drawn, strict=True), 1):
        several = f" of {model.name}" if len(scores.models) > 1 else ""
        parts.append(_misses(f"misses-{index}", f"Misses{several}", model, pictures))
        parts.append(_alarms(f"alarms-{index}", f"False alarms{several}", model, pictures))
    return [*parts, _overlaps(scores), _groups(scores), _definitions()]


def _results(scores: Scores) -> Section:
    columns = ("maps", *FIGURES.values())
    rows: list[tuple[Cell, ...]] = [
        (model.name, *(_figure(key, model.figures[key]) for key in FIGURES))
        for model in scores.models
    ]
    return chapter(
        "results",
        "Results",
        paragraph(
            text(
                f"Test set: {scores.good} good and {scores.defective} defective images of "
                f"{scores.items} physical items, with {scores.regions} defects."
            )
        ),
        table(f"Figures on {scores.category}", columns, rows),
        bullets(_remarks(scores)),
        *map(_difference, scores.differences),
        *([_published(scores)] if scores.published else []),
    )


def _figure(key: str, figure: Figure) -> Value:
    digits = _digits(key)
    ends = ""
    if figure.low is not None and figure.high is not None:
        ends = f"{figure.low:.{digits}f}\N{EN DASH}{figure.high:.{digits}f}"
    shown = number(figure.value, digits)
    return Value(shown.text, shown.number, ends or figure.reason)


def _digits(key: str) -> int:
    return 0 if key in _COUNTED else 3


def _remarks(scores: Scores) -> Iterator[Html]:
    if scores.draws:
        yield text(
            f"Below each figure: its 95 % interval, by {scores.draws} draws of the physical items, "
            f"seed {scores.seed}."
        )
    for model in scores.models:
        told = [f"image score: {model.image_score}"]
        for what, value in (("image", model.image_threshold), ("pixel", model.pixel_threshold)):
            if value is not None:
                told.append(f"threshold of the {what} F1-max: {value:.6g}, chosen on the test set")
        told += [f"{note.severity}: {note.message}" for note in model.notes]
        yield Html(f"<b>{name(model.name)}</b>: {text('; '.join(told))}")
    if scores.leaks is None:
        yield text("Leaks: not known by a manifest; see the checks.")
    elif scores.leaks:
        yield Html(f"<b>Leaks</b>: {text(first_names(scores.leaks))}")
    else:
        yield text("Leaks: none by the manifest.")


def _difference(difference: Difference) -> Html:
    rows: list[tuple[Cell, ...]] = [
        (FIGURES[key], *(number(end, _digits(key)) for end in (one.value, one.low, one.high)))
        for key, one in difference.figures.items()
    ]
    title = f"{difference.first} minus {difference.second}, on the same draws"
    return folded(text(title), table(title, ("figure", "difference", "from", "to"), rows))


def _published(scores: Scores) -> Html:
    rows: list[tuple[Cell, ...]] = [
        (
            row.model,
            row.code,
            row.backbone,
            number(row.image_auroc),
            number(row.pixel_auroc),
            number(row.pro),
        )
        for row in scores.published
    ]
    columns = ("model", "code", "backbone", "image AUROC", "pixel AUROC", "PRO")
    return table("KolektorSDD: published, other splits and definitions", columns, rows)


def _curves(scores: Scores) -> Section:
    drawn = [*_histograms(scores), *_plots(scores)]
    return chapter("curves", "Scores and curves", plots_part(drawn))


def _histograms(scores: Scores) -> Iterator[Html]:
    for index, model in enumerate(scores.models, 1):
        groups = {
            label: [one.score for one in model.images if one.label == label]
            for label in ("good", "defective")
        }
        several = f" of {model.name}" if len(scores.models) > 1 else ""
        title = f"Image scores{several}"
        svg = plots.histogram(f"scores-{index}", title, "image score", groups)
        yield plot(title, svg, list(groups))


def _plots(scores: Scores) -> Iterator[Html]:
    rate = "false-positive rate"
    wanted = (
        ("image_roc", "ROC of images", plots.Axis(rate, 0, 1), "recall"),
        ("pixel_roc", "ROC of pixels", plots.Axis(rate, 0, 1), "recall"),
        ("pro", "Region overlap (PRO), to 0.3", plots.Axis(rate, 0, 0.3), "mean overlap"),
        ("pixel_pr", "Precision and recall of pixels", plots.Axis("recall", 0, 1), "precision"),
    )
    for key, title, axis, height in wanted:
        lines = [
            plots.Series(
                model.name, model.curves[key].x, model.curves[key].y, stairs=key == "image_roc"
            )
            for model in scores.models
            if key in model.curves
        ]
        if lines:
            svg = plots.curves(key.replace("_", "-"), title, axis, plots.Axis(height, 0, 1), lines)
            yield plot(title, svg, [line.name for line in lines])


def _misses(key: str, title: str, model: ModelScores, pictures: MapPictures) -> Section:
    shown = misses(model)
    regions = _by_image(model.regions)
    threshold = model.image_threshold
    missed = sum(threshold is not None and one.score < threshold for one in shown)
    told = (
        f"Defective images, the lowest score first: image, and heat map. {missed} of {len(shown)} "
        "score below the threshold of the image F1-max."
    )
    cells = (
        cell(
            pictures.pictures[one.path],
            _ranked(rank, one, "missed" if threshold is not None and one.score < threshold else ""),
            text(_overlap(one, regions.get(one.path, []))),
        )
        for rank, one in enumerate(shown, 1)
    )
    return chapter(key, title, paragraph(text(told)), _scale(pictures), gallery(cells))


def _alarms(key: str, title: str, model: ModelScores, pictures: MapPictures) -> Section:
    shown = alarms(model)
    good = sum(one.label == "good" for one in model.images)
    threshold = model.image_threshold
    told = (
        f"The {len(shown)} of {good} good images with the highest scores, the highest first: "
        "image, and heat map in the same colours."
    )
    cells = (
        cell(
            pictures.pictures[one.path],
            _ranked(
                rank, one, "false alarm" if threshold is not None and one.score >= threshold else ""
            ),
        )
        for rank, one in enumerate(shown, 1)
    )
    return chapter(key, title, paragraph(text(told)), _scale(pictures), gallery(cells))


def _scale(pictures: MapPictures) -> Html:
    return scale(pictures.low, pictures.high, "scores; one scale for all heat maps of this model")


def _ranked(rank: int, one: ImageScore, verdict: str) -> Html:
    told = f"score {one.score:.4g}" + (f", {verdict}" if verdict else "")
    return Html(f"<b>{rank}. {name(one.path)}</b> ({name(one.item)})<br>{text(told)}")


def _overlap(one: ImageScore, regions: Sequence[RegionScore]) -> str:
    areas = " and ".join(str(region.area) for region in regions)
    overlaps = " and ".join(f"{region.pro_03:.3f}" for region in regions)
    pimo = "" if one.aupimo is None else f", AUPIMO {one.aupimo:.3f}"
    return f"; area {areas} pixels, overlap {overlaps}{pimo}" if regions else pimo


def _by_image(regions: Sequence[RegionScore]) -> dict[str, list[RegionScore]]:
    found: dict[str, list[RegionScore]] = {}
    for region in regions:
        found.setdefault(region.image, []).append(region)
    return found


def _overlaps(scores: Scores) -> Section:
    series = [
        plots.Series(
            model.name,
            [float(region.area) for region in model.regions],
            [region.pro_03 for region in model.regions],
            [f"{r.image}: {r.area} pixels, overlap {r.pro_03:.3f}" for r in model.regions],
        )
        for model in scores.models
    ]
    areas = [area for one in series for area in one.x]
    title = "Area of a defect, and its part of AUPRO@0.3"
    x = plots.axis_of("pixels, logarithmic", areas, log=True)
    svg = plots.scatter("overlaps", title, x, plots.Axis("overlap", 0, 1), series)
    sizes = [
        table(
            f"{model.name} by size of defects",
            ("defects", "smallest", "largest", "regions", "images", "AUPRO@0.3"),
            [
                (g.name, g.least, g.most, g.regions, g.images, number(g.aupro))
                for g in model.by_size
            ],
        )
        for model in scores.models
        if model.by_size
    ]
    return chapter(
        "overlap-by-area",
        "Defect area and overlap",
        plots_part([plot(title, svg, [one.name for one in series])]) if areas else joined(()),
        *sizes,
    )


def _groups(scores: Scores) -> Section:
    columns = ("item", "good", "defective", "regions", "AUPRO@0.3", "highest score")
    tables = [
        folded(text(model.name), table(f"{model.name} by item", columns, map(_item, model.by_item)))
        for model in scores.models
    ]
    return chapter("by-item", "By physical item", *tables)


def _item(group: Group) -> tuple[Cell, ...]:
    highest = group.highest
    return (
        group.name,
        group.images - group.defective,
        group.defective,
        group.regions,
        number(group.aupro),
        Value("" if highest is None else f"{highest:.4g}", highest),
    )


def _definitions() -> Section:
    rows = [(FIGURES[key], told) for key, told in DEFINITIONS.items()]
    return chapter("definitions", "Definitions", facts("What each figure is", rows))
