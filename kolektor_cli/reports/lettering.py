"""Captions: wrapped, measured and drawn in the font that Pillow ships."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.reports.overlay import RGB

INK: RGB = (32, 32, 32)
"""The colour of captions."""

_NO_CHARACTER = "\U0010ffff"
"""A character that no font has: its glyph is that of characters that are missing."""

_PROBE = 32
"""Font size in pixels at which glyphs are compared."""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of a caption: `x` is its left end, `y` its baseline, `size` the font's, in pixels.

    `text` may hold characters that the font lacks; see `legible`.
    """

    x: int
    y: int
    text: str
    size: int


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    # Without FreeType, Pillow has letters of a single size, and of ASCII alone.
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise ImportError("Pillow was built without FreeType")
    return font


@lru_cache(maxsize=4096)
def _is_drawn(character: str) -> bool:
    """Return whether the font has a glyph for a character that leaves a mark, or a space."""
    if not character.isprintable():
        return False
    font = _font(_PROBE)
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))


def escaped(character: str) -> str:
    r"""Return a character as in Python's source text: ``\x07``, ``\u4e2d`` or ``\U0001f600``."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def legible(text: str) -> str:
    """Return a text with escapes for all characters that the font would show as boxes."""
    return "".join(letter if _is_drawn(letter) else escaped(letter) for letter in text)


def ascent(size: int) -> int:
    """Return the distance from the top of a line to its baseline in pixels."""
    return int(_font(size).getmetrics()[0])


def line_height(size: int) -> int:
    """Return the distance of two baselines in pixels."""
    return size * 4 // 3


def width_of(text: str, size: int) -> int:
    """Return the width of a text, as it is drawn, in pixels."""
    return -int(-_font(size).getlength(legible(text)) // 1)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Return a text in lines of at most `width` pixels, one character at least; nothing is cut.

    Lines end with a space where they can, else anywhere, as within a long name.
    """
    lines = []
    while (end := _first_line(text, width, size)) < len(text):
        end = text.rfind(" ", 0, end) + 1 or end
        lines.append(text[:end])
        text = text[end:]
    return [*lines, text]


def _first_line(text: str, width: int, size: int) -> int:
    """Return how many characters fit into a line; one does always."""
    used = 0.0
    for number, letter in enumerate(text):
        used += _advance(letter, size)
        if used > width and number:
            return number
    return len(text)


@lru_cache(maxsize=4096)
def _advance(letter: str, size: int) -> float:
    return float(_font(size).getlength(legible(letter)))


def lines_at(lines: Iterable[str], x: int, top: int, size: int) -> Iterator[Text]:
    """Yield lines below each other, the first with its top at `top`."""
    for number, line in enumerate(lines):
        yield Text(x, top + number * line_height(size) + ascent(size), line, size)


def with_texts(pixels: Pixels, texts: Iterable[Text]) -> Pixels:
    """Return a copy of an image, height x width x 3 uint8 (RGB), with texts drawn on it."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for text in texts:
        line = legible(text.text)
        draw.text((text.x, text.y), line, fill=INK, font=_font(text.size), anchor="ls")
    return np.array(image, np.uint8)
