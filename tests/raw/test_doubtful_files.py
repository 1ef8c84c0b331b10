"""Files that may hide a defect stop a conversion, and no option passes over them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from kolektor_cli import ConvertOptions, SourceError, convert
from kolektor_cli.raw.drawing import palette_bmp
from tests.conftest import MakeDataset, draw_image
from tests.scans import message, named, scan

SKIPPING = ConvertOptions(size=(20, 30), skip_bad=True)


@pytest.mark.parametrize("name", ["Part0_label (1).bmp", "Part0_label_v2.bmp"])
def test_image_with_two_masks_is_left_out_with_both(
    make_dataset: MakeDataset, tmp_path: Path, name: str
) -> None:
    root = make_dataset()
    mask = root / "kos01/Part0_label.bmp"
    mask.rename(mask.with_name(name))
    mask.write_bytes(palette_bmp(draw_image(1) * 0))
    assert named(scan(root), "ambiguous") == [("error", "kos01/Part0_label.bmp")]
    done = convert(root, tmp_path / "out", SKIPPING)
    assert "kos01/Part0" in done.scan.left_out
    assert done.manifest is not None
    assert "kos01/Part0" not in {entry.sample for entry in done.manifest.files}


@pytest.mark.parametrize("ending", ["_GT", "_mask"])
def test_samples_in_a_folder_of_their_own_are_an_error(
    make_dataset_2: MakeDataset, tmp_path: Path, ending: str
) -> None:
    root = make_dataset_2()
    (root / "train/defect").mkdir()
    for number in ("10000", "10001"):
        (root / f"train/{number}.png").rename(root / f"train/defect/{number}.png")
        (root / f"train/{number}_GT.png").rename(root / f"train/defect/{number}{ending}.png")
    assert named(scan(root), "stray-samples") == [("error", "train/defect")]
    with pytest.raises(SourceError, match="2 images with masks lie in a folder"):
        convert(root, tmp_path / "out", SKIPPING)


def test_folders_of_one_name_in_several_items_are_no_copies(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    for item in ("kos01", "kos02"):
        (root / item / "defect").mkdir()
        for file in ("Part0.jpg", "Part0_label.bmp"):
            (root / item / file).rename(root / item / "defect" / file)
    with pytest.raises(SourceError, match="has the name of kos01/defect and other files"):
        convert(root, tmp_path / "out", SKIPPING)


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".PGM"])
def test_images_of_a_format_that_is_not_read_are_an_error(
    make_dataset: MakeDataset, tmp_path: Path, suffix: str
) -> None:
    root = make_dataset()
    for path in sorted((root / "kos02").iterdir()):
        path.rename(path.with_suffix(suffix) if path.suffix == ".jpg" else path.with_suffix(".x"))
    assert named(scan(root), "unread-image") == [("error", "kos02")]
    told = message(scan(root), "unread-image")
    assert f"4 files in it, such as kos02/Part0{suffix}" in told
    with pytest.raises(SourceError, match="save them as PNG"):
        convert(root, tmp_path / "out", SKIPPING)


def test_mask_of_several_frames_is_an_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    mask = Image.open(root / "kos01/Part0_label.bmp").convert("L")
    data = io.BytesIO()
    Image.new("L", mask.size).save(data, "PNG", save_all=True, append_images=[mask])
    (root / "kos01/Part0_label.bmp").unlink()
    (root / "kos01/Part0_label.png").write_bytes(data.getvalue())
    assert "is an animated PNG" in message(scan(root), "unreadable")
