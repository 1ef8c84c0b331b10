"""COCO's instances: one JSON a split, with exact run lengths, or polygons."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from kolektor_cli.exports.images import ExportedImage, ExportedTree, Files, Instance, Reader
from kolektor_cli.exports.polygons import polygon_of
from kolektor_cli.exports.rle import compress, run_lengths


def coco_files(tree: ExportedTree, read: Reader, *, polygons: bool = False) -> Files:
    """Yield ``annotations/instances_SPLIT.json`` of each split; ids begin at 1 and are unique."""
    image_ids, ids = count(1), count(1)
    for split in tree.splits:
        images, annotations = [], []
        for image in (image for image in tree.images if image.split == split):
            number = next(image_ids)
            images.append(_image(number, image))
            annotations += [
                {
                    "id": next(ids),
                    "image_id": number,
                    "category_id": tree.classes.index(image.kind) + 1,
                    "segmentation": (_polygons if polygons else _rle)(image, instance),
                    "area": instance.area,
                    "bbox": list(instance.box),
                    "iscrowd": 0,
                }
                for instance in read(image)
            ]
        content = {
            "info": {"description": tree.category},
            "images": images,
            "annotations": annotations,
            "categories": _categories(tree),
        }
        yield f"annotations/instances_{split}.json", json.dumps(content) + "\n"


def _image(number: int, image: ExportedImage) -> dict[str, Any]:
    width, height = image.size
    return {"id": number, "file_name": f"{image.stem}.png", "width": width, "height": height}


def _categories(tree: ExportedTree) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name, "supercategory": tree.category}
        for number, name in enumerate(tree.classes, 1)
    ]


def _rle(image: ExportedImage, instance: Instance) -> dict[str, Any]:
    lengths = run_lengths(instance.mask, instance.box, image.size)
    return {"size": list(image.size[::-1]), "counts": compress(lengths)}


def _polygons(_image: ExportedImage, instance: Instance) -> list[list[float]]:
    points = polygon_of(instance.mask) + instance.box[:2]
    return [points.ravel().round(2).tolist()]
