"""Everything that is printed: results on standard output, all else on standard error."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, TextIO

import rich.console
import rich.table
import typer
from rich.cells import cell_len
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from kolektor_cli.cli.bar import Bar, duration
from kolektor_cli.cli.drawing import draw_table
from kolektor_cli.cli.render.envelope import envelope
from kolektor_cli.cli.render.findings import FindingLine, finding_lines, kind_lines
from kolektor_cli.cli.render.tables import Cell, Table, leaks_line
from kolektor_cli.cli.streams import discard, one_line
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.version import __version__

if TYPE_CHECKING:
    from kolektor_cli.findings import Finding
    from kolektor_cli.raw.scan import Scan
    from kolektor_cli.splits.split import Leak

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}

_NOTES = 10
"""How many findings a conversion tells; `inspect --items` tells all."""

_PIPE_WIDTH = 100_000
"""Columns for output that is not a terminal: wide enough to cut and fold nothing."""

_CLEAR_LINE = "\r\x1b[2K"


class _PipeConsole(rich.console.Console):
    """Drops what is written to a closed pipe: the reader has what it wanted; Rich would exit."""

    def on_broken_pipe(self) -> None:
        discard(self.file)


def _console(stream: TextIO) -> _PipeConsole:
    width = None if stream.isatty() else _PIPE_WIDTH
    return _PipeConsole(file=stream, width=width, highlight=False, markup=False, emoji=False)


class Console:
    """Standard output for a command's result, standard error for progress and notes.

    With `quiet`, there is no progress and no note. In a pipe of several commands only the last one
    draws progress, since all have the same terminal.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._started = time.monotonic()
        self._quiet = quiet
        self._piped = _is_pipe(sys.stdout)
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

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
        """Print a text in Markdown: laid out on a terminal, else as it is.

        What is longer than the screen is shown by the pager.
        """
        if not sys.stdout.isatty():
            self.text(markdown)
            return
        document = _laid_out(markdown)
        if len(self._out.render_lines(document)) < self._out.height:
            self._out.print(document)
            return
        # Without -R, less shows the codes of colours in place of colours.
        os.environ.setdefault("LESS", "-R")
        with self._out.pager(styles=True):
            self._out.print(document)

    def tables(self, tables: Iterable[Table]) -> None:
        """Print tables; cells are folded between words where the terminal is too narrow."""
        for table in tables:
            self._out.print(Text(one_line(table.title), style="bold"), soft_wrap=True)
            drawing = draw_table(table, self._out.width)
            if self._out.is_terminal:
                self._out.print(drawing)
            else:
                with self._out.capture() as drawn:
                    self._out.print(drawing)
                self.text("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))

    def line(self, text: str) -> None:
        """Print one line, which a terminal breaks as it likes, so that it can be copied."""
        self._out.print(one_line(text), soft_wrap=True)

    def words(self, text: str) -> None:
        """Print a sentence; it is folded between words where the terminal is too narrow.

        A word that is longer than a line is left to the terminal, so that it can be copied.
        """
        fits = all(cell_len(word) <= self._out.width for word in text.split())
        self._out.print(one_line(text), soft_wrap=not fits)

    def findings(
        self, findings: Iterable[Finding], check: str = "", *, to_error: bool = False
    ) -> None:
        """Print a line a finding, or one for many of the same cause."""
        console = self._err if to_error else self._out
        for line in finding_lines(findings):
            _print_finding(console, line, check)

    def kinds(self, findings: Iterable[Finding]) -> None:
        """Print a line for each kind of findings."""
        for line in kind_lines(findings):
            _print_finding(self._out, line)

    def notes(self, findings: Iterable[Finding]) -> None:
        """Tell warnings and errors on standard error, the first few in full."""
        if self._quiet:
            return
        told = finding_lines(finding for finding in findings if finding.severity != "info")
        self._clear_line()
        for line in told[:_NOTES]:
            _print_finding(self._err, line)
        if len(told) > _NOTES:
            more = sum(line.number for line in told[_NOTES:])
            self.note(f"and {more} more; 'kolektor inspect --items' lists them")

    def deviations(self, scan: Scan, leaks: Sequence[Leak]) -> None:
        """Tell on standard error what deviates, what is left out, and what leaks from a split."""
        self.notes(scan.findings)
        if leaks:
            self.note(leaks_line(leaks))
        if scan.left_out:
            self.note(f"left out: {', '.join(scan.left_out)}")

    def note(self, text: str, *, soft_wrap: bool = False) -> None:
        """Tell something on standard error; with `soft_wrap`, as one line that can be copied."""
        if not self._quiet:
            self._clear_line()
            whole = soft_wrap or not self._err.is_terminal
            self._err.print(one_line(text), soft_wrap=whole, overflow="fold")

    def _clear_line(self) -> None:
        """Clear what the reader of our pipe may have drawn on the terminal's line: its progress."""
        if self._piped and sys.stderr.isatty():
            self._err.file.write(_CLEAR_LINE)

    def ending(self, made: str, *command: object) -> None:
        """Tell on standard error what was made, how long it took, and the command to go on with."""
        self.note(f"{made} in {duration(time.monotonic() - self._started)}")
        if command:
            self.note(f"next: {shlex.join(map(str, command))}", soft_wrap=True)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Show at once that something goes on, while libraries are loaded."""
        with self.progress():
            yield

    @contextmanager
    def progress(self, *, steps: int = 1, of_bytes: bool = False) -> Iterator[StepProgress]:
        """Show one bar on standard error, if that is a terminal, while work goes on.

        `steps` is the number of steps that are counted; each gets the same share of the bar. With
        `of_bytes`, what is counted are bytes.
        """
        if self._quiet or self._piped or not sys.stderr.isatty():
            yield no_steps
            return
        columns = (
            SpinnerColumn("line"),
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.fields[count]}"),
        )
        with Progress(*columns, console=self._err, transient=True) as bars:
            yield Bar(bars, steps, of_bytes=of_bytes)


def _laid_out(markdown: str) -> rich.console.RenderableType:
    """Lay out Markdown; cells of tables are folded where the terminal is too narrow, never cut."""
    # It takes its time to load, and only `kolektor docs` needs it.
    from rich.markdown import Markdown, TableElement

    class FoldedTable(TableElement):
        def __rich_console__(
            self, console: rich.console.Console, options: rich.console.ConsoleOptions
        ) -> rich.console.RenderResult:
            for part in super().__rich_console__(console, options):
                if isinstance(part, rich.table.Table):
                    for column in part.columns:
                        column.overflow = "fold"
                yield part

    class Document(Markdown):
        elements = {**Markdown.elements, "table_open": FoldedTable}  # noqa: RUF012

    return Document(markdown)


def _is_pipe(stream: IO[str]) -> bool:
    with suppress(OSError, ValueError):
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    return False


def _print_finding(console: rich.console.Console, line: FindingLine, check: str = "") -> None:
    """Print a finding; on a terminal it is folded between words, beside its severity."""
    severity = Text(f"{line.severity:8}", style=_STYLES[line.severity])
    text = Text((f"{check}: " if check else "") + one_line(line.text), overflow="fold")
    if not console.is_terminal:
        console.print(severity + text, soft_wrap=True)
        return
    grid = rich.table.Table.grid()
    grid.add_column(width=len(severity))
    grid.add_column(overflow="fold")
    grid.add_row(severity, text)
    console.print(grid)


def exit_unless(ok: bool) -> None:
    """End a command that found something wrong with exit code 1."""
    if not ok:
        raise typer.Exit(1)
