"""labelme's files: one JSON beside each image."""

from __future__ import annotations

import json
from typing import Any

from kolektor_cli.exports.images import ExportedImage, ExportedTree, Files, Instance, Reader
from kolektor_cli.exports.polygons import polygon_of

_VERSION = "5.0.0"
"""That of the labelme whose keys these are."""


def labelme_files(tree: ExportedTree, read: Reader) -> Files:
    """Yield the JSON of each image; that of a good one has no shapes."""
    for image in tree.images:
        width, height = image.size
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": [_shape(image, instance) for instance in read(image)],
            "imagePath": f"{image.stem}.png",
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        yield image.file.removesuffix(".png") + ".json", json.dumps(content, indent=2) + "\n"


def _shape(image: ExportedImage, instance: Instance) -> dict[str, Any]:
    points = polygon_of(instance.mask) + instance.box[:2]
    return {
        "label": image.kind,
        "points": points.round(2).tolist(),
        "group_id": None,
        "shape_type": "polygon",
        "flags": {},
    }
