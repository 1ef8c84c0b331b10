"""What a fit will do to a source, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import cv2
import numpy as np

from kolektor_cli.geometry import center_crop, transform_mask
from kolektor_cli.images import Pixels
from kolektor_cli.originals import read_mask
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import CenterCrop, Fitted, FittedDefects, Preview, Sample, View
from kolektor_cli.source import Source


def preview_fit(
    fitted: Fitted,
    source: Source,
    samples: Sequence[Sample],
    crops: Sequence[CenterCrop] = (),
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Preview:
    """Tell what a fit makes of samples, and what the center crops of consumers leave of that.

    The masks of the defective samples are read and transformed, nothing else.

    Raises
    ------
    SourceError, ImageError
        A mask cannot be read or decoded, or is not what it was when it was scanned.
    """
    views = [view for sample in samples for view in fitted.views[sample.name]]
    labels = Counter(view.label for view in views)
    sizes = [view.geometry.size for view in views]
    defective = [sample for sample in samples if sample.label == "defective"]
    follow = partial(_follow_defects, fitted, source, tuple(crops))
    return Preview(
        fit=fitted.fit,
        good=labels["good"],
        defective=labels["defective"],
        widths=_range(width for width, _ in sizes),
        heights=_range(height for _, height in sizes),
        defects=tuple(parallel_map(follow, defective, jobs, progress)),
        crops=tuple(crops),
    )


def _range(lengths: Iterable[int]) -> tuple[int, int]:
    ordered = sorted(lengths) or [0]
    return ordered[0], ordered[-1]


def _follow_defects(
    fitted: Fitted, source: Source, crops: Sequence[CenterCrop], sample: Sample
) -> FittedDefects:
    """Look at what becomes of the defects of one sample."""
    mask = read_mask(source, sample)
    views = fitted.views[sample.name]
    outputs = [transform_mask(mask, v.geometry) for v in views if v.label == "defective"]
    return FittedDefects(
        sample=sample.name,
        images=len(views),
        defective=len(outputs),
        area_kept=_area_kept(mask, views),
        smallest_defect=min(map(_smallest_component, outputs), default=0),
        marked=tuple(int(np.count_nonzero(output)) for output in outputs),
        marked_in_crops=tuple(tuple(_marked_in(o, crop) for o in outputs) for crop in crops),
    )


def _area_kept(mask: Pixels, views: Sequence[View]) -> float:
    """Return the part of a mask's marked pixels that lies in the window of at least one view."""
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
    """Count the marked pixels of an output mask whose centre a center crop leaves in."""
    x, y, width, height = center_crop((mask.shape[1], mask.shape[0]), crop.resize, crop.side)
    rows, columns = np.nonzero(mask)
    inside = (columns + 0.5 >= x) & (columns + 0.5 < x + width)
    inside &= (rows + 0.5 >= y) & (rows + 0.5 < y + height)
    return int(np.count_nonzero(inside))
