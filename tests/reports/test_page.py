"""The page: whole, alone, and every text as text."""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import pytest

from kolektor_cli.reports.cells import jpeg
from kolektor_cli.reports.page import (
    Picture,
    Value,
    bullets,
    cell,
    chapter,
    facts,
    folded,
    gallery,
    name,
    page,
    paragraph,
    plot,
    plots,
    table,
    text,
)
from kolektor_cli.reports.plots import histogram
from tests.pages import Page, read_page

HOSTILE = (
    "<script>alert(1)</script>",
    "\"quotes\" 'and' more > < &amp;",
    "x" * 200,
    "\N{HEBREW LETTER ALEF}\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "--></style></title><img src=x onerror=alert(1)>",
    "line\nbreak\tand \N{PILE OF POO}",
)


def picture(alt: str) -> Picture:
    return jpeg(np.full((6, 9, 3), 200, np.uint8), alt)


def page_of(told: str) -> str:
    """Make a page that says a text in every place where a page says one."""
    svg = histogram("sizes", told, told, {told: [1, 2, 3]})
    parts = [
        paragraph(text(told)),
        bullets([name(told)]),
        table(told, ("name", told), [(told, Value(told, 1, told))]),
        facts(told, [(told, told)]),
        gallery([cell([picture(told)], name(told))]),
        plots([plot(told, svg, [told])]),
        folded(text(told)),
    ]
    return page(told, paragraph(text(told)), [chapter("part", told, *parts)])


@pytest.mark.parametrize("told", HOSTILE)
def test_hostile_text_appears_as_text(told: str) -> None:
    found = read_page(page_of(told))
    for tag in ("h1", "h2", "title", "p", "li", "caption", "summary", "figcaption"):
        assert told in [element.text for element in found.all(tag)], tag
    assert told in [image.attributes["alt"] for image in found.all("img")]
    cells = [element.text for element in [*found.all("td"), *found.all("th")]]
    assert sum(told in one for one in cells) >= 4


@pytest.mark.parametrize("told", ["a\0b", "a\x1bb", "a\udcffb", "a\x7fb"])
def test_what_is_no_text_is_replaced(told: str) -> None:
    found = read_page(page_of(told))
    assert found.texts("h1") == ["a\N{REPLACEMENT CHARACTER}b"]


def test_names_do_not_turn_what_stands_beside_them() -> None:
    assert name("\N{RIGHT-TO-LEFT OVERRIDE}x").startswith("<bdi>")


def test_policy_allows_our_style_and_script_alone() -> None:
    shown = page_of("text")
    found = read_page(shown)
    [policy] = [
        meta.attributes["content"] or ""
        for meta in found.all("meta")
        if "http-equiv" in meta.attributes
    ]
    for tag in ("style", "script"):
        content = shown.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.count("sha256-") == 2


def test_tables_say_what_they_sort_by() -> None:
    rows = [("one", 3, Value("0.500", 0.5, "0.4 to 0.6"), Value("\N{EN DASH}", None))]
    found = read_page(
        page("t", text(""), [chapter("a", "A", table("T", ("a", "b", "c", "d"), rows))])
    )
    assert [td.attributes["data-by"] for td in found.all("td")] == ["3", "0.5", ""]
    assert [b.text for b in found.all("button") if b.attributes.get("class") == "sort"] == [*"abcd"]
    assert found.all("small")[0].text == "0.4 to 0.6"
    scrolled = next(e for e in found.all("div") if e.attributes.get("class") == "scroll")
    assert scrolled.attributes["tabindex"] == "0"


def test_contents_lead_to_all_parts() -> None:
    found = read_page(page("t", text(""), [chapter(key, key.upper(), text("")) for key in "abc"]))
    assert [link.attributes["href"] for link in found.all("a")] == ["#a", "#b", "#c"]
    assert found.texts("h2") == ["A", "B", "C"]


def test_buttons_do_not_send_forms() -> None:
    found: Page = read_page(page_of("text"))
    kinds = [b.attributes.get("type") for b in found.all("button")]
    assert kinds.count("button") == len(kinds) - 1  # that of the dialog closes it
