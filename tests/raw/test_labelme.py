"""Shapes of labelme: the pixels that its own code marks, drawn by hand here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kolektor_cli.errors import ImageError
from kolektor_cli.raw.labelme import decode_labelme
from tests.own import LABELME, labelme, shape, sizeless

DRAWN = [
    (
        shape("polygon", (1, 1), (5, 1), (5, 5)),
        """
        ........
        .#####..
        ..####..
        ...###..
        ....##..
        .....#..
        ........
        """,
    ),
    (
        # Corners in any order, the last pixels included.
        shape("rectangle", (6, 4), (2, 1)),
        """
        ........
        ..#####.
        ..#####.
        ..#####.
        ..#####.
        ........
        ........
        """,
    ),
    (
        # The centre, then a point on the circle.
        shape("circle", (3, 3), (3, 5)),
        """
        ........
        ..###...
        .#####..
        .#####..
        .#####..
        ..###...
        ........
        """,
    ),
    (
        # Beyond the edges; without a kind, as files of old versions are.
        shape(None, (-3, -3), (9, -3), (9, 2), (-3, 2)),
        """
        ########
        ########
        ########
        ........
        ........
        ........
        ........
        """,
    ),
]


def pixels_of(picture: str) -> np.ndarray:
    return np.array([[c == "#" for c in line] for line in picture.split()])


@pytest.mark.parametrize(("drawn", "picture"), DRAWN)
def test_shape_marks_the_pixels_that_labelme_marks(drawn: object, picture: str) -> None:
    mask = decode_labelme(labelme([drawn], (8, 7)), "x.json")
    np.testing.assert_array_equal(mask.pixels > 0, pixels_of(picture))
    assert mask.values == (0, 255)


def test_shapes_of_all_labels_are_one_mask() -> None:
    one, two = shape("rectangle", (0, 0), (1, 1)), shape("rectangle", (5, 5), (6, 6), label="b")
    both = decode_labelme(labelme([one, two], (8, 7)), "x.json").pixels
    alone = [decode_labelme(labelme([each], (8, 7)), "x.json").pixels for each in (one, two)]
    np.testing.assert_array_equal(both, np.maximum(*alone))
    assert decode_labelme(labelme([], (8, 7)), "x.json").values == (0,)


@pytest.mark.parametrize("null", [False, True])
def test_file_without_a_size_is_as_large_as_its_image(null: bool) -> None:
    drawn = [shape("rectangle", (6, 4), (2, 1))]
    found = decode_labelme(sizeless(drawn, null=null), "x.json", (8, 7))
    np.testing.assert_array_equal(found.pixels, decode_labelme(labelme(drawn, (8, 7)), "x").pixels)
    for size in ((7, 8), None):
        stated = decode_labelme(labelme(drawn, (8, 7)), "x.json", size)
        assert stated.pixels.shape == (7, 8)


@pytest.mark.parametrize(
    ("told", "shape_"), [({"imageWidth": 5}, (7, 5)), ({"imageHeight": 5}, (5, 8))]
)
def test_side_that_is_given_is_kept(told: dict[str, int], shape_: tuple[int, int]) -> None:
    data = json.dumps({**LABELME, **told, "shapes": []}).encode()
    assert decode_labelme(data, "x.json", (8, 7)).pixels.shape == shape_
    with pytest.raises(ImageError, match="claims 0x7 pixels"):
        decode_labelme(json.dumps({"shapes": [], "imageWidth": 0}).encode(), "x.json", (8, 7))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is no JSON of labelme"),
        (b"\xff\xfe", "is no JSON of labelme"),
        (b"[" * 100_000, "is no JSON of labelme"),
        (b'{"images": [], "annotations": []}', "missing required field `shapes`"),
        (sizeless([]), "gives no imageWidth and imageHeight, and its image"),
        (json.dumps({"shapes": [], "imageWidth": "5"}).encode(), "is no JSON of labelme"),
        (labelme([], (0, 5)), "claims 0x5 pixels"),
        (labelme([], (10**6, 10**6)), "too large"),
        (labelme([shape("line", (0, 0), (1, 1))]), "has a line of 2 points, which is not read"),
        (labelme([shape("linestrip", (0, 0), (1, 1), (2, 0))]), "has a linestrip of 3 points"),
        (labelme([shape("mask", (0, 0), (1, 1))]), "has a mask of 2 points, which is not read"),
        (labelme([shape("polygon", (0, 0), (1, 1))]), "has a polygon of 2 points"),
        (labelme([shape("circle", (0, 0))]), "has a circle of 1 points"),
        (labelme([shape("circle", (0, 0), (float("nan"), 1))]), "reaches far out"),
        (labelme([shape("rectangle", (0, 0), (float("inf"), 1))]), "reaches far out"),
        (labelme([shape("circle", (0, 0), (-1e6, 1))]), "reaches far out"),
    ],
)
def test_json_that_cannot_be_drawn_is_named_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        decode_labelme(data, "a/x.json")
    assert str(caught.value).startswith("a/x.json: ")
