"""The same picture is found again whatever was done to it, and other pictures are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kolektor_cli.imaging import similarity as duplicates
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.similarity import (
    CANDIDATE,
    THRESHOLD,
    THUMBNAIL_LENGTH,
    CloseUp,
    Indices,
    Thumbnail,
    are_same,
    close_up,
    find_same,
    similar_images,
    thumbnail,
)
from tests.conftest import draw_image

Pairs = list[tuple[int, int]]


def same_pictures(images: Sequence[Pixels]) -> Pairs:
    thumbnails = np.stack([thumbnail(image) for image in images])
    return list(find_same(thumbnails, lambda index: close_up(images[index]), every_one))


def every_one(_index: int, others: Indices) -> np.ndarray:
    return np.ones(len(others), np.bool_)


def similar_pairs(thumbnails: Sequence[Thumbnail]) -> Pairs:
    array = np.array(thumbnails, np.int8).reshape(-1, THUMBNAIL_LENGTH)
    return [(i, j) for i, others in similar_images(array) for j in others.tolist()]


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
        changed = change(images[index])
        assert same_pictures([*images, changed]) == [(index, len(images))]
        for mirrored in (changed[:, ::-1], changed[::-1], changed[::-1, ::-1]):
            assert same_pictures([*images, mirrored.copy()]) == [(index, len(images))]


def test_thumbnail_is_a_clipped_difference_of_two_blurs() -> None:
    # Without a twentieth at each edge, 20x50 pixels are left of it, and a thumbnail has as many.
    image = np.random.default_rng(0).integers(100, 140, (54, 22), np.uint8)
    image[20:24, 8:12] = 255
    detail = blurred(image[2:52, 1:21], 1.0) - blurred(image[2:52, 1:21], 2.5)
    middle = np.median(detail)
    limit = 2.25 * 1.4826 * np.median(np.abs(detail - middle))
    assert detail.max() > middle + 3 * limit
    clipped = np.clip(detail, middle - limit, middle + limit)
    clipped -= clipped.mean()
    wanted = 127 * clipped / np.abs(clipped).max()
    np.testing.assert_allclose(thumbnail(image).reshape(50, 20), wanted, atol=2)


def blurred(image: Pixels, sigma: float) -> np.ndarray:
    """Blur by sums over a normal distribution; pixels are repeated as in a mirror."""
    reach = int(4 * sigma)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    blurred = np.pad(image.astype(float), reach, mode="reflect")
    for axis in (0, 1):
        blurred = np.apply_along_axis(np.convolve, axis, blurred, weights / weights.sum(), "valid")
    return blurred


@pytest.mark.parametrize("marks", [(20, 8, 6, 40), (20, 16, 10, 60)], ids=str)
def test_same_bright_marks_do_not_make_two_pictures_the_same(
    marks: tuple[int, int, int, int],
) -> None:
    random = np.random.default_rng(0)
    coarse = [random.integers(60, 90, (63, 25), np.uint8) for _ in range(6)]
    images = [cv2.resize(one, (200, 500)).astype(np.uint8) for one in coarse]
    high, slim, low, wide = marks
    for image in images:
        image[150 : 150 + high, 60 : 60 + slim] = 255
        image[330 : 330 + low, 40 : 40 + wide] = 255
    detail = [
        np.subtract(*(cv2.GaussianBlur(image / 1.0, (0, 0), sigma) for sigma in (10, 25))).ravel()
        for image in images
    ]
    assert np.corrcoef(detail)[0, 1:].min() > 0.7
    assert same_pictures(images) == []
    assert same_pictures([*images, images[2][::-1]]) == [(2, 6)]


def test_pictures_without_detail_are_like_no_other() -> None:
    plain = [np.full((60, 40), value, np.uint8) for value in (0, 100, 100, 255)]
    assert list(similar_pairs([thumbnail(image) for image in plain])) == []


def test_no_pictures_have_no_pairs() -> None:
    assert list(similar_pairs([])) == []


@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_of_any_size_find_the_same_pairs(
    block: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [1, 2, 1, 3, 4, 2, 1]
    thumbnails = [thumbnail(draw_image(seed, 160, 400)) for seed in order]
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    monkeypatch.setattr(duplicates, "_FEW", few)
    assert sorted(similar_pairs(thumbnails)) == [(0, 2), (0, 6), (1, 5), (2, 6)]


@st.composite
def thumbnails_with_repeats(draw: st.DrawFn) -> list[Thumbnail]:
    """Draw thumbnails of noise; some resemble an earlier one, mirrored or not, more or less."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = [random.integers(-127, 128, (50, 20)).astype(np.int8)]
    for _ in range(draw(st.integers(0, 6))):
        noise = random.integers(-127, 128, (50, 20))
        share = draw(st.sampled_from([0, 0.3, 0.45, 0.55, 0.7, 1]))
        source = found[draw(st.integers(0, len(found) - 1))]
        turned = source[:: draw(st.sampled_from([1, -1])), :: draw(st.sampled_from([1, -1]))]
        found.append(np.rint(share * turned + (1 - share) * noise).astype(np.int8))
    return [one.ravel() for one in found]


@settings(deadline=None)
@given(thumbnails_with_repeats())
def test_candidates_are_those_that_correlate_in_one_of_four_ways(found: list[Thumbnail]) -> None:
    wanted = []
    for i, j in combinations(range(len(found)), 2):
        first, second = (found[n].reshape(50, 20).astype(float) for n in (i, j))
        product = max((first * second[::y, ::x]).sum() for y in (1, -1) for x in (1, -1))
        correlation = product / np.sqrt((first**2).sum() * (second**2).sum())
        assume(abs(correlation - CANDIDATE) > 1e-3)
        if correlation > CANDIDATE:
            wanted.append((i, j))
    assert similar_pairs(found) == wanted
    for values in (1, 4, 16, 128):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(duplicates, "_FEW", 0)
            patch.setattr(duplicates, "_SUMMARY", values)
            assert similar_pairs(found) == wanted


def test_summaries_rule_out_most_pairs_and_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (30, 12), np.uint8) for _ in range(600)]
    images = [cv2.resize(one, (80, 200)).astype(np.uint8) for one in coarse]
    images[400:500] = [image[::-1] // 2 + 60 for image in images[:100]]
    thumbnails = np.stack([thumbnail(image) for image in images])
    monkeypatch.setattr(duplicates, "_BLOCK", 1)
    compared = 0
    best = duplicates._best_correlations

    def counted(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
        nonlocal compared
        whole = sum(part.shape[1] for part in first) == duplicates.THUMBNAIL_LENGTH
        compared += whole * len(first[0]) * len(second[0])
        return best(first, second)

    monkeypatch.setattr(duplicates, "_best_correlations", counted)
    every = similar_pairs(list(thumbnails))
    assert set(every) >= {(index, 400 + index) for index in range(100)}
    assert compared == 600 * 601 / 2
    compared = 0
    monkeypatch.setattr(duplicates, "_FEW", 0)
    assert similar_pairs(list(thumbnails)) == every
    assert compared < 5000


def test_other_pictures_in_the_same_broad_light_are_not_the_same(synthetic: Path) -> None:
    images = [surface(synthetic, f"kos01/Part{part}") for part in range(8)]
    # Stripes of light, 17 % brighter and darker, that repeat after 700 or 400 pixels of 1240 or so.
    for period in (700, 400):
        striped = [(image * stripes(len(image), period, 0.17)).astype(np.uint8) for image in images]
        assert same_pictures(striped) == []
        assert same_pictures([*striped, striped[3][:, ::-1]]) == [(3, 8)]


def test_closer_look_is_taken_once_an_image_and_keeps_the_order() -> None:
    images = [draw_image(seed, 160, 400) for seed in (1, 2, 1, 1)]
    asked: list[int] = []

    def look(index: int) -> CloseUp:
        asked.append(index)
        return close_up(images[index])

    thumbnails = np.stack([thumbnail(image) for image in images])
    assert list(find_same(thumbnails, look, every_one)) == [(0, 2), (0, 3), (2, 3)]
    assert sorted(asked) == [0, 2, 3]


def test_what_pairs_have_told_need_not_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    image = draw_image(1, 160, 400)
    monkeypatch.setattr(duplicates, "_ENOUGH", 5)
    found: list[tuple[int, int]] = []

    def unknown(_index: int, others: Indices) -> np.ndarray:
        told = {index for pair in found for index in pair}
        return np.array([other not in told for other in others], np.bool_)

    thumbnails = np.stack([thumbnail(image)] * 40)
    for pair in find_same(thumbnails, lambda _: close_up(image), unknown):
        found.append(pair)  # noqa: PERF402  (`unknown` reads it meanwhile)
    assert found == [(0, index) for index in range(1, 40)]


def test_who_has_enough_pairs_of_an_image_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    image = draw_image(1, 160, 400)
    monkeypatch.setattr(duplicates, "_ENOUGH", 4)
    monkeypatch.setattr(duplicates, "_BLOCK", 2)
    found: list[tuple[int, int]] = []

    def until_ten(_index: int, others: Indices) -> np.ndarray:
        return np.full(len(others), len(found) < 10)

    thumbnails = np.stack([thumbnail(image)] * 40)
    for pair in find_same(thumbnails, lambda _: close_up(image), until_ten):
        found.append(pair)  # noqa: PERF402  (`until_ten` reads it meanwhile)
    assert found == [(0, index) for index in range(1, 13)]


def test_uniform_close_ups_match_none() -> None:
    plain, other = (
        close_up(image) for image in (np.full((60, 40), 7, np.uint8), draw_image(1, 40, 60))
    )
    assert are_same(plain, [plain, other]) == [False, False]
    assert are_same(other, [plain, other, other[::-1]]) == [False, True, True]


@settings(deadline=None)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])),
    st.sampled_from([0.3, 0.55, 0.65, 1.0]),
)
def test_close_ups_match_by_the_best_correlation_of_all_shifts(
    seed: int, shift: tuple[int, int], turn: tuple[int, int], share: float
) -> None:
    random = np.random.default_rng(seed)
    first, other = random.normal(5, 20, (2, 100, 40))
    mixed = share * np.roll(first, shift, (0, 1)) + (1 - share**2) ** 0.5 * other
    second = np.rint(mixed[:: turn[0], :: turn[1]]).clip(-127, 127).astype(np.int8)
    first = np.rint(first).clip(-127, 127).astype(np.int8)
    inner = second[3:-3, 3:-3]
    best = max(
        cv2.matchTemplate(
            first / np.float32(1), way.copy() / np.float32(1), cv2.TM_CCOEFF_NORMED
        ).max()
        for way in (inner, inner[::-1], inner[:, ::-1], inner[::-1, ::-1])
    )
    assume(abs(best - THRESHOLD) > 1e-3)
    assert are_same(first, [second]) == [bool(best > THRESHOLD)]


def stripes(height: int, period: int, strength: float) -> np.ndarray:
    """Return factors from 0 to 1 for the rows of an image."""
    waves = np.sin(2 * np.pi * np.arange(height) / period)
    return np.asarray((1 + strength * waves[:, np.newaxis]) / (1 + strength))
