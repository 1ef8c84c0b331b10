"""Fetching: an official archive is downloaded, unless it is there, and checked by its hash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.io.atomic import rename_new, sync_file, sync_folder
from kolektor_cli.io.staging import staged
from kolektor_cli.raw.archives import ARCHIVES, Archive, ArchiveName
from kolektor_cli.raw.fetch import FileFacts, check_address, differences, download, file_facts


@dataclass(frozen=True, slots=True)
class Fetched:
    """An official archive on this machine.

    Attributes
    ----------
    path
        The file.
    size
        Its number of bytes.
    sha256
        Its SHA-256, in hexadecimal.
    downloaded
        Whether it was downloaded; False if it was there.
    kept
        Where the file is now that had its name, and was another one; None if there was none.
    """

    path: Path
    size: int
    sha256: str
    downloaded: bool
    kept: Path | None = None


def fetch(
    release: ArchiveName,
    folder: str | os.PathLike[str] = ".",
    *,
    url: str | None = None,
    force: bool = False,
    progress: StepProgress = no_steps,
) -> Fetched:
    """Download an official archive to a folder, and return where it is.

    A file that is there and has the right hash is left alone. The archive has its name when it is
    complete and has the right hash, not before.

    Parameters
    ----------
    release
        ``kolektorsdd``, ``kolektorsdd-boxes`` or ``kolektorsdd2``; or ``splits``, the authors'
        folds of KolektorSDD.
    folder
        Where the file goes; it is made if it does not exist.
    url
        Another address to download from, such as a mirror's; the hash is the same.
    force
        Rename another file that has the name, and download.
    progress
        Called with the step ``fetch``, and the numbers of bytes received and expected; the latter
        is 0 if it is not known.

    Raises
    ------
    FetchError
        The archive cannot be downloaded, or what is downloaded is not the official archive.
    OutputError
        Another file has its name, and `force` is False; or the file cannot be written.
    UsageError
        The release is not known, or `url` is not an http or https address.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> kolektor.fetch("kolektorsdd", "downloads").path  # doctest: +SKIP
    PosixPath('downloads/KolektorSDD.zip')
    """
    archive = _archive(release)
    address = archive.url if url is None else check_address(url)
    target = Path(folder) / archive.file_name
    standing = _standing(target, archive, force=force)
    if standing is not None:
        return Fetched(target, standing.size, standing.sha256, downloaded=False)
    with staged(target) as stage:
        new = stage / target.name
        facts = download(archive, address, new, progress=partial(progress, "downloading"))
        sync_file(new)
        kept = _put_in_place(new, target, force=force)
        sync_folder(target.parent)
    return Fetched(target, facts.size, facts.sha256, downloaded=True, kept=kept)


def _archive(release: str) -> Archive:
    for name, archive in ARCHIVES.items():
        if name == release:
            return archive
    raise UsageError(f"release {release!r} is not one of {', '.join(ARCHIVES)}")


def _standing(target: Path, archive: Archive, *, force: bool) -> FileFacts | None:
    """Return the facts of the right file, if it is there; refuse another one without `force`."""
    if not os.path.lexists(target):
        return None
    if not target.is_file():
        raise OutputError(f"{target}: is not a file; move it away, or choose another folder")
    facts = file_facts(target, archive)
    other = differences(facts, archive)
    if not other:
        return facts
    if not force:
        raise OutputError(
            f"{target}: is not the official archive: it {other}; move it away, or let --force "
            f"rename it to {_free_name(target).name} and download"
        )
    return None


def _put_in_place(new: Path, target: Path, *, force: bool) -> Path | None:
    """Give a file its name; what had the name is renamed under `force`, and its name returned."""
    kept = _keep_aside(target) if force and os.path.lexists(target) else None
    try:
        rename_new(new, target)
    except BaseException as error:
        if kept is not None:
            with suppress(OSError):  # the name is taken; the old file stays aside
                rename_new(kept, target)
        if isinstance(error, FileExistsError):
            message = f"{target}: was created by another process in the meantime"
            raise OutputError(message) from error
        raise
    return kept


def _keep_aside(target: Path) -> Path:
    while True:
        free = _free_name(target)
        try:
            rename_new(target, free)
        except FileExistsError:
            continue
        return free


def _free_name(target: Path) -> Path:
    return next(name for name in _old_names(target) if not os.path.lexists(name))


def _old_names(target: Path) -> Iterator[Path]:
    for number in count(1):
        yield target.with_name(f"{target.name}.old{number if number > 1 else ''}")
