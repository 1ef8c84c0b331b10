"""What file managers name as copies is left out only if its content is that of its original."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolektor_cli.io.source import open_source
from kolektor_cli.raw.copies import comparing, original_folder, originals_of, part_and_role


@pytest.mark.parametrize(
    "ending",
    [
        *(" (copy)", " (another copy)", " (3rd copy)", " (12th copy)", " (copy 2)", " copy"),
        *(" copy 2", " - Copy", " - Copy (2)", " (1)", "(2)", " (10)", "_copy", "-copy"),
        *(" (copy) (copy)", " - Copy - Copy", " COPY"),
    ],
)
def test_endings_of_copies_are_known_before_and_behind_that_of_a_mask(ending: str) -> None:
    part = f"10301{ending}"
    assert list(originals_of(part))[-1] == "10301"
    assert list(originals_of(f"a/{part}"))[-1] == "a/10301"
    assert part_and_role(part, "_GT") == (part, False)
    for stem in (f"10301_GT{ending}", f"10301{ending}_GT", f"10301{ending}_gt"):
        assert part_and_role(stem, "_GT") == (part, True)


@pytest.mark.parametrize(
    "stem",
    [
        *("10301", "10301_GT", "Part0_label", "Part 2", "photocopy", "copy", "copyright", "(copy)"),
        *("10301 (old)", "a (2b)", "copy of 10301", ""),
    ],
)
def test_other_names_are_no_copies(stem: str) -> None:
    assert list(originals_of(stem)) == []


def test_originals_come_nearest_first() -> None:
    assert list(originals_of("t/part (1) (copy) - Copy")) == [
        "t/part (1) (copy)", "t/part (1)", "t/part",
    ]  # fmt: skip
    assert list(originals_of("t/(copy)")) == []


def test_folder_is_a_copy_of_one_beside_it_alone() -> None:
    folders = ["a/kos01", "kos02", "KOS03"]
    assert original_folder("a/kos01 (copy)", folders) == "a/kos01"
    assert original_folder("kos03 - Copy", folders) == "KOS03"
    assert original_folder("kos01 (copy)", folders) is None
    assert original_folder("b/kos02 copy", folders) is None
    assert original_folder("kos02", folders) is None
    assert original_folder("x (1) - Copy", ["x (1)", "x"]) == "x (1)"


def test_files_are_compared_and_one_that_cannot_be_read_equals_none(tmp_path: Path) -> None:
    for name, data in {"1.png": b"a", "1 (copy).png": b"a", "1 (2).png": b"b"}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "gone.png").symlink_to("nowhere")
    with open_source(tmp_path) as source:
        same = comparing(source)
        assert same("1.png", "1 (copy).png")
        assert not same("1.png", "1 (2).png")
        assert not same("gone.png", "gone.png")
