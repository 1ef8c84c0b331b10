"""What each code base that trains on the tree needs of it, as data."""

from __future__ import annotations

from kolektor_cli.records import CenterCrop

CENTER_CROPS = (CenterCrop("patchcore", 256, 224),)
