"""The reference procedure: how KolektorSDD has been prepared so far, with OpenCV, in one thread.

`make bench` runs it as a program: ``python tests/reference.py SOURCE OUT``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

SIZE = (500, 1240)


def convert(source: Path, out: Path) -> None:
    """Resize every image and every mask that is not black, and write them as PNG."""
    images, masks = out / "images", out / "masks"
    for folder in (images, masks):
        folder.mkdir(parents=True)
    for index, path in enumerate(sorted(source.glob("*/*.jpg"))):
        mask = cv2.imread(str(path.with_name(f"{path.stem}_label.bmp")), cv2.IMREAD_GRAYSCALE)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        assert mask is not None
        assert image is not None
        assert cv2.imwrite(str(images / f"{index:03}.png"), cv2.resize(image, SIZE))
        if mask.any():
            _, binary = cv2.threshold(cv2.resize(mask, SIZE), 127, 255, cv2.THRESH_BINARY)
            assert cv2.imwrite(str(masks / f"{index:03}_mask.png"), binary)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
