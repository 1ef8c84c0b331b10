"""An export as notes and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kolektor_cli.cli.render.tables import JsonObject, counts_json
from kolektor_cli.findings import first_names

if TYPE_CHECKING:
    from kolektor_cli.core.exporting import Export


def export_notes(exported: Export) -> Iterator[str]:
    """Tell what was written, and what a split lacks for training."""
    images, defects = sum(exported.counts.values()), sum(exported.instances.values())
    classes = ", ".join(exported.classes)
    yield (
        f"{exported.file_format}: {images} images, {exported.linked} of them hard links to the "
        f"tree's own; {defects} defects of {classes}"
    )
    if exported.unlabelled:
        yield (
            f"warning {len(exported.unlabelled)} defective images have no mask, and are left out: "
            f"{first_names(exported.unlabelled)}"
        )
    trained = exported.counts.get(("train", "defective"), 0)
    if not trained:
        yield "warning no training image is defective: a supervised model learns no defect from it"
    if exported.file_format == "segdecnet":
        yield from _segdecnet_notes(exported, trained)
    elif exported.file_format == "yolo":
        yield from _yolo_notes(exported)


def _segdecnet_notes(exported: Export, trained: int) -> Iterator[str]:
    weak = len(exported.weak)
    yield (
        f"{trained - weak} of {trained} defective training images have pixel labels: "
        f"--NUM_SEGMENTED {trained - weak}"
    )
    if any(split == "val" for split, _ in exported.counts):
        yield "the pickles name no validation images: SegDecNet and SuperSimpleNet read none"


def _yolo_notes(exported: Export) -> Iterator[str]:
    if ("val", "good") not in exported.counts and ("val", "defective") not in exported.counts:
        yield (
            "the tree has no validation images: in data.yaml val is images/train, so that no test "
            "image chooses the weights"
        )


def next_command(exported: Export) -> list[str]:
    """Return the command that trains on YOLO files with defects; none for others."""
    if exported.file_format != "yolo" or not exported.counts.get(("train", "defective"), 0):
        return []
    return ["yolo", "segment", "train", f"data={exported.folder / 'data.yaml'}"]


def export_json(exported: Export) -> JsonObject:
    """Put an export into JSON."""
    return {
        "folder": str(exported.folder),
        "format": exported.file_format,
        "counts": counts_json(exported.counts),
        "instances": dict(exported.instances),
        "classes": list(exported.classes),
        "linked": exported.linked,
        "unlabelled": list(exported.unlabelled),
        "weak": list(exported.weak),
    }
