"""The size of a network's input that keeps the aspect of the images."""

from __future__ import annotations

import math

from kolektor_cli.imaging.geometry import Size


def input_size(image_size: Size, *, area: int = 256 * 256, multiple: int = 32) -> Size:
    """Return width and height, in pixels, of about an area and about the aspect of an image.

    Each side is rounded to the nearest multiple of `multiple`, but is never less than that.

    Parameters
    ----------
    image_size
        Width and height of the image, in pixels.
    area
        Pixels of the input that the network was made for.
    multiple
        What both sides must be divisible by: the network's stride, or the side of its patches.

    Examples
    --------
    >>> input_size((500, 1240))
    (160, 416)
    >>> input_size((300, 300))
    (256, 256)
    """
    width, height = image_size
    scale = math.sqrt(area / (width * height))
    return _rounded(width * scale, multiple), _rounded(height * scale, multiple)


def _rounded(side: float, multiple: int) -> int:
    return max(multiple, multiple * round(side / multiple))
