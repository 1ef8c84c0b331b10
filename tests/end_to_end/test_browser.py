"""What a browser sees of our PNGs: each value as it was. Needs Chromium; skipped where none is."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.imaging.pixels import to_gray
from kolektor_cli.imaging.png import encode_png
from tests.pictures import SHAPES, noise, to_rgb

PAGE = """<!doctype html><pre></pre>IMAGES<script>
window.onload = () => {
  const seen = [];
  for (const image of document.images) {
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(image, 0, 0);
    let bytes = "";
    for (const value of context.getImageData(0, 0, width, height).data)
      bytes += String.fromCharCode(value);
    seen.push([height, width, btoa(bytes)]);
  }
  document.querySelector("pre").textContent = JSON.stringify(seen);
};
</script>
"""


def seen_by_chromium(files: list[bytes], folder: Path) -> list[np.ndarray]:
    """Draw PNGs in a page; return height x width x 4 (RGB and opacity) uint8 of each."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Chromium is not installed here")
    sources = (base64.b64encode(data).decode() for data in files)
    images = "".join(f'<img src="data:image/png;base64,{source}">' for source in sources)
    page = folder / "page.html"
    page.write_text(PAGE.replace("IMAGES", images))
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'user'}")
    command = [browser, *options, "--dump-dom", page.as_uri()]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"<pre>(.+?)</pre>", printed)
    assert found is not None
    return [
        np.frombuffer(base64.b64decode(values), np.uint8).reshape(height, width, 4)
        for height, width, values in json.loads(found[1])
    ]


@pytest.mark.parametrize("rgb", [False, True], ids=["gray", "rgb"])
def test_a_browser_sees_every_value_as_it_was(tmp_path: Path, rgb: bool) -> None:
    pictures = [noise(*shape, *depth) for shape in (*SHAPES, (1240, 500)) for depth in ((), (3,))]
    seen = seen_by_chromium([encode_png(p, rgb=rgb) for p in pictures], tmp_path)
    assert len(seen) == len(pictures)
    for pixels, drawn in zip(pictures, seen, strict=True):
        expected = to_rgb(pixels if rgb else to_gray(pixels))
        np.testing.assert_array_equal(drawn[..., :3], expected, strict=True)
        assert (drawn[..., 3] == 255).all()
