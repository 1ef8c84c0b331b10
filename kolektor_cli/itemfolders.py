"""The layout of KolektorSDD: item folders, with parts in each.

An item folder is one named like KolektorSDD's (``kos01``), or one that holds a file named like its
parts (``Part0.jpg``, ``Part0_label.bmp``) or an image with its mask (``X.jpg``, ``X_label.bmp``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kolektor_cli.pairing import Folders, by_folder, last_part, stem_and_suffix
from kolektor_cli.releases import kolektorsdd

_ITEM_NAME = re.compile(r"kos\d+", re.IGNORECASE | re.ASCII)
_PART_NAME = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)


def item_folders(names: Iterable[str]) -> Folders:
    """Find the folders that are items."""
    return {
        folder: files
        for folder, files in by_folder(names).items()
        if folder and (_ITEM_NAME.fullmatch(last_part(folder)) or _holds_samples(files))
    }


def _holds_samples(files: Iterable[str]) -> bool:
    ending = kolektorsdd().mask_ending
    stems = {stem.casefold() for stem, suffix in map(stem_and_suffix, files) if suffix}
    return any(_PART_NAME.fullmatch(stem) or stem + ending in stems for stem in stems)
