"""Reader for TIFF files of one page, by Pillow: gray, palette or RGB, exactly as stored.

OpenCV is not used: of 8 bits it multiplies colours by their transparency, and it fills the rest of
a damaged file with zeros. What Pillow would change or leave out is refused.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kolektor_cli.errors import ImageError
from kolektor_cli.imaging.orientation import known
from kolektor_cli.imaging.pixels import Pixels, Samples, check_size
from kolektor_cli.imaging.stored import Stored, from_palette

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF, and of a BigTIFF."""

# Tags of TIFF 6.0.
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _FILL_ORDER, _OFFSETS = 256, 257, 258, 262, 266, 273
_ORIENTATION, _CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 274, 277, 278, 279, 284, 317
_COLOR_MAP, _TILE_WIDTH, _EXTRA, _FORMAT = 320, 322, 338, 339

_LOCK = threading.Lock()
"""Held while a file is open: all threads share the filters of warnings."""

# Pillow logs some errors before it raises them; what has no handler is printed.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Header:
    """Header of a TIFF; `bits` are those of a decoded sample, 8 or 16."""

    width: int
    height: int
    bits: int
    alpha: bool
    orientation: int


def decode_tiff(data: bytes, name: str) -> Stored:
    """Return the samples of a TIFF, uint8 or uint16.

    Raises
    ------
    ImageError
        The file is damaged, truncated or too large, has several pages, or is of a kind that is not
        read.
    """
    with _opened(data, name) as image:
        header, color_map = _header(image), image.tag_v2.get(_COLOR_MAP, ())
        check_size(header.width, header.height, name)
        _check_deflate(image, data)
        decoded = np.atleast_3d(np.asarray(image))
    if decoded.dtype == bool:
        decoded = np.where(decoded, np.uint8(255), np.uint8(0))
    samples = _as_stored(decoded.astype(f"u{header.bits // 8}"), header.orientation)
    alpha = np.ascontiguousarray(samples[..., -1]) if header.alpha else None
    colors = np.ascontiguousarray(samples[..., :3] if samples.shape[2] > 2 else samples[..., 0])
    if not image.mode.startswith("P"):
        return Stored(colors, alpha, orientation=known(header.orientation))
    palette = np.array(color_map, np.uint16).reshape(3, -1).T
    stored = from_palette(colors.astype(np.uint8), _of_8_bits(palette), name)
    return replace(stored, alpha=alpha, orientation=known(header.orientation))


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[TiffImageFile]:
    """Open a TIFF that Pillow decodes exactly; what it says of any other is an `ImageError`."""
    # Help and start-up do without it. `Image.open` would load all its formats.
    from PIL.TiffImagePlugin import TiffImageFile

    try:
        with _LOCK, warnings.catch_warnings():
            warnings.filterwarnings("error", module="PIL")
            with TiffImageFile(io.BytesIO(data)) as image:
                reason = _not_read(image) or _misfit(image, len(data))
                if reason:
                    raise ImageError(f"{name}: is a {reason}")
                yield image
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(
            f"{name}: is a damaged or truncated TIFF, or of a kind that is not read: {error}"
        ) from error


def _header(image: TiffImageFile) -> _Header:
    return _Header(
        width=image.tag_v2[_WIDTH],
        height=image.tag_v2[_HEIGHT],
        bits=16 if image.mode.startswith("I") else 8,
        alpha=image.mode.endswith("A"),
        orientation=image.getexif().get(_ORIENTATION, 1),
    )


def _not_read(image: TiffImageFile) -> str | None:
    """Return the first trait of a TIFF that Pillow does not read exactly on each machine."""
    tags, compression = image.tag_v2, image.info["compression"]
    bits, channels = max(tags.get(_BITS, (1,))), tags.get(_CHANNELS, 1)
    predicts = compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")
    traits = {
        "several pages": image.is_animated,
        "signed or floating-point values": set(tags.get(_FORMAT, (1,))) != {1},
        f"{channels} channels of {bits} bits": bits not in (1, 2, 4, 8, 16)
        or (bits == 16 and channels > 1),
        "white as 0, or of neither gray, palette nor RGB": tags.get(_PHOTOMETRIC) not in (1, 2, 3),
        "a channel that is neither color nor transparency": tags.get(_EXTRA, (2,)) != (2,),
        "tiles, or of a plane for each channel": _TILE_WIDTH in tags
        or (tags.get(_PLANAR, 1) != 1 and channels > 1),
        f"the compression {compression}": not predicts and compression not in ("raw", "packbits"),
        "such a predictor": tags.get(_PREDICTOR, 1) not in ((1, 2) if predicts else (1,)),
        "reversed bits": tags.get(_FILL_ORDER, 1) != 1,
    }
    found = next((trait for trait, has_it in traits.items() if has_it), None)
    advice = "save it as one page of 8 or 16 bits gray or 8 bits RGB, uncompressed, LZW or deflate"
    return found and f"TIFF of {found}, which is not read; {advice}"


def _misfit(image: TiffImageFile, length: int) -> str | None:
    """Return what a TIFF is whose strips are not all there: Pillow leaves such rows black."""
    tags = image.tag_v2
    offsets, counts = tags.get(_OFFSETS, ()), tags.get(_COUNTS, ())
    rows = min(tags.get(_ROWS, tags[_HEIGHT]), tags[_HEIGHT])
    if not len(offsets) == len(counts) == -(-tags[_HEIGHT] // rows):
        return "damaged TIFF: its strips do not fill it"
    needed = _row(image) * tags[_HEIGHT] if image.info["compression"] == "raw" else 0
    ends = (offset + count for offset, count in zip(offsets, counts, strict=True))
    return "truncated TIFF" if max(ends) > length or sum(counts) < needed else None


def _check_deflate(image: TiffImageFile, data: bytes) -> None:
    """Raise an error if the checksum of a strip is wrong: libtiff does not look at all of them."""
    tags = image.tag_v2
    if not image.info["compression"].endswith("deflate"):
        return
    for offset, count in zip(tags[_OFFSETS], tags[_COUNTS], strict=True):
        inflater = zlib.decompressobj()
        # The last strip may be as long as the others. One byte more, to reach the checksum.
        inflater.decompress(data[offset : offset + count], _row(image) * tags[_HEIGHT] + 1)
        if not inflater.eof:
            raise ValueError("a strip is too short or too long")


def _row(image: TiffImageFile) -> int:
    """Return the bytes of a row."""
    tags = image.tag_v2
    bits: int = tags[_WIDTH] * max(tags.get(_BITS, (1,))) * tags.get(_CHANNELS, 1)
    return -(-bits // 8)


def _as_stored(samples: Samples, orientation: int) -> Samples:
    """Undo the turn by which Pillow follows an orientation."""
    turned = samples.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else samples
    turned = turned[::-1] if orientation in (3, 4, 6, 7) else turned
    return turned[:, ::-1] if orientation in (2, 3, 7, 8) else turned


def _of_8_bits(palette: Samples) -> Pixels:
    """Reduce a palette to 8 bits; some programs write it so. What is not black stays so."""
    reduced = palette >> 8 if palette.max() > 255 else palette
    return np.maximum(reduced, palette > 0).astype(np.uint8)
