"""Synthetic Kolektor datasets, for trials, tests and benchmarks.

They have the structure of the official releases: files, image sizes and numbers of defective
samples. Their pictures are random: a grained surface, with a dark crack if it is defective.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.imaging.codec import encode_jpeg
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.staging import put_in_place, staged
from kolektor_cli.raw.drawing import draw_crack, draw_surface, fill_box, palette_bmp, tint
from kolektor_cli.raw.releases import (
    KOLEKTORSDD2_DEFECTIVE,
    KOLEKTORSDD2_NUMBERS,
    ReleaseLayout,
    kolektorsdd,
)
from kolektor_cli.samples import OfficialSplit, natural_key

OFFICIAL_ITEMS = 50

PARTS = 8
"""Parts of each item after the official ones; one part is defective."""

WIDTH, HEIGHTS = 500, (1235, 1285)
"""Width and range of heights in pixels of the official images."""

WIDTHS_2, HEIGHTS_2 = (225, 235), (620, 640)
"""Ranges of widths and heights in pixels, near those of KolektorSDD2's images."""

OFFICIAL_IMAGES_2 = sum(map(len, KOLEKTORSDD2_NUMBERS.values()))

COPIED = 10301
"""The number of the image that KolektorSDD2's archive holds twice, with its mask."""


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
    image and its mask have copies beside them. The same seed gives the same files.

    Raises
    ------
    OutputError
        `out` exists, or cannot be written.
    UsageError
        There are too few images of ``kolektorsdd2`` for a conversion.
    """
    if os.path.lexists(out):
        raise OutputError(f"{out}: exists already; choose a new folder")
    of_two = layout == "kolektorsdd2"
    if items is None:
        items = OFFICIAL_IMAGES_2 if of_two else OFFICIAL_ITEMS
    drawings = list((_drawings_2 if of_two else _drawings)(items, seed))
    with staged(out) as stage:
        for folder in sorted({drawing.name.rpartition("/")[0] for drawing in drawings}):
            (stage / folder).mkdir()
        parallel_map(partial(_WRITERS[layout], stage), drawings, jobs, progress)
        if of_two:
            _copy_one(stage, drawings)
        put_in_place(stage, out)
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


def _drawings_2(count: int, seed: int) -> Iterator[_Drawing]:
    """Yield the samples of KolektorSDD2: the official numbers first, then those that follow."""
    first = {split: numbers.start for split, numbers in KOLEKTORSDD2_NUMBERS.items()}
    sizes = _sizes_2(count)
    # Test numbers start higher if there are so many training images that numbers would repeat.
    first["test"] = max(first["test"], first["train"] + sum(sizes["train"]))
    for split, (good, defective) in sizes.items():
        choice = np.random.default_rng((seed, *split.encode()))
        marked = set(choice.choice(good + defective, defective, replace=False).tolist())
        for index in range(good + defective):
            width, height = (
                int(choice.integers(*ends, endpoint=True)) for ends in (WIDTHS_2, HEIGHTS_2)
            )
            name = f"{split}/{first[split] + index}"
            yield _Drawing(name, seed, width, height, index in marked)


def _sizes_2(count: int) -> dict[OfficialSplit, tuple[int, int]]:
    """Return the numbers of good and defective images by split, in KolektorSDD2's proportions."""
    train, test = (len(KOLEKTORSDD2_NUMBERS[split]) for split in ("train", "test"))
    tested = max(2, round(count * test / (train + test)))
    trained = count - tested
    if trained < 1:
        raise UsageError(
            f"{count} images are too few: one is needed to train on, and a good and a "
            "defective one to test"
        )
    bad_train = round(trained * KOLEKTORSDD2_DEFECTIVE["train"] / train)
    bad_test = max(1, round(tested * KOLEKTORSDD2_DEFECTIVE["test"] / test))
    return {"train": (trained - bad_train, bad_train), "test": (tested - bad_test, bad_test)}


def _draw(drawing: _Drawing) -> tuple[Pixels, Pixels, np.random.Generator]:
    """Return a gray surface, its mask of 0 and 1, and the random generator after drawing them."""
    random = np.random.default_rng((drawing.seed, *drawing.name.encode()))
    surface = draw_surface(random, drawing.width, drawing.height)
    mask = np.zeros_like(surface)
    if drawing.defective:
        draw_crack(random, surface, mask)
    return surface, mask, random


def _write_sample(folder: Path, drawing: _Drawing, *, boxes: bool = False) -> None:
    surface, mask, _ = _draw(drawing)
    image = encode_jpeg(surface, drawing.name)
    (folder / f"{drawing.name}.jpg").write_bytes(image)
    bmp = palette_bmp(fill_box(mask) if boxes else mask)
    (folder / f"{drawing.name}_label.bmp").write_bytes(bmp)


def _write_boxes(folder: Path, drawing: _Drawing) -> None:
    _write_sample(folder, drawing, boxes=True)


def _write_sample_2(folder: Path, drawing: _Drawing) -> None:
    surface, mask, random = _draw(drawing)
    image = encode_png(tint(random, surface), rgb=True)
    (folder / f"{drawing.name}.png").write_bytes(image)
    (folder / f"{drawing.name}_GT.png").write_bytes(encode_png(255 * mask, rgb=False))


_WRITERS: Mapping[ReleaseLayout, Callable[[Path, _Drawing], None]] = {
    "kolektorsdd": _write_sample,
    "boxes": _write_boxes,
    "kolektorsdd2": _write_sample_2,
}


def _copy_one(folder: Path, drawings: Sequence[_Drawing]) -> None:
    """Copy one image and its mask to the names that the official archive has.

    A dataset without that image gets copies of its last training image.
    """
    trained = [d.name for d in drawings if d.name.startswith("train/")]
    name = f"train/{COPIED}" if f"train/{COPIED}" in trained else trained[-1]
    for ending in ("", "_GT"):
        data = (folder / f"{name}{ending}.png").read_bytes()
        (folder / f"{name}{ending} (copy).png").write_bytes(data)
