"""Fits: what output images a source image gives, and which of them are good or defective.

- ``stretch``: the whole image, each axis scaled by itself.
- ``pad``: the whole image, its aspect kept, with padding around it.
- ``crop``: the window of the output's size at the centre, not resampled.
- ``thirds``: three crops along the height h, divided at ``h // 3`` and ``2 * h // 3``, not
  resampled.
- ``square``: windows as high as wide, not resampled. Of a defective image as few as cover every
  defect (see `kolektor_cli.windows`), of a good one a single one at a seeded place.

All but the first two may leave defects out of an output image, so its label is that of its own
mask.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.geometry import check_size, cut, pad, stretch, transform_mask
from kolektor_cli.images import Pixels
from kolektor_cli.originals import read_mask
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import (
    FIT_NAMES,
    AskedSize,
    Fit,
    FitName,
    Fitted,
    Geometry,
    Label,
    Rectangle,
    Sample,
    Size,
    Split,
    SplitName,
    View,
)
from kolektor_cli.source import Source
from kolektor_cli.windows import windows_over_defects

SQUARE_SIDE = 500
"""Default side of the windows of ``square``, in pixels: the width of KolektorSDD's images."""

MANY: tuple[FitName, ...] = ("thirds", "square")
"""The fits that may make several images of one."""


def make_fit(name: FitName, asked: AskedSize = None, *, default: Size, seed: int = 0) -> Fit:
    """Return a fit whose size is decided; `default` is that of a whole image, in pixels.

    The windows of ``square`` take it, too, if it is a square; else they are 500 pixels wide.

    Raises
    ------
    UsageError
        The size cannot be made, or the fit does not take it.
    """
    if name == "thirds":
        if asked:
            raise UsageError("--fit thirds takes no --size: its crops are not resized")
        return Fit(name)
    if asked == "source":
        if name != "stretch":
            raise UsageError(f"--fit {name} needs a size in pixels, not --size source")
        return Fit(name)
    if name == "square":
        usual = default if default[0] == default[1] else (SQUARE_SIDE, SQUARE_SIDE)
        width, height = asked or usual
        if width != height:
            raise UsageError(f"--fit square makes squares, not {width}x{height}: give one number")
        return Fit(name, check_size((width, height)), seed)
    return Fit(name, check_size(asked or default))


def fit_options(fit: Fit) -> dict[str, object]:
    """Say in a manifest's options how images were fitted; `fit_of` reads it."""
    options: dict[str, object] = {"fit": fit.name, "size": list(fit.size) if fit.size else "source"}
    return options | ({"seed": fit.seed} if fit.name == "square" else {})


def fit_of(options: Mapping[str, Any]) -> Fit:
    """Return the fit that a manifest's options tell of; in format 1 there was only stretch.

    Raises
    ------
    UsageError
        They tell of none that can be made.
    """
    name, size, seed = options.get("fit", "stretch"), options.get("size"), options.get("seed", 0)
    if name in FIT_NAMES and type(seed) is int:
        if size == "source" and name in ("stretch", "thirds"):
            return Fit(name)
        if isinstance(size, list) and list(map(type, size)) == [int, int]:
            return Fit(name, check_size((size[0], size[1])), seed)
    raise UsageError(f"the options {dict(options)} tell of no fit")


def fit_samples(
    fit: Fit,
    source: Source,
    samples: Sequence[Sample],
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Fitted:
    """Decide the views of every sample; masks of defective ones are read where they matter.

    Raises
    ------
    SourceError, ImageError
        A mask cannot be read or decoded, or is not what it was when it was scanned.
    SourceError
        An image is too low to be divided by ``thirds``.
    """
    views = parallel_map(partial(_views, fit, source), samples, jobs, progress)
    return Fitted(fit, {sample.name: v for sample, v in zip(samples, views, strict=True)})


def _views(fit: Fit, source: Source, sample: Sample) -> tuple[View, ...]:
    mask = read_mask(source, sample) if _needs_mask(fit, sample) else None
    return views_of(fit, sample, mask)


def _needs_mask(fit: Fit, sample: Sample) -> bool:
    return fit.name not in ("stretch", "pad") and sample.label == "defective"


def views_of(fit: Fit, sample: Sample, mask: Pixels | None) -> tuple[View, ...]:
    """Decide the views of one sample; `mask` is height x width uint8, None where it is not needed.

    Raises
    ------
    SourceError
        The image is too low to be divided by ``thirds``.
    """
    if mask is None or not _needs_mask(fit, sample):
        return tuple(View(place, sample.label) for place in geometries(fit, sample, None))
    return tuple(View(place, _label(mask, place)) for place in geometries(fit, sample, mask))


def _label(mask: Pixels, place: Geometry) -> Label:
    return "defective" if transform_mask(mask, place).any() else "good"


def geometries(fit: Fit, sample: Sample, mask: Pixels | None) -> list[Geometry]:
    """Decide how the output images of a sample are made, from top to bottom.

    `mask` is that of a defective sample, height x width uint8; only ``square`` looks at it.

    Raises
    ------
    SourceError
        The image is too low to be divided by ``thirds``.
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
    """Place a window at random, the same way on every machine: by the SHA-256 of the key."""
    digest = hashlib.sha256(f"window/{key}".encode(errors="surrogatepass")).digest()
    draws = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"))
    left, top = (
        draw % (length - side + 1) if length > side else (length - side) // 2
        for draw, length in zip(draws, source_size, strict=True)
    )
    return left, top, side, side


def count_images(fitted: Fitted, split: Split) -> Counter[tuple[SplitName, Label]]:
    """Count output images by split and label; those of unused samples are not written."""
    return Counter(
        (split.assigned[name], view.label) for name, views in fitted.views.items() for view in views
    )
