"""Draw an anomaly map for each test image of a tree: its blurred mask with smooth noise, as TIFF.

`make demo` and `make bench` run it as a program: ``python tests/draw_maps.py TREE OUT``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from kolektor_cli import load_tree


def draw_maps(tree: Path, out: Path) -> None:
    """Write float32 maps of the images' sizes, without compression."""
    random = np.random.default_rng(0)
    for image in load_tree(tree):
        if image.split != "test":
            continue
        mask = image.mask().astype(np.float32) / 255
        noise = cv2.GaussianBlur(random.normal(size=mask.shape).astype(np.float32), (0, 0), 3)
        scores = cv2.GaussianBlur(mask, (0, 0), 6) + 3 * noise
        path = out / image.path.replace(".png", ".tiff")
        path.parent.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".tiff", scores, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
        assert done
        path.write_bytes(data.tobytes())


if __name__ == "__main__":
    draw_maps(Path(sys.argv[1]), Path(sys.argv[2]))
