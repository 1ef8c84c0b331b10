"""The pictures of a page: images with outlined defects, close-ups and heat maps, as JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, binary
from kolektor_cli.reports.overlay import (
    PADDING,
    close_up,
    color_bar,
    fitted,
    heat_map,
    laid,
    outlined,
)
from kolektor_cli.reports.page import Picture
from kolektor_cli.scoring.placing import Placed

WIDE = (600, 450)
"""The space of a picture of a whole image in pixels: twice what a page shows on most screens."""

SIDE = 240
"""The side of a close-up in pixels."""

_QUALITY = 80
"""Of JPEG: without visible blocks on the parts' texture, at a third of the size of a PNG."""

PLACES = 64
"""Places along the width of a map of positions; see `marked_places`."""


@dataclass(frozen=True, slots=True)
class DefectCell:
    """The pictures of one defective image, its defect area in pixels, and its share of the places.

    `whole` is None if it is not wanted. `places` is what `marked_places` returns, `regions` the
    number of 8-connected components.
    """

    whole: Picture | None
    close: Picture
    area: int
    regions: int
    places: npt.NDArray[np.float32]


def jpeg(pixels: Pixels, alt: str = "", quality: int = _QUALITY) -> Picture:
    """Return a picture of pixels, height x width x 3 uint8 (RGB).

    Colours keep their full resolution, as outlines are one pixel wide.

    Raises
    ------
    ImageError
        The pixels cannot be encoded.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ImageError(f"{alt}: cannot be encoded as JPEG")
    return Picture(data.tobytes(), pixels.shape[1], pixels.shape[0], alt)


def whole(image: Pixels, mask: Pixels | None, space: tuple[int, int] = WIDE) -> Picture:
    """Return a picture of a whole image, laid if it is tall, with the outlines of its mask."""
    small = fitted(laid(image), *space)
    marks = None if mask is None else fitted(binary(laid(mask)), *space)
    return jpeg(outlined(small, marks))


def defect_cell(image: Pixels, mask: Pixels, *, wholes: bool = True) -> DefectCell:
    """Return the pictures of a defective image, which have no alternative text yet.

    Parameters
    ----------
    image, mask
        Height x width (x 3, RGB) and height x width, uint8; the mask is non-zero on defects.
    wholes
        Whether a picture of the whole image is wanted.
    """
    marked = binary(mask)
    close = close_up(laid(image), laid(marked), SIDE)
    return DefectCell(
        whole=whole(image, marked) if wholes else None,
        close=jpeg(close),
        area=int(np.count_nonzero(marked)),
        regions=cv2.connectedComponents(marked, connectivity=8)[0] - 1,
        places=marked_places(marked),
    )


def heat(placed: Placed, mask: Pixels, low: float, high: float) -> Picture:
    """Return a picture of the scores of an image, laid if it is tall, with outlined defects.

    Pixels of the image without a score are gray.

    Parameters
    ----------
    placed
        The scores of the image's pixels.
    mask
        Height x width of the image, uint8.
    low, high
        The scores of the first and of the last colour.
    """
    left, top, width, height = placed.window
    colors = np.full((*mask.shape, 3), PADDING, np.uint8)
    colors[top : top + height, left : left + width] = heat_map(placed.scores, low, high)
    return whole(colors, mask)


def scale_bar() -> Picture:
    """Return the colours of heat maps and of maps of positions, the lowest to the left."""
    bar = np.ascontiguousarray(np.rot90(color_bar(256, 12), -1))
    return jpeg(bar, "colour scale, lowest to the left")


def marked_places(mask: Pixels) -> npt.NDArray[np.float32]:
    """Return the share of each place of an image that is marked; tall images are laid.

    There are `PLACES` along the width, and as many in proportion along the height.
    """
    lying = laid(mask)
    rows = max(1, round(PLACES * lying.shape[0] / lying.shape[1]))
    shares = (lying > 0).astype(np.float32)
    return cv2.resize(shares, (PLACES, rows), interpolation=cv2.INTER_AREA).astype(np.float32)


def position_map(places: Sequence[npt.NDArray[np.float32]]) -> tuple[Picture, float] | None:
    """Return how many images have a defect at each place, as a heat map, and the highest number.

    Maps of images of another shape than the first are resized to it. None without images.
    """
    if not places:
        return None
    rows, columns = places[0].shape
    resized = [cv2.resize(one, (columns, rows), interpolation=cv2.INTER_AREA) for one in places]
    total: npt.NDArray[Any] = np.sum(np.stack(resized).astype(np.float64), axis=0)
    highest = float(total.max())
    colors = np.repeat(np.repeat(heat_map(total, 0, highest), 10, axis=0), 10, axis=1)
    return jpeg(colors, "where on the part defects lie", 90), highest


def called(picture: Picture, alt: str) -> Picture:
    """Return a picture with its alternative text."""
    return replace(picture, alt=alt)
