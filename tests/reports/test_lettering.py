"""Captions: nothing is cut, and what the font lacks can be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.reports.lettering import Text, legible, line_height, width_of, with_texts, wrapped


@given(st.text(max_size=60), st.integers(1, 300), st.integers(10, 30))
def test_lines_are_the_whole_text_and_fit(text: str, width: int, size: int) -> None:
    lines = wrapped(text, width, size)
    assert "".join(lines) == text
    for line in lines:
        assert len(line) < 2 or width_of(line, size) <= width + size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kos01/Part5.png (2)", "kos01/Part5.png (2)"),
        ("\u4e2d\u05d0", r"\u4e2d\u05d0"),
        ("a\n\x1b\x9f\u202e", r"a\x0a\x1b\x9f\u202e"),
        ("\udc80", r"\udc80"),
        ("\U0001f600", r"\U0001f600"),
    ],
)
def test_characters_without_a_glyph_are_escapes(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_texts_are_drawn_at_their_place() -> None:
    paper = np.full((60, 90, 3), 255, np.uint8)
    drawn = with_texts(paper, [Text(20, 40, "Hx", 16)])
    rows, columns, _ = np.nonzero(drawn != 255)
    assert 20 <= columns.min() < 24
    assert columns.max() <= 20 + width_of("Hx", 16)
    assert rows.max() == 39
    assert rows.min() > 40 - line_height(16)
    assert (paper == 255).all()
