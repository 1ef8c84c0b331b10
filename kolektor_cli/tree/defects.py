"""What a fit does to the defects of a source, computed before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from kolektor_cli.imaging.geometry import CenterCrop, center_crop
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.resample import transform_mask
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.load import read_mask
from kolektor_cli.samples import Sample
from kolektor_cli.tree.fit import Fit
from kolektor_cli.tree.views import View, Views


@dataclass(frozen=True, slots=True)
class DefectsOfSample:
    """What a fit does to the defects of one sample.

    Attributes
    ----------
    sample
        Name of the sample.
    images, defective
        Numbers of output images, and of those with a defect.
    area_kept
        Share of the source's marked pixels that lie in an output image, from 0 to 1.
    smallest_defect
        Pixels of the smallest 8-connected component of an output mask; 0 if every mask is empty.
    marked
        Number of marked pixels in the mask of each defective output image.
    marked_in_crops
        For each center crop, the number of these pixels that it keeps in each mask.
    """

    sample: str
    images: int
    defective: int
    area_kept: float
    smallest_defect: int
    marked: tuple[int, ...]
    marked_in_crops: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FitSummary:
    """What a fit makes of a source.

    Attributes
    ----------
    good, defective
        Numbers of good and of defective output images.
    widths, heights
        The smallest and the largest of an output image, in pixels.
    defects
        What becomes of the defects of each defective sample that has a mask.
    crops
        The center crops that `DefectsOfSample.marked_in_crops` refers to.
    """

    fit: Fit
    good: int
    defective: int
    widths: tuple[int, int]
    heights: tuple[int, int]
    defects: tuple[DefectsOfSample, ...]
    crops: tuple[CenterCrop, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """The names of the defective samples without a defective output image."""
        return tuple(defects.sample for defects in self.defects if not defects.defective)


def summarise_fit(
    fitted: Views,
    source: Source,
    samples: Sequence[Sample],
    crops: Sequence[CenterCrop] = (),
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> FitSummary:
    """Return what a fit makes of samples, and what the center crops of consumers keep of it.

    Only the masks of defective samples are read.

    Raises
    ------
    SourceError, ImageError
        A mask cannot be read or decoded, or changed since the scan.
    """
    views = [view for sample in samples for view in fitted.views[sample.name]]
    labels = Counter(view.label for view in views)
    sizes = [view.geometry.size for view in views]
    marked = [sample for sample in samples if sample.is_marked]
    follow = partial(_follow_defects, fitted, source, tuple(crops))
    return FitSummary(
        fit=fitted.fit,
        good=labels["good"],
        defective=labels["defective"],
        widths=_range(width for width, _ in sizes),
        heights=_range(height for _, height in sizes),
        defects=tuple(parallel_map(follow, marked, jobs, progress)),
        crops=tuple(crops),
    )


def _range(lengths: Iterable[int]) -> tuple[int, int]:
    ordered = sorted(lengths) or [0]
    return ordered[0], ordered[-1]


def _follow_defects(
    fitted: Views, source: Source, crops: Sequence[CenterCrop], sample: Sample
) -> DefectsOfSample:
    mask = read_mask(source, sample)
    views = fitted.views[sample.name]
    outputs = [transform_mask(mask, v.geometry) for v in views if v.label == "defective"]
    return DefectsOfSample(
        sample=sample.name,
        images=len(views),
        defective=len(outputs),
        area_kept=_area_kept(mask, views),
        smallest_defect=min(map(_smallest_component, outputs), default=0),
        marked=tuple(int(np.count_nonzero(output)) for output in outputs),
        marked_in_crops=tuple(tuple(_marked_in(o, crop) for o in outputs) for crop in crops),
    )


def _area_kept(mask: Pixels, views: Sequence[View]) -> float:
    """Return the share of a mask's marked pixels that lie in the window of at least one view."""
    left_out = mask > 0
    marked = np.count_nonzero(left_out)
    for view in views:
        left, top, width, height = view.geometry.window
        left_out[top : top + height, left : left + width] = False
    return 1 - float(np.count_nonzero(left_out) / marked)


def _smallest_component(mask: Pixels) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].min())


def _marked_in(mask: Pixels, crop: CenterCrop) -> int:
    """Count the marked pixels of an output mask whose centre lies in a center crop."""
    x, y, width, height = center_crop((mask.shape[1], mask.shape[0]), crop.resize, crop.side)
    rows, columns = np.nonzero(mask)
    inside = (columns + 0.5 >= x) & (columns + 0.5 < x + width)
    inside &= (rows + 0.5 >= y) & (rows + 0.5 < y + height)
    return int(np.count_nonzero(inside))
