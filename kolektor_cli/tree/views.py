"""Views: the output images that each fit makes of a source image, and their labels.

- ``stretch``: the whole image, each axis scaled independently.
- ``pad``: the whole image with its aspect ratio, padded to the output's size.
- ``crop``: a window of the output's size at the centre, not resampled.
- ``thirds``: three crops along the height h, divided at ``h // 3`` and ``2 * h // 3``, not
  resampled.
- ``square``: square windows, not resampled: few that cover every defect of a defective image (see
  `kolektor_cli.imaging.windows`), or one at a seeded place on a good image.

All but the first two may cut defects off, so each output image gets its label from its own mask.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.imaging.geometry import Geometry, Rectangle, Size, cut, pad, stretch
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.resample import transform_mask
from kolektor_cli.imaging.windows import windows_over_defects
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.load import read_mask
from kolektor_cli.samples import DEFECT, Label, Sample, type_of
from kolektor_cli.splits.split import Split, SplitName
from kolektor_cli.tree.fit import WHOLE, Fit


@dataclass(frozen=True, slots=True)
class View:
    """One output image of a sample: its geometry, and the kind of its own mask.

    The kind is ``good``, or the type of its defects.
    """

    geometry: Geometry
    kind: str

    @property
    def label(self) -> Label:
        """``good`` or ``defective``."""
        return "good" if self.kind == "good" else "defective"


@dataclass(frozen=True, slots=True)
class Views:
    """The views that a fit makes of each sample, from top to bottom, by the sample's name."""

    fit: Fit
    views: Mapping[str, tuple[View, ...]]


def view_samples(
    fit: Fit,
    source: Source,
    samples: Sequence[Sample],
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Views:
    """Return the views of every sample; masks of defective samples are read if the fit needs them.

    Raises
    ------
    SourceError, ImageError
        A mask cannot be read or decoded, or changed since the scan.
    SourceError, UsageError
        See `views_of`.
    """
    views = parallel_map(partial(_views, fit, source), samples, jobs, progress)
    return Views(fit, {sample.name: v for sample, v in zip(samples, views, strict=True)})


def _views(fit: Fit, source: Source, sample: Sample) -> tuple[View, ...]:
    mask = read_mask(source, sample) if _needs_mask(fit, sample) else None
    return views_of(fit, sample, mask)


def _needs_mask(fit: Fit, sample: Sample) -> bool:
    return fit.name not in WHOLE and sample.is_marked


def views_of(fit: Fit, sample: Sample, mask: Pixels | None) -> tuple[View, ...]:
    """Return the views of one sample; `mask` is height x width uint8, or None if not needed.

    Raises
    ------
    SourceError
        The image is too low for ``thirds``.
    UsageError
        The fit cuts the image, and only its folder tells that it is defective.
    """
    if fit.name not in WHOLE and sample.label == "defective" and not sample.is_marked:
        raise UsageError(
            f"{sample.name} has no mask, and only a mask tells which parts that --fit {fit.name} "
            "cuts are defective; use --fit stretch or pad"
        )
    if mask is None or not _needs_mask(fit, sample):
        return tuple(View(place, sample.kind) for place in geometries(fit, sample, None))
    types = sample.mask_rule.types
    return tuple(View(p, _kind(mask, types, p)) for p in geometries(fit, sample, mask))


def _kind(mask: Pixels, types: Sequence[str], place: Geometry) -> str:
    """Return the kind of a view, by a mask whose values number `types`, if there are any."""
    if not transform_mask(mask, place).any():
        return "good"
    if not types:
        return DEFECT
    marks = ((name, np.where(mask == number, mask, 0)) for number, name in enumerate(types, 1))
    return type_of([name for name, marked in marks if transform_mask(marked, place).any()])


def geometries(fit: Fit, sample: Sample, mask: Pixels | None) -> list[Geometry]:
    """Return the geometries of a sample's output images, from top to bottom.

    Only ``square`` uses `mask`, the mask of a defective sample, height x width uint8.

    Raises
    ------
    SourceError
        The image is too low for ``thirds``.
    """
    source_size = (sample.width, sample.height)
    size = fit.size or source_size
    if fit.name == "stretch":
        return [stretch(source_size, size)]
    if fit.name == "pad":
        return [pad(source_size, size)]
    if fit.name == "crop":
        windows = [_centre(source_size, size)]
    elif fit.name == "thirds":
        windows = _thirds(sample)
    elif mask is None:
        windows = [_seeded_window(f"{fit.seed}/{sample.name}", source_size, size[0])]
    else:
        windows = windows_over_defects(mask, size[0])
    return [cut(source_size, window) for window in windows]


def _centre(source_size: Size, size: Size) -> Rectangle:
    left, top = ((length - side) // 2 for length, side in zip(source_size, size, strict=True))
    return left, top, *size


def _thirds(sample: Sample) -> list[Rectangle]:
    width, height = sample.width, sample.height
    if height < 3:
        raise SourceError(f"{sample.image}: is {height} pixels high, too low for --fit thirds")
    edges = (0, height // 3, 2 * height // 3, height)
    return [(0, top, width, bottom - top) for top, bottom in pairwise(edges)]


def _seeded_window(key: str, source_size: Size, side: int) -> Rectangle:
    """Draw a window from the SHA-256 of `key`, so that it is the same on every machine."""
    digest = hashlib.sha256(f"window/{key}".encode(errors="surrogatepass")).digest()
    draws = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"))
    left, top = (
        draw % (length - side + 1) if length > side else (length - side) // 2
        for draw, length in zip(draws, source_size, strict=True)
    )
    return left, top, side, side


def count_images(fitted: Views, split: Split) -> Counter[tuple[SplitName, Label]]:
    """Count output images by split and label; those of unused samples are not written."""
    return Counter(
        (split.assigned[name], view.label) for name, views in fitted.views.items() for view in views
    )
