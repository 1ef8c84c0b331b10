"""The rules of the tree: each one fails for what it forbids, and none for MVTec AD's own trees."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.findings import Finding
from kolektor_cli.samples import DEFECT
from kolektor_cli.tree.layout import (
    Kind,
    check_names,
    image_folder,
    is_mask,
    is_test_of_defects,
    mask_folder,
    mask_path,
    split_path,
)
from kolektor_cli.tree.pairs import check_pairs
from kolektor_cli.tree.structure import check_structure

Entries = dict[str, Kind]

OURS = (
    "manifest.json",
    "train/good/000.png",
    "train/good/001.png",
    "validation/good/000.png",
    "test/good/000.png",
    "test/defect/000.png",
    "test/defect/001.png",
    "ground_truth/defect/000_mask.png",
    "ground_truth/defect/001_mask.png",
)

MVTEC = (
    "license.txt",
    "readme.txt",
    "train/good/000.png",
    "train/good/001.png",
    "test/good/000.png",
    "test/crack/000.png",
    "test/thread_side/000.png",
    "test/thread_side/001.png",
    "ground_truth/crack/000_mask.png",
    "ground_truth/thread_side/000_mask.png",
    "ground_truth/thread_side/001_mask.png",
)


def entries(*files: str) -> Entries:
    """Make the entries of a tree of files: these, and the folders above them."""
    above = (str(folder) for file in files for folder in PurePosixPath(file).parents)
    folders: Entries = dict.fromkeys((f for f in above if f != "."), "folder")
    return folders | dict.fromkeys(files, "file")


def summary(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.code, finding.path) for finding in findings]


def structure(tree: Entries, *, ours: bool = True) -> list[tuple[str, str, str]]:
    return summary(list(check_structure(tree, {DEFECT} if ours else None)))


def test_our_own_tree_breaks_no_rule() -> None:
    assert structure(entries(*OURS)) == []
    assert list(check_names(OURS)) == []
    assert list(check_pairs(OURS)) == []


def test_mvtec_tree_breaks_no_rule_and_its_texts_are_told_of() -> None:
    assert structure(entries(*MVTEC), ours=False) == [
        ("info", "extra-file", "license.txt"),
        ("info", "extra-file", "readme.txt"),
    ]
    assert list(check_names(MVTEC)) == []
    assert list(check_pairs(MVTEC)) == []


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("train/good/002.jpg", "file", "unexpected-file"),
        ("train/good/002.PNG", "file", "unexpected-file"),
        ("train/good/.png", "file", "unexpected-file"),
        ("train/good/.002.png", "file", "unexpected-file"),
        ("train/good/.DS_Store", "file", "unexpected-file"),
        ("train/good/Thumbs.db", "file", "unexpected-file"),
        ("train/good/manifest.json", "file", "unexpected-file"),
        ("train/good/002.png.part", "file", "unexpected-file"),
        ("train/000.png", "file", "unexpected-file"),
        ("test/000.png", "file", "unexpected-file"),
        ("ground_truth/000_mask.png", "file", "unexpected-file"),
        ("000.png", "file", "unexpected-file"),
        ("readme.txt", "file", "unexpected-file"),
        ("Manifest.json", "file", "unexpected-file"),
        ("train/good/002.png", "link", "not-a-file"),
        ("train/good/002.png", "other", "not-a-file"),
        ("train/link", "link", "not-a-file"),
    ],
)
def test_entry_that_consumers_do_not_expect_is_an_error(path: str, kind: Kind, code: str) -> None:
    tree = entries(*OURS) | {path: kind}
    assert structure(tree) == [("error", code, path)]


@pytest.mark.parametrize(
    "path",
    ["train/good/002.jpg", "train/.DS_Store", "000.png", "test/readme.txt", "train/good/.2.png"],
)
def test_entry_that_consumers_do_not_expect_is_an_error_in_any_tree(path: str) -> None:
    found = structure(entries(*MVTEC) | {path: "file"}, ours=False)
    assert [f for f in found if f[0] == "error"] == [("error", "unexpected-file", path)]


@pytest.mark.parametrize(
    "folder",
    [
        *("extra", "train/bad", "train/good/sub", "test/crack", "ground_truth/good"),
        *("ground_truth/crack", "validation/defect", "Train", "val", "test/good/defect"),
    ],
)
def test_folder_that_we_do_not_make_is_an_error(folder: str) -> None:
    tree = entries(*OURS, f"{folder}/000.png")
    assert structure(tree) == [("error", "unexpected-folder", folder)]


@pytest.mark.parametrize(
    ("folder", "advice"),
    [
        ("ground_truth/good", "good images have no masks in this layout"),
        ("ground_truth/crack", "rename it to that of its type: defect, dent"),
    ],
)
def test_only_what_is_not_good_gets_the_name_of_a_type(folder: str, advice: str) -> None:
    files = entries(*OURS, f"{folder}/000_mask.png")
    [found] = [f for f in check_structure(files, {DEFECT, "dent"}) if f.code == "unexpected-folder"]
    assert advice in found.message


@pytest.mark.parametrize(
    "folder", ["extra", "validation/defect", "ground_truth/good", "test/crack/sub", "val"]
)
def test_folder_that_no_consumer_expects_is_an_error_in_any_tree(folder: str) -> None:
    found = structure(entries(*MVTEC, f"{folder}/000.png"), ours=False)
    assert ("error", "unexpected-folder", folder) in found


def test_defective_images_to_train_on_are_expected_with_or_without_masks() -> None:
    images = [f"train/defect/00{number}.png" for number in range(2)]
    masks = [f"ground_truth/train_defect/00{number}_mask.png" for number in range(2)]
    assert structure(entries(*OURS, *images)) == []
    assert structure(entries(*OURS, *images, *masks)) == []
    for files in (images, [*images, *masks]):
        found = structure(entries(*MVTEC, *files), ours=False)
        assert ("warning", "train-defects", "train/defect") in found
        assert [f for f in found if f[0] == "error"] == []


@pytest.mark.parametrize("folder", ["train/OK", "train/normal"])
def test_good_images_by_another_name_are_no_defective_ones(folder: str) -> None:
    found = structure(entries(*MVTEC, f"{folder}/000.png"), ours=False)
    assert ("error", "unexpected-folder", folder) in found


@given(st.sampled_from(["test", "train"]), st.sampled_from(["defect", "crack"]))
def test_masks_and_images_find_each_other(split: str, kind: str) -> None:
    folder = f"{split}/{kind}"
    assert image_folder(mask_folder(folder)) == folder
    assert mask_path(f"{folder}/001.png") == f"{mask_folder(folder)}/001_mask.png"
    other = {"test": "train", "train": "test"}[split]
    assert mask_folder(folder) != mask_folder(f"{other}/{kind}")


@pytest.mark.parametrize("folder", ["validation/good", "validation"])
def test_empty_folder_is_an_error(folder: str) -> None:
    files = [path for path in OURS if not path.startswith("validation/")]
    tree = entries(*files) | entries(f"{folder}/x") | {folder: "folder"}
    del tree[f"{folder}/x"]
    assert structure(tree) == [("error", "empty-folder", folder)]


@pytest.mark.parametrize(
    ("missing", "named"),
    [("train/good", "train/good"), ("test/good", "test/good"), ("test/defect", "test")],
)
def test_folder_that_every_consumer_needs_is_missed(missing: str, named: str) -> None:
    files = [path for path in OURS if not path.startswith(f"{missing}/")]
    assert structure(entries(*files)) == [("error", "no-images", named)]


def test_empty_tree_lacks_everything() -> None:
    assert structure({}) == [
        ("error", "no-images", "train/good"),
        ("error", "no-images", "test/good"),
        ("error", "no-images", "test"),
    ]


@pytest.mark.parametrize("tree", [OURS, MVTEC], ids=["ours", "MVTec"])
def test_every_mask_and_every_defective_image_is_missed(tree: tuple[str, ...]) -> None:
    for path in tree:
        without = [other for other in tree if other != path]
        found = summary(list(check_pairs(without)))
        if is_mask(path):
            image = path.replace("ground_truth/", "test/").replace("_mask", "")
            assert found == [("error", "no-mask", image)]
        elif path.startswith("test/") and "/good/" not in path:
            mask = path.replace("test/", "ground_truth/").replace(".png", "_mask.png")
            assert found == [("error", "no-image", mask)]
        else:
            assert found == []


@pytest.mark.parametrize(
    "mask",
    [
        "ground_truth/defect/002_mask.png",
        "ground_truth/defect/000.png",
        "ground_truth/good/000_mask.png",
        "ground_truth/other/000_mask.png",
        "ground_truth/000_mask.png",
    ],
)
def test_mask_of_no_image_is_an_error(mask: str) -> None:
    assert summary(list(check_pairs([*OURS, mask]))) == [("error", "no-image", mask)]


def test_pairs_are_told_of_once_each_and_name_both() -> None:
    [finding] = check_pairs(path for path in OURS if path != "ground_truth/defect/001_mask.png")
    assert finding.path == "test/defect/001.png"
    assert "ground_truth/defect/001_mask.png" in finding.message


@pytest.mark.parametrize("path", ["train/good/0002.png", "test/good/1.png", "test/defect/01.png"])
def test_number_of_another_width_is_an_error(path: str) -> None:
    assert summary(list(check_names([*OURS, path]))) == [("error", "number-width", path)]


def test_numbers_of_another_width_in_masks_are_an_error() -> None:
    mask = "ground_truth/defect/0002_mask.png"
    assert ("error", "number-width", mask) in summary(list(check_names([*OURS, mask])))


def test_names_that_are_no_numbers_may_have_any_length() -> None:
    assert list(check_names(["train/good/a.png", "train/good/bc.png", "test/good/kos1.png"])) == []


@pytest.mark.parametrize(("first", "second"), [("A", "a"), ("Ab", "aB"), ("Ä", "ä")])
def test_names_that_differ_by_case_only_are_an_error(first: str, second: str) -> None:
    paths = [f"train/good/{second}.png", f"train/good/{first}.png", f"test/good/{first}.png"]
    [finding] = check_names(paths)
    assert (finding.severity, finding.code) == ("error", "name-collision")
    assert finding.path == f"train/good/{second}.png"
    assert f"train/good/{first}.png" in finding.message


def test_images_that_do_not_sort_as_their_masks_are_an_error() -> None:
    images = ["test/crack/a.png", "test/crack/a0.png", "test/crack/b.png"]
    found = summary(list(check_names([*images, *map(mask_path, images)])))
    assert found == [("error", "sort-order", "test/crack/a.png")]


@given(st.lists(st.text("aA0_-.z", min_size=1, max_size=4), unique_by=str.casefold))
def test_sort_order_is_an_error_exactly_if_pairing_by_position_goes_wrong(
    stems: list[str],
) -> None:
    images = sorted(f"test/crack/{stem}.png" for stem in stems)
    masks = sorted(map(mask_path, images))
    wrong = [mask_path(image) for image in images] != masks
    codes = {finding.code for finding in check_names([*images, *masks])} - {"number-width"}
    assert codes == ({"sort-order"} if wrong else set())


@given(st.lists(st.integers(0, 12_000), min_size=1, unique=True))
def test_numbers_of_one_width_sort_and_pair_alike(numbers: list[int]) -> None:
    images = [f"test/defect/{number:05}.png" for number in numbers]
    assert list(check_names([*images, *map(mask_path, images)])) == []


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("test/defect/000.png", "ground_truth/defect/000_mask.png"),
        ("test/crack/a_mask.png", "ground_truth/crack/a_mask_mask.png"),
        ("test/test/1.png.png", "ground_truth/test/1.png_mask.png"),
    ],
)
def test_mask_is_named_after_its_image(image: str, mask: str) -> None:
    assert mask_path(image) == mask
    assert split_path(mask)[1] == split_path(image)[1]
    assert is_mask(mask)
    assert not is_mask(image)


def test_only_folders_below_test_but_good_hold_defects() -> None:
    folders = ["test/defect", "test/crack", "test/good", "train/good", "test", "ground_truth/crack"]
    assert [folder for folder in folders if is_test_of_defects(folder)] == [
        "test/defect",
        "test/crack",
    ]
