"""Docs: the guides are listed with what each is about, and shown; long ones by a pager."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.documents import GUIDES
from tests.running import KOLEKTOR, run


def test_all_guides_are_listed_with_a_line_that_fits() -> None:
    lines = run("docs").stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {path.stem for path in GUIDES.glob("*.md")}
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("path", sorted(GUIDES.glob("*.md")), ids=lambda path: path.stem)
def test_guide_is_shown_whole(path: Path) -> None:
    assert run("docs", path.stem).stdout == path.read_text(encoding="utf-8")


def on_a_terminal(lines: int, *arguments: str, **environment: str) -> str:
    """Run kolektor on a terminal of so many lines, as its input, too; return what it shows."""
    terminal, end = os.openpty()
    screen = {"COLUMNS": "80", "LINES": str(lines), "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        [*KOLEKTOR, *arguments],
        stdin=end,
        stdout=end,
        stderr=subprocess.PIPE,
        env={**os.environ, **screen, **environment},
    ) as process:
        os.close(end)
        shown = b""
        # Linux ends the reading of a terminal that nobody writes to with an error.
        with suppress(OSError):
            while data := os.read(terminal, 2**16):
                shown += data
        os.close(terminal)
        assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no such terminals here")
@pytest.mark.parametrize(("lines", "paged"), [(20, True), (1000, False)])
def test_what_is_longer_than_the_screen_is_paged(lines: int, paged: bool) -> None:
    shown = on_a_terminal(lines, "docs", "glossary", PAGER="sed s/^/page:/")
    assert ("page:" in shown) == paged
    assert "One word for one thing" in shown
    assert "a text that kolektor docs shows" in shown


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no such terminals here")
def test_narrow_terminal_cuts_no_word_of_a_table() -> None:
    shown = on_a_terminal(1000, "docs", "consumers", COLUMNS="60")
    assert "…" not in shown
