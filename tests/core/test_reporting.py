"""Reports as a whole: what is in the page of a source, of a tree, and of maps on it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.reporting import Report, report
from kolektor_cli.errors import OutputError, SourceError, UsageError
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.scoring.figures import DEFINITIONS, FIGURES
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.published import PUBLISHED
from kolektor_cli.tree.dataset import load_tree
from tests.conftest import MakeDataset, damage_jpeg, snapshot, write_defects, write_pair
from tests.pages import Page, read_page

Array = np.ndarray[Any, Any]


def noisy(tree: Path, seed: int = 0) -> dict[str, Array]:
    """Draw a map for each test image: its mask with noise."""
    random = np.random.default_rng(seed)
    tested = [image for image in load_tree(tree) if image.split == "test"]
    return {i.path: i.mask() / 255 + random.normal(size=i.mask().shape) for i in tested}


def read(made: Report) -> Page:
    assert made.size == len(made.page.encode())
    return read_page(made.page)


def decoded(page: Page) -> list[Array]:
    """Decode all pictures of a page; each has the size that is said of it."""
    found = []
    for image in page.all("img"):
        data = base64.b64decode((image.attributes["src"] or "").partition("base64,")[2])
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        size = [int(image.attributes[side] or 0) for side in ("height", "width")]
        assert list(pixels.shape[:2]) == size
        found.append(pixels)
    return found


def alts(page: Page) -> list[str]:
    return [image.attributes["alt"] or "" for image in page.all("img")]


def row(page: Page, what: str) -> str:
    """Return what stands beside a heading of a row."""
    cells = [element for element in page.elements if element.tag in ("th", "td")]
    return next(cells[i + 1].text for i, one in enumerate(cells) if one.text == what)


def test_page_of_a_source_has_its_parts(raw: Path) -> None:
    made = report(raw)
    page = read(made)
    assert made.kind == "source"
    assert made.ok
    assert page.texts("h1") == ["raw: raw dataset"]
    wanted = ["Overview", "Findings", "Items that are one", "Defects", "Versions and fingerprints"]
    assert page.texts("h2") == wanted
    assert [row(page, what) for what in ("samples", "good", "defective")] == ["12", "9", "3"]
    assert row(page, "width in pixels") == "40"
    for number in (1, 2, 3):
        assert f"kos0{number}/Part0, defects outlined" in alts(page)
        assert f"kos0{number}/Part0, close-up of its largest defect" in alts(page)
    assert "where on the part the defects of 3 images lie" in alts(page)
    assert decoded(page)


def test_defects_are_outlined_where_they_are(raw: Path) -> None:
    page = read(report(raw))
    place = alts(page).index("kos01/Part0, defects outlined")
    pixels = decoded(page)[place].astype(int)
    # Cyan: blue and green by far over red.
    rows, columns = np.nonzero(pixels[..., 0] + pixels[..., 1] - 2 * pixels[..., 2] > 150)
    # The box is x 5 to 17 of 40 and y 10 to 17 of 60, its last row one further; enlarged 7 times.
    assert pixels.shape[:2] == (420, 280)
    assert [rows.min(), rows.max()] == pytest.approx([70, 118], abs=2)
    assert [columns.min(), columns.max()] == pytest.approx([35, 125], abs=2)


def test_findings_are_beside_their_pictures(raw: Path) -> None:
    damage_jpeg(raw / "kos02/Part1.jpg")
    shutil.copy(raw / "kos01/Part2.jpg", raw / "kos01/Part2_label.bmp")
    made = report(raw)
    page = read(made)
    assert not made.ok
    assert {"kos02/Part1.jpg", "kos01/Part2_label.bmp"} <= {f.path for f in made.findings}
    told = [cell.text for cell in page.all("td")]
    for finding in made.findings:
        assert finding.message in told
        assert finding.path in told
    # What is damaged has no picture; the other file is an image.
    assert "kos02/Part1.jpg" not in alts(page)
    assert "kos01/Part2_label.bmp" in alts(page)


def test_items_that_are_one_are_shown_as_pairs(raw: Path) -> None:
    for part in (0, 1):
        shutil.copy(raw / f"kos01/Part{part}.jpg", raw / f"kos03/Part{part}.jpg")
        shutil.copy(raw / f"kos01/Part{part}_label.bmp", raw / f"kos03/Part{part}_label.bmp")
    page = read(report(raw))
    assert row(page, "kos01, kos03") == "2"
    assert row(page, "physical items") == "2"
    told = [caption.text for caption in page.all("figcaption")]
    assert "kos01/Part0 = kos03/Part0same file" in told
    assert alts(page).count("kos03/Part1") == 1


def test_source_of_the_other_release_has_no_items(make_dataset_2: MakeDataset) -> None:
    page = read(report(make_dataset_2()))
    assert "By item" not in page.texts("summary")
    assert "train/10000, defects outlined" in alts(page)


def test_source_without_defects_says_so(tmp_path: Path) -> None:
    for part in range(3):
        write_pair(tmp_path / "raw/kos01", f"Part{part}", part)
    assert "There is no defective image." in read(report(tmp_path / "raw")).texts("p")


def test_page_of_a_tree_has_its_parts(tree: Path) -> None:
    made = report(tree)
    page = read(made)
    assert (made.kind, made.ok, made.scores) == ("tree", True, None)
    assert page.texts("h2") == [
        *("Overview", "Checks", "Leaks from training to test", "Defects as they came out"),
        *("What the fit lost", "Versions and fingerprints"),
    ]
    manifest = json.loads((tree / "manifest.json").read_text())
    assert row(page, "fingerprint") == manifest["fingerprint"]
    assert row(page, "protocol") == "balanced"
    assert row(page, "size") == "[20, 31]"
    assert row(page, "leaks") == "ok"
    assert "Every defective sample has a defective image." in page.texts("p")
    assert "test/defect/000.png, defects outlined" in alts(page)
    assert read(report(tree.parent)) == page


def test_what_the_fit_lost_is_named(tmp_path: Path) -> None:
    raw = write_defects(tmp_path / "raw", [(5, 40, 12, 6), (5, 2, 12, 6)])
    target = convert(raw, tmp_path, ConvertOptions(fit="crop", size=(40, 20))).target
    page = read(report(target))
    assert "kos02/Part1" in page.texts("li")
    assert "kos02/Part0" not in page.texts("li")


def test_leaks_are_pairs_of_pictures(tree: Path) -> None:
    shutil.copy(tree / "train/good/000.png", tree / "test/good/001.png")
    made = report(tree)
    page = read(made)
    assert not made.ok
    assert "1 pictures are in training and in test" in made.page
    told = [caption.text for caption in page.all("figcaption")]
    assert any(one.startswith("train/good/000.png = test/good/001.png") for one in told)
    assert row(page, "leaks") == "FAILED"


def test_foreign_tree_is_shown_as_it_is(foreign: Path) -> None:
    page = read(report(foreign))
    assert "The tree has no manifest: its source is not known." in page.texts("p")
    assert "What the fit lost" not in page.texts("h2")
    assert "test/hole/000.png, defects outlined" in alts(page)


def test_damaged_tree_still_has_a_page(tree: Path) -> None:
    mask = tree / "ground_truth/defect/000_mask.png"
    mask.write_bytes(mask.read_bytes()[:50])
    made = report(tree)
    assert not made.ok
    assert "test/defect/000.png, defects outlined" not in alts(read(made))
    assert "test/defect/001.png, defects outlined" in alts(read(made))


def test_page_of_maps_has_its_parts(tree: Path) -> None:
    made = report(tree, noisy(tree))
    page = read(made)
    assert made.scores is not None
    assert page.texts("h2")[:7] == [
        *("Results", "Scores and curves", "Misses", "False alarms", "Defect area and overlap"),
        *("By physical item", "Definitions"),
    ]
    model = made.scores.models[0]
    shown = [cell.text for cell in page.all("td")]
    for key, figure in model.figures.items():
        assert any(one.startswith(f"{figure.value:.{0 if 'fp' in key else 3}f}") for one in shown)
        assert DEFINITIONS[key] in shown
    assert made.scores.draws == 1000
    assert {f"{one.image_auroc:.3f}" for one in PUBLISHED} <= set(shown)
    assert len(page.all("polyline")) == 4
    assert len(page.all("circle")) == len(model.regions)
    heads = page.texts("th")
    assert set(FIGURES.values()) <= set(heads)
    assert row(page, "maps of maps") != row(page, "tree")


def test_misses_and_false_alarms_come_by_their_scores(tree: Path) -> None:
    made = report(tree, noisy(tree))
    assert made.scores is not None
    images = made.scores.models[0].images
    ranked = re.findall(r"<b>\d+\. <bdi>(.*?)</bdi></b> \(<bdi>.*?</bdi>\)<br>score", made.page)
    defective = sorted((i.score, i.path) for i in images if i.label == "defective")
    good = sorted((-i.score, i.path) for i in images if i.label == "good")
    assert ranked == [path for _, path in [*defective, *good]]
    shown = alts(read(made))
    for path in ranked:
        assert any(one.startswith(f"heat map of {path}") for one in shown)


def test_heat_maps_have_one_scale(tree: Path) -> None:
    maps = {path: np.full(one.shape, float(n)) for n, (path, one) in enumerate(noisy(tree).items())}
    page = read(report(tree, maps))
    highest = max(maps, key=lambda path: maps[path][0, 0])
    lowest = min(maps, key=lambda path: maps[path][0, 0])
    shown, pictures = alts(page), decoded(page)

    def color(path: str) -> Array:
        place = next(i for i, alt in enumerate(shown) if alt.startswith(f"heat map of {path}"))
        return np.asarray(pictures[place][-1, -1].astype(int))

    # Cividis goes from dark blue to yellow, here as blue, green, red.
    assert color(lowest)[0] > color(lowest)[2]
    assert color(highest)[2] > 200 > color(highest)[0]
    assert ["0", f"{len(maps) - 1}"] == page.texts("span")[:2]


def test_several_models_share_the_curves(tree: Path) -> None:
    made = report(tree, [noisy(tree), noisy(tree, 1)])
    page = read(made)
    assert {"Misses of maps 1", "False alarms of maps 2"} <= set(page.texts("h2"))
    assert len(page.all("polyline")) == 8
    assert "maps 1 minus maps 2, on the same draws" in page.texts("summary")


def test_crop_leaves_the_rest_gray(tree: Path) -> None:
    crop = CenterCrop("--crop", 20, 10)
    maps = {path: np.ones((10, 10)) for path in noisy(tree)}
    options = ScoreOptions(crop=crop)
    page = read(report(tree, maps, options=options))
    shown, pictures = alts(page), decoded(page)
    place = next(i for i, alt in enumerate(shown) if alt.startswith("heat map of test/good"))
    assert pictures[place][1, 1] == pytest.approx([128] * 3, abs=3)


def test_maps_that_are_wrong_give_no_page(tree: Path, tmp_path: Path) -> None:
    maps = noisy(tree)
    missing = maps.popitem()[0]
    made = report(tree, maps, output=tmp_path / "page.html")
    assert (made.page, made.ok) == ("", False)
    assert [f.path for f in made.findings] == [missing]
    assert not (tmp_path / "page.html").exists()


def test_constant_maps_have_curves(tree: Path) -> None:
    maps = {path: np.zeros(one.shape) for path, one in noisy(tree).items()}
    assert read(report(tree, maps)).all("polyline")


def test_same_bytes_with_any_number_of_threads(raw: Path, tree: Path) -> None:
    maps = noisy(tree)
    assert report(raw, jobs=1).page == report(raw, jobs=4).page
    assert report(tree, maps, jobs=1).page == report(tree, maps, jobs=4).page


def test_same_bytes_at_another_place(raw: Path, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "elsewhere/raw")
    assert report(raw).page == report(tmp_path / "elsewhere/raw").page
    shutil.copytree(tree, tmp_path / "elsewhere/metal")
    assert report(tree).page == report(tmp_path / "elsewhere/metal").page
    assert str(tmp_path) not in report(tree).page


def test_hostile_names_are_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)<\N{DIVISION SLASH}script>'\"&"
    write_pair(tmp_path / hostile / "kos01", "Part0", 1, (5, 10, 12, 6))
    write_pair(tmp_path / hostile / "kos01", "Part1", 2)
    (tmp_path / hostile / "kos01/<img src=x>.txt").touch()
    page = read(report(tmp_path / hostile))
    assert page.texts("h1") == [f"{hostile}: raw dataset"]


def test_hostile_names_of_models_are_text(tree: Path, tmp_path: Path) -> None:
    hostile = (
        "<script>alert(1)<\N{DIVISION SLASH}script>'\"& \N{RIGHT-TO-LEFT OVERRIDE}" + 150 * "x"
    )
    for path, scores in noisy(tree).items():
        place = tmp_path / hostile / path.replace(".png", ".npy")
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, scores)
    page = read(report(tree, [tmp_path / hostile, noisy(tree, 1)]))
    assert f"Misses of {hostile}" in page.texts("h2")
    assert hostile in page.texts("th")


def test_file_is_written_all_or_nothing(raw: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    made = report(raw, output=place)
    assert place.read_text() == made.page
    with pytest.raises(OutputError, match="exists already"):
        report(raw, output=place)
    place.write_text("old")
    report(raw, output=place, force=True)
    assert place.read_text() == made.page


def test_nothing_is_written_into_what_is_reported(raw: Path, tree: Path) -> None:
    before = snapshot(raw), snapshot(tree)
    for place in (raw, tree):
        with pytest.raises(UsageError, match="lies inside"):
            report(place, output=place / "report.html")
    assert (snapshot(raw), snapshot(tree)) == before
    report(tree, output=tree.parent / "report.html")


def test_what_cannot_be_reported_is_refused(raw: Path, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="maps belong to a tree"):
        report(raw, noisy(tree))
    with pytest.raises(SourceError):
        report(tmp_path / "nothing")
    shutil.copytree(tree, tree.parent / "other")
    with pytest.raises(OutputError, match="several categories"):
        report(tree.parent)
