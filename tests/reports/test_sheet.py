"""Contact sheets: where cells and captions lie, and that pixels are the image's."""

from __future__ import annotations

import numpy as np
import pytest

from kolektor_cli.errors import UsageError
from kolektor_cli.reports.lettering import width_of
from kolektor_cli.reports.overlay import OUTLINE, SECOND_OUTLINE, outlined, to_rgb
from kolektor_cli.reports.sheet import (
    Cell,
    Page,
    Part,
    arrange,
    pair_cell,
    picture_cell,
    refuse_too_many,
)
from tests.conftest import draw_image


def plain_cell(seed: int, *caption: str) -> Cell:
    return Cell((Part(to_rgb(draw_image(seed, 50, 30))),), caption)


def holds(page: Page, pixels: np.ndarray) -> list[tuple[int, int]]:
    """Find where a picture lies on a page: rows and columns."""
    height, width = pixels.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(page.plain[:, :, 0], (height, width))
    places = np.argwhere((windows == pixels[:, :, 0]).all(axis=(2, 3)))
    return [(row, column) for row, column in places.tolist()]


def marked_box(height: int = 30, width: int = 50) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[5:12, 8:20] = 1
    return mask


def test_cells_lie_in_rows() -> None:
    cells = [plain_cell(seed, f"name {seed}") for seed in range(5)]
    page = arrange(cells, ["heading"], side=100, columns=2)
    places = [holds(page, cell.parts[0].pixels) for cell in cells]
    [(a, left), (b, right), (c, below), (d, _), (e, last)] = [place for [place] in places]
    assert a == b < c == d < e
    assert left == below == last < right
    assert [text.text for text in page.texts] == ["heading", *(f"name {k}" for k in range(5))]


def test_captions_lie_on_paper_inside_the_page() -> None:
    long = "x" * 200
    cells = [
        plain_cell(1, long, "area"),
        plain_cell(2, "\u05d0" * 90),
        plain_cell(3, "kos01/Part5"),
    ]
    page = arrange(cells, [long], side=100)
    height, width = page.plain.shape[:2]
    assert "".join(text.text for text in page.texts if {*text.text} == {"x"}) == 2 * long
    drawn = page.drawn()
    assert (drawn != page.plain).any()
    assert (page.plain[drawn != page.plain] == 255).all()
    for text in page.texts:
        assert text.x + width_of(text.text, text.size) <= width
        assert text.y <= height


def test_headings_break_between_words() -> None:
    heading = "three samples of four, all of them defective"
    page = arrange([plain_cell(1)], [heading], side=100)
    lines = [text.text for text in page.texts]
    assert len(lines) > 1
    assert "".join(lines) == heading
    assert all(line.endswith(" ") for line in lines[:-1])


def test_page_comes_near_a_square() -> None:
    page = arrange([plain_cell(1, "name") for _ in range(40)], [], side=100)
    assert 0.6 < page.plain.shape[0] / page.plain.shape[1] < 1.6


def test_picture_at_scale_one_is_the_image_with_its_outline() -> None:
    image, mask = draw_image(3, 50, 30), marked_box()
    picture, inset = picture_cell(image, mask, (), 50).parts
    assert (picture.pixels == outlined(image, mask)).all()
    assert (inset.pixels == OUTLINE).all(axis=2).any()


def test_small_picture_keeps_a_thin_defect() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[200, 100:300] = 255
    picture = picture_cell(draw_image(3, 500, 400), mask, (), 50).parts[0].pixels
    columns = np.nonzero((picture == OUTLINE).all(axis=2))[1]
    assert {*columns.tolist()} == {*range(10, 30)}


def test_good_picture_has_no_close_up() -> None:
    assert len(picture_cell(draw_image(3), None, (), 50).parts) == 1


def test_pair_has_its_own_mask_on_top() -> None:
    image, mask = draw_image(3, 50, 30), marked_box()
    other = np.roll(mask, 10)
    labels = (("first",), ("second",))
    first, second = (
        part.pixels for part in pair_cell((image, mask), (image, other), labels, (), 50).parts
    )
    own = outlined(outlined(image, other, SECOND_OUTLINE), mask, OUTLINE)
    assert (first == own).all()
    assert (second == outlined(outlined(image, mask, OUTLINE), other, SECOND_OUTLINE)).all()


def test_mask_of_another_size_is_on_its_own_image_alone() -> None:
    image, larger = draw_image(3, 50, 30), draw_image(4, 50, 31)
    labels = (("first",), ("second",))
    pair = ((image, marked_box()), (larger, marked_box(31)))
    first, second = (part.pixels for part in pair_cell(*pair, labels, (), 50).parts)
    assert (first == outlined(image, marked_box())).all()
    assert (second == outlined(larger, marked_box(31), SECOND_OUTLINE)).all()


def test_too_large_a_page_is_refused() -> None:
    cell = Cell((Part(np.zeros((4000, 4000, 3), np.uint8)),), ())
    with pytest.raises(UsageError, match="smaller --cell"):
        arrange([cell] * 5, [], side=4000)
    with pytest.raises(UsageError, match="smaller --cell"):
        refuse_too_many(cell, 9)
    refuse_too_many(cell, 8)
