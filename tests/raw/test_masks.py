"""Reading masks: what is known of one that marks nothing is true of every file that is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.source import Source, open_source
from kolektor_cli.raw import masks
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.masks import MaskReader

WIDTH, HEIGHT = 90, 110
BLACK = np.zeros((HEIGHT, WIDTH), np.uint8)


def bmp(pixels: Pixels, *grays: int) -> bytes:
    """Save palette indices as a BMP; `grays` are what they stand for."""
    image = Image.fromarray(pixels)
    image.putpalette(np.repeat(np.array(grays, np.uint8), 3).tobytes())
    data = BytesIO()
    image.save(data, "BMP")
    return data.getvalue()


def marked(row: int, column: int) -> Pixels:
    pixels = BLACK.copy()
    pixels[row, column] = 1
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "black.bmp").write_bytes(palette_bmp(BLACK))
    return tmp_path


@pytest.fixture
def source(folder: Path) -> Iterator[Source]:
    with open_source(folder) as opened:
        yield opened


def test_second_file_of_one_black_mask_is_known_and_not_decoded(
    folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = MaskReader(source)
    first = reader.read("black.bmp")
    (folder / "again.bmp").write_bytes((folder / "black.bmp").read_bytes())
    monkeypatch.setattr(masks, "decode_mask", None)
    assert reader.read("again.bmp") is first
    assert (first.pixels, first.defect_pixels, first.values) == (None, 0, (0,))
    assert (first.width, first.height, first.boxes) == (WIDTH, HEIGHT, False)
    assert first.sha256 == hashlib.sha256((folder / "black.bmp").read_bytes()).hexdigest()


OTHERS = {
    "last pixel": palette_bmp(marked(0, WIDTH - 1)),
    "first pixel": palette_bmp(marked(HEIGHT - 1, 0)),
    "pixel amid": palette_bmp(marked(60, 40)),
    "turned": palette_bmp(np.zeros((HEIGHT + 10, WIDTH - 8), np.uint8)),
    "longer": palette_bmp(np.zeros((HEIGHT + 1, WIDTH), np.uint8)),
    "white": bmp(BLACK, 255, 0),
    "gray": bmp(BLACK, 85, 0),
    "bytes behind": palette_bmp(BLACK) + b"\0",
}


@pytest.mark.parametrize("other", OTHERS)
def test_mask_that_differs_from_a_known_black_one_is_looked_at(
    folder: Path, source: Source, other: str
) -> None:
    (folder / "other.bmp").write_bytes(OTHERS[other])
    reader = MaskReader(source)
    reader.read("black.bmp")
    found = [reader.read("other.bmp") for _ in range(2)]
    for facts in found:
        alone = MaskReader(source).read("other.bmp")
        assert replace(facts, pixels=None) == replace(alone, pixels=None)
        assert facts.sha256 == hashlib.sha256(OTHERS[other]).hexdigest()
        if facts.defect_pixels:
            np.testing.assert_array_equal(facts.pixels, alone.pixels)
    assert reader.read("black.bmp").values == (0,)


def test_white_mask_of_zeros_is_looked_at_each_time_and_its_pixels_not_kept(
    folder: Path, source: Source
) -> None:
    (folder / "white.bmp").write_bytes(OTHERS["white"])
    reader = MaskReader(source)
    first, second = reader.read("white.bmp"), reader.read("white.bmp")
    assert first is not second
    for facts in (first, second):
        assert (facts.defect_pixels, facts.values) == (WIDTH * HEIGHT, (255,))
        assert facts.pixels is not None


def test_black_mask_that_is_cut_short_is_refused_every_time(folder: Path, source: Source) -> None:
    (folder / "cut.bmp").write_bytes(palette_bmp(BLACK)[:-1])
    reader = MaskReader(source)
    reader.read("black.bmp")
    for _ in range(2):
        with pytest.raises(ImageError, match=r"cut\.bmp: is a truncated BMP"):
            reader.read("cut.bmp")


def test_number_of_black_masks_that_are_remembered_is_bounded(
    folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "_MOST_BLANK", 1)
    (folder / "longer.bmp").write_bytes(OTHERS["longer"])
    reader = MaskReader(source)
    first, longer = reader.read("black.bmp"), reader.read("longer.bmp")
    assert reader.read("black.bmp") is first
    assert reader.read("longer.bmp") is not longer
    assert reader.read("longer.bmp") == longer
