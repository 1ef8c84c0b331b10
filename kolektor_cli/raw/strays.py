"""Names of files: images by their suffix, and files that are no part of a dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from kolektor_cli.findings import Finding
from kolektor_cli.io.source import Source

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}

_UNREAD = {".webp", ".gif", ".pgm", ".ppm", ".pnm", ".jp2", ".heic", ".avif", ".jxl"}
"""Suffixes of images that are not read."""

_DROPPINGS = {
    *(".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db"),
    *("desktop.ini", ".directory"),
}

_DROPPED_FOLDERS = {
    *("__macosx", ".spotlight-v100", ".trashes", ".fseventsd", ".appledouble", "@eadir"),
    *("$recycle.bin", "system volume information"),
}

_SPLIT_FILE = re.compile(
    r"(ksdd2?_)?split_(weakly_)?\d+(_\d+)?\.(pyb|pkl|pickle)", re.IGNORECASE | re.ASCII
)
"""Names of the authors' split files; KolektorSDD2's archive holds split_weakly_0.pyb and others."""

_MANY = 10
"""The most stray files of a folder that are reported one by one; more are one finding."""

Folders: TypeAlias = dict[str, list[str]]
"""Names of files by the folder in which they lie."""


def not_files(source: Source) -> Iterator[Finding]:
    """Yield findings about files that a source does not read, and folders named like images."""
    for unread in source.unread:
        if unread.harmless:
            yield Finding("info", "not-read", unread.name, f"{unread.why}; not read again")
        else:
            yield Finding("error", "not-read", unread.name, unread.why)
    for folder in source.folders:
        if stem_and_suffix(folder)[1]:
            message = "is a folder, though its name is an image's"
            yield Finding("warning", "not-a-file", folder, message)


def without_droppings(names: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """Return the names without files that operating systems add, and findings about these."""
    kept: list[str] = []
    dropped: Folders = defaultdict(list)
    for name in names:
        folder = _dropped_folder(name)
        if folder is None:
            kept.append(name)
        else:
            dropped[folder].append(name)
    message = "added by an operating system, and not part of the dataset"
    return kept, list(stray_findings("info", dropped, message))


def authors_splits(names: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """Return the names without the authors' split files, and a finding if there are any."""
    names = list(names)
    splits = [name for name in names if _SPLIT_FILE.fullmatch(last_part(name))]
    if not splits:
        return names, []
    message = "holds a split of the authors; --split takes it"
    if len(splits) > 1:
        message = f"and {len(splits) - 1} more files hold splits of the authors; --split takes one"
    known = set(splits)
    finding = Finding("info", "split-file", splits[0], message)
    return [name for name in names if name not in known], [finding]


def _dropped_folder(name: str) -> str | None:
    """Return the folder under which a file of an operating system is reported, else None."""
    *folders, base = name.split("/")
    for depth, part in enumerate(folders, 1):
        if part.casefold() in _DROPPED_FOLDERS:
            return "/".join(folders[:depth])
    if (
        base.casefold() in _DROPPINGS
        or base.startswith("._")
        # Windows' mark of a downloaded file, as other systems show it.
        or base.endswith(":Zone.Identifier")
    ):
        return "/".join(folders)
    return None


def stray_findings(
    severity: Literal["warning", "info"], folders: Folders, message: str
) -> Iterator[Finding]:
    """Yield a finding for each file, or one for a folder of more than `_MANY` files."""
    for folder, names in folders.items():
        if len(names) > _MANY:
            text = f"{len(names)} files in it, such as {names[0]}, were {message}"
            yield Finding(severity, "stray-file", folder, text)
        else:
            for name in names:
                yield Finding(severity, "stray-file", name, f"was {message}")


def unread_images(strays: Folders, folders: Iterable[str]) -> list[Finding]:
    """Take the images of formats that are not read out of `strays`; return errors about them.

    `folders` are those of samples: elsewhere such an image is a stray file like any other.
    """
    findings = []
    for folder in sorted(strays.keys() & set(folders)):
        unread = [n for n in strays[folder] if PurePosixPath(n).suffix.casefold() in _UNREAD]
        if unread:
            strays[folder] = [name for name in strays[folder] if name not in set(unread)]
            kinds = ", ".join(sorted({PurePosixPath(name).suffix for name in unread}))
            message = (
                f"{len(unread)} files in it, such as {unread[0]}, are of a format that is not read "
                f"({kinds}); save them as PNG"
            )
            findings.append(Finding("error", "unread-image", folder, message))
    return findings


def by_folder(names: Iterable[str]) -> Folders:
    """Group files by folder; those at the top of the source are in the folder named ``""``."""
    folders: Folders = defaultdict(list)
    for name in names:
        folders[name.rpartition("/")[0]].append(name)
    return folders


def last_part(path: str) -> str:
    """Return the last part of a path, its file or folder name."""
    return path.rpartition("/")[2]


def stem_and_suffix(name: str) -> tuple[str, str]:
    """Return stem and suffix, in lower case, of an image's name; for others the name and ``""``."""
    base = last_part(name)
    stem, dot, ending = base.rpartition(".")
    suffix = dot + ending.casefold()
    return (stem, suffix) if stem and suffix in _IMAGE_SUFFIXES else (base, "")
