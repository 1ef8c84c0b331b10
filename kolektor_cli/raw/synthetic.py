"""Synthetic Kolektor datasets, for trials, tests and benchmarks.

They have the structure of the official releases: files, image sizes and numbers of defective
samples. Their pictures are random: a grained surface, with a dark crack if it is defective, or like
KolektorSDD2's, with bright and dark marks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from kolektor_cli.errors import OutputError, require_one_of, require_whole
from kolektor_cli.imaging.codec import encode_jpeg
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.staging import put_in_place, staged
from kolektor_cli.raw.drawing import draw_crack, draw_surface, fill_box, palette_bmp
from kolektor_cli.raw.releases import ReleaseLayout, kolektorsdd
from kolektor_cli.raw.synthetic_2 import (
    OFFICIAL_IMAGES_2,
    Drawing2,
    drawings_2,
    write_beside_2,
    write_sample_2,
)
from kolektor_cli.samples import natural_key

OFFICIAL_ITEMS = 50

PARTS = 8
"""Parts of each item after the official ones; one part is defective."""

WIDTH, HEIGHTS = 500, (1235, 1285)
"""Width and range of heights in pixels of the official images."""


@dataclass(frozen=True, slots=True)
class SyntheticCounts:
    """Numbers of items, good samples and defective samples in a synthetic dataset."""

    items: int
    good: int
    defective: int


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What decides the picture of one sample; width and height are in pixels."""

    name: str
    seed: int
    width: int
    height: int
    defective: bool


def write_synthetic(
    out: Path,
    *,
    layout: ReleaseLayout = "kolektorsdd",
    items: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> SyntheticCounts:
    """Write a synthetic dataset to the new folder `out`, all or nothing, and return its numbers.

    In ``kolektorsdd`` and ``boxes``, the first 50 items have the official structure (399 samples,
    52 of them defective); each further item has eight parts, one of them defective. Images are gray
    JPEGs; masks are palette BMPs whose indices are not gray values, as in the original.

    In ``kolektorsdd2``, each item is one RGB PNG, in the folder train (2331, 246 of them defective)
    or test (1004, 110 of them defective). Other numbers of `items` keep these proportions. One
    image and its mask have copies beside them, and the authors' splits are at the top. The same
    seed gives the same files.

    Raises
    ------
    OutputError
        `out` exists, or cannot be written.
    UsageError
        There is no such layout; `items` or `seed` is no whole number, or too small; or there are
        too few images of ``kolektorsdd2`` for a conversion.
    """
    require_one_of("layout", layout, get_args(ReleaseLayout))
    require_whole("seed", seed)
    if items is not None:
        require_whole("items", items, 1)
    if os.path.lexists(out):
        raise OutputError(f"{out}: exists already; choose a new folder")
    if layout == "kolektorsdd2":
        items = OFFICIAL_IMAGES_2 if items is None else items
        return _write_2(out, items, seed, jobs, progress)
    items = OFFICIAL_ITEMS if items is None else items
    drawings = list(_drawings(items, seed))
    with staged(out) as stage:
        _make_folders(stage, drawings)
        write = partial(_write_sample, stage, boxes=layout == "boxes")
        parallel_map(write, drawings, jobs, progress)
        put_in_place(stage, out)
    return _counted(items, drawings)


def _write_2(
    out: Path, items: int, seed: int, jobs: int | None, progress: Progress
) -> SyntheticCounts:
    drawings = drawings_2(items, seed)
    with staged(out) as stage:
        _make_folders(stage, drawings)
        parallel_map(partial(write_sample_2, stage), drawings, jobs, progress)
        write_beside_2(stage, drawings, seed)
        put_in_place(stage, out)
    return _counted(items, drawings)


def _make_folders(stage: Path, drawings: Sequence[_Drawing | Drawing2]) -> None:
    for folder in sorted({drawing.name.rpartition("/")[0] for drawing in drawings}):
        (stage / folder).mkdir()


def _counted(items: int, drawings: Sequence[_Drawing | Drawing2]) -> SyntheticCounts:
    defective = sum(drawing.defective for drawing in drawings)
    return SyntheticCounts(items, len(drawings) - defective, defective)


def _drawings(items: int, seed: int) -> Iterator[_Drawing]:
    """Yield the samples of KolektorSDD: the official items first, then invented ones."""
    release = kolektorsdd()
    for item in sorted(release.items, key=natural_key)[:items]:
        for official in release.samples_of(item):
            yield _Drawing(
                official.name, seed, official.width, official.height, official.defect_pixels > 0
            )
    for number in range(OFFICIAL_ITEMS + 1, items + 1):
        choice = np.random.default_rng((seed, number))
        defective_part = choice.integers(PARTS)
        for part in range(PARTS):
            height = int(choice.integers(HEIGHTS[0], HEIGHTS[1], endpoint=True))
            name = f"kos{number:02}/Part{part}"
            yield _Drawing(name, seed, WIDTH, height, part == defective_part)


def _write_sample(folder: Path, drawing: _Drawing, *, boxes: bool) -> None:
    random = np.random.default_rng((drawing.seed, *drawing.name.encode()))
    surface = draw_surface(random, drawing.width, drawing.height)
    mask = np.zeros_like(surface)
    if drawing.defective:
        draw_crack(random, surface, mask)
    image = encode_jpeg(surface, drawing.name)
    (folder / f"{drawing.name}.jpg").write_bytes(image)
    bmp = palette_bmp(fill_box(mask) if boxes else mask)
    (folder / f"{drawing.name}_label.bmp").write_bytes(bmp)
