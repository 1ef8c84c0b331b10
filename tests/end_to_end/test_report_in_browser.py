"""Reports in headless Chromium with the network off; skipped where there is none."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.reporting import report
from kolektor_cli.tree.dataset import load_tree

LONG = "".join(f"{number:04}" for number in range(50))
"""A name of 200 characters without a space."""

SCRIPT = """
addEventListener("load", () => {
const told = { width: innerWidth, needed: document.documentElement.scrollWidth, errors: [] };
addEventListener("securitypolicyviolation", (e) => told.errors.push(e.violatedDirective));
addEventListener("error", (e) => told.errors.push(e.message));
const column = (table) => [...table.tBodies[0].rows].map((row) => row.cells[INDEX].textContent);
const table = [...document.querySelectorAll("table")].find((t) => t.querySelector(".sort"));
const button = table.tHead.rows[0].cells[INDEX].querySelector("button");
told.before = column(table);
button.click();
told.rising = column(table);
told.sorted = button.closest("th").ariaSort;
button.click();
told.falling = column(table);
const picture = document.querySelector(".enlarge");
picture.focus();
told.focused = document.activeElement === picture;
picture.click();
const dialog = document.querySelector("dialog");
told.open = dialog.open;
const large = dialog.querySelector("img");
told.larger = large.getBoundingClientRect().width / picture.getBoundingClientRect().width;
told.caption = dialog.querySelector("p").textContent;
told.inside = dialog.getBoundingClientRect().right <= innerWidth;
dialog.querySelector("form button").click();
told.closed = !dialog.open;
told.images = [...document.images].every((one) => one.complete && one.naturalWidth > 0);
document.querySelectorAll("details").forEach((one) => { one.open = true; });
told.unfolded = document.documentElement.scrollWidth;
told.requests = performance.getEntriesByType("resource").map((e) => e.name)
  .filter((name) => !name.startsWith("data:"));
parent.postMessage(JSON.stringify(told), "*");
});
"""

FRAME = """<!DOCTYPE html><title></title>
<script>onmessage = (event) => { document.title = event.data; };</script>
<iframe src="page.html" width="WIDTH" height="900"></iframe>
"""
"""A window of Chromium is never narrower than 500 pixels; a frame may be."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, originals: Path) -> str:
    """Make a page of two models, one of which has a long name."""
    folder = tmp_path_factory.mktemp("report")
    random = np.random.default_rng(0)
    for name in (LONG, "other"):
        for image in load_tree(originals / "metal"):
            if image.split == "test":
                place = folder / name / image.path.replace(".png", ".npy")
                place.parent.mkdir(parents=True, exist_ok=True)
                mask = image.mask().astype(np.float32)
                np.save(place, mask + random.normal(0, 90, mask.shape).astype(np.float32))
    return report(originals / "metal", [folder / LONG, folder / "other"]).page


@pytest.fixture(scope="module")
def source_page(originals: Path) -> str:
    return report(originals / "raw").page


def seen(page: str, folder: Path, width: int, index: int) -> dict[str, Any]:
    """Open a page and do what a reader does; return what was seen, and the console's errors."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Chromium is not installed here")
    script = SCRIPT.replace("INDEX", str(index))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The page's policy lets no other script run, so this one must be named there.
    told = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    (folder / "page.html").write_text(told.replace("</body>", f"<script>{script}</script></body>"))
    place = folder / "frame.html"
    place.write_text(FRAME.replace("WIDTH", str(width)))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'user'}", f"--window-size={width + 100},1000"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"]
    # Messages between the frames come after the load.
    command += ["--virtual-time-budget=5000"]
    shown = subprocess.run(
        [*command, place.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    title = re.search("<title>(.*?)</title>", shown.stdout, re.DOTALL)
    assert title is not None
    console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    unescaped = title[1].replace("&quot;", '"').replace("&amp;", "&")
    return {**json.loads(unescaped), "console": console}


@pytest.mark.long
@pytest.mark.parametrize("width", [400, 800, 1600])
def test_page_of_maps_is_usable(page: str, tmp_path: Path, width: int) -> None:
    found = seen(page, tmp_path, width, index=6)
    assert found["width"] == width
    assert found["console"] == found["errors"] == found["requests"] == []
    assert found["needed"] <= found["width"]
    assert found["unfolded"] <= found["width"]
    assert found["images"]
    numbers = [float(text.split()[0]) for text in found["rising"]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 2
    assert found["sorted"] == "ascending"
    assert found["falling"] == found["rising"][::-1]
    assert found["focused"]
    assert found["open"]
    assert found["inside"]
    assert found["closed"]
    assert found["larger"] > 1.2
    assert found["caption"].startswith("test/")


@pytest.mark.long
@pytest.mark.parametrize("width", [400, 1600])
def test_page_of_a_source_fits(source_page: str, tmp_path: Path, width: int) -> None:
    found = seen(source_page, tmp_path, width, index=0)
    assert found["console"] == found["errors"] == found["requests"] == []
    assert found["needed"] <= found["width"]
    assert found["unfolded"] <= found["width"]
    assert found["rising"] == sorted(found["before"])
