"""The layout of KolektorSDD2: the folders ``train`` and ``test``, with ``X.png`` and ``X_GT.png``.

The layout is that of a source if one of these folders holds a mask named like that. Then both are
folders of samples, and so are copies of them that lie beside them.
"""

from __future__ import annotations

from collections.abc import Iterable

from kolektor_cli.copies import original_folder
from kolektor_cli.pairing import (
    Folders,
    by_folder,
    last_part,
    stem_and_suffix,
    without_mask_ending,
)
from kolektor_cli.releases import kolektorsdd2


def split_folders(names: Iterable[str]) -> Folders:
    """Find the folders of the official split; none if none of them holds a mask."""
    folders = {
        folder: files
        for folder, files in by_folder(names).items()
        if any(stem_and_suffix(name)[1] for name in files)
    }
    named = {folder for folder in folders if last_part(folder).casefold() in kolektorsdd2().splits}
    if not any(map(is_mask, (name for folder in named for name in folders[folder]))):
        return {}
    return {
        folder: files
        for folder, files in folders.items()
        if folder in named or original_folder(folder, named)
    }


def is_mask(name: str) -> bool:
    """Tell whether a file is named like a mask of KolektorSDD2."""
    stem, suffix = stem_and_suffix(name)
    return bool(suffix) and without_mask_ending(stem, kolektorsdd2()) != stem
