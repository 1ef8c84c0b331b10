"""Files that are no part of a dataset are told of, and nothing else is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.archives import zip_of
from tests.conftest import MakeDataset
from tests.scans import message, named, scan, unusual


@pytest.mark.parametrize(
    "path",
    [
        "Thumbs.db",
        "kos01/Thumbs.db",
        "kos01/.DS_Store",
        "desktop.ini",
        "kos01/._Part0.jpg",
        "__MACOSX/kos01/._Part0.jpg",
        "__MACOSX/kos01/Part0.jpg",
    ],
)
def test_droppings_of_operating_systems_are_harmless(make_dataset: MakeDataset, path: str) -> None:
    root = make_dataset()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"\0\5\x16\7")
    found = scan(root)
    assert unusual(found) == [("info", "stray-file", path)]
    assert found.samples == before.samples


@pytest.mark.parametrize(
    "path",
    ["readme.txt", "kos01/notes.txt", "preview.jpg", "extra/picture.png", "kos01/old/readme.md"],
)
def test_other_files_are_warned_of(make_dataset: MakeDataset, path: str) -> None:
    root = make_dataset()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("warning", "stray-file", path)]
    assert found.samples == before.samples


def test_very_long_numbers_in_names_are_no_obstacle(make_dataset: MakeDataset) -> None:
    target = zip_of(make_dataset())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("9" * 5000, b"x")
    assert named(scan(target), "stray-file") == [("warning", "9" * 5000)]


@pytest.mark.parametrize(
    "path",
    [
        *("Thumbs.db", "train/.DS_Store", "__MACOSX/train/._10000.png", "test/._20000.png"),
        *("train/desktop.ini", "$RECYCLE.BIN/train/10000.png", "train/10000.png:Zone.Identifier"),
        *("@eaDir/train/10000_GT.png", "train/Icon\r"),
    ],
)
def test_droppings_in_kolektorsdd2_are_harmless(make_dataset_2: MakeDataset, path: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("info", "stray-file", path)]
    assert found.samples == before.samples


@pytest.mark.parametrize(
    "path", ["readme.txt", "train/notes.txt", "val/10001.png", "train/old/10002.png", "10301.png"]
)
def test_other_files_of_kolektorsdd2_are_warned_of(make_dataset_2: MakeDataset, path: str) -> None:
    root = make_dataset_2()
    before = scan(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    found = scan(root)
    assert unusual(found) == [("warning", "stray-file", path)]
    assert found.samples == before.samples


def test_zip_in_a_folder_with_macos_droppings_is_converted_whole(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset_2()
    before = scan(root)
    with zipfile.ZipFile(tmp_path / "k.zip", "w") as archive:
        for path in root.rglob("*.png"):
            name = path.relative_to(root).as_posix()
            archive.write(path, f"KolektorSDD2/{name}")
            archive.writestr(f"__MACOSX/KolektorSDD2/{Path(name).parent}/._{path.name}", b"x")
    found = scan(tmp_path / "k.zip")
    assert [s.image_sha256 for s in found.samples] == [s.image_sha256 for s in before.samples]
    assert unusual(found) == [("info", "stray-file", "__MACOSX")]
    text = "20 files in it, such as __MACOSX/KolektorSDD2/test/._20000.png, were added by an"
    assert message(found, "stray-file").startswith(text)


@pytest.mark.parametrize("count", [10, 11])
def test_many_stray_files_of_a_folder_are_one_finding(
    make_dataset_2: MakeDataset, count: int
) -> None:
    root = make_dataset_2()
    (root / "crops").mkdir()
    names = [f"crops/{number:02}.png" for number in range(count)]
    for name in names:
        (root / name).write_bytes(b"x")
    paths = names if count == 10 else ["crops"]
    assert unusual(scan(root)) == [("warning", "stray-file", path) for path in paths]
