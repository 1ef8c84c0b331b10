"""People's own images: which mask belongs to which image, by their names alone."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kolektor_cli.errors import SourceError, UsageError
from kolektor_cli.io.source import FolderSource, open_source
from kolektor_cli.raw.layout_options import LayoutOptions, check_layout, layout_of
from kolektor_cli.raw.layouts import find_candidates, recognise
from kolektor_cli.raw.load import read_mask
from kolektor_cli.raw.pairs import pair_own
from tests.archives import write_folder, write_zip
from tests.conftest import draw_image
from tests.own import (
    PAIRS,
    candidates,
    labelme,
    pairs,
    scan_own,
    shape,
    sizeless,
    write_own,
    write_pixels,
)
from tests.scans import message, named, names

HERE = FolderSource(Path(__file__).parent)
"""Some source: names alone are paired."""


def files(*names: str) -> dict[str, bytes]:
    return dict.fromkeys(names, b"x")


LAYOUTS = {
    "beside, _mask": ("{}.jpg", "{}_mask.png", PAIRS),
    "beside, _label": ("{}.JPG", "{}_label.bmp", PAIRS),
    "beside, own ending": ("{}.jpg", "{}-defect.png", replace(PAIRS, mask_suffix="-defect")),
    "beside, by format": ("{}.jpg", "{}.png", replace(PAIRS, mask_suffix=".png")),
    "beside, labelme": ("{}.jpg", "{}.json", PAIRS),
    "images, masks": ("images/{}.png", "masks/{}.png", PAIRS),
    "img, ann": ("img/{}.png", "ann/{}.png", PAIRS),
    "Image, GT": ("Image/{}.jpg", "GT/{}.png", PAIRS),
    "train, train_gt": ("train/{}.png", "train_gt/{}_gt.png", PAIRS),
    "split outside": ("train/images/{}.png", "train/masks/{}_GT.png", PAIRS),
    "split inside": ("images/val/{}.png", "masks/val/{}_mask.png", PAIRS),
    "masks below images": ("Class1/Train/{}.PNG", "Class1/Train/Label/{}_label.PNG", PAIRS),
    "test, ground_truth": ("01/test/ko/{}.bmp", "01/ground_truth/ko/{}.png", PAIRS),
    "own folder": ("photos/{}.jpg", "drawn by eye/{}.png", replace(PAIRS, masks="Drawn by Eye")),
    "path of a folder": ("a/photos/{}.jpg", "a/x/y/{}.png", replace(PAIRS, masks="x\\y/")),
    "labelme apart": ("images/{}.jpg", "annotations/{}.json", PAIRS),
}
"""Names of images and masks, and the options that they need."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_image_gets_its_mask(tmp_path: Path, layout: str) -> None:
    image, mask, options = LAYOUTS[layout]
    wanted = {image.format(n): [mask.format(n)] for n in ("7", "8 (1)", "part.9")}
    write_folder(tmp_path, files(*wanted, *(name for masks in wanted.values() for name in masks)))
    assert pairs(tmp_path, options) == wanted


@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.lists(
        st.from_regex(r"[a-c0-2][a-c0-2._ -]{0,3}[a-c0-2]", fullmatch=True),
        min_size=1,
        unique=True,
        max_size=8,
    ),
    st.data(),
)
def test_nothing_is_lost_and_the_listing_order_does_not_matter(
    layout: str, stems: list[str], data: st.DataObject
) -> None:
    """Each file is an image or a mask of one candidate; whole samples are those that have both."""
    image, mask, options = LAYOUTS[layout]
    images = {image.format(stem) for stem in stems if data.draw(st.booleans())}
    masks = {mask.format(stem) for stem in stems if data.draw(st.booleans())}
    whole = {s for s in stems if image.format(s) in images and mask.format(s) in masks}
    if not whole:
        return
    given_names = sorted(images | masks)
    found, findings = pair_own(HERE, given_names, options)
    held = [name for c in found.values() for name in (*c.images, *c.masks)]
    strays = [finding.path for finding in findings if finding.code == "stray-file"]
    assert sorted([*held, *strays]) == given_names
    assert {(c.images[0], c.masks[0]) for c in found.values() if c.images and c.masks} == {
        (image.format(s), mask.format(s)) for s in whole
    }
    random.Random(len(stems)).shuffle(given_names)
    again, _ = pair_own(HERE, given_names, options)
    assert again == found


def test_layouts_of_several_folders_are_kept_apart(tmp_path: Path) -> None:
    halves = ("train", "test", "val")
    wanted = {f"{half}/images/1.png": [f"{half}/masks/1.png"] for half in halves}
    write_folder(tmp_path, files(*wanted, *(mask for masks in wanted.values() for mask in masks)))
    assert pairs(tmp_path) == wanted


def test_mask_that_may_belong_to_two_images_keeps_both_from_being_samples(tmp_path: Path) -> None:
    write_folder(tmp_path, files("images/1.png", "drawings/1.png", "masks/1.png"))
    write_folder(tmp_path, files("images/2.png", "masks/2.png"))
    found = candidates(tmp_path, replace(PAIRS, no_mask="good"))
    problems = {name: c.problem for name, c in found.items() if c.problem}
    assert problems.keys() == {"images/1", "drawings/1"}
    [problem] = {*problems.values()}
    assert (problem.severity, problem.code, problem.path) == ("error", "ambiguous", "masks/1.png")
    assert found["images/2"].masks == ["masks/2.png"]


def test_two_images_of_one_name_are_told_of_the_format_of_masks(tmp_path: Path) -> None:
    write_folder(tmp_path, files("Imgs/1.jpg", "Imgs/1.png"))
    problem = candidates(tmp_path)["Imgs/1"].problem
    assert problem is not None
    assert "--mask-suffix .png" in problem.message
    assert pairs(tmp_path, replace(PAIRS, mask_suffix=".png")) == {"Imgs/1.jpg": ["Imgs/1.png"]}


def test_json_beside_an_image_that_has_a_mask_is_a_stray(tmp_path: Path) -> None:
    write_own(tmp_path / "1.jpg", 1, tmp_path / "1_mask.png", (3, 4, 5, 6))
    write_folder(tmp_path, {"1.json": b"{}", "coco.json": b"{}"})
    found = scan_own(tmp_path)
    assert named(found, "stray-file") == [("warning", "1.json"), ("warning", "coco.json")]
    assert [sample.mask for sample in found.samples] == ["1_mask.png"]


def test_source_without_a_pair_is_refused_with_what_was_seen(tmp_path: Path) -> None:
    write_folder(tmp_path, files("a.jpg", "b_mask.png"))
    with pytest.raises(SourceError, match=r"b_mask\.png is a mask, and no image has its name"):
        candidates(tmp_path)
    (tmp_path / "b_mask.png").unlink()
    with pytest.raises(SourceError, match="no file is a mask; say with --mask-suffix"):
        candidates(tmp_path)
    with pytest.raises(SourceError, match="no file is a mask by --mask-suffix _m and --masks x;"):
        candidates(tmp_path, replace(PAIRS, mask_suffix="_m", masks="x"))


def test_missing_masks_and_images_are_errors_that_name_the_option(tmp_path: Path) -> None:
    write_own(tmp_path / "1.jpg", 1, tmp_path / "1_mask.png", (3, 4, 5, 6))
    write_own(tmp_path / "2.jpg", 2)
    write_own(tmp_path / "3.jpg", 3, tmp_path / "4_mask.png")
    found = scan_own(tmp_path)
    assert names(found) == ["1"]
    assert named(found, "image-without-mask") == [("error", "2.jpg"), ("error", "3.jpg")]
    assert named(found, "mask-without-image") == [("error", "4_mask.png")]
    assert "'--no-mask good'" in found.errors[0].message
    taken = scan_own(tmp_path, replace(PAIRS, no_mask="good"))
    assert [(s.name, s.label, s.mask) for s in taken.samples] == [
        ("1", "defective", "1_mask.png"),
        ("2", "good", ""),
        ("3", "good", ""),
    ]
    assert named(taken, "mask-without-image") == [("error", "4_mask.png")]


def test_image_named_as_a_mask_with_its_suffix_is_not_lost(tmp_path: Path) -> None:
    write_folder(tmp_path, files("1.jpg", "1_mask.png", "2_mask.png", "2_mask.png.jpg"))
    held = [name for c in candidates(tmp_path).values() for name in (*c.images, *c.masks)]
    assert sorted(held) == ["1.jpg", "1_mask.png", "2_mask.png", "2_mask.png.jpg"]


def test_item_is_the_first_group_in_the_path(tmp_path: Path) -> None:
    for seed, name in enumerate(("a/p1_0", "a/p1_1", "b/p2_0", "b/q")):
        write_own(tmp_path / f"{name}.jpg", seed, tmp_path / f"{name}_mask.png", (3, 4, 5, 6))
    found = scan_own(tmp_path, replace(PAIRS, item=r"p(\d)"))
    assert [(s.name, s.item) for s in found.samples] == [
        ("a/p1_0", "1"),
        ("a/p1_1", "1"),
        ("b/p2_0", "2"),
    ]
    assert named(found, "no-item") == [("error", "b/q.jpg")]
    assert "p(\\\\d)" in message(found, "no-item")
    assert [s.item for s in scan_own(tmp_path).samples] == names(scan_own(tmp_path))


def test_halves_are_known_if_every_image_lies_in_one(tmp_path: Path) -> None:
    for seed, half in enumerate(("train", "test")):
        write_own(tmp_path / f"{half}/1.jpg", seed, tmp_path / f"{half}_gt/1.png", (3, 4, 5, 6))
    halves = [sample.official_split for sample in scan_own(tmp_path).samples]
    assert halves == ["test", "train"]
    write_own(tmp_path / "1.jpg", 5, tmp_path / "1_mask.png")
    assert {sample.official_split for sample in scan_own(tmp_path).samples} == {None}


@pytest.mark.parametrize(
    ("name", "category"),
    [("rails", "rails"), ("My photos (new)", "My_photos_new"), ("+", "images")],
)
def test_category_is_the_name_of_the_source(tmp_path: Path, name: str, category: str) -> None:
    data = files("1.jpg", "1_mask.png")
    for path in (write_folder(tmp_path / name, data), write_zip(tmp_path / f"{name}.zip", data)):
        with open_source(path) as source:
            release = recognise(source, PAIRS)
        assert (release.category, release.size, release.protocol) == (category, None, "balanced")


def test_native_layout_is_read_as_pairs_only_where_that_is_asked_for(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "raw", files("kos01/Part0.jpg", "kos01/Part0_label.bmp"))
    with open_source(root) as source:
        assert recognise(source).name == "KolektorSDD"
        assert recognise(source, PAIRS).name == "pairs"
    assert pairs(root) == {"kos01/Part0.jpg": ["kos01/Part0_label.bmp"]}


@pytest.mark.parametrize(
    "layout",
    [
        "beside, _mask",
        "beside, labelme",
        "images, masks",
        "split inside",
    ],
)
def test_pairs_are_recognised_where_every_image_has_its_mask(tmp_path: Path, layout: str) -> None:
    image, mask, _ = LAYOUTS[layout]
    for number in (1, 2):
        write_own(tmp_path / image.format(number), number)
        (tmp_path / mask.format(number)).parent.mkdir(parents=True, exist_ok=True)
        if mask.endswith("json"):
            (tmp_path / mask.format(number)).write_bytes(labelme([]))
        else:
            write_own(tmp_path / "x.png", 0, tmp_path / mask.format(number))
            (tmp_path / "x.png").unlink()
    (tmp_path / "notes.json").write_bytes(b"{}")
    found = scan_own(tmp_path, LayoutOptions())
    asked = scan_own(tmp_path, PAIRS)
    assert found.layout == PAIRS
    assert found.samples == asked.samples
    assert {f.code for f in found.findings} - {f.code for f in asked.findings} == {"layout"}
    write_own(tmp_path / image.format(3), 3)
    odd = rf"with '--layout pairs'.*{re.escape(image.format(3))} has no partner"
    with open_source(tmp_path) as source, pytest.raises(SourceError, match=odd):
        find_candidates(source)
    tolerant = scan_own(tmp_path, LayoutOptions(no_mask="good"))
    assert tolerant.layout == replace(PAIRS, no_mask="good")
    assert len(tolerant.samples) == 3


@pytest.mark.parametrize(
    "names",
    [
        ("data/train/good/1.png", "data/test/bad/1.png", "data/ground_truth/bad/1.png"),
        ("images/10000.png", "masks/10000.png"),
        ("a/1.png", "b/1_label.png"),
        ("Part0.jpg", "Part0_label.bmp"),
        ("a/1.jpg", "a/1_mask.png", "masks/2.png"),
        ("a/1.jpg", "a/1_mask.png", "masks/a/1.png"),
        ("a/1.jpg", "a/1.json"),
    ],
    ids=[
        "a tree",
        "KolektorSDD2's numbers",
        "_label apart",
        "an item",
        "a mask alone",
        "two masks",
        "JSON of another tool",
    ],
)
def test_what_is_not_clear_is_not_taken_for_pairs(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_folder(tmp_path, files(*names))
    with open_source(tmp_path) as source, pytest.raises(SourceError):
        recognise(source)


@pytest.mark.parametrize("option", ["mask_suffix", "masks", "item", "good", "defective"])
def test_option_of_pairs_needs_no_layout_but_is_refused_for_a_kolektor_dataset(
    tmp_path: Path, option: str
) -> None:
    options = LayoutOptions(**{option: "(kos)"})  # type: ignore[arg-type]
    own = write_folder(tmp_path / "own", files("kos.jpg", "kos_mask.png", "1.jpg"))
    with open_source(own) as source:
        assert recognise(source, options).name == "pairs"
    raw = write_folder(tmp_path / "raw", files("kos01/Part0.jpg", "kos01/Part0_label.bmp"))
    wanted = f"--{option.replace('_', '-')} is for images of your own, and .*KolektorSDD"
    with open_source(raw) as source, pytest.raises(UsageError, match=wanted):
        recognise(source, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "auto"}, "--layout 'auto' is not one of pairs"),
        ({"layout": "pairs", "masks": "./"}, "--masks './' is not a text"),
        ({"layout": "pairs", "mask_suffix": 3}, "--mask-suffix 3 is not a text"),
        ({"layout": "pairs", "item": "kos"}, "--item 'kos' has no group"),
        ({"layout": "pairs", "item": "("}, r"--item '\(' is not a regular expression"),
        ({"no_mask": "bad"}, "--no-mask 'bad' is not one of good"),
        ({"mask_threshold": 255}, "--mask-threshold 255 is more than 254"),
        ({"mask_threshold": "x"}, "--mask-threshold 'x' is not a whole number"),
        ({"dilate": 4}, "--dilate 4 is even"),
        ({"dilate": 0}, "--dilate 0 is not a whole number from 1 on"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        layout_of({"fit": "stretch", **options})


def test_options_are_read_back_from_what_a_manifest_holds() -> None:
    options = LayoutOptions("pairs", "_m", "GT", "(.)", "good", mask_threshold=0, dilate=3)
    assert layout_of({"fit": "stretch", "size": [1, 2], **options.given()}) == options
    assert LayoutOptions().given() == {}
    assert check_layout(LayoutOptions(dilate=1)).mask_rule.dilate == 1


def test_shapes_of_labelme_are_masks_of_their_images(tmp_path: Path) -> None:
    write_own(tmp_path / "1.jpg", 1)
    write_own(tmp_path / "2.jpg", 2)
    (tmp_path / "1.json").write_bytes(labelme([shape("rectangle", (3, 4), (7, 9))]))
    (tmp_path / "2.json").write_bytes(labelme([]))
    found = scan_own(tmp_path)
    assert found.errors == ()
    assert [(s.mask, s.defect_pixels) for s in found.samples] == [("1.json", 30), ("2.json", 0)]


def test_shapes_without_a_size_take_that_of_their_image(tmp_path: Path) -> None:
    write_own(tmp_path / "1.jpg", 1)
    write_pixels(tmp_path / "2.jpg", draw_image(2, 50, 30))
    write_pixels(tmp_path / "3.jpg", draw_image(3, 30, 50))
    (tmp_path / "1.json").write_bytes(sizeless([shape("rectangle", (3, 4), (70, 9))], null=True))
    for number in (2, 3):  # the same bytes for two sizes
        (tmp_path / f"{number}.json").write_bytes(sizeless([]))
    found = scan_own(tmp_path)
    assert found.findings == ()
    assert [s.defect_pixels for s in found.samples] == [37 * 6, 0, 0]
    with open_source(tmp_path) as source:
        mask = read_mask(source, found.samples[0])
    assert mask.shape == (60, 40)
    assert np.argwhere(mask).min(0).tolist() == [4, 3]


@pytest.mark.parametrize("orientation", [3, 6])
def test_shapes_without_a_size_on_a_turned_image_are_not_guessed(
    tmp_path: Path, orientation: int
) -> None:
    """labelme shows the image turned, and draws on that."""
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(draw_image(1)).save(tmp_path / "1.jpg", exif=exif)
    (tmp_path / "1.json").write_bytes(sizeless([shape("rectangle", (3, 4), (7, 9))]))
    found = scan_own(tmp_path)
    assert named(found, "unreadable") == [("error", "1.json")]
    assert "unreadable or shown turned, cannot tell them" in message(found, "unreadable")


def test_shapes_of_another_size_than_the_image_are_an_error(tmp_path: Path) -> None:
    write_own(tmp_path / "1.jpg", 1)
    (tmp_path / "1.json").write_bytes(labelme([shape("rectangle", (3, 4), (7, 9))], (60, 40)))
    assert named(scan_own(tmp_path), "size-mismatch") == [("error", "1.json")]
