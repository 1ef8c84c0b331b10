"""YOLO segmentation as Ultralytics reads it: a text file an image, and ``data.yaml``."""

from __future__ import annotations

import json

import numpy as np

from kolektor_cli.exports.images import ExportedImage, ExportedTree, Files, Instance, Reader
from kolektor_cli.exports.polygons import polygon_of
from kolektor_cli.splits.split import SPLIT_NAMES


def yolo_files(tree: ExportedTree, read: Reader) -> Files:
    """Yield ``labels/SPLIT/NAME.txt`` of each image, empty of a good one, and ``data.yaml``."""
    for image in tree.images:
        lines = [_line(tree.classes.index(image.kind), image, found) for found in read(image)]
        yield f"labels/{image.split}/{image.stem}.txt", "".join(lines)
    yield "data.yaml", _data(tree)


def _line(number: int, image: ExportedImage, instance: Instance) -> str:
    """Return a defect as the number of its class, and x and y as parts of width and height."""
    points = (polygon_of(instance.mask) + instance.box[:2]) / image.size
    # A millionth of a side is less than the polygon's distance from the edges of its pixels.
    numbers = " ".join(f"{number:.6f}" for number in np.ravel(points))
    return f"{number} {numbers}\n"


def _data(tree: ExportedTree) -> str:
    # Without `path`, the folder of this file is the root; "path: ." would be the current folder.
    folders = {split: f"images/{split}" for split in tree.splits}
    # Ultralytics wants a `val`, by which it keeps the best weights: not by test images.
    folders.setdefault("val", folders.get("train", folders["test"]))
    lines = [f"{split}: {folders[split]}" for split in SPLIT_NAMES if split in folders]
    names = [
        f"  {number}: {json.dumps(name, ensure_ascii=False)}"
        for number, name in enumerate(tree.classes)
    ]
    return "\n".join([*lines, "names:", *names, ""])
