"""Help in panels, for a terminal."""

from __future__ import annotations

import io
import os
import sys

import rich.console
from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kolektor_cli.cli.help import HelpPage, Section, name_width


def in_panels(page: HelpPage, width: int) -> str:
    """Draw a page of help, in ASCII where the terminal has no more, without colour for NO_COLOR."""
    console = rich.console.Console(
        file=_Drawn(),
        width=width,
        force_terminal=True,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as drawn:
        console.print(Text.assemble(("Usage: ", "bold"), page.usage))
        for paragraph in page.prose:
            console.print()
            console.print(paragraph)
        console.print()
        for section in page.sections:
            if section.has_texts:
                console.print(_panel(section, width))
            else:
                # Commands without a frame can be copied.
                console.print(Text(f"\n {section.title}", style="dim"))
                for command, _ in section.rows:
                    console.print(Text(f"  {command}"), soft_wrap=True)
    return drawn.get()


class _Drawn(io.StringIO):
    """Takes the place of the terminal, in its encoding: that decides on ASCII."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stdout.encoding


def _panel(section: Section, width: int) -> Panel:
    grid = Table.grid(padding=(0, 2, 0, 0))
    names = name_width(section.rows, width - 4)
    grid.add_column(style="bold cyan", width=names, overflow="fold")
    grid.add_column(overflow="fold")
    for row in section.rows:
        grid.add_row(*map(Text, row))
    title = Text(section.title)
    return Panel(grid, title=title, title_align="left", border_style="dim", box=box.ROUNDED)
