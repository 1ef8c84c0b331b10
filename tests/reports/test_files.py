"""Pages as files: what they hold, and the same bytes each time."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.reports.files import encode_page, page_suffix
from kolektor_cli.reports.overlay import to_rgb
from kolektor_cli.reports.sheet import Cell, Page, Part, arrange
from tests.conftest import draw_image

HOSTILE = "<script>\"&'\u05d0\u4e2d\n\udc80(\\)"


def make_page() -> Page:
    image = np.dstack([draw_image(seed, 50, 30) for seed in range(3)])
    return arrange([Cell((Part(to_rgb(image)),), (HOSTILE, "kos01/Part5"))], ["head"], side=400)


def test_png_is_the_page() -> None:
    page = make_page()
    assert (decode_image(encode_page(page, ".png"), "page") == page.drawn()).all()


def test_svg_has_the_picture_and_texts_that_can_be_searched() -> None:
    page = make_page()
    root = ElementTree.fromstring(encode_page(page, ".svg"))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert texts[0] == "head"
    assert texts[-1] == "kos01/Part5"
    assert "".join(str(text) for text in texts[1:-1]) == (
        "<script>\"&'\u05d0\u4e2d" + r"\x0a\udc80(\)"
    )
    [image] = root.iter(f"{space}image")
    kind, data = image.attrib["href"].split(",")
    assert kind == "data:image/png;base64"
    assert (decode_image(base64.b64decode(data), "page") == page.plain).all()


def test_pdf_has_the_picture_without_loss_and_its_texts() -> None:
    page = make_page()
    data = encode_page(page, ".pdf")
    height, width = page.plain.shape[:2]
    content, picture = (
        zlib.decompress(part) for part in re.findall(rb"stream\n(.*?)\nendstream", data, re.DOTALL)
    )
    rows = np.frombuffer(picture, np.uint8).reshape(height, 1 + 3 * width)
    # Each row has the filter Up.
    assert (rows[:, 0] == 2).all()
    pixels = rows[:, 1:].cumsum(axis=0, dtype=np.uint8).reshape(height, width, 3)
    assert (pixels == page.plain).all()
    assert b"(kos01/Part5) Tj" in content
    assert rb"\\u05d0" in content
    assert rb"\(\\\)" in content
    assert b"Date" not in data
    # The table at the end says where each object begins.
    start = int(re.findall(rb"startxref\n(\d+)", data)[0])
    assert data[start:].startswith(b"xref\n")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", data[start:]), 1):
        assert data[int(place) :].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_bytes_are_the_same_each_time(suffix: str) -> None:
    assert encode_page(make_page(), suffix) == encode_page(make_page(), suffix)


def test_suffix_is_one_of_three() -> None:
    assert page_suffix(Path("a/B.PNG")) == ".png"
    for name in ("a.jpg", "a", ".png"):
        with pytest.raises(UsageError, match=r"\.png, \.pdf, \.svg"):
            page_suffix(Path(name))
