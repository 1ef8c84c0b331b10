"""Names that no file or folder can have under Windows."""

from __future__ import annotations

import re

_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE | re.ASCII)


def is_reserved(name: str) -> bool:
    """Return whether a name, whatever its ending, is that of a device under Windows."""
    return _RESERVED.fullmatch(name.partition(".")[0]) is not None
