"""Files and folders that are copies of others beside them, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source

_COPY_ENDING = re.compile(
    r"( ?\((copy( \d+)?|(another|\d+(st|nd|rd|th)) copy|\d+)\)|( - |[ _-])copy( ?\d+| \(\d+\))?)+$",
    re.IGNORECASE | re.ASCII,
)
"""What file managers append to the name of a copy: `` (copy)``, `` (another copy)``, `` (3rd
copy)`` (GNOME, MATE), `` copy``, `` copy 2`` (macOS), `` - Copy``, `` - Copy (2)``, `` (2)``
(Windows, browsers); and what people append, ``_copy``."""


def original_stem(stem: str, mask_ending: str) -> str | None:
    """Return the stem of the original, or None if `stem` is not named as a copy.

    >>> original_stem("10301_GT (copy)", "_GT"), original_stem("10301 (copy)_GT", "_GT")
    ('10301_GT', '10301_GT')
    """
    ending = stem[-len(mask_ending) :] if stem.casefold().endswith(mask_ending.casefold()) else ""
    body = stem.removesuffix(ending)
    original = _COPY_ENDING.sub("", body)
    return original + ending if original and original != body else None


def original_folder(folder: str, folders: Collection[str]) -> str | None:
    """Return the folder beside `folder` of which it is a copy by its name, or None."""
    parent, slash, last = folder.rpartition("/")
    wanted = f"{parent}{slash}{_COPY_ENDING.sub('', last)}".casefold()
    if wanted == folder.casefold():
        return None
    return next((other for other in sorted(folders) if other.casefold() == wanted), None)


def without_copies(
    source: Source, names: Iterable[str], mask_ending: str
) -> tuple[list[str], list[Finding]]:
    """Return the names that are not those of copies, and a finding for each copy."""
    names = list(names)
    by_stem = {_key(name, PurePosixPath(name).stem): name for name in names}
    kept, findings = [], []
    for name in names:
        stem = original_stem(PurePosixPath(name).stem, mask_ending)
        if stem is None:
            kept.append(name)
        else:
            original = by_stem.get(_key(name, stem))
            findings.append(Finding("warning", "copy", name, _message(source, name, original)))
    return kept, findings


def _key(name: str, stem: str) -> tuple[str, str]:
    return name.rpartition("/")[0], stem.casefold()


def _message(source: Source, copy: str, original: str | None) -> str:
    if original is None:
        return "is named as a copy, but no original is beside it; left out; rename it if it is none"
    try:
        same = source.read(copy) == source.read(original)
    except SourceError as error:
        return f"is named as a copy of {original}; left out, and not compared: {error}"
    if same:
        return f"repeats {original}, byte for byte; left out"
    return f"is named as a copy of {original}, and differs from it; left out"
