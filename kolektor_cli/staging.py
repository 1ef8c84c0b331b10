"""Make a folder beside its place, so that it takes its name complete or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kolektor_cli.errors import OutputError


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside `target`, on the same file system, for the caller to rename.

    On any error or interruption it is removed, with those folders above that were made for it.

    Raises
    ------
    OutputError
        Something in it cannot be written.
    """
    missing = [path for path in target.parents if not path.exists()]
    # Part of the name is enough to tell whose it is, and cannot be too long.
    stage = target.parent / f".{target.name[:50]}.unfinished-{secrets.token_hex(4)}"
    try:
        stage.mkdir(parents=True)
        yield stage
    except BaseException as error:
        # Removal is best effort here: the error under way is the one to report.
        shutil.rmtree(stage, ignore_errors=True)
        for path in missing:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        if isinstance(error, OSError):
            raise OutputError(f"{target}: cannot be written: {error.strerror}") from error
        raise
