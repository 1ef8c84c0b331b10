"""Real small files to test on: nothing here or in the tests stands in for the tool itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from kolektor_cli.drawing import palette_bmp
from kolektor_cli.fits import fit_samples, make_fit
from kolektor_cli.records import AskedSize, FitName, Fitted, Scan
from kolektor_cli.sample import write_sample
from kolektor_cli.source import Source

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

Box = tuple[int, int, int, int]
"""A defect to draw: x, y, width, height in pixels."""

MakeDataset = Callable[..., Path]


def draw_image(seed: int, width: int = 40, height: int = 60) -> np.ndarray:
    """Draw a smooth random picture, height x width uint8, that no other seed gives."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def write_pair(
    folder: Path, part: str, seed: int, box: Box | None = None, size: tuple[int, int] = (40, 60)
) -> None:
    """Write an image and its mask, as KolektorSDD has them; `box` is about the defect, if any.

    Its last row is a pixel to the right: KolektorSDD's defects are no boxes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image = draw_image(seed, *size)
    mask = np.zeros_like(image)
    if box is not None:
        x, y, width, height = box
        mask[y : y + height, x : x + width] = 1
        mask[y + height - 1] = np.roll(mask[y + height - 1], 1)
    done, jpeg = cv2.imencode(".jpg", image)
    assert done
    (folder / f"{part}.jpg").write_bytes(jpeg.tobytes())
    (folder / f"{part}_label.bmp").write_bytes(palette_bmp(mask))


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Write tiny datasets: `items` folders of `parts`, of which the first is defective."""

    def make(name: str = "raw", items: int = 3, parts: int = 4) -> Path:
        root = tmp_path / name
        for item in range(1, items + 1):
            for part in range(parts):
                box = (5, 10, 12, 6) if part == 0 else None
                write_pair(root / f"kos{item:02}", f"Part{part}", 100 * item + part, box)
        return root

    return make


def write_pair_2(
    folder: Path, number: str, seed: int, box: Box | None = None, size: tuple[int, int] = (30, 80)
) -> None:
    """Write an image and its mask, as KolektorSDD2 has them; `box` is the defect, if any."""
    folder.mkdir(parents=True, exist_ok=True)
    image = cv2.merge([draw_image(3 * seed + channel, *size) for channel in range(3)])
    mask = np.zeros(size[::-1], np.uint8)
    if box is not None:
        x, y, width, height = box
        mask[y : y + height, x : x + width] = 255
    for path, pixels in ((f"{number}.png", image), (f"{number}_GT.png", mask)):
        done, png = cv2.imencode(".png", pixels)
        assert done
        (folder / path).write_bytes(png.tobytes())


@pytest.fixture
def make_dataset_2(tmp_path: Path) -> MakeDataset:
    """Write tiny KolektorSDD2s: in each half as many images, the first of them defective."""

    def make(name: str = "raw", train: int = 6, test: int = 4) -> Path:
        root = tmp_path / name
        for split, first, count in (("train", 10000, train), ("test", 20000, test)):
            for index in range(count):
                # Sizes vary, and no two images that are the first of their half are alike.
                size = (30 + index % 3, 80 - index % 2)
                box = (5, 10, 12, 6) if index == 0 else None
                write_pair_2(root / split, str(first + index), first + index, box, size)
        return root

    return make


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a synthetic dataset of real size: 3 items, 24 samples. Not to be changed."""
    folder = tmp_path_factory.mktemp("synthetic") / "KolektorSDD"
    write_sample(folder, items=3)
    return folder


@pytest.fixture(scope="session")
def real() -> Path:
    """Hold the real dataset's zip, or skip."""
    place = os.environ.get("KOLEKTORSDD")
    if not place:
        pytest.skip("KOLEKTORSDD is not set to the real dataset's zip")
    return Path(place)


def fit_all(source: Source, scan: Scan, size: AskedSize, name: FitName = "stretch") -> Fitted:
    """Fit all samples of a scan; `size` may be ``source``."""
    return fit_samples(make_fit(name, size, default=(500, 1240)), source, scan.samples)


def snapshot(folder: Path) -> Mapping[str, bytes]:
    """Read every file below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
