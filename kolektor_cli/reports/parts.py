"""Parts that pages of sources, trees and scores share: findings, defects, pairs, versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from kolektor_cli.errors import KolektorError
from kolektor_cli.findings import Finding
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.reports import plots
from kolektor_cli.reports.cells import DefectCell, called, position_map, scale_bar, whole
from kolektor_cli.reports.page import (
    Html,
    Picture,
    Section,
    Value,
    cell,
    chapter,
    facts,
    folded,
    gallery,
    image,
    name,
    paragraph,
    pictured,
    plot,
    table,
    text,
)
from kolektor_cli.reports.page import plots as plots_part
from kolektor_cli.version import __version__

SMALL = (420, 320)
"""The space of a picture beside a finding, or of one of a pair, in pixels."""

MOST = 60
"""The most pictures of findings, and of pairs, that a page shows."""

Load = Callable[[str], "tuple[Pixels, Pixels | None] | None"]
"""Returns the image of a file or sample with its mask, if it has one; None if it is no image."""


@dataclass(frozen=True, slots=True)
class NamedDefect:
    """A defective image: what it is called, and its pictures; `note` is said of it."""

    name: str
    cell: DefectCell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that are the same picture, by the names that `Load` knows, and in which way."""

    first: str
    second: str
    kind: str


def number(value: float | None, digits: int = 3) -> Value:
    """Return a number as a cell of a table; a dash for None."""
    return Value("\N{EN DASH}" if value is None else f"{value:.{digits}f}", value)


def range_text(values: Iterable[int]) -> str:
    """Write the smallest and the largest of some numbers, and their median."""
    known = sorted(values)
    if not known:
        return "none"
    if known[0] == known[-1]:
        return str(known[0])
    return f"{known[0]} to {known[-1]}, median {median(known):g}"


def findings_part(findings: Sequence[Finding], load: Load, jobs: int | None) -> list[Html]:
    """Return a table of findings, and the pictures of the first that are about an image."""
    if not findings:
        return [paragraph(text("Nothing was found."))]
    rows = [(f.severity, f.path, f.message, f.code) for f in findings]
    parts = [table("Findings", ("severity", "file", "what", "code"), rows)]
    places = [(finding, (finding.paths or (finding.path,))[0]) for finding in findings]
    asked = [(finding, place) for finding, place in places if place]
    loaded = parallel_map(lambda one: _small(load, one[1]), asked[: 2 * MOST], jobs)
    shown = [
        cell([called(picture, place)], _told(finding, place))
        for (finding, place), picture in zip(asked, loaded, strict=False)
        if picture is not None
    ]
    if shown:
        parts.append(gallery(shown[:MOST]))
    return parts + _more(len(asked) - 2 * MOST, "findings have no picture here")


def _told(finding: Finding, place: str) -> Html:
    return Html(f"<b>{name(place)}</b><br>{text(finding.severity)}: {text(finding.message)}")


def _more(number: int, what: str) -> list[Html]:
    return [paragraph(text(f"{number} more {what}."))] if number > 0 else []


def _small(load: Load, place: str) -> Picture | None:
    try:
        found = load(place)
    except KolektorError:
        # What cannot be read has a finding that says so.
        return None
    return None if found is None else whole(found[0], found[1], SMALL)


def pairs_part(pairs: Sequence[Pair], load: Load, jobs: int | None) -> list[Html]:
    """Return pairs of pictures that are the same, each with the outlines of its own mask."""
    shown = pairs[:MOST]
    sides = [side for pair in shown for side in (pair.first, pair.second)]
    pictures = parallel_map(lambda one: _small(load, one), sides, jobs)
    cells = []
    for number_, pair in enumerate(shown):
        both = zip(sides[2 * number_ :][:2], pictures[2 * number_ :][:2], strict=True)
        drawn = [called(picture, side) for side, picture in both if picture is not None]
        told = Html(f"<b>{name(pair.first)} = {name(pair.second)}</b><br>{text(pair.kind)}")
        cells.append(cell(drawn, told))
    return [gallery(cells), *_more(len(pairs) - MOST, "pairs are not shown")]


def weak_part(names: Sequence[str], load: Load, jobs: int | None) -> list[Html]:
    """Return pictures of defective images that have no mask, the first ones."""
    if not names:
        return []
    pictures = parallel_map(lambda one: _small(load, one), names[:MOST], jobs)
    cells = [
        cell([called(picture, one)], Html(f"<b>{name(one)}</b>"))
        for one, picture in zip(names, pictures, strict=False)
        if picture is not None
    ]
    number = "1 defective image has" if len(names) == 1 else f"{len(names)} defective images have"
    told = paragraph(text(f"{number} no mask, so no defect is outlined."))
    return [told, gallery(cells), *_more(len(names) - MOST, "are not shown")]


def defects_part(title: str, defects: Sequence[NamedDefect], weak: Sequence[Html] = ()) -> Section:
    """Return all defective images, the sizes of their defects, and where these lie.

    `weak` is that of `weak_part`.
    """
    if not defects:
        nothing = [paragraph(text("There is no defective image."))]
        return chapter("defects", title, *(weak or nothing))
    areas = [float(one.cell.area) for one in defects]
    told = "Defect area of each defective image"
    drawn = plots.histogram("sizes", told, "pixels, logarithmic", {"images": areas}, log=True)
    rows = [(one.name, one.cell.area, one.cell.regions, one.note) for one in defects]
    return chapter(
        "defects",
        title,
        plots_part([plot(told, drawn), *_positions(defects)]),
        gallery(map(_defect, defects)),
        folded(
            text("The defects as a table"),
            table("Defective images", ("image", "pixels", "regions", "remark"), rows),
        ),
        *weak,
    )


def _positions(defects: Sequence[NamedDefect]) -> list[Html]:
    found = position_map([one.cell.places for one in defects])
    if found is None:
        return []
    picture, highest = found
    alt = f"where on the part the defects of {len(defects)} images lie"
    told = "images with a defect at a place: the sum of all masks, each resized to one small size"
    title = "Where on the part defects lie"
    return [pictured(title, called(picture, alt), scale(0, highest, told))]


def scale(low: float, high: float, what: str) -> Html:
    """Return the colour scale with the values at its ends."""
    return Html(
        f'<div class="scale"><span>{low:.4g}</span>{image(scale_bar())}<span>{high:.4g}</span> '
        f"<span>{text(what)}</span></div>\n"
    )


def _defect(one: NamedDefect) -> Html:
    drawn = [called(one.cell.close, f"{one.name}, close-up of its largest defect")]
    if one.cell.whole is not None:
        drawn.insert(0, called(one.cell.whole, f"{one.name}, defects outlined"))
    regions = "1 region" if one.cell.regions == 1 else f"{one.cell.regions} regions"
    note = f", {one.note}" if one.note else ""
    told = f"{one.cell.area} pixels in {regions}{note}"
    return cell(drawn, Html(f"<b>{name(one.name)}</b><br>{text(told)}"))


def about_part(fingerprints: Mapping[str, str], *parts: Html) -> Section:
    """Return what makes the page reproducible: versions and fingerprints."""
    rows = [("kolektor", __version__)]
    rows += [("NumPy", np.__version__), ("OpenCV", cv2.__version__)]
    rows += list(fingerprints.items())
    return chapter("about", "Versions and fingerprints", facts("What made this page", rows), *parts)
