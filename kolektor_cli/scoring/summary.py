"""Figures with their intervals, groups of regions and items, and what to doubt."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from kolektor_cli.findings import Finding
from kolektor_cli.scoring.figures import FIGURES, Floats
from kolektor_cli.scoring.intervals import interval
from kolektor_cli.scoring.pixels import FEW_VALUES, PixelFigures
from kolektor_cli.scoring.results import Difference, Figure, Group, ModelScores, RegionScore
from kolektor_cli.tree.truth import TruthImage


def figure(
    key: str, exact: Mapping[str, float], drawn: Mapping[str, Floats], why_not: str
) -> Figure:
    """Return a figure with its interval, if draws were made, or without a value: `why_not`."""
    value = exact.get(key, math.nan)
    if math.isnan(value):
        return Figure(None, why_not)
    ends = interval(drawn[key]) if key in drawn else None
    return Figure(value) if ends is None else Figure(value, "", *ends)


def differences(
    drawn: Mapping[str, Mapping[str, Floats]], models: Sequence[ModelScores]
) -> Iterator[Difference]:
    """Yield the differences of each pair of models, with intervals from the same draws."""
    for first, second in combinations(models, 2):
        figures = {}
        for key in FIGURES:
            values = [model.figures[key].value for model in (first, second)]
            if key in drawn[first.name] and None not in values:
                ends = interval(drawn[first.name][key] - drawn[second.name][key])
                higher, lower = (value or 0.0 for value in values)
                figures[key] = Figure(higher - lower, "", *(ends or (None, None)))
        if figures:
            yield Difference(first.name, second.name, figures)


def by_size(regions: Sequence[RegionScore]) -> Iterator[Group]:
    """Yield the regions in three groups of about equal number, from the smallest to the largest.

    Regions of one area are in one group.
    """
    if not regions:
        return
    areas = np.array([region.area for region in regions])
    first, second = np.quantile(areas, [1 / 3, 2 / 3], method="higher")
    groups = {
        "small": areas <= first,
        "medium": (areas > first) & (areas <= second),
        "large": areas > second,
    }
    for name, chosen in groups.items():
        members = [region for region, is_in in zip(regions, chosen, strict=True) if is_in]
        images = len({region.image for region in members})
        yield _group(name, images, images, members)


def by_item(
    images: Sequence[TruthImage], scores: Mapping[str, float], regions: Sequence[RegionScore]
) -> Iterator[Group]:
    """Yield each physical item, with its regions and its highest image score."""
    items: dict[str, list[TruthImage]] = defaultdict(list)
    for image in images:
        items[image.item].append(image)
    for item, members in items.items():
        paths = {image.path for image in members}
        defective = sum(image.label == "defective" for image in members)
        found = [region for region in regions if region.image in paths]
        yield _group(item, len(members), defective, found, max(scores[path] for path in paths))


def _group(
    name: str,
    images: int,
    defective: int,
    regions: Sequence[RegionScore],
    highest: float | None = None,
) -> Group:
    areas = [region.area for region in regions]
    aupro = math.fsum(region.pro_03 for region in regions) / len(regions) if regions else None
    return Group(
        name=name,
        images=images,
        defective=defective,
        regions=len(regions),
        least=min(areas, default=0),
        most=max(areas, default=0),
        aupro=aupro,
        highest=highest,
    )


def doubts(found: PixelFigures, unseen: float) -> Iterator[Finding]:
    """Yield what makes figures doubtful."""
    if unseen:
        message = f"the maps do not cover {unseen:.1%} of the defect area; it ranks lowest"
        yield Finding("warning", "unseen", "", message)
    if found.few_values:
        message = f"the maps have at most {FEW_VALUES} distinct values: they were rounded"
        yield Finding("warning", "few-values", "", message)
    auroc = found.exact.get("pixel_auroc")
    if auroc is not None and auroc < 0.5:
        message = f"pixel AUROC {auroc:.3f} is below 0.5: are the maps inverted?"
        yield Finding("warning", "inverted", "", message)
