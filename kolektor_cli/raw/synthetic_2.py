"""The structure of a synthetic KolektorSDD2: its images, their sizes and defects, and its splits.

The sizes of images and the numbers and areas of defects follow those of the real images, here as
counts and quantiles. They were measured on the official release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.raw.drawing import Random, tint
from kolektor_cli.raw.drawing_2 import draw_dark_surface, draw_marks
from kolektor_cli.raw.releases import KOLEKTORSDD2_DEFECTIVE, KOLEKTORSDD2_NUMBERS
from kolektor_cli.samples import OfficialSplit
from kolektor_cli.splits.pickles import pickle_numbers

OFFICIAL_IMAGES_2 = sum(map(len, KOLEKTORSDD2_NUMBERS.values()))

COPIED = 10301
"""The number of the image that KolektorSDD2's archive holds twice, with its mask."""

SEGMENTED = (0, 16, 53, 126, 246)
"""Numbers of defective training images with pixel labels in the authors' splits, which stand in the
names of their files ``split_weakly_N.pyb``."""

_SHARES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)

_WIDTHS = (184, 207, 222, 228, 229, 231, 235, 237, 241)
"""Quantiles of the widths in pixels, at `_SHARES`."""

_HEIGHTS = (597, 614, 626, 632, 637, 641, 647, 651, 665)
"""Quantiles of the heights in pixels, at `_SHARES`."""

_AREA_SHARES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)

_AREAS = (23, 81, 234, 501, 995, 2273, 5102, 8859, 13247, 30682, 43872)
"""Quantiles of the numbers of marked pixels in defective images, at `_AREA_SHARES`."""

_DEFECTS: Mapping[int, int] = {1: 324, 2: 26, 3: 6}
"""Numbers of images by their number of defects."""

_SMALLEST = 10
"""Pixels of the smallest of several defects in an image."""


@dataclass(frozen=True, slots=True)
class Drawing2:
    """What decides the picture of one sample; sizes in pixels, `areas` of its defects likewise."""

    name: str
    seed: int
    width: int
    height: int
    areas: tuple[int, ...]

    @property
    def defective(self) -> bool:
        """Whether the sample has a defect."""
        return bool(self.areas)


def drawings_2(count: int, seed: int) -> list[Drawing2]:
    """Return the samples of KolektorSDD2: the official numbers first, then those that follow.

    Raises
    ------
    UsageError
        There are too few images for a conversion.
    """
    first = {split: numbers.start for split, numbers in KOLEKTORSDD2_NUMBERS.items()}
    counts = _counts(count)
    # Test numbers start higher if there are so many training images that numbers would repeat.
    first["test"] = max(first["test"], first["train"] + sum(counts["train"]))
    choice = np.random.default_rng((seed, *b"structure"))
    widths, heights = (_spread(choice, count, _SHARES, ends) for ends in (_WIDTHS, _HEIGHTS))
    areas = _areas(choice, sum(defective for _, defective in counts.values()))
    drawings: list[Drawing2] = []
    for split, (good, defective) in counts.items():
        marked = set(choice.choice(good + defective, defective, replace=False).tolist())
        for index in range(good + defective):
            name = f"{split}/{first[split] + index}"
            size = (int(widths[len(drawings)]), int(heights[len(drawings)]))
            drawings.append(Drawing2(name, seed, *size, next(areas) if index in marked else ()))
    return drawings


def _counts(count: int) -> dict[OfficialSplit, tuple[int, int]]:
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


def _spread(
    choice: Random, count: int, shares: Sequence[float], quantiles: Sequence[float]
) -> npt.NDArray[np.int64]:
    """Return whole numbers in random order that are spread evenly over a distribution."""
    places = (choice.permutation(count) + 0.5) / count
    return np.asarray(np.rint(np.interp(places, shares, quantiles)), np.int64)


def _areas(choice: Random, count: int) -> Iterator[tuple[int, ...]]:
    """Yield the areas of the defects of each defective image, in random order."""
    # Between quantiles, areas are spread evenly by their logarithm: they differ by factors.
    logarithms = [1000 * np.log(area) for area in _AREAS]
    totals = np.exp(_spread(choice, count, _AREA_SHARES, logarithms) / 1000)
    ends = np.cumsum(list(_DEFECTS.values())) / sum(_DEFECTS.values())
    places = (choice.permutation(count) + 0.5) / count
    for total, place in zip(totals.tolist(), places.tolist(), strict=True):
        defects = list(_DEFECTS)[int(np.searchsorted(ends, place))]
        shares = choice.uniform(0.2, 1, defects)
        parts = np.maximum(np.rint(total * shares / shares.sum()), _SMALLEST)
        yield tuple(int(part) for part in parts)


def write_sample_2(folder: Path, drawing: Drawing2) -> None:
    """Write the image and the mask of a sample: an RGB and a one-channel PNG."""
    random = np.random.default_rng((drawing.seed, *drawing.name.encode()))
    surface = draw_dark_surface(random, drawing.width, drawing.height)
    mask = np.zeros_like(surface)
    draw_marks(random, surface, mask, drawing.areas)
    image = encode_png(tint(random, surface), rgb=True)
    (folder / f"{drawing.name}.png").write_bytes(image)
    (folder / f"{drawing.name}_GT.png").write_bytes(encode_png(255 * mask, rgb=False))


def write_beside_2(folder: Path, drawings: Sequence[Drawing2], seed: int) -> None:
    """Write what else is in the official archive: the copy of a sample, and five splits."""
    _copy_one(folder, drawings)
    for name, data in _pickled_splits(drawings, seed).items():
        (folder / name).write_bytes(data)


def _copy_one(folder: Path, drawings: Sequence[Drawing2]) -> None:
    """Copy one image and its mask to the names that the official archive has.

    A dataset without that image gets copies of its last training image.
    """
    trained = [d.name for d in drawings if d.name.startswith("train/")]
    name = f"train/{COPIED}" if f"train/{COPIED}" in trained else trained[-1]
    for ending in ("", "_GT"):
        data = (folder / f"{name}{ending}.png").read_bytes()
        (folder / f"{name}{ending} (copy).png").write_bytes(data)


def _pickled_splits(drawings: Sequence[Drawing2], seed: int) -> dict[str, bytes]:
    """Return the authors' splits by file name: pickles of (train, test).

    Both are lists of (number, is_segmented), in random order. All samples are segmented but for
    defective ones of train: there only as many as the name says, fewer in a smaller dataset.
    """
    choice = np.random.default_rng((seed, *b"splits"))
    shuffled = [drawings[index] for index in choice.permutation(len(drawings)).tolist()]
    marked = [d.name for d in shuffled if d.defective and d.name.startswith("train/")]
    files = {}
    for segmented in SEGMENTED:
        rounded = round(segmented * len(marked) / KOLEKTORSDD2_DEFECTIVE["train"])
        unsegmented = set(marked[rounded:])
        train, test = (
            [
                (int(drawing.name.rpartition("/")[2]), drawing.name not in unsegmented)
                for drawing in shuffled
                if drawing.name.startswith(f"{split}/")
            ]
            for split in KOLEKTORSDD2_NUMBERS
        )
        files[f"split_weakly_{segmented}.pyb"] = pickle_numbers(train, test)
    return files
