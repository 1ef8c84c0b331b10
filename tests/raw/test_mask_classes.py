"""Types of defects that the values of masks stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.raw.layout_options import LayoutOptions, check_layout, layout_of
from kolektor_cli.raw.mask_classes import read_classes
from kolektor_cli.raw.masks import decode_marks
from tests.own import PAIRS, labelme, scan_own, shape, write_own, write_pixels

GRAY = replace(PAIRS, mask_classes="1=scratch, 2=dent,7=dent")


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def marks(data: bytes, classes: str, name: str = "x.png") -> np.ndarray:
    rule = LayoutOptions("pairs", mask_classes=classes).mask_rule
    return decode_marks(data, name, rule).pixels


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("1=scratch,2=dent", (("1", "scratch"), ("2", "dent"))),
        (" 1 = a , crack,", (("1", "a"), ("crack", "crack"))),
        ("#ff0000=a,#00FF00=a", (("#ff0000", "a"), ("#00FF00", "a"))),
        ("a=b=c", (("a=b", "c"),)),
    ],
)
def test_classes_are_pairs_of_value_and_type(
    text: str, classes: tuple[tuple[str, str], ...]
) -> None:
    assert read_classes(text) == classes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not a text"),
        (" , ", "names no class"),
        ("1=", "'' cannot be a type"),
        ("1=good", "'good' cannot be a type"),
        ("1=Good", "'Good' cannot be a type"),
        ("1=combined", "'combined' cannot be a type"),
        ("1=" + 101 * "x", "cannot be a type"),
        ("1=a,2=A", "a and A are one folder"),
        ("=a", "'' is no value"),
        ("#f00=a", "'#f00' is no value"),
        ("65536=a", "'65536' is no value"),
        (5000 * "1" + "=a", "is no value"),
        ("1=aux", "is the name of a device"),
        ("1=a b", "'a b' cannot be a type"),
        ("1=../x", "cannot be a type"),
        ("1=train_a", "'train_a' cannot be a type"),
        ("0=a", "0 is black"),
        ("#000000=a", "is black"),
        ("1=a,01=b", "01 has two types"),
        ("3=a,#030303=b", "#030303 has two types"),
        (",".join(f"{n}=t{n}" for n in range(1, 257)), "more than 255 types"),
    ],
)
def test_classes_that_cannot_be_are_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_layout(LayoutOptions(mask_classes=text))


@pytest.mark.parametrize("other", ["mask_threshold", "dilate"])
def test_classes_and_other_rules_exclude_each_other(other: str) -> None:
    with pytest.raises(UsageError, match=f"--mask-classes and --{other.replace('_', '-')} excl"):
        check_layout(LayoutOptions(mask_classes="1=a", **{other: 3}))  # type: ignore[arg-type]


def test_classes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UsageError, match="--mask-classes 5 is not a text"):
        layout_of({"mask_classes": 5})


def test_marks_are_the_numbers_of_types() -> None:
    values = np.array([[0, 1, 2], [7, 0, 1]], np.uint8)
    expected = [[0, 1, 2], [2, 0, 1]]
    assert marks(encoded(values), "1=scratch,2=dent,7=dent").tolist() == expected


def test_colors_are_classes_too() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 2] = (0, 0, 255), (0, 255, 0), (255, 255, 255)  # BGR
    found = marks(encoded(pixels), "#ff0000=a,#00ff00=b,255=c")
    assert found.tolist() == [[1, 2, 0], [0, 0, 3]]


def test_white_is_one_class_whether_the_mask_is_gray_or_in_color() -> None:
    white = np.full((2, 2), 255, np.uint8)
    for pixels in (white, np.dstack([white] * 3)):
        for value in ("255", "#ffffff"):
            assert marks(encoded(pixels), f"#ff0000=b,{value}=a").tolist() == [[2, 2], [2, 2]]


def test_color_is_no_gray_value() -> None:
    data = encoded(np.array([[0, 255]], np.uint8))
    rule = LayoutOptions("pairs", mask_classes="#ff0000=a").mask_rule
    assert decode_marks(data, "x.png", rule).unnamed == ("255",)


def test_values_of_16_bits_are_told_apart() -> None:
    values = np.array([[0, 256, 300]], np.uint16)
    assert marks(encoded(values), "256=a,300=b").tolist() == [[0, 1, 2]]


def test_labels_of_labelme_are_classes_and_later_shapes_lie_on_top() -> None:
    data = labelme(
        [
            shape("rectangle", (0, 0), (4, 4), label="dent"),
            shape("rectangle", (2, 2), (6, 6), label="crack"),
        ],
        (8, 8),
    )
    found = marks(data, "crack,dent", "x.json")
    assert (found[1, 1], found[3, 3], found[5, 5], found[7, 7]) == (2, 1, 1, 0)


def test_value_that_is_no_class_is_an_error_and_named(tmp_path: Path) -> None:
    write_own(tmp_path / "1.png", 1)
    write_pixels(tmp_path / "1_mask.png", np.tile(np.array([0, 1, 5], np.uint8), (60, 14))[:, :40])
    write_own(tmp_path / "2.png", 2)
    (tmp_path / "2.json").write_bytes(labelme([shape("circle", (9, 9), (5, 9), label="dust")]))
    found = scan_own(tmp_path, GRAY)
    assert found.left_out == {"1": "mask-class", "2": "mask-class"}
    [of_image, of_labelme] = sorted(f.message for f in found.findings)
    assert of_image.startswith("has '5',")
    assert of_labelme.startswith("has 'dust',")


def test_types_of_a_sample_are_those_that_its_mask_marks(tmp_path: Path) -> None:
    wanted = {"1": (), "2": ("scratch",), "3": ("dent",), "4": ("scratch", "dent")}
    for name, values in (("1", ()), ("2", (1,)), ("3", (2, 7)), ("4", (7, 1))):
        write_own(tmp_path / f"{name}.png", int(name))
        mask = np.zeros((60, 40), np.uint8)
        for row, value in enumerate(values):
            mask[10 * row : 10 * row + 5] = value
        write_pixels(tmp_path / f"{name}_mask.png", mask)
    found = scan_own(tmp_path, GRAY)
    assert {sample.name: sample.types for sample in found.samples} == wanted
    kinds = [sample.kind for sample in found.samples]
    assert kinds == ["good", "scratch", "dent", "combined"]
    assert not found.findings


def test_without_classes_nothing_is_unnamed() -> None:
    found = decode_mask(encoded(np.array([[0, 9]], np.uint8)), "x.png")
    assert found.unnamed == ()
    assert found.pixels.tolist() == [[0, 9]]
