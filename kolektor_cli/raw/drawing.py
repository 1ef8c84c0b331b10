"""Drawing of synthetic surfaces, defects and masks, as arrays or encoded bytes."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt

from kolektor_cli.imaging.pixels import Pixels

Random = np.random.Generator

_TINTS = ((0.92, 0.98, 1.04), (6.0, 4.0, 7.0))
"""For red, green and blue: the factor of brightness, and the deviation of the grain."""


def draw_surface(random: Random, width: int, height: int) -> Pixels:
    """Return a grained surface, height x width uint8.

    The grain is wider than high and lies on slow changes of brightness. The mean (184), the
    standard deviation (19) and the size as JPEG and PNG are near those of the real images.
    """
    grain = noise(random, width, height)
    grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=3, sigmaY=2).astype(np.float32)
    cells = noise(random, width // 16 + 2, height // 32 + 2)
    slow = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    surface = 184 + 17 / grain.std() * grain + 8 / slow.std() * slow
    return np.asarray(np.clip(surface, 0, 255), np.uint8)


def noise(random: Random, width: int, height: int) -> npt.NDArray[np.float32]:
    """Return uniform noise from -127.5 to 127.5, height x width."""
    return random.integers(0, 256, (height, width), np.uint8).astype(np.float32) - 127.5


def draw_crack(random: Random, surface: Pixels, mask: Pixels) -> None:
    """Draw a dark crack on a surface, and mark it with 1 in its mask; both in place."""
    height, width = surface.shape
    steps = np.arange(random.integers(20, 60))
    x = random.integers(0, width - 150) + steps * random.integers(5, 9)
    y = random.integers(height // 4, 3 * height // 4) + np.cumsum(
        random.integers(-3, 4, len(steps))
    )
    points = [np.stack([x, y], axis=1).astype(np.int32)]
    thickness = int(random.integers(5, 12))
    cv2.polylines(mask, points, False, 1, thickness)
    crack = np.zeros_like(surface)
    cv2.polylines(crack, points, False, 110, thickness // 2)
    np.subtract(surface, np.minimum(surface, cv2.blur(crack, (3, 3))), out=surface)


def fill_box(mask: Pixels) -> Pixels:
    """Return a mask, height x width, with the box around all marks of `mask` filled with 1."""
    box = np.zeros_like(mask)
    if mask.any():
        x, y, width, height = cv2.boundingRect(mask)
        box[y : y + height, x : x + width] = 1
    return box


def tint(random: Random, surface: Pixels) -> Pixels:
    """Return a gray surface, height x width, as RGB, height x width x 3, with grain per channel."""
    height, width = surface.shape
    channels = []
    for brightness, deviation in zip(*_TINTS, strict=True):
        # The standard deviation of uniform noise over 256 values is 74.
        grain = noise(random, width, height)
        mixed = cv2.addWeighted(surface, brightness, grain, deviation / 74, 0, dtype=cv2.CV_8U)
        channels.append(mixed)
    return np.asarray(cv2.merge(channels), np.uint8)


def palette_bmp(indices: Pixels) -> bytes:
    """Encode palette indices, height x width, as an 8-bit BMP: 0 is black, 1 is white.

    Source of the format: the BITMAPFILEHEADER and BITMAPINFOHEADER structures of the Windows API.
    """
    height, width = indices.shape
    stride = (width + 3) // 4 * 4
    palette = struct.pack("<256I", 0x000000, 0xFFFFFF, *([0] * 254))
    offset = 14 + 40 + len(palette)
    rows = np.zeros((height, stride), np.uint8)
    rows[:, :width] = indices[::-1]
    return (
        struct.pack("<2sIHHI", b"BM", offset + rows.size, 0, 0, offset)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, rows.size, 2835, 2835, 256, 0)
        + palette
        + rows.tobytes()
    )
