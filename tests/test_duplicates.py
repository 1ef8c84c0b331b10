"""The same picture is found again whatever was done to it, and other pictures are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli import duplicates
from kolektor_cli.duplicates import connected, similar_pairs, thumbnail
from kolektor_cli.images import Pixels, decode_image
from kolektor_cli.records import Scan
from kolektor_cli.scan import scan_source
from kolektor_cli.source import open_source
from tests.conftest import MakeDataset, draw_image, write_pair


def surface(synthetic: Path, name: str) -> Pixels:
    image = cv2.imread(str(synthetic / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image.astype(np.uint8)


def saved_at(quality: int) -> Callable[[Pixels], Pixels]:
    def save(image: Pixels) -> Pixels:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        return decode_image(data.tobytes(), "again.jpg")

    return save


def brighter(factor: float) -> Callable[[Pixels], Pixels]:
    return lambda image: np.clip(image * factor, 0, 255).astype(np.uint8)


def shifted(pixels: int) -> Callable[[Pixels], Pixels]:
    return lambda image: np.roll(image, (pixels, pixels), (0, 1))


def moved_off(pixels: int) -> Callable[[Pixels], Pixels]:
    def move(image: Pixels) -> Pixels:
        moved = np.zeros_like(image)
        moved[pixels:, pixels:] = image[:-pixels, :-pixels]
        return moved

    return move


def scaled(factor: float) -> Callable[[Pixels], Pixels]:
    def scale(image: Pixels) -> Pixels:
        height, width = image.shape
        larger = cv2.resize(image, None, fx=factor, fy=factor)[:height, :width]
        return larger.astype(np.uint8)

    return scale


@pytest.mark.parametrize(
    "change",
    [
        *(saved_at(60), brighter(1.1), brighter(0.9), shifted(4), shifted(-8)),
        *(scaled(1.02), scaled(0.98), moved_off(6)),
    ],
    ids=["quality 60", "brighter", "darker", "4", "-8", "larger", "smaller", "black edge"],
)
def test_a_picture_that_was_changed_a_little_is_the_same(
    synthetic: Path, change: Callable[[Pixels], Pixels]
) -> None:
    images = [surface(synthetic, f"kos0{item}/Part{part}") for item in (1, 2) for part in range(8)]
    for index in (0, 5, 14):
        thumbnails = [thumbnail(image) for image in (*images, change(images[index]))]
        assert list(similar_pairs(thumbnails)) == [(index, len(images))]


def test_pictures_without_detail_are_like_no_other() -> None:
    plain = [np.full((60, 40), value, np.uint8) for value in (0, 100, 100, 255)]
    assert list(similar_pairs([thumbnail(image) for image in plain])) == []


def test_no_pictures_have_no_pairs() -> None:
    assert list(similar_pairs([])) == []


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_of_any_size_find_the_same_pairs(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [1, 2, 1, 3, 4, 2, 1]
    thumbnails = [thumbnail(draw_image(seed, 160, 400)) for seed in order]
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    assert sorted(similar_pairs(thumbnails)) == [(0, 2), (0, 6), (1, 5), (2, 6)]


numbers = st.integers(0, 12)


@given(st.lists(st.tuples(numbers, numbers)))
def test_connected_names_have_one_leader_and_others_another(pairs: list[tuple[int, int]]) -> None:
    names = [f"n{number:02}" for number in range(13)]
    leaders = connected(names, [(names[a], names[b]) for a, b in pairs])
    reachable = {name: {name} for name in names}
    for _ in names:
        for a, b in pairs:
            reachable[names[a]] |= reachable[names[b]]
            reachable[names[b]] |= reachable[names[a]]
    assert leaders == {name: min(reachable[name]) for name in names}


def scan(root: Path) -> Scan:
    with open_source(root) as source:
        return scan_source(source)


def codes(found: Scan) -> Iterable[tuple[str, str, str]]:
    return [(f.severity, f.code, f.path) for f in found.findings if f.code.startswith("duplicate")]


def test_items_that_share_pictures_are_one_group(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=5)
    shutil.copy(root / "kos05/Part1.jpg", root / "kos02/Part3.jpg")
    pixels = cv2.imread(str(root / "kos02/Part2.jpg"), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    done, png = cv2.imencode(".png", pixels)
    assert done
    (root / "kos04/Part1.jpg").write_bytes(png.tobytes())
    found = scan(root)
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [
        ("kos02/Part2", "kos04/Part1", "pixels"),
        ("kos02/Part3", "kos05/Part1", "file"),
    ]
    assert {sample.item: sample.group for sample in found.samples} == {
        "kos01": "kos01",
        "kos02": "kos02",
        "kos03": "kos03",
        "kos04": "kos02",
        "kos05": "kos02",
    }
    assert found.distinct == 18
    assert codes(found) == []


def test_one_picture_with_two_labels_is_an_error_and_both_are_left_out(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    shutil.copy(root / "kos01/Part0.jpg", root / "kos03/Part2.jpg")
    found = scan(root)
    assert codes(found) == [
        ("error", "duplicate-label", "kos01/Part0.jpg"),
        ("error", "duplicate-label", "kos03/Part2.jpg"),
    ]
    assert found.left_out == dict.fromkeys(("kos01/Part0", "kos03/Part2"), "duplicate-label")
    assert found.duplicates == ()
    assert len({sample.group for sample in found.samples}) == 3


def test_one_picture_with_two_masks_is_a_warning(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    write_pair(root / "kos03", "Part0", 100, (6, 11, 12, 6))
    assert codes(scan(root)) == [("warning", "duplicate-mask", "kos01/Part0_label.bmp")]


def test_identical_pictures_without_detail_are_found_by_their_files(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    done, data = cv2.imencode(".jpg", np.full((60, 40), 77, np.uint8))
    assert done
    for name in ("kos01/Part1", "kos02/Part2", "kos02/Part3"):
        (root / f"{name}.jpg").write_bytes(data.tobytes())
    found = scan(root)
    assert len(found.duplicates) == 3
    assert found.distinct == 10
