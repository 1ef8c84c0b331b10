"""A first look at all maps of a model: what is wrong with them, and the scores of defects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kolektor_cli.errors import ImageError, OutputError
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.scoring.formats import NotAMapError
from kolektor_cli.scoring.images import image_score
from kolektor_cli.scoring.maps import Maps
from kolektor_cli.scoring.options import ScoreOptions, top_of
from kolektor_cli.scoring.placing import place, within
from kolektor_cli.scoring.results import UNREADABLE
from kolektor_cli.scoring.tally import DefectScores, defect_scores
from kolektor_cli.scoring.thresholds import Scores
from kolektor_cli.tree.truth import NO_DEFECTS, Defects, TruthImage

_SHOWN = 10
"""The most maps of one fault that are told one by one."""


@dataclass(frozen=True, slots=True)
class Look:
    """Facts about one map: `size` is (width, height), `lowest` and `highest` are its scores."""

    path: str
    size: Size
    sha256: str
    note: str
    lowest: float
    highest: float
    score: float
    defects: DefectScores


def look_at(
    images: Sequence[TruthImage],
    defects: Mapping[str, Defects],
    maps: Maps,
    options: ScoreOptions,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[dict[str, Look], list[Finding]]:
    """Look at the map of each image; return what was seen, by path, and what is wrong.

    Images that are not in `defects` have none.
    """
    there = set(maps.paths)
    by_path = {image.path: image for image in images}
    wanted = [path for path in maps.paths if path in by_path]
    look = partial(_look, by_path, defects, maps, options)
    results = parallel_map(look, wanted, 1 if maps.in_order else jobs, progress)
    looks = {result.path: result for result in results if isinstance(result, Look)}
    findings = [*_missing([path for path in by_path if path not in there])]
    findings += [result for result in results if isinstance(result, Finding)]
    findings += _wrong_sizes(by_path, looks, options)
    return looks, findings


def _look(
    images: Mapping[str, TruthImage],
    defects: Mapping[str, Defects],
    maps: Maps,
    options: ScoreOptions,
    path: str,
) -> Look | Finding:
    image = images[path]
    try:
        read = maps.read(path, hashed=True)
    except NotAMapError as error:
        return Finding("error", "not-a-map", path, f"its map {error}")
    except (ImageError, OutputError) as error:
        return Finding("error", UNREADABLE, path, f"its map {error}")
    scores = read.scores
    lowest, highest = float(scores.min()), float(scores.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        return Finding("error", "not-finite", path, _not_finite(scores))
    shown = within(scores, image.size, image.inside, options.crop)
    placed = place(scores, image.size, image.inside, options.crop)
    return Look(
        path=path,
        size=(scores.shape[1], scores.shape[0]),
        sha256=read.sha256,
        note=read.note,
        lowest=lowest,
        highest=highest,
        score=image_score(shown, top_of(options.image_score)),
        defects=defect_scores(placed, defects.get(path, NO_DEFECTS)),
    )


def _not_finite(scores: Scores) -> str:
    wrong = ~np.isfinite(scores)
    row, column = (int(index) for index in np.argwhere(wrong)[0])
    number = int(np.count_nonzero(wrong))
    value = scores[row, column]
    more = f", and {number - 1} more are not finite" if number > 1 else ""
    return f"its map has {value} in row {row}, column {column}{more}"


def _missing(paths: Sequence[str]) -> Iterator[Finding]:
    if len(paths) > _SHOWN:
        message = f"and {len(paths) - 1} more images have no map"
        yield Finding("error", "map-missing", paths[0], message, tuple(paths))
        return
    for path in paths:
        yield Finding("error", "map-missing", path, "has no map")


def _wrong_sizes(
    images: Mapping[str, TruthImage], looks: Mapping[str, Look], options: ScoreOptions
) -> Iterator[Finding]:
    """Yield errors about maps of sizes that cannot be, or that are not to be."""
    sizes = Counter(look.size for look in looks.values())
    usual = sizes.most_common(1)[0][0] if sizes else (0, 0)
    alike = len({images[path].size for path in looks}) == 1
    for path, look in looks.items():
        image = images[path].size
        wrong = _wrong_size(look.size, image, options)
        if not wrong and alike and look.size != usual:
            wrong = f"most maps are {_text(usual)}"
        if wrong:
            yield Finding("error", "map-size", path, f"its map is {_text(look.size)}, {wrong}")


def _wrong_size(size: Size, image: Size, options: ScoreOptions) -> str:
    """Return what is wrong with the size of a map by itself, or ``""``."""
    if options.crop is not None:
        square = "but a center crop is square: leave --for and --crop out if it shows whole images"
        return square if size[0] != size[1] else ""
    if size == (image[1], image[0]) != image:
        return f"the image {_text(image)}: it is transposed"
    return f"the image {_text(image)}" if options.exact_size and size != image else ""


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def remarks(
    images: Mapping[str, TruthImage], looks: Iterable[Look], options: ScoreOptions
) -> Iterator[Finding]:
    """Yield what is worth knowing of maps that are all right."""
    looks = list(looks)
    crop = options.crop
    if crop is not None:
        message = (
            f"maps are taken for center crops: the shorter side resized to {crop.resize}, then "
            f"{crop.side}x{crop.side} pixels cut out"
        )
        yield Finding("info", "cropped", "", message)
    other = [look for look in looks if look.size != images[look.path].size]
    if other and crop is None:
        size = _text(other[0].size)
        message = (
            f"{len(other)} of {len(looks)} maps, such as one of {size}, were resized to their "
            "images by bilinear interpolation"
        )
        yield Finding("info", "resized", "", message)
    for note, number in Counter(look.note for look in looks if look.note).items():
        yield Finding("info", "rounded", "", f"{number} of {len(looks)} maps have {note}")
    flat = [look.path for look in looks if look.lowest == look.highest]
    if flat:
        message = f"and {len(flat) - 1} more maps are constant" if flat[1:] else "is constant"
        yield Finding("warning", "constant-map", flat[0], message, tuple(flat))
    if len(looks) > 1 and len({look.highest for look in looks}) == 1 and len(flat) < len(looks):
        message = (
            f"all maps have the maximum {looks[0].highest:g}: they were normalised image by image; "
            "save the scores as the model gives them"
        )
        yield Finding("warning", "normalised", "", message)
