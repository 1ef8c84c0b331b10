"""A picture as JSON."""

from __future__ import annotations

from pathlib import Path

from kolektor_cli.cli.render.tables import JsonObject, findings_json
from kolektor_cli.core.showing import Picture


def picture_json(picture: Picture, file: Path) -> JsonObject:
    """Put what is known of a picture into JSON; its size is in pixels."""
    height, width = picture.pixels.shape[:2]
    return {
        "path": str(file),
        "cells": picture.cells,
        "width": width,
        "height": height,
        "findings": findings_json(picture.findings),
    }
