"""The samples of an image as they are stored, and what is transparent or hidden in them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.pixels import Pixels, Samples, gray_values


@dataclass(frozen=True, slots=True)
class Stored:
    """The samples of one image, uint8 or uint16.

    `colors` is height x width, or height x width x 3 (RGB); values of 1, 2 and 4 bits are scaled to
    8, palettes are resolved. `alpha` is height x width, or None; 0 is transparent. `hidden` is True
    if pixels with different palette indices look equally black, or black stands for no index but 0.
    `orientation` is that of EXIF: 1 if the image is to be shown as it is stored.
    """

    colors: Samples
    alpha: Samples | None = None
    hidden: bool = False
    orientation: int = 1

    @property
    def translucent(self) -> bool:
        """Whether any pixel is not opaque."""
        return self.alpha is not None and bool(self.alpha.min() < np.iinfo(self.alpha.dtype).max)

    @property
    def marked(self) -> Pixels:
        """Height x width uint8: 255 where any bit of any colour is set, else 0."""
        some = self.colors.any(axis=2) if self.colors.ndim == 3 else self.colors != 0
        return np.where(some, np.uint8(255), np.uint8(0))

    @property
    def alpha_informs(self) -> bool:
        """Whether the transparency says anything that the colours do not.

        It does not if it is the same everywhere, or transparent exactly where the colours are
        black.
        """
        if self.alpha is None or self.alpha.min() == self.alpha.max():
            return False
        return not np.array_equal(self.alpha != 0, self.marked != 0)


def from_palette(
    indices: Pixels, palette: Pixels, name: str, opacities: bytes | memoryview | None = None
) -> Stored:
    """Return what palette indices stand for; `palette` is n x 3 uint8.

    `opacities` are those of the first entries, or None if the palette has none.

    Raises
    ------
    ImageError
        An index lies beyond the palette.
    """
    used = list(gray_values(indices))
    if max(used) >= len(palette):
        raise ImageError(f"{name}: is damaged: it uses colors that its palette does not have")
    black = [index for index in used if not palette[index].any()]
    hidden = len(black) > 1 or (any(black) and not palette[0].any())
    gray = (palette[used] == palette[used, :1]).all()
    colors = _looked_up(indices, palette[:, 0]) if gray else palette[indices]
    if opacities is None:
        return Stored(colors, None, hidden)
    table = np.full(256, 255, np.uint8)
    table[: len(opacities)] = np.frombuffer(opacities, np.uint8)
    return Stored(colors, _looked_up(indices, table), hidden)


def _looked_up(indices: Pixels, values: Pixels) -> Pixels:
    """Return ``values[indices]``, faster than NumPy; no index is beyond the values."""
    table = np.zeros(256, np.uint8)
    table[: len(values)] = values[:256]
    return cv2.LUT(indices, table).astype(np.uint8, copy=False)
