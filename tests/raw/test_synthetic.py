"""The synthetic dataset: the official structure, in files of the same kind as the real ones."""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kolektor_cli.errors import OutputError
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.releases import kolektorsdd
from kolektor_cli.raw.synthetic import (
    HEIGHTS,
    PARTS,
    WIDTH,
    SyntheticCounts,
    _drawings,
    write_synthetic,
)
from tests.conftest import snapshot

no_root = pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere"
)

BLACK, WHITE = b"\0\0\0\0", b"\xff\xff\xff\0"


def indices_of(bmp: bytes) -> Pixels:
    """Read the palette indices of an 8-bit BMP as its header says, top row first."""
    magic, file_size, offset = struct.unpack_from("<2sI4xI", bmp)
    header_size, width, height, planes, depth, compression = struct.unpack_from("<IiiHHI", bmp, 14)
    assert (magic, file_size, header_size) == (b"BM", len(bmp), 40)
    assert (planes, depth, compression) == (1, 8, 0)
    rows = np.frombuffer(bmp, np.uint8, offset=offset).reshape(height, -1)
    assert rows.shape[1] % 4 == 0
    assert rows.shape[1] - width < 4
    return rows[::-1, :width]


def palette_of(bmp: bytes) -> list[bytes]:
    offset = struct.unpack_from("<I", bmp, 10)[0]
    return [bmp[place : place + 4] for place in range(54, offset, 4)]


def seen_by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def masks_of(folder: Path) -> dict[str, bytes]:
    names = (path.relative_to(folder).as_posix() for path in folder.glob("*/*_label.bmp"))
    return {name.removesuffix("_label.bmp"): (folder / name).read_bytes() for name in names}


def images_of(folder: Path) -> dict[str, bytes]:
    names = (path.relative_to(folder).as_posix() for path in folder.glob("*/*.jpg"))
    return {name.removesuffix(".jpg"): (folder / name).read_bytes() for name in names}


def items_by_defects(items: int, seed: int = 0) -> Counter[int]:
    """Count the items by the number of their defective samples."""
    defects = Counter({f"kos{number:02}": 0 for number in range(1, items + 1)})
    for drawing in _drawings(items, seed):
        defects[drawing.name.partition("/")[0]] += drawing.defective
    return Counter(defects.values())


@pytest.mark.parametrize(
    ("items", "samples", "defective"), [(1, 8, 1), (3, 24, 3), (50, 399, 52), (52, 415, 54)]
)
def test_structure_is_the_official_one_and_goes_on_like_it(
    items: int, samples: int, defective: int
) -> None:
    drawings = list(_drawings(items, seed=0))
    assert len({drawing.name for drawing in drawings}) == len(drawings) == samples
    assert sum(drawing.defective for drawing in drawings) == defective
    assert {drawing.name.partition("/")[0] for drawing in drawings} == {
        f"kos{number:02}" for number in range(1, items + 1)
    }


def test_official_items_have_the_official_samples() -> None:
    official = kolektorsdd().samples.values()
    assert {
        (drawing.name, drawing.width, drawing.height, drawing.defective)
        for drawing in _drawings(50, seed=7)
    } == {
        (sample.name, sample.width, sample.height, sample.defect_pixels > 0) for sample in official
    }


def test_items_beyond_the_official_ones_have_eight_parts_of_which_one_is_defective() -> None:
    assert items_by_defects(50) == {1: 48, 2: 2}
    assert items_by_defects(120) == {1: 118, 2: 2}
    further = list(_drawings(120, seed=0))[399:]
    assert [drawing.name for drawing in further] == [
        f"kos{number:02}/Part{part}" for number in range(51, 121) for part in range(PARTS)
    ]
    assert {drawing.width for drawing in further} == {WIDTH}
    heights = {drawing.height for drawing in further}
    assert (min(heights), max(heights)) == HEIGHTS
    assert len({d.name.partition("/")[2] for d in further if d.defective}) == PARTS


def test_seed_decides_the_items_beyond_the_official_ones() -> None:
    def heights(seed: int) -> list[int]:
        return [drawing.height for drawing in _drawings(60, seed)][399:]

    assert heights(0) == heights(0) != heights(1)


def test_files_are_those_of_the_samples_and_no_others(synthetic: Path) -> None:
    samples = [f"kos{item:02}/Part{part}" for item in (1, 2, 3) for part in range(8)]
    expected = chain.from_iterable((f"{name}.jpg", f"{name}_label.bmp") for name in samples)
    assert set(snapshot(synthetic)) == set(expected)


def test_counts_are_those_of_the_masks_written(tmp_path: Path) -> None:
    counts = write_synthetic(tmp_path / "out", items=1)
    marked = [seen_by_pillow(mask).any() for mask in masks_of(tmp_path / "out").values()]
    assert counts == SyntheticCounts(items=1, good=7, defective=1)
    assert (len(marked), sum(marked)) == (8, 1)


def test_one_seed_gives_the_same_bytes_whatever_place_jobs_and_number_of_items(
    tmp_path: Path, synthetic: Path
) -> None:
    out = tmp_path / "elsewhere"
    write_synthetic(out, items=1, seed=0, jobs=1)
    first_item = {k: v for k, v in snapshot(synthetic).items() if k.startswith("kos01/")}
    assert snapshot(out) == first_item


def test_another_seed_gives_other_images_and_other_defects(tmp_path: Path, synthetic: Path) -> None:
    write_synthetic(tmp_path / "out", items=1, seed=1)
    assert not set(images_of(tmp_path / "out").values()) & set(images_of(synthetic).values())
    other, mask = masks_of(tmp_path / "out"), masks_of(synthetic)
    defective = [name for name, data in other.items() if indices_of(data).any()]
    assert defective == ["kos01/Part5"]
    assert other["kos01/Part5"] != mask["kos01/Part5"]


def test_no_two_images_and_no_two_defects_are_the_same(synthetic: Path) -> None:
    assert len(set(images_of(synthetic).values())) == 24
    defects = [data for data in masks_of(synthetic).values() if indices_of(data).any()]
    assert len(set(defects)) == len(defects) == 3


def test_sizes_and_defective_samples_are_the_official_ones(synthetic: Path) -> None:
    official = kolektorsdd().samples
    images = images_of(synthetic)
    for name, mask in masks_of(synthetic).items():
        pixels = seen_by_pillow(images[name])
        assert pixels.shape == indices_of(mask).shape
        assert pixels.shape == (official[name].height, official[name].width)
        assert indices_of(mask).any() == (official[name].defect_pixels > 0)


def test_images_are_gray_jpegs_about_as_large_as_the_real_ones(synthetic: Path) -> None:
    for data in images_of(synthetic).values():
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode) == ("JPEG", "L")
            pixels = np.asarray(image)
        assert 200_000 < len(data) < 320_000
        assert 174 < pixels.mean() < 194
        assert 14 < pixels.std() < 24


def test_masks_are_palette_bmps_whose_indices_are_no_gray_values(synthetic: Path) -> None:
    for data in masks_of(synthetic).values():
        indices = indices_of(data)
        assert set(np.unique(indices)) <= {0, 1}
        assert palette_of(data)[:2] == [BLACK, WHITE]
        assert len(palette_of(data)) == 256
        np.testing.assert_array_equal(seen_by_pillow(data), 255 * indices, strict=True)


def test_image_is_darker_where_its_mask_is_marked(synthetic: Path) -> None:
    images = images_of(synthetic)
    marks = {name: indices_of(data) > 0 for name, data in masks_of(synthetic).items()}
    defective = {name: mark for name, mark in marks.items() if mark.any()}
    assert len(defective) == 3
    for name, mark in defective.items():
        pixels = seen_by_pillow(images[name])
        assert pixels[mark].mean() < pixels[~mark].mean() - 30


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 5), (5, 6), (2, 7)], ids=str)
def test_palette_bmp_holds_the_indices_given(shape: tuple[int, int]) -> None:
    indices = np.random.default_rng(0).integers(0, 2, shape, np.uint8)
    data = palette_bmp(indices)
    np.testing.assert_array_equal(indices_of(data), indices)
    np.testing.assert_array_equal(seen_by_pillow(data), 255 * indices)


def test_progress_is_told_once_a_sample(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_synthetic(
        tmp_path / "out", items=1, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(done, 8) for done in range(1, 9)]


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_what_exists_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_bytes(b"mine")
    elif kind == "folder":
        out.mkdir()
        (out / "file").write_bytes(b"mine")
    else:
        out.symlink_to("nowhere")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="out: exists already"):
        write_synthetic(out, items=1)
    assert snapshot(tmp_path) == before
    assert list(tmp_path.iterdir()) == [out]
    assert out.is_symlink() == (kind == "broken link")


def test_parent_that_is_a_file_is_an_error_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OutputError, match="out: cannot be written: Not a directory"):
        write_synthetic(tmp_path / "file" / "out", items=1)
    assert snapshot(tmp_path) == {"file": b"mine"}


@no_root
def test_parent_that_may_not_be_written_is_an_error_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    parent = tmp_path / "locked"
    parent.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="out: cannot be written: Permission denied"):
        write_synthetic(parent / "out", items=1)
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), OutputError)],
    ids=["interrupted", "disk full"],
)
def test_nothing_is_left_behind_when_it_ends_half_way(
    tmp_path: Path, error: BaseException, raised: type[BaseException]
) -> None:
    def end(done: int, _: int) -> None:
        if done == 3:
            assert len(list(tmp_path.rglob("*.jpg"))) >= 3
            raise error

    with pytest.raises(raised):
        write_synthetic(tmp_path / "out", items=1, progress=end)
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_the_new_folder_is_seen_when_it_is_done(tmp_path: Path) -> None:
    out = tmp_path / "new" / "parent" / "out"

    def not_yet(_: int, __: int) -> None:
        assert not out.exists()

    write_synthetic(out, items=1, progress=not_yet)
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["kos01"]


def test_boxes_are_those_around_the_cracks_of_the_same_images(
    tmp_path: Path, synthetic: Path
) -> None:
    write_synthetic(tmp_path / "out", layout="boxes", items=3)
    assert images_of(tmp_path / "out") == images_of(synthetic)
    boxes, cracks = masks_of(tmp_path / "out"), masks_of(synthetic)
    assert boxes.keys() == cracks.keys()
    for name, data in boxes.items():
        box, crack = indices_of(data), indices_of(cracks[name])
        rows, columns = (np.flatnonzero(crack.any(axis=axis)) for axis in (1, 0))
        wanted = np.zeros_like(crack)
        if crack.any():
            wanted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
        np.testing.assert_array_equal(box, wanted)
