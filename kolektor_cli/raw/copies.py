"""Files and folders that are named as copies of others beside them.

A name is a hint; content decides: what is named as a copy is left out only if all its files equal
those of its original, byte for byte. File managers number different files in the same way, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import PurePosixPath

from kolektor_cli.errors import SourceError
from kolektor_cli.io.source import Source

_COPY_ENDING = re.compile(
    r"( ?\((copy( \d+)?|(another|\d+(st|nd|rd|th)) copy|\d+)\)|( - |[ _-])copy( ?\d+| \(\d+\))?)$",
    re.IGNORECASE | re.ASCII,
)
"""What file managers append to the name of a copy: `` (copy)``, `` (another copy)``, `` (3rd
copy)`` (GNOME, MATE), `` copy``, `` copy 2`` (macOS), `` - Copy``, `` - Copy (2)``, `` (2)``
(Windows, browsers); and what people append, ``_copy``."""


def originals_of(name: str) -> Iterator[str]:
    """Yield the names of which `name` is a copy by its ending, the nearest first.

    >>> list(originals_of("train/part (1) - Copy"))
    ['train/part (1)', 'train/part']
    """
    while True:
        shorter = _COPY_ENDING.sub("", name)
        if shorter == name or not shorter or shorter.endswith("/"):
            return
        yield shorter
        name = shorter


def part_and_role(stem: str, mask_ending: str) -> tuple[str, bool]:
    """Return the part that a file belongs to by its stem, and whether it is a mask.

    The ending of a copy may stand before that of a mask or behind it.

    >>> part_and_role("X (1)_GT", "_GT"), part_and_role("X_GT (1)", "_GT")
    (('X (1)', True), ('X (1)', True))
    >>> part_and_role("X (1)", "_GT")
    ('X (1)', False)
    """
    ending = mask_ending.casefold()
    for original in (stem, *originals_of(stem)):
        if original.casefold().endswith(ending):
            return original[: -len(ending)] + stem[len(original) :], True
    return stem, False


def original_folder(folder: str, folders: Collection[str]) -> str | None:
    """Return the folder beside `folder` of which it is a copy by its name, or None."""
    for wanted in originals_of(folder):
        for other in sorted(folders):
            if other.casefold() == wanted.casefold():
                return other
    return None


SameFiles = Callable[[str, str], bool]
"""A function of two names of files that returns whether their bytes are equal."""


def comparing(source: Source) -> SameFiles:
    """Return a function that compares files; one that cannot be read equals no other."""

    @cache
    def sha256(name: str) -> str | None:
        try:
            return hashlib.sha256(source.read(name)).hexdigest()
        except SourceError:
            return None

    def same(first: str, second: str) -> bool:
        digest = sha256(first)
        return digest is not None and digest == sha256(second)

    return same


def repeated(
    files: Collection[str], originals: Collection[str], same: SameFiles
) -> dict[str, str] | None:
    """Map each file to the original that it equals; None if one of them equals none."""
    found = {}
    for name in files:
        match = next((other for other in originals if same(name, other)), None)
        if match is None:
            return None
        found[name] = match
    return found


def shares_files(files: Collection[str], originals: Collection[str], same: SameFiles) -> bool:
    """Return whether a file equals the one of its name among `originals`, in any case of names."""
    by_name = {PurePosixPath(name).name.casefold(): name for name in originals}
    pairs = ((name, by_name.get(PurePosixPath(name).name.casefold())) for name in files)
    return any(other is not None and same(name, other) for name, other in pairs)
