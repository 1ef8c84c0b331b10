"""The same picture is found again whatever was done to it, and other pictures are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.imaging import similarity as duplicates
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.similarity import similar_pairs, thumbnail
from tests.conftest import draw_image


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


def test_thumbnail_is_a_difference_of_two_blurs() -> None:
    # Without a twentieth at each edge, 20x50 pixels are left of it, and a thumbnail has as many.
    image = np.zeros((54, 22), np.uint8)
    image[2 + 25, 1 + 10] = 255
    found = thumbnail(image).reshape(50, 20)
    squares = np.arange(6) ** 2
    detail = gauss(squares, 1.0) - gauss(squares, 2.5)
    wanted = 127 * detail / detail[0]
    np.testing.assert_allclose(found[25, 10:16], wanted, atol=2)
    np.testing.assert_allclose(found[25:31, 10], wanted, atol=2)


def gauss(squares: np.ndarray, sigma: float) -> np.ndarray:
    """Return the normal distribution in the plane, at squared distances from its mean."""
    return np.asarray(np.exp(-squares / (2 * sigma**2)) / (2 * np.pi * sigma**2))


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


@pytest.mark.parametrize(("correlation", "same"), [(0.68, False), (0.72, True)])
def test_pictures_are_the_same_from_a_correlation_of_070(correlation: float, same: bool) -> None:
    first = np.array([100, 0, 0], np.int8)
    second = np.rint([100 * correlation, 100 * (1 - correlation**2) ** 0.5, 0]).astype(np.int8)
    assert list(similar_pairs([first, second])) == ([(0, 1)] if same else [])


def test_other_pictures_in_the_same_broad_light_are_not_the_same(synthetic: Path) -> None:
    images = [surface(synthetic, f"kos01/Part{part}") for part in range(8)]
    # Stripes of light, 17 % brighter and darker, that repeat after 700 pixels of 1240 or so.
    thumbnails = [
        thumbnail((image * stripes(len(image), 700, 0.17)).astype(np.uint8)) for image in images
    ]
    assert list(similar_pairs(thumbnails)) == []


def stripes(height: int, period: int, strength: float) -> np.ndarray:
    """Return factors from 0 to 1 for the rows of an image."""
    waves = np.sin(2 * np.pi * np.arange(height) / period)
    return np.asarray((1 + strength * waves[:, np.newaxis]) / (1 + strength))
