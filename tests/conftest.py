"""Real small files to test on: nothing here or in the tests stands in for the tool itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.synthetic import write_synthetic

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

Box = tuple[int, int, int, int]
"""A defect to draw: x, y, width, height in pixels."""

MakeDataset = Callable[..., Path]

SIZE = (20, 31)
"""Width and height, in pixels, of output images that are quickly made."""

SMALL = ConvertOptions(size=SIZE)


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


def write_defects(root: Path, boxes: list[Box], size: Size = (40, 90)) -> Path:
    """Write a dataset of four good samples, kos01, and a defective one for each box, kos02."""
    for number in range(4):
        write_pair(root / "kos01", f"Part{number}", number, size=size)
    for number, box in enumerate(boxes):
        write_pair(root / "kos02", f"Part{number}", 50 + number, box, size)
    return root


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


def write_dataset_2(root: Path) -> Path:
    """Write KolektorSDD2 with 3 of 6 training and 2 of 4 test images defective."""
    for half, first, defective, count in (("train", 10000, 3, 6), ("test", 20000, 2, 4)):
        for index in range(count):
            box = (5, 10, 12, 6) if index < defective else None
            write_pair_2(root / half, str(first + index), first + index, box)
    return root


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
    write_synthetic(folder, items=3)
    return folder


@pytest.fixture(scope="session")
def real() -> Path:
    """Hold the real dataset's zip, or skip."""
    place = os.environ.get("KOLEKTORSDD")
    if not place:
        pytest.skip("KOLEKTORSDD is not set to the real dataset's zip")
    return Path(place)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels (colours as blue, green, red) as people do, and make the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def color_image(seed: int, size: Size = SIZE) -> np.ndarray:
    return cv2.merge([draw_image(10 * seed + channel, *size) for channel in range(3)])


def box_mask(size: Size = SIZE) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[4:9, 3:8] = 255
    return mask


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a raw dataset and the tree made from it, to copy: 3 items of 4 parts."""
    folder = tmp_path_factory.mktemp("originals")
    for item in (1, 2, 3):
        for part in range(4):
            box = (5, 10, 12, 6 + item) if part == 0 else None
            write_pair(folder / f"raw/kos0{item}", f"Part{part}", 10 * item + part, box)
    convert(folder / "raw", folder, SMALL)
    return folder


@pytest.fixture
def raw(originals: Path, tmp_path: Path) -> Path:
    """Hold a raw dataset that a test may change."""
    return shutil.copytree(originals / "raw", tmp_path / "raw")


@pytest.fixture
def tree(originals: Path, tmp_path: Path) -> Path:
    """Hold the category folder that was made of `raw`, that a test may change."""
    return shutil.copytree(originals / "metal", tmp_path / "data/metal")


FOREIGN_IMAGES = (
    *("train/good/000.png", "train/good/001.png", "train/good/002.png", "test/good/000.png"),
    *("test/crack/000.png", "test/crack/001.png", "test/hole/000.png"),
)
FOREIGN_MASKS = (
    "ground_truth/crack/000_mask.png",
    "ground_truth/crack/001_mask.png",
    "ground_truth/hole/000_mask.png",
)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Write a tree like MVTec AD's own, without any part of this tool."""
    tree = tmp_path / "mvtec/bottle"
    for seed, path in enumerate(FOREIGN_IMAGES):
        write_png(tree / path, color_image(seed))
    for path in FOREIGN_MASKS:
        write_png(tree / path, box_mask())
    (tree / "license.txt").write_text("CC BY-NC-SA 4.0")
    return tree


def damage_jpeg(path: Path) -> None:
    """Drop the last third of a JPEG and put an end marker there, so that only decoding tells."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3] + b"\xff\xd9")


def listing(folder: Path) -> list[str]:
    """List everything below a folder, by relative path."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


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
