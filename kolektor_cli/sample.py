"""A synthetic KolektorSDD, for trying the tool, for tests and for benchmarks.

Its structure is the official release's: items, parts, sizes and which samples are defective. Its
pictures are drawn at random: a grained surface, crossed by a dark crack where it is defective.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli import images
from kolektor_cli.errors import OutputError
from kolektor_cli.images import Pixels
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import SampleCounts, natural_key
from kolektor_cli.releases import kolektorsdd
from kolektor_cli.staging import put_in_place, staged

OFFICIAL_ITEMS = 50
PARTS = 8
"""Parts of each item beyond the official ones; one of them is defective."""

WIDTH, HEIGHTS = 500, (1235, 1285)
"""Width and range of heights in pixels of the official images."""


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
    items: int = OFFICIAL_ITEMS,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> SampleCounts:
    """Write a synthetic KolektorSDD to the new folder `out`, all or nothing.

    The first 50 items have the official structure (399 samples, 52 of them defective); further
    ones have eight parts, one of them defective. Images are gray JPEGs, masks palette BMPs whose
    indices are not gray values, as in the original. One seed gives the same files each time.

    Raises
    ------
    OutputError
        `out` exists, or cannot be written.
    """
    if os.path.lexists(out):
        raise OutputError(f"{out}: exists already; choose a new folder")
    drawings = list(_drawings(items, seed))
    with staged(out) as stage:
        for item in sorted({drawing.name.rpartition("/")[0] for drawing in drawings}):
            (stage / item).mkdir()
        parallel_map(partial(_write_sample, stage), drawings, jobs, progress)
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


def _write_sample(folder: Path, drawing: _Drawing) -> None:
    random = np.random.default_rng((drawing.seed, *drawing.name.encode()))
    surface = _draw_surface(random, drawing.width, drawing.height)
    mask = np.zeros_like(surface)
    if drawing.defective:
        _draw_crack(random, surface, mask)
    image = images.encode_jpeg(surface, drawing.name)
    (folder / f"{drawing.name}.jpg").write_bytes(image)
    (folder / f"{drawing.name}_label.bmp").write_bytes(palette_bmp(mask))


def _draw_surface(random: np.random.Generator, width: int, height: int) -> Pixels:
    """Draw a grained surface, height x width uint8.

    Grain longer across than along, on slow changes of brightness. Its mean and deviation (184 and
    19) and its size as JPEG and PNG (250 kB and 330 kB) were set to be near those of the real
    images (184, 19, 254 kB and 290 kB).
    """
    grain = _noise(random, width, height)
    grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=3, sigmaY=2).astype(np.float32)
    cells = _noise(random, width // 16 + 2, height // 32 + 2)
    slow = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    surface = 184 + 17 / grain.std() * grain + 8 / slow.std() * slow
    return np.asarray(np.clip(surface, 0, 255), np.uint8)


def _noise(random: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float32]:
    """Draw uniform noise around 0, height x width."""
    return random.integers(0, 256, (height, width), np.uint8).astype(np.float32) - 127.5


def _draw_crack(random: np.random.Generator, surface: Pixels, mask: Pixels) -> None:
    """Draw a dark crack across part of the surface, and its mask, in place."""
    height, width = surface.shape
    steps = np.arange(random.integers(20, 60))
    x = random.integers(0, width - 150) + steps * random.integers(5, 9)
    y = random.integers(height // 4, 3 * height // 4) + np.cumsum(
        random.integers(-3, 4, len(steps))
    )
    points = [np.stack([x, y], axis=1).astype(np.int32)]
    thickness = int(random.integers(5, 12))
    cv2.polylines(mask, points, False, 1, thickness)
    crack = np.zeros_like(surface)
    cv2.polylines(crack, points, False, 110, thickness // 2)
    np.subtract(surface, np.minimum(surface, cv2.blur(crack, (3, 3))), out=surface)


def palette_bmp(indices: Pixels) -> bytes:
    """Write palette indices, height x width, as an 8-bit BMP: 0 is black, 1 is white.

    Source of the format: the BITMAPFILEHEADER and BITMAPINFOHEADER structures of the Windows API.
    """
    height, width = indices.shape
    stride = (width + 3) // 4 * 4
    palette = struct.pack("<256I", 0x000000, 0xFFFFFF, *([0] * 254))
    offset = 14 + 40 + len(palette)
    rows = np.zeros((height, stride), np.uint8)
    rows[:, :width] = indices[::-1]
    return (
        struct.pack("<2sIHHI", b"BM", offset + rows.size, 0, 0, offset)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, rows.size, 2835, 2835, 256, 0)
        + palette
        + rows.tobytes()
    )
