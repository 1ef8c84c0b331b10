"""The place of a tree: outside the source, and over nothing but another tree."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from kolektor_cli.errors import OutputError, reason
from kolektor_cli.io import staging
from kolektor_cli.io.index import INDEX_NAMES, read_entries
from kolektor_cli.io.places import inputs_at, refuse_inputs
from kolektor_cli.tree.layout import MANIFEST_NAME, check_category

_REPLACEABLE = {"train", "test", "validation", "ground_truth", MANIFEST_NAME}


def choose_target(source: Path, out: Path, category: str) -> Path:
    """Return the path of the category folder in `out`, if a tree may be written there.

    Raises
    ------
    UsageError
        The category cannot name a folder; or the output lies inside the source folder, or would
        replace the source.
    OutputError
        `out` is no folder, or the path cannot be used.
    """
    target = out / check_category(category)
    try:
        refuse_inputs(target, inputs_at(source))
        above = (path for path in (out, *out.absolute().parents) if os.path.lexists(path))
        existing = next(above, None)
    except (OSError, RuntimeError, ValueError) as error:
        # Circular links, or a path that is too long or contains NUL.
        raise OutputError(f"{target}: cannot be a folder for the output: {error}") from error
    if existing is None:
        raise OutputError(f"{out}: its drive does not exist; choose another place for the output")
    if not existing.is_dir():
        raise OutputError(f"{existing}: is not a folder; choose another place for the output")
    return target


def refuse_existing(target: Path, beside: Collection[str] = (), *, force: bool) -> None:
    """Check, before any work, that the target and the files `beside` it may be written.

    An index of several category folders may exist: the entries of this one are merged into it.

    Raises
    ------
    OutputError
        One exists without `force`, or the target is no tree, or a name `beside` it no file; or
        there is a file with the name of an index, but it is none, without `force`.
    """
    try:
        if os.path.lexists(target):
            _refuse_folder(target, force)
        for name in beside:
            _refuse_file(target.with_name(name), force)
    except OSError as error:
        raise OutputError(f"{target}: cannot be read: {reason(error)}") from error


def put_in_place(stage: Path, target: Path, beside: Mapping[str, bytes], *, force: bool) -> None:
    """Rename a finished tree to its target, and write the files `beside` it, by name.

    Raises
    ------
    OutputError
        The target exists by now (see `refuse_existing`), or cannot be written.
    """
    refuse_existing(target, beside, force=force)
    staging.put_in_place(stage, target, beside, replace=force)


def _refuse_folder(target: Path, force: bool) -> None:
    if not force:
        raise OutputError(f"{target}: exists already; --force replaces it")
    if target.is_symlink() or not target.is_dir():
        raise OutputError(f"{target}: is not a folder of a dataset; remove it yourself")
    others = sorted(path.name for path in target.iterdir() if path.name not in _REPLACEABLE)
    if others:
        raise OutputError(
            f"{target}: holds {others[0]}, so it is not only a dataset's category folder; "
            "--force does not replace it"
        )


def _refuse_file(path: Path, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if path.name in INDEX_NAMES and path.is_file():
        _refuse_no_index(path, force)
        return
    if not force:
        raise OutputError(f"{path}: exists already; --force replaces it")
    if not path.is_file():
        raise OutputError(f"{path}: is not a file; remove it yourself")


def _refuse_no_index(path: Path, force: bool) -> None:
    """Refuse a file to which no entries can be added, unless it may be replaced."""
    if force:
        return
    try:
        read_entries(path.name, path.read_bytes())
    except ValueError as error:
        raise OutputError(
            f"{path}: {error}, so this category cannot be added to it; --force replaces it"
        ) from error
