"""What may be written to a stream, and what to do when nobody reads it any more."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def one_line(text: str) -> str:
    """Write control characters as escapes: a name may hold line feeds and a terminal's commands."""
    return text.translate(_CONTROLS)


def discard(stream: IO[str]) -> None:
    """Send what is written to a stream from now on, and what it still buffers, to nowhere."""
    with suppress(OSError):  # too many open files
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
