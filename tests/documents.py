"""README and the guides: their texts, and the code in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "kolektor_cli/docs"
TRANSLATION = GUIDES / "README.zh.md"

DOCUMENTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted(GUIDES.glob("*.md"))]
    if path != TRANSLATION
}
"""The texts by file name. The translation is not here: its code is that of README."""


def blocks(text: str, kind: str) -> list[str]:
    """Find the code blocks of a kind, such as `console real`."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def with_blocks(kind: str) -> list[str]:
    """Name the documents that have code blocks of a kind."""
    return [name for name, text in DOCUMENTS.items() if blocks(text, kind)]


def shell_lines(text: str) -> list[str]:
    """Find the lines to be typed that no output follows: in `sh` blocks, and indented."""
    indented = re.findall(r"^    (kolektor .*)$", text, re.MULTILINE)
    return [*"".join(blocks(text, "sh")).replace("\\\n", "").splitlines(), *indented]
