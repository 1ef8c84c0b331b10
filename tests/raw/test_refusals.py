"""What is no dataset is refused with what it looks like, and with advice that can be followed.

Where advice is to move or to rename, following it gives the samples.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kolektor_cli.core.conversion import convert
from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import OutputError, SourceError, UsageError
from kolektor_cli.findings import Finding
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.layouts import find_candidates
from tests.archives import write_folder, write_zip, zip_of
from tests.conftest import SMALL, MakeDataset
from tests.scans import named, names, scan


def refusal(path: Path) -> str:
    with open_source(path) as source, pytest.raises(SourceError) as caught:
        find_candidates(source)
    prefix = f"{path}: "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


def files(*names: str) -> dict[str, bytes]:
    return dict.fromkeys(names, b"x")


def unread(root: Path) -> list[Finding]:
    return [finding for finding in scan(root).findings if finding.code == "stray-samples"]


def follow(advice: str, root: Path) -> None:
    """Move an image and its mask as the advice says."""
    moves = re.findall(r"(\S+) as (\S+?)(?:,|$)", advice)
    assert len(moves) == 2
    for old, new in moves:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / old, root / new)


LAYOUTS: list[tuple[str, str]] = [
    ("train/images/{}.png", "train/masks/{}_GT.png"),
    ("train/{}.png", "train_gt/{}_GT.png"),
    ("images/train/{}.png", "masks/train/{}_GT.png"),
    ("train/img/{}.png", "train/ann/{}.png"),
    ("train/images/{}.png", "train/labels/{}.png"),
    ("images/{}.png", "ground_truth/{}.png"),
    ("a/b/test/image/{}.jpg", "a/b/test/mask/{}.bmp"),
]


@pytest.mark.parametrize(("image", "mask"), LAYOUTS)
def test_masks_apart_from_their_images_are_named_and_the_advice_helps(
    tmp_path: Path, image: str, mask: str
) -> None:
    for number in ("10000", "10001"):
        write_folder(tmp_path, files(image.format(number), mask.format(number)))
    told = refusal(tmp_path)
    assert image.rpartition("/")[0] in told
    assert mask.rpartition("/")[0] in told
    assert "not in folders named" not in told
    for number in ("10000", "10001"):
        follow(re.sub(r"1000\d", number, told), tmp_path)
    with open_source(tmp_path) as source:
        candidates = find_candidates(source).candidates
        whole = [c for c in candidates.values() if c.images and c.masks]
    assert len(whole) == 2


def test_train_and_test_with_files_of_the_same_names_are_not_taken_for_masks(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path, files("train/img/0.png", "test/img/0.png", "test/ann/7.json"))
    assert "in different folders" not in refusal(tmp_path)


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_folder_is_an_error_that_names_it(
    make_dataset_2: MakeDataset, name: str
) -> None:
    root = make_dataset_2()
    (root / "test").rename(root / name)
    [finding] = unread(root)
    assert (finding.severity, finding.path) == ("error", name)
    assert "4 images with masks" in finding.message
    assert f"rename {name} to test" in finding.message
    assert not named(scan(root), "stray-file")
    with pytest.raises(SourceError, match=f"^{name}: "):
        convert(root, root.parent / "out", SMALL)
    (root / name).rename(root / "test")
    assert len(names(scan(root))) == 10


def test_validation_folder_beside_train_and_test_is_an_error_too(
    make_dataset_2: MakeDataset,
) -> None:
    root = make_dataset_2()
    shutil.copytree(root / "test", root / "val")
    [finding] = unread(root)
    assert finding.path == "val"


def test_validation_folder_alone_is_to_be_renamed(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    shutil.rmtree(root / "train")
    (root / "test").rename(root / "val")
    assert "rename val to test" in refusal(root)


def test_folder_that_holds_only_the_archive_names_it(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    packed = zip_of(make_dataset())
    (tmp_path / "data/deep").mkdir(parents=True)
    given = shutil.move(packed, tmp_path / "data/deep/KolektorSDD.zip")
    told = refusal(tmp_path / "data")
    assert told.endswith(f"give {given}")
    assert len(scan(Path(told.rpartition("give ")[2])).samples) == 12


def test_archives_that_are_not_read_are_to_be_unpacked(tmp_path: Path) -> None:
    assert "K.7z" in refusal(write_folder(tmp_path / "a", files("K.7z")))
    assert "unpack it" in refusal(write_folder(tmp_path / "a", files("K.7z")))


def test_zip_in_a_zip_is_to_be_unpacked(tmp_path: Path) -> None:
    told = refusal(write_zip(tmp_path / "outer.zip", files("KolektorSDD.zip")))
    assert "an archive (KolektorSDD.zip); unpack it and give what is in it" in told


def test_one_item_folder_names_its_parent(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    told = refusal(root / "kos01")
    assert "looks like one item folder" in told
    assert told.endswith(f", {root}")


def test_one_half_names_its_parent(make_dataset_2: MakeDataset) -> None:
    root = make_dataset_2()
    told = refusal(root / "train")
    assert "looks like the folder train of KolektorSDD2" in told
    assert told.endswith(f", {root}")


def test_current_folder_s_parent_is_named(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_dataset() / "kos01")
    assert refusal(Path()).endswith(", ..")


@pytest.mark.parametrize(
    ("notes", "kind"), [("0.json", "JSON"), ("annotations.json", "JSON"), ("0.txt", "TXT")]
)
def test_annotations_that_are_no_images_are_named(tmp_path: Path, notes: str, kind: str) -> None:
    told = refusal(write_folder(tmp_path, files("0.jpg", "1.jpg", notes)))
    assert f"has annotations as {kind} ({notes}), which are not read" in told


def test_split_files_alone_go_to_split(tmp_path: Path) -> None:
    told = refusal(write_zip(tmp_path / "s.zip", files("KSDD/split_10_5.pyb")))
    assert "split_10_5.pyb" in told
    assert "--split" in told


@pytest.mark.parametrize("kind", ["folder", "zip", "second"])
def test_raw_dataset_is_not_verified(
    make_dataset: MakeDataset, make_dataset_2: MakeDataset, kind: str
) -> None:
    raw = make_dataset_2("two") if kind == "second" else make_dataset()
    raw = zip_of(raw) if kind == "zip" else raw
    with pytest.raises(
        OutputError, match=r"but the raw dataset; convert it with 'kolektor convert"
    ):
        verify(raw)


def test_file_that_is_no_dataset_is_not_verified(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not a folder; if it is a packed tree, unpack it"):
        verify(write_zip(tmp_path / "tree.zip", files("metal/train/good/000.png")))


def missing(root: Path) -> Path:
    return root / "missing"


def empty(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def a_tree(root: Path) -> Path:
    convert(root / "raw", root / "tree", SMALL)
    return root / "tree"


@pytest.mark.parametrize("make", [missing, empty, a_tree])
@pytest.mark.parametrize("packed", [False, True])
def test_source_and_output_in_the_wrong_order_are_told(
    make_dataset: MakeDataset, tmp_path: Path, make: Callable[[Path], Path], packed: bool
) -> None:
    raw = make_dataset()
    given = make(tmp_path)
    raw = zip_of(raw) if packed else raw
    with pytest.raises(UsageError, match=r"is the raw dataset, and .* is not; SOURCE comes first"):
        convert(given, raw, SMALL)


def test_bad_source_is_not_told_as_swapped(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw, other = make_dataset(), make_dataset("other")
    (raw / "kos01/Part0.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match="is empty"):
        convert(raw, other, SMALL)
    with pytest.raises(SourceError, match="no such file"):
        inspect(tmp_path / "missing")
