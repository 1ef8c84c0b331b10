"""A bare loop: all the work of a conversion, done straight with the same libraries in two threads.

It decodes, resizes, filters, deflates and writes every image, hashes source, output and pixels, and
takes a thumbnail of each; so it tells what a conversion costs at least. It checks nothing and plans
no tree. `make bench` runs it as a program: ``python tests/bare.py rgb|gray SOURCE OUT``.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from isal import isal_zlib

WIDTH, HEIGHT = 500, 1240
UP = 2
BMP_PIXELS = 1078
"""Where the pixels start in a BMP of 256 gray values."""


def convert(source: Path, out: Path, channels: int) -> None:
    """Convert every image and every mask that is not black, to PNGs of 1 or 3 channels."""
    cv2.setNumThreads(1)
    out.mkdir()
    with ThreadPoolExecutor(2) as pool:
        images = sorted(source.glob("*/*.jpg"))
        made = [pool.submit(convert_one, path, out, channels) for path in images]
        for result in made:
            result.result()


def convert_one(path: Path, out: Path, channels: int) -> tuple[Any, ...]:
    """Convert one image with its mask; return hashes and thumbnail."""
    data = path.read_bytes()
    image = simplejpeg.decode_jpeg(data, "GRAY", strict=True)[..., 0]
    name = f"{path.parent.name}_{path.stem}"
    hashes = [hashlib.sha256(data).hexdigest()]
    hashes += write(out / f"{name}.png", cv2.resize(image, (WIDTH, HEIGHT)), channels)
    data = path.with_name(f"{path.stem}_label.bmp").read_bytes()
    if np.frombuffer(data, np.uint8)[BMP_PIXELS:].any():
        mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        resized = cv2.resize(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], (WIDTH, HEIGHT))
        binary = cv2.threshold(resized, 127, 255, cv2.THRESH_BINARY)[1]
        hashes += [hashlib.sha256(data).hexdigest(), *write(out / f"{name}_mask.png", binary, 1)]
    return *hashes, thumbnail(image)


def write(path: Path, pixels: Any, channels: int) -> list[str]:
    """Write pixels, height x width uint8, as a PNG; return the hashes of its bytes and pixels."""
    rows = np.empty((HEIGHT, 1 + WIDTH * channels), np.uint8)
    rows[:, 0] = UP
    differences = pixels.copy()
    differences[1:] -= pixels[:-1]
    if channels == 3:
        cv2.cvtColor(differences, cv2.COLOR_GRAY2RGB, rows[:, 1:].reshape(HEIGHT, WIDTH, 3))
    else:
        rows[:, 1:] = differences
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2 if channels == 3 else 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, contents in (b"IHDR", header), (b"IDAT", isal_zlib.compress(rows, 2)), (b"IEND", b""):
        checksum = isal_zlib.crc32(contents, isal_zlib.crc32(kind))
        data += struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", checksum)
    path.write_bytes(data)
    return [hashlib.sha256(data).hexdigest(), hashlib.sha256(pixels.data).hexdigest()]


def thumbnail(pixels: Any) -> Any:
    """Return an image's detail, reduced to 20 x 50 values."""
    while min(pixels.shape) >= 80:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.resize(pixels, (20, 50), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.GaussianBlur(small, (0, 0), 1.0) - cv2.GaussianBlur(small, (0, 0), 2.5)
    return np.rint(detail * (127 / np.abs(detail).max())).astype(np.int8)


if __name__ == "__main__":
    convert(Path(sys.argv[2]), Path(sys.argv[3]), 3 if sys.argv[1] == "rgb" else 1)
