"""The synthetic KolektorSDD2: structure, sizes, defects and files like those of the real one."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kolektor_cli.errors import UsageError
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.drawing_2 import draw_dark_surface, draw_marks
from kolektor_cli.raw.releases import kolektorsdd2
from kolektor_cli.raw.scan import scan_source
from kolektor_cli.raw.synthetic import SyntheticCounts, write_synthetic
from kolektor_cli.raw.synthetic_2 import OFFICIAL_IMAGES_2, SEGMENTED, _pickled_splits, drawings_2
from kolektor_cli.splits.pickles import read_pickled_numbers
from tests.conftest import snapshot

PICKLES = [f"split_weakly_{number}.pyb" for number in SEGMENTED]


def kinds(count: int) -> Counter[tuple[str, bool]]:
    return Counter((d.name.partition("/")[0], d.defective) for d in drawings_2(count, 0))


def images_of(files: Mapping[str, bytes]) -> list[bytes]:
    return [data for name, data in files.items() if name.endswith(".png") and "_GT" not in name]


def test_structure_is_the_official_one() -> None:
    drawings = drawings_2(OFFICIAL_IMAGES_2, seed=0)
    assert {drawing.name for drawing in drawings} == kolektorsdd2().names
    assert kinds(OFFICIAL_IMAGES_2) == {
        ("train", False): 2085, ("train", True): 246, ("test", False): 894, ("test", True): 110,
    }  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_sizes_and_defects_are_spread_like_the_real_ones(seed: int) -> None:
    """The wanted figures were measured on the official release."""
    drawings = drawings_2(OFFICIAL_IMAGES_2, seed)
    widths, heights = [d.width for d in drawings], [d.height for d in drawings]
    assert np.quantile(widths, [0, 0.5, 1]).tolist() == [184, 229, 241]
    assert np.quantile(heights, [0, 0.5, 1]).tolist() == [597, 637, 665]
    assert 550 < len({(d.width, d.height) for d in drawings}) < 750
    defective = [d.areas for d in drawings if d.defective]
    assert Counter(map(len, defective)) == {1: 324, 2: 26, 3: 6}
    totals = [sum(areas) for areas in defective]
    found = np.quantile(totals, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    wanted = [27, 234, 995, 2273, 5102, 13247, 43872]
    np.testing.assert_allclose(found, wanted, rtol=0.1)


@pytest.mark.parametrize("count", [3, 4, 5, 10, 30, 100, 1000, 3334, 20000])
def test_other_numbers_of_images_have_all_that_a_conversion_needs(count: int) -> None:
    counts = kinds(count)
    assert counts.total() == count
    needed = (("train", False), ("test", False), ("test", True))
    assert all(counts[kind] >= 1 for kind in needed)
    assert abs(counts["test", True] - count * 110 / 3335) <= 1
    assert len({d.name.partition("/")[2] for d in drawings_2(count, 0)}) == count


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} images are too few"):
        write_synthetic(tmp_path / "out", layout="kolektorsdd2", items=count)
    assert list(tmp_path.iterdir()) == []


def test_files_are_rgb_pngs_with_one_channel_masks_copies_and_splits(tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = write_synthetic(out, layout="kolektorsdd2", items=30)
    names = [f"train/{n}" for n in range(10000, 10021)] + [f"test/{n}" for n in range(20000, 20009)]
    files = [f"{name}{ending}.png" for name in names for ending in ("", "_GT")]
    copies = ["train/10020 (copy).png", "train/10020_GT (copy).png"]
    assert set(snapshot(out)) == {*files, *copies, *PICKLES}
    for copy in copies:
        assert (out / copy).read_bytes() == (out / copy.replace(" (copy)", "")).read_bytes()
    drawn = {drawing.name: drawing for drawing in drawings_2(30, 0)}
    marked = 0
    for name in names:
        with Image.open(out / f"{name}.png") as image, Image.open(out / f"{name}_GT.png") as mask:
            assert (image.mode, mask.mode) == ("RGB", "L")
            assert image.size == mask.size == (drawn[name].width, drawn[name].height)
            pixels, marks = np.asarray(image).astype(int), np.asarray(mask)
        assert set(np.unique(marks)) <= {0, 255}
        marked += int(marks.any())
        for first, second in ((0, 1), (1, 2)):
            assert np.abs(pixels[..., first] - pixels[..., second]).mean() > 4
        background = pixels[marks == 0]
        assert 34 < background.mean() < 46
        assert 5 < background.std() < 12
    assert counts == SyntheticCounts(30, 30 - marked, marked)
    assert counts.defective == 3


@pytest.mark.parametrize("areas", [(23,), (43_872,), (40, 5000), (10, 300, 2000), (400,) * 3])
def test_marks_have_their_areas_and_do_not_touch(areas: tuple[int, ...]) -> None:
    for seed in range(8):
        random = np.random.default_rng(seed)
        surface = draw_dark_surface(random, 229, 637)
        mask = np.zeros_like(surface)
        draw_marks(random, surface, mask, areas)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        found = sorted(stats[1:, cv2.CC_STAT_AREA].tolist())
        assert len(found) == len(areas)
        np.testing.assert_allclose(found, sorted(areas), rtol=0.35)


def test_marks_are_bright_or_dark_and_nothing_else_changes() -> None:
    contrasts = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        before = draw_dark_surface(random, 229, 637)
        surface, mask = before.copy(), np.zeros_like(before)
        draw_marks(random, surface, mask, [2273])
        np.testing.assert_array_equal(surface[mask == 0], before[mask == 0])
        contrasts.append(surface[mask > 0].mean() - before.mean())
    assert all(abs(contrast) > 6 for contrast in contrasts)
    assert 3 <= sum(contrast < 0 for contrast in contrasts) <= 17


@pytest.mark.parametrize("count", [60, OFFICIAL_IMAGES_2])
def test_splits_are_the_authors_in_form_and_numbers(count: int) -> None:
    drawings = drawings_2(count, 0)
    files = _pickled_splits(drawings, 0)
    assert list(files) == PICKLES
    bad = {int(d.name.split("/")[1]) for d in drawings if d.defective}
    trained = {int(d.name.split("/")[1]) for d in drawings if d.name.startswith("train/")}
    tested = {int(d.name.split("/")[1]) for d in drawings} - trained
    smaller: set[int] = set()
    for wanted, (name, data) in zip(SEGMENTED, files.items(), strict=True):
        assert [set(half) for half in read_pickled_numbers(data, name)] == [trained, tested]
        train, test = pickle.loads(data)
        assert len(train) == len(trained)
        assert len(test) == len(tested)
        assert all(segmented is True for _, segmented in test)
        assert all(segmented is True for number, segmented in train if number not in bad)
        segmented = {number for number, is_segmented in train if is_segmented} & bad
        assert len(segmented) == round(wanted * len(bad & trained) / 246)
        assert smaller <= segmented
        smaller = segmented
    assert smaller == bad & trained


def test_full_dataset_has_the_official_copies(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "out", layout="kolektorsdd2", items=450)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*copy*")) == [
        "10301 (copy).png",
        "10301_GT (copy).png",
    ]


def test_no_two_pictures_are_alike(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "out", layout="kolektorsdd2", items=120, seed=4)
    with open_source(tmp_path / "out") as source:
        found = scan_source(source)
    assert len(found.samples) == 120
    assert found.duplicates == ()
    assert found.errors == ()
    defects = {d.name: sum(d.areas) for d in drawings_2(120, 4)}
    for sample in found.samples:
        assert sample.label == ("defective" if defects[sample.name] else "good")
        assert 0.6 * defects[sample.name] <= sample.defect_pixels <= defects[sample.name]


def test_one_seed_gives_the_same_files_whatever_the_number_of_jobs(tmp_path: Path) -> None:
    for name, seed, jobs in (("a", 1, 1), ("b", 1, 3), ("c", 2, 1)):
        write_synthetic(tmp_path / name, layout="kolektorsdd2", items=8, seed=seed, jobs=jobs)
    a, b, c = (snapshot(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert not set(images_of(a)) & set(images_of(c))
