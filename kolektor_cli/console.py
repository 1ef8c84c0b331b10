"""Everything that is printed: results on standard output, all else on standard error."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import rich.console
import rich.table
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from kolektor_cli import __version__, parallel, staging
from kolektor_cli.records import Finding
from kolektor_cli.render import Cell, Table, envelope, one_line

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}
_RESULT_STYLES = {"ok": "green", "FAILED": "bold red"}
_NOTES = 10
"""How many findings a conversion tells; `inspect` tells all."""

_PIPE_WIDTH = 100_000
"""Columns for output that is not a terminal: wide enough to cut and fold nothing."""


class _PipeConsole(rich.console.Console):
    """Leaves it to the caller what a closed pipe means; Rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Console:
    """Standard output for a command's result, standard error for progress and notes.

    With `quiet`, there is no progress and no note.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        self._out = _PipeConsole(
            file=sys.stdout, width=width, highlight=False, markup=False, emoji=False
        )
        self._err = rich.console.Console(
            file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    def json(self, command: str, ok: bool, result: Mapping[str, Any]) -> None:
        """Print one JSON object in ASCII: facts about the command, then its result."""
        sys.stdout.write(json.dumps(envelope(__version__, command, ok, result), indent=2) + "\n")

    def csv(self, rows: Iterable[tuple[Cell, ...]], path: Path | None = None) -> None:
        """Print rows of CSV, with line feeds as line ends; or write them to a file, all or nothing.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        if path is None:
            sys.stdout.write(text.getvalue())
        else:
            # Names that are no text in UTF-8 are written as they are printed.
            data = text.getvalue().encode(errors="backslashreplace")
            staging.replace_file(path, data)

    def tables(self, tables: Iterable[Table]) -> None:
        """Print tables; cells are folded where the terminal is too narrow, never cut."""
        for table in tables:
            self._out.print(_draw(table))

    def line(self, text: str) -> None:
        """Print one line."""
        self._out.print(one_line(text), soft_wrap=True)

    def findings(self, findings: Iterable[Finding], check: str = "") -> None:
        """Print a line a finding."""
        for finding in findings:
            self._out.print(_finding_line(finding, check), soft_wrap=True)

    def notes(self, findings: Iterable[Finding]) -> None:
        """Tell warnings and errors on standard error, the first few in full."""
        told = [finding for finding in findings if finding.severity != "info"]
        for finding in told[:_NOTES]:
            self.note(_finding_line(finding))
        if len(told) > _NOTES:
            self.note(f"and {len(told) - _NOTES} more; 'kolektor inspect' lists them")

    def note(self, text: str | Text) -> None:
        """Tell something on standard error."""
        if not self._quiet:
            self._err.print(one_line(text) if isinstance(text, str) else text)

    @contextmanager
    def progress(self, description: str) -> Iterator[parallel.Progress]:
        """Show a progress bar on standard error, if that is a terminal, while work goes on."""
        if self._quiet or not sys.stderr.isatty():
            yield parallel.no_progress
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._err, transient=True) as bars:
            task = bars.add_task(description, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)


def _draw(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
        show_footer=table.total is not None,
    )
    totals = map(str, table.total) if table.total else iter([""] * len(table.columns))
    for index, column in enumerate(table.columns):
        numeric = any(isinstance(row[index], int) for row in table.rows)
        justify: Literal["left", "right"] = "right" if numeric else "left"
        drawn.add_column(column, next(totals), justify=justify, overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(_cell, row))
    return drawn


def _cell(cell: Cell) -> Text:
    text = one_line(str(cell))
    return Text(text, style=_RESULT_STYLES.get(text, ""))


def _finding_line(finding: Finding, check: str = "") -> Text:
    line = Text()
    line.append(f"{finding.severity:8}", style=_STYLES[finding.severity])
    line.append(f"{check}: " if check else "")
    line.append(one_line(f"{finding.path}: ") if finding.path else "")
    line.append(one_line(f"{finding.message} ({finding.code})"))
    return line
