"""Everything that is printed: results on standard output, all else on standard error."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import rich.console
import rich.table
import typer
from rich import box
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from kolektor_cli.cli.render.envelope import envelope
from kolektor_cli.cli.render.findings import FindingLine, finding_lines
from kolektor_cli.cli.render.tables import Cell, Table, leaks_line
from kolektor_cli.cli.streams import discard, one_line
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.findings import Finding
from kolektor_cli.raw.scan import Scan
from kolektor_cli.splits.split import Leak
from kolektor_cli.version import __version__

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}

_RESULT_STYLES = {"ok": "green", "warning": "yellow", "FAILED": "bold red"}

_NOTES = 10
"""How many findings a conversion tells; `inspect` tells all."""

_PIPE_WIDTH = 100_000
"""Columns for output that is not a terminal: wide enough to cut and fold nothing."""


class _PipeConsole(rich.console.Console):
    """Drops what is written to a closed pipe: the reader has what it wanted; Rich would exit."""

    def on_broken_pipe(self) -> None:
        discard(self.file)


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
        self._err = _PipeConsole(
            file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    def json(self, command: str, ok: bool, result: Mapping[str, Any]) -> None:
        """Print one JSON object in ASCII: facts about the command, then its result."""
        self.text(json.dumps(envelope(__version__, command, ok, result), indent=2) + "\n")

    def csv(self, rows: Iterable[tuple[Cell, ...]]) -> None:
        """Print rows of CSV, with line feeds as line ends."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.text(text.getvalue())

    def text(self, text: str) -> None:
        """Print a text as it is."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            discard(sys.stdout)

    def data(self, data: bytes) -> None:
        """Print bytes as they are."""
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            discard(sys.stdout)

    def document(self, markdown: str) -> None:
        """Print a text in Markdown: laid out on a terminal, else as it is."""
        if not self._out.is_terminal:
            self.text(markdown)
            return
        from rich.markdown import Markdown

        self._out.print(Markdown(markdown))

    def tables(self, tables: Iterable[Table]) -> None:
        """Print tables; cells are folded where the terminal is too narrow, never cut."""
        for table in tables:
            self._out.print(Text(one_line(table.title), style="bold"), soft_wrap=True)
            if self._out.is_terminal:
                self._out.print(_draw(table))
            else:
                with self._out.capture() as drawn:
                    self._out.print(_draw(table))
                self.text("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))

    def line(self, text: str) -> None:
        """Print one line."""
        self._out.print(one_line(text), soft_wrap=True)

    def findings(
        self, findings: Iterable[Finding], check: str = "", *, to_error: bool = False
    ) -> None:
        """Print a line a finding, or one for many of the same cause."""
        console = self._err if to_error else self._out
        for line in finding_lines(findings):
            console.print(_styled(line, check), soft_wrap=True)

    def notes(self, findings: Iterable[Finding]) -> None:
        """Tell warnings and errors on standard error, the first few in full."""
        told = finding_lines(finding for finding in findings if finding.severity != "info")
        for line in told[:_NOTES]:
            self.note(_styled(line))
        if len(told) > _NOTES:
            more = sum(line.number for line in told[_NOTES:])
            self.note(f"and {more} more; 'kolektor inspect' lists them")

    def deviations(self, scan: Scan, leaks: Sequence[Leak]) -> None:
        """Tell on standard error what deviates, what is left out, and what leaks from a split."""
        self.notes(scan.findings)
        if leaks:
            self.note(leaks_line(leaks))
        if scan.left_out:
            self.note(f"left out: {', '.join(scan.left_out)}")

    def note(self, text: str | Text) -> None:
        """Tell something on standard error."""
        if not self._quiet:
            self._err.print(one_line(text) if isinstance(text, str) else text)

    @contextmanager
    def progress(self, *, of_bytes: bool = False) -> Iterator[StepProgress]:
        """Show a progress bar on standard error, if that is a terminal, while work goes on.

        With `of_bytes`, what is counted are bytes.
        """
        if self._quiet or not sys.stderr.isatty():
            yield no_steps
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn() if of_bytes else MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._err, transient=True) as bars:
            task = bars.add_task("", total=None)
            yield lambda step, done, total: bars.update(
                task, description=step, completed=done, total=total or None
            )


def _draw(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(
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


def _styled(line: FindingLine, check: str = "") -> Text:
    text = Text()
    text.append(f"{line.severity:8}", style=_STYLES[line.severity])
    text.append(f"{check}: " if check else "")
    text.append(one_line(line.text))
    return text


def exit_unless(ok: bool) -> None:
    """End a command that found something wrong with exit code 1."""
    if not ok:
        raise typer.Exit(1)
