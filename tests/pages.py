"""Pages of HTML, read as strictly as a validator reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "img", "br"}
"""Elements without an end tag."""

ADDRESSES = ("src", "href", "xlink:href", "action", "srcset", "poster", "data")


@dataclass
class Element:
    """An element with its attributes and the text in it and in what it holds."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page:
    """The elements of a page in their order."""

    elements: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def texts(self, tag: str) -> list[str]:
        return [element.text.strip() for element in self.all(tag)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        element = Element(tag, dict(attributes))
        self.page.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        # Only SVG has elements that end themselves.
        assert tag in ("path", "rect", "circle", "polyline"), tag
        self.page.elements.append(Element(tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop().tag == tag, f"</{tag}> is out of place"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read_page(text: str) -> Page:
    """Read a page, and check what holds for each: it is whole, stands alone, and can be heard."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    page = reader.page
    _check_alone(page, text)
    _check_headings(page)
    _check_names(page)
    return page


def _check_alone(page: Page, text: str) -> None:
    assert text.startswith("<!DOCTYPE html>\n")
    assert text.isascii()
    assert not re.search(r"https?:|[\"'(]//|@import|url\(", text)
    assert page.all("link") + page.all("iframe") + page.all("object") + page.all("base") == []
    for element in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in element.attributes)
        for name in ADDRESSES:
            value = element.attributes.get(name) or ""
            assert not value or value.startswith(("#", "data:image/")), value
    [policy] = [
        meta.attributes["content"] or ""
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert len(page.all("script")) == len(page.all("style")) == 1


def _check_headings(page: Page) -> None:
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
    assert page.all("html")[0].attributes["lang"] == "en"


def _check_names(page: Page) -> None:
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for told in ("aria-labelledby", "href"):
            value = element.attributes.get(told) or ""
            named = value.split() if told != "href" else [value[1:]] if value else []
            assert set(named) <= set(ids), value
    for image in page.all("img"):
        assert image.attributes.get("alt")
        assert int(image.attributes["width"] or 0) > 0
    for head in page.all("th"):
        assert head.attributes.get("scope") in ("row", "col")
    assert len(page.all("caption")) == len(page.all("table"))
