"""People's own images to test on: files of a folder, and what a scan makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from kolektor_cli.io.source import open_source
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.layouts import find_candidates
from kolektor_cli.raw.pairing import Candidates
from kolektor_cli.raw.scan import Scan, scan_source
from tests.conftest import Box, draw_image

PAIRS = LayoutOptions("pairs")

LABELME: dict[str, object] = {
    "version": "5.5.0",
    "flags": {},
    "imagePath": "x.jpg",
    "imageData": None,
}
"""What labelme writes beside shapes and sizes."""


def write_pixels(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix.lower(), pixels)
    assert done
    path.write_bytes(data.tobytes())


def write_own(image: Path, seed: int, mask: Path | None = None, box: Box | None = None) -> None:
    """Write an image of 40 x 60 pixels, and its mask with a box if they are given."""
    write_pixels(image, draw_image(seed))
    if mask is not None:
        pixels = np.zeros((60, 40), np.uint8)
        if box is not None:
            x, y, width, height = box
            pixels[y : y + height, x : x + width] = 255
        write_pixels(mask, pixels)


def read_gray(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def as_pairs(raw: Path, own: Path) -> Path:
    """Rename the samples of KolektorSDD as people do, into one folder, with masks as PNG."""
    for image in raw.rglob("*.jpg"):
        stem = f"{image.parent.name}_{image.stem}"
        own.mkdir(exist_ok=True)
        shutil.copy(image, own / f"{stem}.jpg")
        mask = read_gray(image.with_name(f"{image.stem}_label.bmp"))
        write_pixels(own / f"{stem}_mask.png", mask)
    return own


def labelme(shapes: Iterable[object], size: tuple[int, int] = (40, 60)) -> bytes:
    """Return a file of labelme's with these shapes, on an image of a width and height."""
    width, height = size
    content = {**LABELME, "shapes": list(shapes), "imageWidth": width, "imageHeight": height}
    return json.dumps(content).encode()


def sizeless(shapes: Iterable[object], *, null: bool = False) -> bytes:
    """Return a file of an old labelme: without the size of its image, or with null for it."""
    size = {"imageWidth": None, "imageHeight": None} if null else {}
    return json.dumps({**LABELME, **size, "shapes": list(shapes)}).encode()


def shape(kind: str | None, *points: tuple[float, float], label: str = "crack") -> object:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}}


def candidates(root: Path, options: LayoutOptions = PAIRS) -> Candidates:
    with open_source(root) as source:
        return find_candidates(source, options).candidates


def pairs(root: Path, options: LayoutOptions = PAIRS) -> dict[str, list[str]]:
    """Return the masks of each image, by the image's path."""
    found = candidates(root, options).values()
    return {c.images[0]: c.masks for c in found if len(c.images) == 1 and not c.problem}


def scan_own(root: Path, options: LayoutOptions = PAIRS) -> Scan:
    with open_source(root) as source:
        return scan_source(source, layout=options, jobs=1)
