"""Pictures and pages of people's own images: what they show, and a tree is never taken for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.reporting import report
from kolektor_cli.core.show_plan import ShowOptions
from kolektor_cli.core.showing import Picture, show
from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.reports.overlay import laid, outlined
from tests.archives import zip_of
from tests.own import PAIRS, read_gray, write_own
from tests.pages import Page, read_page

OWN = replace(PAIRS, no_mask="good")

View = Callable[..., Any]

both = pytest.mark.parametrize("view", [show, report])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write six images of three items, in turn, and masks of two in a folder as trees have it."""
    root = tmp_path / "own"
    for number in range(6):
        name = f"p{number % 3}_{number}"
        write_own(root / f"pictures/a{number}_{name}.jpg", number)
    for number, x in ((0, 3), (4, 20)):
        name = f"a{number}_p{number % 3}_{number}"
        mask = root / f"ground_truth/{name}.png"
        write_own(root / f"pictures/{name}.jpg", number, mask, (x, 8, 6, 5))
    return root


def texts(picture: Picture) -> set[str]:
    return {text.text for text in picture.page.texts}


def holds(picture: Picture, part: np.ndarray) -> bool:
    """Whether a picture lies somewhere on the page, pixel for pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(picture.page.plain, part.shape)
    starts = np.argwhere((picture.page.plain == part[0, 0]).all(axis=2)).tolist()
    rows, columns = windows.shape[:2]
    return any((windows[y, x, 0] == part).all() for y, x in starts if y < rows and x < columns)


def facts(page: Page) -> dict[str, str]:
    """Return what stands beside the headings of rows; of equal ones, the first."""
    cells = [element.text for element in page.elements if element.tag in ("th", "td")]
    return dict(reversed([*pairwise(cells)]))


def test_defects_are_shown_with_the_outlines_of_their_masks(own: Path) -> None:
    picture = show(own, options=ShowOptions(cell=60), layout=OWN)
    assert picture.cells == 2
    for name in ("a0_p0_0", "a4_p1_4"):
        file = own / f"pictures/{name}.jpg"
        image = decode_image(file.read_bytes(), file.name)
        mask = read_gray(own / f"ground_truth/{name}.png")
        assert holds(picture, laid(outlined(image, mask)))
        assert not holds(picture, laid(outlined(image, np.roll(mask, 1, axis=1))))
        assert f"pictures/{name}" in texts(picture)
    assert "defect 30 px, 40x60" in texts(picture)
    assert show(zip_of(own), layout=OWN, options=ShowOptions(cell=60)).cells == 2


def test_masks_are_shown_by_their_rule(own: Path) -> None:
    picture = show(own, layout=replace(OWN, dilate=5))
    assert "defect 90 px, 40x60" in texts(picture)
    told = facts(read_page(report(own, layout=replace(OWN, dilate=5)).page))
    assert told["defect pixels of a defective sample"] == "90"


def test_page_says_how_the_source_was_read(own: Path) -> None:
    made = report(own, layout=replace(OWN, item=r"(p\d)_"))
    page = read_page(made.page)
    assert (made.kind, made.ok) == ("source", True)
    told = facts(page)
    assert [told[what] for what in ("release", "items", "samples", "defective")] == [
        *("pairs", "3", "6", "2")
    ]
    assert told["read with"] == r"layout pairs, item (p\d)_, no mask good"
    alts = {image.attributes["alt"] for image in page.all("img")}
    assert "pictures/a4_p1_4, defects outlined" in alts
    assert read_page(report(zip_of(own), layout=OWN).page).texts("h1") == ["own.zip: raw dataset"]


def test_each_item_has_one_row_wherever_its_images_lie(own: Path) -> None:
    page = report(own, layout=replace(OWN, item=r"(p\d)_")).page
    [table] = re.findall(r"<table[^>]*>(?:(?!</table>).)*>Items<.*?</table>", page, re.DOTALL)
    rows = re.findall(r">(p\d)<.*?>(\d+)<", table)
    assert rows == [("p0", "2"), ("p1", "2"), ("p2", "2")]


def test_images_that_are_items_have_no_table_of_items(own: Path) -> None:
    assert "By item" not in report(own, layout=OWN).page
    assert "By item" in report(own, layout=replace(OWN, item=r"(p\d)_")).page


def test_source_of_kolektor_takes_rules_for_its_masks(raw: Path) -> None:
    layout = LayoutOptions(dilate=3)
    assert texts(show(raw)) != texts(show(raw, layout=layout))
    assert facts(read_page(report(raw, layout=layout).page))["read with"] == "dilate 3"
    assert "read with" not in report(raw).page


@both
@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (PAIRS, "is a tree, which is read without --layout; give its source"),
        (LayoutOptions(mask_threshold=3, dilate=3), "without --mask-threshold, --dilate; give"),
        (LayoutOptions(no_mask="good"), "without --no-mask; give its source"),
    ],
)
def test_layout_with_a_tree_is_refused(
    view: View, layout: LayoutOptions, message: str, tree: Path, tmp_path: Path
) -> None:
    for place in (tree, tree.parent):
        with pytest.raises(UsageError, match=re.escape(f"{place}: is a tree")) as raised:
            view(place, layout=layout, output=tmp_path / "x.png")
        assert message in str(raised.value)
    assert not (tmp_path / "x.png").exists()


@both
def test_folders_like_those_of_a_tree_are_read_as_asked_for(
    view: View, own: Path, foreign: Path
) -> None:
    with pytest.raises(UsageError, match="without --no-mask; images of your own need --layout pai"):
        view(own, layout=LayoutOptions(no_mask="good"))
    # A tree of others without a manifest can be converted, so it can be looked at before.
    shown = view(foreign, layout=OWN)
    assert (
        shown.findings
        == convert(foreign, foreign.parent / "out", ConvertOptions(layout=OWN)).scan.findings
    )


@both
@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (replace(PAIRS, good="a", masks="x"), "--good and --masks exclude each other"),
        (replace(PAIRS, dilate=2), "--dilate 2 is even"),
        (LayoutOptions("pears"), "not one of"),  # type: ignore[arg-type]
    ],
)
def test_impossible_options_are_refused_before_anything_is_read(
    view: View, layout: LayoutOptions, message: str, tree: Path, tmp_path: Path
) -> None:
    for place in (tree, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match=message):
            view(place, layout=layout)


def test_fit_that_cannot_be_made_is_refused_before_the_scan(own: Path) -> None:
    told: list[str] = []
    with pytest.raises(UsageError, match="--fit pad needs a size in pixels"):
        show(
            own, (), ShowOptions(fit="pad"), layout=OWN, progress=lambda step, *_: told.append(step)
        )
    assert told == []
    picture = show(own, (), ShowOptions(fit="crop", size=(20, 40)), layout=OWN)
    assert "fit crop to 20x40" in " ".join(text.text for text in picture.page.texts)
    picture = show(own, (), ShowOptions(fit="stretch"), layout=OWN)
    assert "fit stretch; orange" in " ".join(text.text for text in picture.page.texts)


@both
def test_images_without_masks_are_told(view: View, own: Path) -> None:
    seen = view(own, layout=PAIRS)
    assert {finding.code for finding in seen.findings} == {"image-without-mask"}
    with pytest.raises(SourceError, match="images of your own"):
        view(own / "pictures")
