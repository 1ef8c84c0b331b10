"""A page as the bytes of a file: PNG, PDF or SVG, the same each time."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.png import encode_png
from kolektor_cli.reports.lettering import INK, Text, escaped, legible
from kolektor_cli.reports.sheet import Page

_DOTS = 150
"""Pixels of a page to an inch of a PDF."""


def encode_page(page: Page, suffix: str) -> bytes:
    """Return a page as a file of the kind that `suffix` names; see `page_suffix`."""
    return _ENCODERS[suffix](page)


def page_suffix(path: Path) -> str:
    """Return the suffix of a file for a page in lower case: ``.png``, ``.pdf`` or ``.svg``.

    Raises
    ------
    UsageError
        The file has another suffix.
    """
    suffix = path.suffix.casefold()
    if suffix not in _ENCODERS:
        raise UsageError(f"{path}: ends in none of {', '.join(_ENCODERS)}; choose one of them")
    return suffix


def _png(page: Page) -> bytes:
    return encode_png(page.drawn(), rgb=True)


def _svg(page: Page) -> bytes:
    """Return one file: the pictures as a PNG, the captions as texts that can be searched."""
    height, width = page.plain.shape[:2]
    data = base64.b64encode(encode_png(page.plain, rgb=True)).decode()
    color = f"#{bytes(INK).hex()}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">',
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/>',
        f'<g font-family="Helvetica, Arial, sans-serif" fill="{color}" xml:space="preserve">',
        *map(_svg_text, page.texts),
        "</g>",
        "</svg>",
    ]
    return "\n".join([*lines, ""]).encode()


def _svg_text(text: Text) -> str:
    # What is not printable, such as surrogates and commands to turn the direction, XML forbids or
    # a reader does not see.
    shown = "".join(letter if letter.isprintable() else escaped(letter) for letter in text.text)
    return f'<text x="{text.x}" y="{text.y}" font-size="{text.size}">{escape(shown)}</text>'


def _pdf(page: Page) -> bytes:
    """Return a PDF of one page: the pictures without loss, the captions as texts, no dates."""
    height, width = page.plain.shape[:2]
    scale = 72 / _DOTS
    box = f"{width * scale:.2f} {height * scale:.2f}"
    drawing = [
        f"q {width * scale:.2f} 0 0 {height * scale:.2f} 0 0 cm /Picture Do Q",
        " ".join(f"{value / 255:.3f}" for value in INK) + " rg",
        *(_pdf_text(text, height, scale) for text in page.texts),
    ]
    content = zlib.compress("\n".join(drawing).encode("cp1252"), 6)
    # A predictor makes photographs smaller: 15 says that each row names its own filter, as in PNG.
    picture = _idat(encode_png(page.plain, rgb=True))
    return _pdf_file(
        [
            (b"<< /Type /Catalog /Pages 2 0 R >>", None),
            (b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", None),
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box}] /Contents 4 0 R /Resources "
                "<< /XObject << /Picture 5 0 R >> /Font << /F 6 0 R >> >> >>".encode(),
                None,
            ),
            (b"<< /Filter /FlateDecode", content),
            (
                f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace "
                "/DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode /DecodeParms << /Predictor 15 "
                f"/Colors 3 /BitsPerComponent 8 /Columns {width} >>".encode(),
                picture,
            ),
            (
                b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
                b"/Encoding /WinAnsiEncoding >>",
                None,
            ),
        ]
    )


def _idat(png: bytes) -> bytes:
    """Return the deflated rows of a PNG of `encode_png`, which has one chunk of them."""
    start = png.index(b"IDAT")
    return png[start + 4 : start + 4 + int.from_bytes(png[start - 4 : start], "big")]


def _pdf_text(text: Text, height: int, scale: float) -> str:
    western = (c if _is_western(c) else escaped(c) for c in legible(text.text))
    line = "".join(f"\\{letter}" if letter in "()\\" else letter for letter in "".join(western))
    x, y = text.x * scale, (height - text.y) * scale
    return f"BT /F {text.size * scale:.2f} Tf {x:.2f} {y:.2f} Td ({line}) Tj ET"


def _is_western(letter: str) -> bool:
    """Return whether a character is in the encoding of the PDF's font."""
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _pdf_file(objects: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """Join objects, numbered from 1; a stream's dictionary is left open for its length."""
    parts, places, position = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], [], 15
    for number, (head, stream) in enumerate(objects, 1):
        body = head
        if stream is not None:
            body += b" /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream"
        places.append(position)
        parts.append(b"%d 0 obj\n" % number + body + b"\nendobj\n")
        position += len(parts[-1])
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    total = len(objects) + 1
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % total + rows)
    parts.append(
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (total, position)
    )
    return b"".join(parts)


_ENCODERS: Mapping[str, Callable[[Page], bytes]] = {".png": _png, ".pdf": _pdf, ".svg": _svg}
