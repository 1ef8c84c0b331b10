"""Draw small images of no dataset, for ``tests/bench.py``: ``draw_own.py FOLDER NUMBER``.

They are gray, of 64x64 pixels, each another picture; every 50th has a mask.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Write the images and masks."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:26, 30:36] = 255
    for index in range(number):
        coarse = random.integers(60, 180, (20, 20), np.uint8)
        image = cv2.resize(coarse, (64, 64)) + random.integers(0, 16, (64, 64), np.uint8)
        cv2.imwrite(str(folder / f"images/{index}.png"), image)
        if index % 50 == 0:
            cv2.imwrite(str(folder / f"masks/{index}.png"), mask)


if __name__ == "__main__":
    main()
