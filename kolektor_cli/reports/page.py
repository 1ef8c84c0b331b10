"""The parts of a page of HTML; every text is escaped where it becomes a part.

A page stands alone: one file without network, with styles and a short script of its own, and a
policy that allows nothing else to be loaded or run.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import NewType, TypeAlias

Html = NewType("Html", str)
"""Text of HTML, all that comes from elsewhere escaped."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number in a table: how it is written, and what it is sorted by; None for no number."""

    text: str
    number: float | None
    below: str = ""


Cell: TypeAlias = "str | int | Value"


Section: TypeAlias = "tuple[str, str, Html]"
"""A part of the page: its key, its title for the contents, and itself."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG with its size in pixels and what stands for it where it is not seen."""

    data: bytes
    width: int
    height: int
    alt: str


def text(value: object) -> Html:
    """Return a value as text; control characters become replacement characters.

    Examples
    --------
    >>> text('<b> & "quotes"')
    '&lt;b&gt; &amp; &quot;quotes&quot;'
    """
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_control(c) else c for c in str(value))
    return Html(escape(shown))


def _is_control(character: str) -> bool:
    # A lone surrogate is of a name that is no text.
    return character not in "\t\n" and unicodedata.category(character) in ("Cc", "Cs")


def name(value: object) -> Html:
    """Return a name as text whose direction of writing does not reach beyond it."""
    return Html(f"<bdi>{text(value)}</bdi>")


def joined(parts: Iterable[Html], between: str = "") -> Html:
    """Return parts one after the other, with a plain text between them."""
    return Html(text(between).join(parts))


def paragraph(*parts: Html) -> Html:
    """Return a paragraph of parts."""
    return Html(f"<p>{joined(parts)}</p>")


def bullets(items: Iterable[Html]) -> Html:
    """Return a list of parts."""
    return Html(f"<ul>{joined(Html(f'<li>{item}</li>') for item in items)}</ul>")


def section(key: str, title: str, *parts: Html, level: int = 2) -> Html:
    """Return a section with its heading.

    `key` is its identifier, unique in the page: letters, digits and hyphens.
    """
    return Html(
        f'<section id="{key}" aria-labelledby="{key}-heading">'
        f'<h{level} id="{key}-heading">{name(title)}</h{level}>{joined(parts)}</section>\n'
    )


def folded(title: Html, *parts: Html) -> Html:
    """Return parts that are shown when their title is chosen, and in print."""
    return Html(f"<details><summary>{title}</summary>{joined(parts)}</details>")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Html:
    """Return a table that can be sorted; the first cell of a row is its heading."""
    shown = list(rows)
    heads = "".join(
        f'<th scope="col"{_of_numbers(shown, place)}>'
        f'<button type="button" class="sort">{text(column)}</button></th>'
        for place, column in enumerate(columns)
    )
    body = "".join(f"<tr>{_row(row)}</tr>\n" for row in shown)
    return Html(
        f'<div class="scroll" role="region" aria-label="{text(title)}" tabindex="0"><table>'
        f"<caption>{name(title)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _of_numbers(rows: Sequence[Sequence[Cell]], place: int) -> str:
    """Say that a column is of numbers, whose heading stands above them."""
    numbers = any(not isinstance(row[place], str) for row in rows)
    return ' class="of-numbers"' if numbers and place else ""


def facts(title: str, rows: Iterable[tuple[str, Cell]]) -> Html:
    """Return a table of facts: what, and its value."""
    body = "".join(f"<tr>{_row(row)}</tr>\n" for row in rows)
    return Html(
        f'<div class="scroll" role="region" aria-label="{text(title)}" tabindex="0">'
        f'<table class="facts"><caption>{name(title)}</caption><tbody>{body}</tbody></table>'
        "</div>\n"
    )


def _row(cells: Sequence[Cell]) -> str:
    first, *others = cells
    return f'<th scope="row">{_inside(first)}</th>' + "".join(map(_cell, others))


def _cell(cell: Cell) -> str:
    if isinstance(cell, Value):
        by = "" if cell.number is None else repr(float(cell.number))
        return f'<td class="number" data-by="{by}">{_inside(cell)}</td>'
    if isinstance(cell, int):
        return f'<td class="number" data-by="{cell}">{cell}</td>'
    return f"<td>{_inside(cell)}</td>"


def _inside(cell: Cell) -> str:
    if isinstance(cell, Value):
        below = f" <small>{text(cell.below)}</small>" if cell.below else ""
        return text(cell.text) + below
    return name(cell)


def gallery(cells: Iterable[Html]) -> Html:
    """Return cells beside each other, as many in a row as there is room for."""
    return Html(f'<div class="gallery">{joined(cells)}</div>\n')


def cell(pictures: Sequence[Picture], *caption: Html) -> Html:
    """Return pictures with their caption; each can be enlarged."""
    shown = "".join(map(_enlargeable, pictures))
    return Html(
        f'<figure class="cell"><div class="pictures">{shown}</div>'
        f"<figcaption>{joined(caption)}</figcaption></figure>\n"
    )


def _enlargeable(picture: Picture) -> str:
    square = " square" if picture.width == picture.height else ""
    return f'<button type="button" class="enlarge{square}">{image(picture)}</button>'


def image(picture: Picture) -> Html:
    """Return a picture by itself."""
    data = base64.b64encode(picture.data).decode()
    return Html(
        f'<img src="data:image/jpeg;base64,{data}" width="{picture.width}" '
        f'height="{picture.height}" alt="{text(picture.alt)}">'
    )


def plot(title: str, svg: str, names: Sequence[str] = ()) -> Html:
    """Return a plot with its title, from its SVG and the names of its series."""
    legend = _legend(names) if names else ""
    told = f"<figcaption>{text(title)}</figcaption>"
    return Html(f'<figure class="plotted">{told}{svg}{legend}</figure>\n')


def pictured(title: str, picture: Picture, *below: Html) -> Html:
    """Return a picture that can be enlarged, as a plot with its title."""
    told = f"<figcaption>{text(title)}</figcaption>"
    shown = _enlargeable(picture)
    return Html(f'<figure class="plotted">{told}{shown}{joined(below)}</figure>\n')


def plots(drawn: Iterable[Html]) -> Html:
    """Return plots beside each other."""
    return Html(f'<div class="plots">{joined(drawn)}</div>\n')


def _legend(names: Sequence[str]) -> str:
    items = (
        f'<li><svg class="key" viewBox="0 0 24 10" aria-hidden="true">'
        f'<path class="l{number % 8}" d="M0 5H24"/></svg> {name(one)}</li>'
        for number, one in enumerate(names)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def chapter(key: str, title: str, *parts: Html) -> Section:
    """Return a section of the page with its entry for the contents; see `section`."""
    return key, title, section(key, title, *parts)


def page(title: str, lead: Html, sections: Sequence[Section]) -> str:
    """Return a whole page of ASCII characters, which reads the same in every encoding.

    Parameters
    ----------
    title
        The title, which need not be escaped.
    lead
        What stands above the contents.
    sections
        The parts, in their order.
    """
    style, script = (_ours(file) for file in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{key}">{text(told)}</a></li>' for key, told, _ in sections)
    whole = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{name(title)}</h1>{lead}\n"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav></header>\n<main>\n'
        f"{joined(part for _, _, part in sections)}</main>\n"
        '<dialog aria-label="Enlarged picture"><form method="dialog"><button>Close</button></form>'
        f'<div class="large" tabindex="0"></div><p></p></dialog>\n<script>{script}</script>\n'
        "</body>\n</html>\n"
    )
    return whole.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _ours(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="ascii")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("ascii")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
