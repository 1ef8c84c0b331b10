"""Masks are found by any ending that all of them share, or the ending is told once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.raw.endings import common_ending
from tests.conftest import MakeDataset
from tests.scans import message, named, names, scan, unusual

ENDINGS = ["_GT", "_mask", "-mask", "_gt", "_seg", "_Label_1", ".mask", " mask", "_anno"]


def rename_masks(root: Path, old: str, new: str) -> None:
    for path in sorted(root.rglob(f"*{old}.*")):
        path.rename(path.with_name(path.name.replace(old, new)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_any_common_ending_is_taken_and_told_once(make_dataset: MakeDataset, ending: str) -> None:
    root = make_dataset()
    before = scan(root)
    rename_masks(root, "_label", ending)
    found = scan(root)
    assert [(s.name, s.mask_sha256) for s in found.samples] == [
        (s.name, s.mask_sha256) for s in before.samples
    ]
    assert unusual(found) == [("info", "mask-ending", "")]
    assert f"ends in {ending}, not _label" in message(found, "mask-ending")


def test_common_ending_is_taken_in_kolektorsdd2(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    before = scan(root)
    rename_masks(root, "_GT", "_mask")
    found = scan(root)
    assert [(s.name, s.mask_sha256, s.official_split) for s in found.samples] == [
        (s.name, s.mask_sha256, s.official_split) for s in before.samples
    ]
    assert unusual(found) == [("info", "mask-ending", "")]


def test_masks_with_two_endings_are_one_error(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    rename_masks(root / "kos02", "_label", "_GT")
    rename_masks(root / "kos03", "_label", "_GT")
    found = scan(root)
    assert unusual(found) == [("error", "mask-name", "kos02/Part0_GT.bmp")]
    assert message(found, "mask-name") == (
        "8 masks are called *_GT.bmp; expected *_label.bmp: rename them"
    )
    assert found.left_out == {
        f"kos0{item}/Part{part}": "mask-name" for item in (2, 3) for part in range(4)
    }
    assert names(found) == [f"kos01/Part{part}" for part in range(4)]


def test_one_mask_that_is_missing_keeps_the_others_from_being_taken(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    rename_masks(root, "_label", "_GT")
    (root / "kos02/Part1_GT.bmp").unlink()
    found = scan(root)
    assert unusual(found) == [
        ("error", "mask-name", "kos01/Part0_GT.bmp"),
        ("error", "image-without-mask", "kos02/Part1.jpg"),
    ]
    assert message(found, "mask-name").startswith("11 masks are called *_GT.bmp")
    assert len(found.left_out) == 12
    assert named(found, "extra-part") == []


stems = st.text(st.sampled_from("aB1_- ()"), min_size=1, max_size=5)


@given(st.sets(stems, min_size=1, max_size=6), st.sampled_from(ENDINGS))
def test_ending_that_is_found_gives_every_image_a_mask(images: set[str], ending: str) -> None:
    files = [f"k/{stem}.png" for stem in images]
    files += [f"k/{stem}{ending}.png" for stem in images]
    found = common_ending({"k": files}, "_label")
    if found is not None:
        known = {name.casefold() for name in files}
        left = {name for name in known if not name.endswith(f"{found}.png".casefold())}
        assert all(name.replace(".png", f"{found}.png").casefold() in known for name in left)


def test_numbers_copies_and_what_only_some_have_are_no_endings() -> None:
    def ending_of(*stems: str) -> str | None:
        return common_ending({"k": [f"k/{stem}.png" for stem in stems]}, "_label")

    assert ending_of("a", "a_1", "b", "b_1") is None
    assert ending_of("a", "a (copy)", "b", "b (copy)") is None
    assert ending_of("a", "a_mask", "b") is None
    assert ending_of("a", "a_mask", "b", "b_label") is None
    assert ending_of("a", "amask") is None
    assert ending_of("a", "A_Mask", "b", "b_mask") in ("_Mask", "_mask")
