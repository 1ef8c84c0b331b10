"""The formats of exports, by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

ExportFormat: TypeAlias = Literal["yolo", "coco", "labelme", "segdecnet"]

EXPORT_FORMATS: tuple[ExportFormat, ...] = ("yolo", "coco", "labelme", "segdecnet")
