"""Search for images that are the same picture: identical, taken or encoded again, or mirrored.

The search has two steps. First, each image is reduced to a small thumbnail of its coarse detail;
pairs whose thumbnails correlate by `CANDIDATE` or more are candidates. A candidate is then compared
on finer thumbnails, its close-ups, at the best of a few shifts: from `THRESHOLD`, the two are the
same picture. Both steps also compare one image with the other mirrored left to right, top to
bottom, and both (turned by 180 degrees).

Measured on the 399 images of KolektorSDD and on 36 real images of KolektorSDD2, with close-ups:
different pictures correlate by at most 0.32, whatever is mirrored. The 24 pairs of KolektorSDD that
are the same picture correlate by at least 0.95, and an image correlates with its original by at
least 0.81 after it was saved as JPEG of quality 60, made 10 % brighter or darker, shifted by 10
pixels each way, scaled by 2 %, or all of these. In the thumbnails, different pictures reach 0.47.

OpenCV's blur differs in the last bits from one processor to the next. No decision hangs on them,
because both limits lie in wide gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.pixels import Pixels

CANDIDATE = 0.50
"""Correlation of thumbnails from which two images are worth a closer look. It is above that of
different pictures, and below that of a narrow image shifted by a whole pixel of its thumbnail."""

THRESHOLD = 0.60
"""Correlation of close-ups from which two images are the same picture; in the gap between 0.32 and
0.81."""

THUMBNAIL_SIZE = (20, 50)
"""Width and height of a thumbnail. One pixel covers 23x23 pixels of a KolektorSDD image, so a shift
by a few pixels changes little. Both are even, so that halves can be mirrored."""

THUMBNAIL_LENGTH = THUMBNAIL_SIZE[0] * THUMBNAIL_SIZE[1]
"""Number of values in a thumbnail."""

CLOSE_UP_SIZE = (40, 100)
"""Width and height of a close-up. One pixel covers 11x11 pixels of a KolektorSDD image."""

_REACH = 3
"""Pixels of a close-up by which two of them are shifted, each way, to find the best match."""

_MARGIN = 0.05
"""Fraction of width and height to ignore at each edge: a shift or a scaling leaves black or
repeated pixels there."""

_FINE_SIGMA, _COARSE_SIGMA = 1.0, 2.5
"""Standard deviations, in thumbnail pixels, of the two blurs whose difference is the detail. Finer
detail does not survive a shift; broad changes of light are alike in many images."""

_LEAST_DETAIL = 0.1
"""Standard deviation of the detail, in gray values, below which an image counts as uniform."""

_CLIP = 2.25
"""Robust standard deviations at which the detail is clipped. Bright marks stand out by ten and
more: unclipped, two pictures with marks in the same place look alike whatever else they show."""

_LEAST_CLIP = 0.5
"""Detail, in gray values, that is never clipped: most of an image may be plain."""

_BLOCK = 256
"""Thumbnails to compare at a time; larger blocks take more memory and save little time."""

_AT_ONCE = 8
"""Blocks to compare before what they found is used: it bounds the memory of candidates."""

_SUMMARY = 128
"""Values in the summary of a thumbnail: fewer rule out too few pairs, more take too long."""

_SAMPLE = 1024
"""Thumbnails from which it is learnt which values to keep in a summary."""

_FEW = 1024
"""Thumbnails of which whole ones are compared sooner than summaries are made."""

_SLACK = 1e-4
"""What rounding may take from the bound of a correlation, and more."""

_ENOUGH = 1024
"""Candidates to look at closely before it is asked again which are wanted."""

Run: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function with each of several values, in order, like ``map``."""

Indices: TypeAlias = npt.NDArray[np.intp]
"""Indices of images, ascending."""

Chosen: TypeAlias = npt.NDArray[np.bool_]
"""For each of several images whether it is chosen."""

Wanted: TypeAlias = Callable[[int, Indices], Chosen]
"""Returns of an image and several later ones with which of them it is worth comparing."""

Thumbnail: TypeAlias = npt.NDArray[np.int8]
"""Detail of one image, flat, scaled to the range from -127 to 127; all 0 for a uniform image."""

Thumbnails: TypeAlias = npt.NDArray[np.int8]
"""Thumbnails of several images, one in each row: number x `THUMBNAIL_LENGTH`."""

CloseUp: TypeAlias = npt.NDArray[np.int8]
"""Finer detail of one image, height x width, scaled like a thumbnail."""

_Floats: TypeAlias = npt.NDArray[np.float32]


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Return the thumbnail of an image, height x width uint8 of any size."""
    return _scaled_detail(pixels, THUMBNAIL_SIZE).ravel()


def close_up(pixels: Pixels) -> CloseUp:
    """Return the close-up of an image, height x width uint8 of any size."""
    return _scaled_detail(pixels, CLOSE_UP_SIZE)


def _scaled_detail(pixels: Pixels, size: Size) -> npt.NDArray[np.int8]:
    shrunk = _shrunk(pixels, size)
    height, width = shrunk.shape
    top, left = int(height * _MARGIN), int(width * _MARGIN)
    inner = shrunk[top : height - top, left : width - left]
    small = cv2.resize(inner, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), s) for s in (_FINE_SIGMA, _COARSE_SIGMA))
    detail = np.asarray(fine - coarse, np.float32)
    if detail.std() < _LEAST_DETAIL:
        return np.zeros(detail.shape, np.int8)
    clipped = _clipped(detail)
    clipped -= clipped.mean()
    return np.asarray(np.rint(clipped * (127 / np.abs(clipped).max())), np.int8)


def _clipped(detail: _Floats) -> _Floats:
    """Clip detail at `_CLIP` robust standard deviations around its median."""
    middle = np.median(detail)
    # For normally distributed values, 1.4826 median absolute deviations are a standard deviation.
    deviation = 1.4826 * np.median(np.abs(detail - middle))
    limit = max(_CLIP * deviation, _LEAST_CLIP)
    return np.asarray(np.clip(detail, middle - limit, middle + limit), np.float32)


def _shrunk(pixels: Pixels, size: Size) -> Pixels:
    """Halve an image, by averages of 2x2 pixels, while at least twice a thumbnail's size remains.

    Halving first is faster than a direct resize. It ignores the last of an odd number of rows or
    columns, so a mirrored image is shifted by a pixel of its own: little in a thumbnail.
    """
    height, width = pixels.shape
    while width >= 4 * size[0] and height >= 4 * size[1]:
        height, width = height // 2, width // 2
        whole = pixels[: 2 * height, : 2 * width]
        halved = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        pixels = halved.astype(np.uint8, copy=False)
    return pixels


def similar_images(thumbnails: Thumbnails, run: Run = map) -> Iterator[tuple[int, Indices]]:
    """Yield candidates, pairs worth a closer look: the index of an image, and those of later ones.

    The time grows with the square of the number of images, but of most pairs only summaries are
    compared. Memory grows with the number of images. `run` calls a function for each of several
    blocks, like ``map``, and may use threads.

    A thumbnail's summary holds its `_SUMMARY` greatest principal components, and the length of all
    that is left. By the inequality of Cauchy and Schwarz, what is left of two thumbnails adds to
    their correlation at most the product of its lengths: so the correlation of two summaries is
    never below that of the thumbnails, and no candidate is missed.
    """
    summaries = _summaries(thumbnails, run) if len(thumbnails) > _FEW else None
    starts = range(0, len(thumbnails), _BLOCK)
    for first in range(0, len(starts), _AT_ONCE):
        compare = partial(_compare_block, thumbnails, summaries)
        blocks = starts[first : first + _AT_ONCE]
        for start, (columns, found) in zip(blocks, run(compare, blocks), strict=True):
            for row in np.flatnonzero(found.any(axis=1)).tolist():
                yield start + row, columns[found[row]]


def _summaries(thumbnails: Thumbnails, run: Run) -> list[_Floats]:
    """Return summaries as four parts, like those of `_symmetric_parts`."""
    basis = _basis(_parts_of_thumbnails(thumbnails[:: -(-len(thumbnails) // _SAMPLE)]))
    # No way of mirroring negates the first part, which has the lengths.
    widths = [vectors.shape[1] + (number == 0) for number, vectors in enumerate(basis)]
    summaries = [np.empty((len(thumbnails), width), np.float32) for width in widths]

    def summarise(start: int) -> None:
        block = slice(start, start + _BLOCK)
        rest = []
        parts = _parts_of_thumbnails(thumbnails[block])
        for part, vectors, summary in zip(parts, basis, summaries, strict=True):
            values = part @ vectors
            summary[block, : vectors.shape[1]] = values
            rest.append(np.asarray(part - values @ vectors.T, np.float32))
        summaries[0][block, -1] = _lengths(rest)

    for _ in run(summarise, range(0, len(thumbnails), _BLOCK)):
        pass
    return summaries


def _basis(parts: Sequence[_Floats]) -> list[_Floats]:
    """Return the greatest principal components of four parts, each in a column."""
    found = [np.linalg.eigh(part.T @ part) for part in parts]
    least = np.sort(np.concatenate([values for values, _ in found]))[-_SUMMARY]
    return [vectors[:, values >= least] for values, vectors in found]


def _compare_block(
    thumbnails: Thumbnails, summaries: list[_Floats] | None, start: int
) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """Compare a block of thumbnails with itself and all later ones.

    Returns indices of images, a column for each, and in a row for each image of the block with
    which of these it is a candidate.
    """
    rows = np.arange(start, min(start + _BLOCK, len(thumbnails)))
    columns = np.arange(start, len(thumbnails))
    if summaries is not None:
        columns = columns[_may_match(summaries, start)]
    block = _parts_of_thumbnails(thumbnails[rows])
    found = np.zeros((len(rows), len(columns)), np.bool_)
    for first in range(0, len(columns), _BLOCK):
        part = slice(first, first + _BLOCK)
        others = _parts_of_thumbnails(thumbnails[columns[part]])
        found[:, part] = _best_correlations(block, others) >= CANDIDATE
    return columns, found & (columns > rows[:, np.newaxis])


def _may_match(summaries: list[_Floats], start: int) -> Chosen:
    """Return which thumbnails from `start` on may be candidates with one of the block there."""
    block = [part[start : start + _BLOCK] for part in summaries]
    found = []
    for first in range(start, len(summaries[0]), _BLOCK):
        others = [part[first : first + _BLOCK] for part in summaries]
        bounds = _best_correlations(block, others)
        if first == start:
            np.fill_diagonal(bounds, 0)
        found.append(bounds.max(axis=0) >= CANDIDATE - _SLACK)
    return np.concatenate(found)


def _parts_of_thumbnails(thumbnails: Thumbnails) -> list[_Floats]:
    width, height = THUMBNAIL_SIZE
    return _symmetric_parts(thumbnails.astype(np.int16).reshape(-1, height, width))


def _symmetric_parts(details: npt.NDArray[np.int16] | _Floats) -> list[_Floats]:
    """Split details into four parts that mirroring only negates or leaves, a row for each detail.

    `details` is number x height x width; height and width are even. The parts are unchanged by both
    ways of mirroring, negated by left-right alone, by top-bottom alone, and by either; a quarter of
    each is enough. With these, a product of two details and its three mirrored versions cost no
    more than the product alone. The parts of a detail together have length 1; those of a uniform
    image are 0 and match none.
    """
    number, height, width = details.shape
    top, bottom = details[:, : height // 2], details[:, : height // 2 - 1 : -1]
    quarters = []
    for half in (top + bottom, top - bottom):
        left, right = half[:, :, : width // 2], half[:, :, : width // 2 - 1 : -1]
        quarters += [left + right, left - right]
    parts = [quarter.reshape(number, -1).astype(np.float32) for quarter in quarters]
    lengths = np.maximum(_lengths(parts), np.float32(1))
    for part in parts:
        part /= lengths[:, np.newaxis]
    return parts


def _lengths(parts: Sequence[_Floats]) -> _Floats:
    """Return the length of each row of several parts together."""
    squares = np.sum([np.einsum("ij,ij->i", part, part) for part in parts], axis=0)
    return np.asarray(np.sqrt(squares), np.float32)


def _best_correlations(first: list[_Floats], second: list[_Floats]) -> _Floats:
    """Return the correlations of two blocks, the best of the four ways to mirror the second."""
    both, left_right, top_bottom, either = (a @ b.T for a, b in zip(first, second, strict=True))
    # Mirroring changes the signs of the last three products, always of two at once.
    plain = both + left_right + np.abs(top_bottom + either)
    mirrored = both - left_right + np.abs(top_bottom - either)
    return np.asarray(np.maximum(plain, mirrored), np.float32)


def are_same(first: CloseUp, others: Sequence[CloseUp]) -> list[bool]:
    """Return for each of several close-ups whether it shows the picture of the first one.

    Each of them may be mirrored, and shifted by up to `_REACH` pixels each way.
    """
    inner = slice(_REACH, -_REACH)
    height, width = first[inner, inner].shape
    windows = sliding_window_view(first, (height, width)).reshape(-1, height, width)
    places = _symmetric_parts(_without_mean(windows))
    found: list[bool] = []
    for start in range(0, len(others), _BLOCK):
        block = np.stack(others[start : start + _BLOCK])[:, inner, inner]
        correlations = _best_correlations(places, _symmetric_parts(_without_mean(block)))
        found += (correlations.max(axis=0) >= THRESHOLD).tolist()
    return found


def _without_mean(details: npt.NDArray[np.int8]) -> _Floats:
    values = details.astype(np.float32)
    return np.asarray(values - values.mean(axis=(1, 2), keepdims=True), np.float32)


def find_same(
    thumbnails: Thumbnails, look: Callable[[int], CloseUp], wanted: Wanted, run: Run = map
) -> Iterator[tuple[int, int]]:
    """Yield the indices (i, j), i < j, of images that are the same picture, in ascending order.

    Parameters
    ----------
    thumbnails
        The thumbnail of each image.
    look
        Returns the close-up of an image by its index; each image is asked for once.
    wanted
        Says which candidates to compare. It is asked again as pairs are yielded, so it may refuse
        those that tell nothing new.
    run
        Calls functions like ``map``, and may use threads.
    """
    close_ups: dict[int, CloseUp] = {}

    def confirm(candidates: tuple[int, Indices]) -> list[tuple[int, int]]:
        first, others = candidates[0], candidates[1].tolist()
        same = are_same(close_ups[first], [close_ups[other] for other in others])
        return [(first, other) for other, is_same in zip(others, same, strict=True) if is_same]

    # BLAS threads beside those of `run` would spin while they wait for each other.
    with threadpool_limits(1, user_api="blas"):
        for batch in _batches(similar_images(thumbnails, run), wanted):
            indices = {index for first, others in batch for index in (first, *others.tolist())}
            new = sorted(indices - close_ups.keys())
            close_ups.update(zip(new, run(look, new), strict=True))
            for pairs in run(confirm, batch):
                yield from pairs


def _batches(
    candidates: Iterable[tuple[int, Indices]], wanted: Wanted
) -> Iterator[list[tuple[int, Indices]]]:
    """Yield the candidates that are wanted, about `_ENOUGH` at a time."""
    batch: list[tuple[int, Indices]] = []
    count = 0
    for first, every in candidates:
        others = every[wanted(first, every)]
        for start in range(0, len(others), _BLOCK):
            piece = others[start : start + _BLOCK]
            piece = piece[wanted(first, piece)]
            if len(piece):
                batch.append((first, piece))
                count += len(piece)
            if count >= _ENOUGH:
                yield batch
                batch, count = [], 0
    yield batch
