"""Tables drawn for a screen of some width: no number is broken in two."""

from __future__ import annotations

from typing import Literal

import rich.table
from rich import box
from rich.cells import cell_len
from rich.text import Text

from kolektor_cli.cli.render.tables import Cell, Table
from kolektor_cli.cli.streams import one_line

_RESULT_STYLES = {"ok": "green", "warning": "yellow", "FAILED": "bold red"}


def draw_table(table: Table, width: int) -> rich.table.Table:
    """Draw a table in `width` columns; stacked, a block a row, where words would be broken."""
    for padding in (1, 0):
        widths = _column_widths(table, width - (2 * padding + 1) * len(table.columns) - 1)
        if widths:
            return _draw_columns(table, widths, padding)
    return _draw_stacked(table)


def _draw_columns(table: Table, widths: list[int], padding: int) -> rich.table.Table:
    drawn = rich.table.Table(
        box=box.SIMPLE, show_footer=table.total is not None, padding=(0, padding)
    )
    totals = map(str, table.total) if table.total else iter([""] * len(table.columns))
    for index, column in enumerate(table.columns):
        numeric = any(isinstance(row[index], int) for row in table.rows)
        justify: Literal["left", "right"] = "right" if numeric else "left"
        drawn.add_column(
            column, next(totals), justify=justify, overflow="fold", width=widths[index]
        )
    for row in table.rows:
        drawn.add_row(*map(_cell, row))
    return drawn


def _draw_stacked(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column()
    drawn.add_column(overflow="fold")
    for row in (*table.rows, *([table.total] if table.total else [])):
        drawn.add_row()
        for column, cell in zip(table.columns, row, strict=True):
            drawn.add_row(column, _cell(cell))
    drawn.add_row()
    return drawn


def _column_widths(table: Table, width: int) -> list[int] | None:
    """Return widths, of `width` together, that break no word of a cell; None if there are none.

    Paths may be broken: they have no other place to be folded at.
    """
    rows = [table.columns, *table.rows, *([table.total] if table.total else [])]
    columns = [[one_line(str(cell)) for cell in column] for column in zip(*rows, strict=True)]
    least = [max(map(_longest_word, cells)) for cells in columns]
    most = [max(map(cell_len, cells)) for cells in columns]
    spare = width - sum(least)
    if spare < 0:
        return None
    while spare and least != most:
        wants = [high - low for low, high in zip(least, most, strict=True)]
        least[wants.index(max(wants))] += 1
        spare -= 1
    return least


def _longest_word(cell: str) -> int:
    return max(
        (min(cell_len(word), 12) if "/" in word else cell_len(word) for word in cell.split()),
        default=1,
    )


def _cell(cell: Cell) -> Text:
    text = one_line(str(cell))
    return Text(text, style=_RESULT_STYLES.get(text, ""))
