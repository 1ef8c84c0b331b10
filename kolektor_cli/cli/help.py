"""A command's help as data, and as plain text; `panels` draws it on a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap
from typing import Any, TypeAlias

import typer

from kolektor_cli.cli.options import (
    FITS,
    OF_GEOMETRY,
    OF_OUTPUT,
    OF_RUN,
    OF_SOURCE,
    OF_SPLIT,
    PROTOCOLS,
)

Row: TypeAlias = tuple[str, str]
"""A name and what it means, or one line and an empty text."""

_EXPLAINED: Mapping[str, tuple[str, Mapping[Any, str]]] = {
    "fit": ("Fits", FITS),
    "protocol": ("Protocols (KolektorSDD: train / test good + defective)", PROTOCOLS),
}
"""Tables of an option's values, by the option's name."""

_FIRST, _LAST = (OF_SOURCE,), (OF_OUTPUT, OF_GEOMETRY, OF_SPLIT, OF_RUN)
"""Headings that come before and after those of one command alone."""

_FEW = 6
"""Up to so many options stand under one heading."""

_NARROWEST, _WIDEST = 40, 120
"""Longer lines are hard to read; shorter ones hold no two columns."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with rows below it."""

    title: str
    rows: tuple[Row, ...]

    @property
    def has_texts(self) -> bool:
        """Whether the rows are names with texts; else they are commands."""
        return any(text for _, text in self.rows)


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help of a command."""

    usage: str
    prose: tuple[str, ...]
    sections: tuple[Section, ...]


def write_help(command: Any, ctx: Any, formatter: Any) -> None:
    """Write a command's help: in panels for a terminal, else as plain text."""
    width = min(max(typer.get_terminal_size().columns, _NARROWEST), _WIDEST)
    page = _page(command, ctx)
    if sys.stdout.isatty():
        from kolektor_cli.cli.panels import in_panels

        formatter.write(in_panels(page, width))
    else:
        formatter.write("\n".join(_plain(page, width)) + "\n")


def _page(command: Any, ctx: Any) -> HelpPage:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    # \b marks what is laid out by lines: a heading, and rows or commands.
    blocks = (command.help or "").split("\n\n")
    prose = [" ".join(block.split()) for block in blocks if not block.startswith("\b")]
    laid_out = [_laid_out(block) for block in blocks if block.startswith("\b")]
    sections = [*_of_commands(command), *_of_params(command, ctx), *laid_out]
    return HelpPage(usage, tuple(prose), tuple(sections))


def _laid_out(block: str) -> Section:
    _, title, *lines = block.split("\n")
    return Section(title.rstrip(":"), tuple((line.strip(), "") for line in lines))


def _of_commands(command: Any) -> Iterator[Section]:
    shown = [one for one in getattr(command, "commands", {}).values() if not one.hidden]
    for title in dict.fromkeys(one.rich_help_panel for one in shown):
        yield Section(
            title,
            tuple(
                (one.name, one.get_short_help_str(1000))
                for one in shown
                if one.rich_help_panel == title
            ),
        )


def _of_params(command: Any, ctx: Any) -> Iterator[Section]:
    params = [param for param in command.get_params(ctx) if not getattr(param, "hidden", False)]
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = [param for param in params if param.param_type_name == "option"]
    if arguments:
        yield Section("Arguments", tuple(map(_argument_row, arguments)))
    few = len(options) - 1 <= _FEW  # --help is one of them
    titles = ["Options" if few else param.rich_help_panel or OF_RUN for param in options]
    own = [title for title in titles if title not in _FIRST + _LAST]
    for title in dict.fromkeys([*_FIRST, *own, *_LAST]):
        chosen = [param for param, of in zip(options, titles, strict=True) if of == title]
        if chosen:
            yield Section(title, tuple(_option_row(param, ctx) for param in chosen))
        for param in chosen:
            if param.name in _EXPLAINED:
                heading, table = _EXPLAINED[param.name]
                yield Section(heading, tuple(table.items()))


def _argument_row(param: Any) -> Row:
    variable = f"  [env var: {param.envvar}]" if param.envvar else ""
    return param.display_name_raw, f"{param.help or ''}{variable}"


def _option_row(param: Any, ctx: Any) -> Row:
    names, text = param.get_help_record(ctx)
    value = re.search(r" <(.+)>$", names)
    if value:
        names = names.removesuffix(value[0])
        short = value[1] if len(value[1]) <= 20 else ""
        names += f" {short or 'NAME'}"
        if not short and param.name not in _EXPLAINED:
            # What Typer adds stands in brackets at the end.
            told, bracket, added = text.partition("  [")
            text = f"{told} One of: {', '.join(value[1].split('|'))}.{bracket}{added}"
    # What goes without saying.
    text = re.sub(r"  \[x>=[01]\]|; x>=[01]", "", text)
    text = re.sub(r"x>=(\d+)", r"from \1", text)
    return names, re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", text)


def _plain(page: HelpPage, width: int) -> Iterator[str]:
    yield from wrap(
        f"Usage: {page.usage}", width, subsequent_indent=" " * 7, break_on_hyphens=False
    )
    for paragraph in page.prose:
        yield ""
        yield from (f"  {line}" for line in _lines(paragraph, width - 4))
    for section in page.sections:
        yield ""
        yield f"{section.title}:"
        if section.has_texts:
            yield from _plain_rows(section.rows, width - 2)
        else:
            yield from (f"  {command}" for command, _ in section.rows)


def _plain_rows(rows: Sequence[Row], width: int) -> Iterator[str]:
    left = name_width(rows, width)
    for name, text in rows:
        cells = zip_longest(_lines(name, left), _lines(text, width - left - 2), fillvalue="")
        yield from (f"  {start:{left}}  {end}".rstrip() for start, end in cells)


def _lines(text: str, width: int) -> Iterable[str]:
    return wrap(text, width, break_on_hyphens=False)


def name_width(rows: Sequence[Row], width: int) -> int:
    """Return the columns that the names of rows get: up to a third of the width, wrapped."""
    most = max(width // 3, 20)
    return max(len(line) for name, _ in rows for line in _lines(name, most))
