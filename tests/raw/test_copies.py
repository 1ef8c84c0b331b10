"""What file managers name as copies is told from what is none, and compared with its original."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolektor_cli.io.source import open_source
from kolektor_cli.raw.copies import original_folder, original_stem, without_copies


@pytest.mark.parametrize(
    "ending",
    [
        *(" (copy)", " (another copy)", " (3rd copy)", " (12th copy)", " (copy 2)", " copy"),
        *(" copy 2", " - Copy", " - Copy (2)", " (1)", "(2)", " (10)", "_copy", "-copy"),
        *(" (copy) (copy)", " - Copy - Copy", " COPY"),
    ],
)
def test_endings_of_copies_are_known_before_and_behind_that_of_a_mask(ending: str) -> None:
    assert original_stem(f"10301{ending}", "_GT") == "10301"
    assert original_stem(f"10301_GT{ending}", "_GT") == "10301_GT"
    assert original_stem(f"10301{ending}_GT", "_GT") == "10301_GT"
    assert original_stem(f"10301{ending}_gt", "_GT") == "10301_gt"


@pytest.mark.parametrize(
    "stem",
    [
        *("10301", "10301_GT", "Part0_label", "Part 2", "photocopy", "copy", "copyright", "(copy)"),
        *("10301 (old)", "a (2b)", "copy of 10301", ""),
    ],
)
def test_other_names_are_no_copies(stem: str) -> None:
    assert original_stem(stem, "_GT") is None


def test_folder_is_a_copy_of_one_beside_it_alone() -> None:
    folders = ["a/kos01", "kos02", "KOS03"]
    assert original_folder("a/kos01 (copy)", folders) == "a/kos01"
    assert original_folder("kos03 - Copy", folders) == "KOS03"
    assert original_folder("kos01 (copy)", folders) is None
    assert original_folder("b/kos02 copy", folders) is None
    assert original_folder("kos02", folders) is None


def test_copies_are_left_out_and_compared(tmp_path: Path) -> None:
    for name, data in {
        "1.png": b"a", "1 (copy).png": b"a", "1 (2).PNG": b"b", "2 (copy).png": b"a",
        "deep/1 (copy).png": b"a",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with open_source(tmp_path) as source:
        kept, findings = without_copies(source, source.names, "_GT")
    assert kept == ["1.png"]
    assert {f.path: f.message.partition(";")[0] for f in findings} == {
        "1 (copy).png": "repeats 1.png, byte for byte",
        "1 (2).PNG": "is named as a copy of 1.png, and differs from it",
        "2 (copy).png": "is named as a copy, but no original is beside it",
        "deep/1 (copy).png": "is named as a copy, but no original is beside it",
    }
    assert {(f.severity, f.code) for f in findings} == {("warning", "copy")}


def test_copy_that_cannot_be_read_is_left_out_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"a")
    (tmp_path / "1 (copy).png").symlink_to("nowhere")
    with open_source(tmp_path) as source:
        kept, [finding] = without_copies(source, source.names, "_GT")
    assert kept == ["1.png"]
    assert "not compared: 1 (copy).png: is not a regular file" in finding.message
