"""Synthetic Kolektor datasets, for trying the tool, for tests and for benchmarks.

Their structure is that of the official releases: files, their sizes and how many samples are
defective. Their pictures are drawn at random: a grained surface, crossed by a dark crack where it
is defective.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kolektor_cli import images
from kolektor_cli.drawing import draw_crack, draw_surface, fill_box, palette_bmp, tint
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import OfficialSplit, SampleCounts, SampleLayout, natural_key
from kolektor_cli.releases import KOLEKTORSDD2_DEFECTIVE, KOLEKTORSDD2_NUMBERS, kolektorsdd
from kolektor_cli.staging import put_in_place, staged

OFFICIAL_ITEMS = 50
PARTS = 8
"""Parts of each item beyond the official ones; one of them is defective."""

WIDTH, HEIGHTS = 500, (1235, 1285)
"""Width and range of heights in pixels of the official images."""

WIDTHS_2, HEIGHTS_2 = (225, 235), (620, 640)
"""Ranges of widths and heights in pixels, about those of KolektorSDD2's images."""

OFFICIAL_IMAGES_2 = sum(map(len, KOLEKTORSDD2_NUMBERS.values()))
COPIED = 10301
"""The number in KolektorSDD2 of which the archive holds copies of image and mask."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What decides the picture of one sample; heights and widths in pixels."""

    name: str
    seed: int
    width: int
    height: int
    defective: bool


def write_sample(
    out: Path,
    *,
    layout: SampleLayout = "kolektorsdd",
    items: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> SampleCounts:
    """Write a synthetic dataset to the new folder `out`, all or nothing.

    Of KolektorSDD, with ``boxes`` as its masks or without, the first 50 items have the official
    structure (399 samples, 52 of them defective); further ones have eight parts, one of them
    defective. Images are gray JPEGs, masks palette BMPs whose indices are not gray values, as in
    the original. Of ``kolektorsdd2`` each item is one image: RGB PNGs in the folders train (2331,
    246 of them defective) and test (1004, 110 of them defective), in this proportion if there are
    other numbers of `items`, and a copy of one image and its mask beside them. One seed gives the
    same files each time.

    Raises
    ------
    OutputError
        `out` exists, or cannot be written.
    UsageError
        Too few images are asked for to have what a conversion needs.
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
    return SampleCounts(items, len(drawings) - defective, defective)


def _drawings(items: int, seed: int) -> Iterator[_Drawing]:
    """Decide the structure: the official items first, then made-up ones."""
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
    """Decide the structure of KolektorSDD2: official numbers first, and going on like these."""
    first = {split: numbers.start for split, numbers in KOLEKTORSDD2_NUMBERS.items()}
    sizes = _sizes_2(count)
    # No number is in both folders, even where there are more than the official ones.
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
    """Divide images, as KolektorSDD2's are, into good and defective ones of each split."""
    train, test = (len(KOLEKTORSDD2_NUMBERS[split]) for split in ("train", "test"))
    tested = max(2, round(count * test / (train + test)))
    trained = count - tested
    if trained < 1:
        raise UsageError(
            f"{count} images are too few: one must train, and a good and a defective one be tested"
        )
    bad_train = round(trained * KOLEKTORSDD2_DEFECTIVE["train"] / train)
    bad_test = max(1, round(tested * KOLEKTORSDD2_DEFECTIVE["test"] / test))
    return {"train": (trained - bad_train, bad_train), "test": (tested - bad_test, bad_test)}


def _draw(drawing: _Drawing) -> tuple[images.Pixels, images.Pixels, np.random.Generator]:
    """Draw a gray surface and its mask of 0 and 1, and hand on what draws at random."""
    random = np.random.default_rng((drawing.seed, *drawing.name.encode()))
    surface = draw_surface(random, drawing.width, drawing.height)
    mask = np.zeros_like(surface)
    if drawing.defective:
        draw_crack(random, surface, mask)
    return surface, mask, random


def _write_sample(folder: Path, drawing: _Drawing, *, boxes: bool = False) -> None:
    surface, mask, _ = _draw(drawing)
    image = images.encode_jpeg(surface, drawing.name)
    (folder / f"{drawing.name}.jpg").write_bytes(image)
    bmp = palette_bmp(fill_box(mask) if boxes else mask)
    (folder / f"{drawing.name}_label.bmp").write_bytes(bmp)


def _write_boxes(folder: Path, drawing: _Drawing) -> None:
    _write_sample(folder, drawing, boxes=True)


def _write_sample_2(folder: Path, drawing: _Drawing) -> None:
    surface, mask, random = _draw(drawing)
    image = images.encode_png(tint(random, surface), rgb=True)
    (folder / f"{drawing.name}.png").write_bytes(image)
    (folder / f"{drawing.name}_GT.png").write_bytes(images.encode_png(255 * mask, rgb=False))


_WRITERS: Mapping[SampleLayout, Callable[[Path, _Drawing], None]] = {
    "kolektorsdd": _write_sample,
    "boxes": _write_boxes,
    "kolektorsdd2": _write_sample_2,
}


def _copy_one(folder: Path, drawings: Sequence[_Drawing]) -> None:
    """Put beside one image and its mask the copies that the official archive has, by their names.

    Of a smaller dataset the last image to train on is copied.
    """
    trained = [d.name for d in drawings if d.name.startswith("train/")]
    name = f"train/{COPIED}" if f"train/{COPIED}" in trained else trained[-1]
    for ending in ("", "_GT"):
        data = (folder / f"{name}{ending}.png").read_bytes()
        (folder / f"{name}{ending} (copy).png").write_bytes(data)
