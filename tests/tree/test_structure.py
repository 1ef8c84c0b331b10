"""What is unusual in a tree is told once, with advice that loses no image and no mask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.findings import Finding
from kolektor_cli.samples import DEFECT
from kolektor_cli.tree.layout import Kind, image_suffix, is_leaf, is_train_of_defects
from kolektor_cli.tree.structure import check_structure
from tests.tree.test_layout import MVTEC, entries

FOREIGN = [path for path in MVTEC if "/" in path]


def found(files: list[str], *, ours: bool = False) -> list[Finding]:
    return list(check_structure(entries(*files), {DEFECT} if ours else None))


def moved(old: str, new: str) -> list[str]:
    return [path.replace(f"{old}/", f"{new}/", 1) for path in FOREIGN]


@pytest.mark.parametrize("name", ["OK", "Good", "normal", "defect_free", "images"])
@pytest.mark.parametrize("ours", [False, True])
def test_folder_of_good_images_by_another_name_is_to_be_renamed(name: str, ours: bool) -> None:
    files = [path for path in moved("train/good", f"train/{name}") if "crack" not in path]
    files = [path.replace("thread_side", "defect") for path in files]
    [finding] = found(files, ours=ours)
    assert (finding.severity, finding.path) == ("error", f"train/{name}")
    assert finding.message.endswith(f"rename train/{name} to train/good")
    assert finding.paths == (f"train/{name}/000.png", f"train/{name}/001.png")


@pytest.mark.parametrize(
    ("name", "right"),
    [("Train", "train"), ("masks", "ground_truth"), ("GT", "ground_truth"), ("testing", "test")],
)
def test_top_folder_by_another_name_is_to_be_renamed(name: str, right: str) -> None:
    [finding] = [f for f in found(moved(right, name)) if f.code == "unexpected-folder"]
    assert finding.path == name
    assert finding.message.endswith(f"rename {name} to {right}")


def test_images_are_to_be_moved_where_the_right_folder_is_there_too() -> None:
    [finding] = found([*FOREIGN, "train/OK/000.png"])
    assert "move them into train/good, under names that are not taken" in finding.message


@pytest.mark.parametrize("name", ["OK", "good2"])
def test_test_folder_that_seems_to_be_the_good_one_is_named(name: str) -> None:
    [finding] = found(moved("test/good", f"test/{name}"))
    assert (finding.code, finding.path) == ("no-images", "test/good")
    assert f"rename test/{name} to test/good" in finding.message


def test_folders_of_several_masks_an_image_are_one_finding_and_to_be_merged() -> None:
    files = [path for path in FOREIGN if not path.startswith("ground_truth/thread_side")]
    inside = [f"ground_truth/thread_side/00{n}/00{k}.png" for n in range(2) for k in range(2)]
    [finding] = found([*files, *inside])
    assert finding.path == "ground_truth/thread_side"
    assert "2 folders (000, 001) with 4 masks" in finding.message
    assert "merge the masks" in finding.message
    assert "000_mask.png" in finding.message
    assert finding.paths == tuple(inside)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".bmp", ".tif", ".webp"])
def test_images_of_another_format_are_one_finding_and_masks_another(suffix: str) -> None:
    files = [path.replace(".png", suffix) for path in FOREIGN]
    images, masks = sorted(found(files), key=lambda finding: finding.path)
    masks, images = sorted((images, masks), key=lambda finding: len(finding.paths))
    assert (len(images.paths), len(masks.paths)) == (6, 3)
    assert "6 images" in images.message
    assert "test/crack/000" in images.message
    assert "save as PNG" in images.message
    assert "save as PNG with the values 0 and 255" in masks.message


def test_suffix_in_upper_case_is_to_be_renamed() -> None:
    [finding] = found(
        [path.replace(".png", ".PNG") for path in FOREIGN if "good" in path] + FOREIGN
    )
    assert "do not end with .png" in finding.message


@pytest.mark.parametrize(
    ("folder", "advice"),
    [("train/good", "into train/good"), ("test/crack", "type"), ("ground_truth/crack", "type")],
)
def test_images_beside_their_folder_are_to_be_moved_into_it(folder: str, advice: str) -> None:
    top = folder.partition("/")[0]
    files = [path.replace(f"{folder}/", f"{top}/x_", 1) for path in FOREIGN]
    [finding] = [f for f in found(files) if f.code == "unexpected-file"]
    assert f"move into {advice}" in finding.message or advice in finding.message


def test_files_of_an_operating_system_may_go() -> None:
    [finding] = found([*FOREIGN, "train/good/Thumbs.db", "train/.DS_Store"])
    assert finding.paths == ("train/.DS_Store", "train/good/Thumbs.db")
    assert "remove" in finding.message


PARTS = st.sampled_from(
    ["train", "test", "ground_truth", "good", "OK", "defect", "000", "Masks", "validation", "x"]
)
NAMES = st.sampled_from(
    ["000.png", "001.PNG", "a.jpg", ".b.png", "000_mask.png", "c.TIFF", "n.txt", "Thumbs.db"]
)
FILES = st.builds(lambda parts, name: "/".join([*parts, name]), st.lists(PARTS, max_size=4), NAMES)


@given(st.sets(FILES, max_size=12), st.booleans())
def test_no_file_is_passed_over_and_none_that_can_be_an_image_is_to_be_removed(
    files: set[str], ours: bool
) -> None:
    tree: dict[str, Kind] = entries(*files)
    types = {DEFECT} if ours else None
    findings = list(check_structure(tree, types))
    # No folder here is empty.
    assert not any("remove" in f.message for f in findings if f.code == "unexpected-folder")
    for path in files:
        folder, _, name = path.rpartition("/")
        told = [
            f
            for f in findings
            if f.path == path or path in f.paths or (f.path and path.startswith(f"{f.path}/"))
            if f.code in ("unexpected-file", "unexpected-folder", "extra-file")
        ]
        right = is_leaf(folder, types) and name.endswith(".png") and not name.startswith(".")
        # Most likely these are the good images, under another name.
        right &= ours or not is_train_of_defects(folder) or "train/good" in tree
        own = [f for f in told if path in (f.path, *f.paths)]
        assert told or right
        assert not (right and own)
        if image_suffix(path):
            assert not any("remove" in f.message for f in told if path in (f.path, *f.paths))
