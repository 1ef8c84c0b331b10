"""The size at which a network of any input size takes images, so that they keep their aspect."""

from __future__ import annotations

from collections.abc import Collection
from math import sqrt
from statistics import median_low

from kolektor_cli.imaging.geometry import Size

AREA = 256 * 256
"""Default area of an input in pixels: that of the square input of most models."""

MULTIPLE = 32
"""The sides are multiples of this, because common backbones halve them up to five times."""


def input_size(image_size: Size, area: int = AREA, multiple: int = MULTIPLE) -> Size:
    """Return the input size of about a given area that keeps the aspect of an image.

    Parameters
    ----------
    image_size
        (width, height) of the image in pixels.
    area
        Area of the input in pixels.
    multiple
        Each side is rounded to the nearest multiple of this number of pixels, at least one.

    Returns
    -------
    size
        (width, height) of the input in pixels.

    Examples
    --------
    >>> input_size((500, 1240))
    (160, 416)
    >>> input_size((300, 300))
    (256, 256)
    """
    scale = sqrt(area / (image_size[0] * image_size[1])) / multiple
    width, height = (max(1, round(side * scale)) * multiple for side in image_size)
    return width, height


def typical_size(sizes: Collection[Size]) -> Size:
    """Return the size that stands for images of several: the median width and the median height.

    Sizes are (width, height) in pixels.
    """
    widths, heights = zip(*sizes, strict=True)
    return median_low(widths), median_low(heights)
