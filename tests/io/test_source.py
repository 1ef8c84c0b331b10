"""Sources: a folder and a zip of it hold the same files, and what cannot be read is refused."""

from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.errors import SourceError
from kolektor_cli.io.source import MAX_FILE_BYTES, FolderSource, open_source
from kolektor_cli.io.zips import ZipSource
from tests.archives import (
    CENTRAL,
    CRC,
    FILE_SIZE,
    FLAGS,
    METHOD,
    PACKED_SIZE,
    Files,
    replace_bytes,
    set_field,
    write_folder,
    write_zip,
)

NAME = "kos01/Part0.jpg"

FILES: Files = {
    "kos01/Part0.jpg": bytes(range(256)) * 20,
    "kos01/Part0_label.bmp": b"BM" + bytes(5000),
    "kos01/Part10.jpg": b"ten",
    "kos01/kos02/deeper/Part0.jpg": b"nested",
    "kos02/empty.jpg": b"",
    "Thumbs.db": b"\0\1\2",
    "kos 03/Part 0 (copy).jpg": b"spaces",
    "kös04/Prüfstück.jpg": b"umlauts",
    "零件/图像.jpg": b"Chinese",
}

symlinks = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")


def contents(path: Path) -> Files:
    with open_source(path) as source:
        return {name: source.read(name) for name in source.names}


def refusal_to_open(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(path)
    return str(caught.value)


def refusal_to_read(path: Path, name: str) -> str:
    with open_source(path) as source:
        assert name in source.names
        with pytest.raises(SourceError) as caught:
            source.read(name)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "stored zip", "deflated zip"])
def test_folder_and_zip_give_the_same_names_and_bytes(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        path = write_folder(tmp_path / "raw", FILES)
    else:
        method = zipfile.ZIP_STORED if kind == "stored zip" else zipfile.ZIP_DEFLATED
        path = write_zip(tmp_path / "raw.zip", FILES, method)
    with open_source(path) as source:
        assert source.path == path
        assert source.names == tuple(sorted(FILES))
        assert {name: source.read(name) for name in source.names} == FILES


def test_names_are_sorted_however_the_zip_lists_them(tmp_path: Path) -> None:
    backwards = {name: FILES[name] for name in sorted(FILES, reverse=True)}
    assert list(contents(write_zip(tmp_path / "raw.zip", backwards))) == sorted(FILES)


def test_folders_are_not_listed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "raw", {NAME: b"image"})
    (folder / "kos02" / "empty").mkdir(parents=True)
    archive = write_zip(tmp_path / "raw.zip", {"kos01/": b"", NAME: b"image", "kos02/empty/": b""})
    assert contents(folder) == contents(archive) == {NAME: b"image"}


def test_zip_is_known_by_its_contents_whatever_its_name(tmp_path: Path) -> None:
    assert contents(write_zip(tmp_path / "download", FILES)) == FILES


@pytest.mark.parametrize(
    "written", ["kös04/Prüf.jpg".encode(), "kös04/Prüf.jpg".encode("cp437")], ids=["UTF-8", "cp437"]
)
def test_names_not_flagged_as_utf_8_are_read_in_utf_8_or_else_in_code_page_437(
    tmp_path: Path, written: bytes
) -> None:
    stand_in = "k" * len(written)
    archive = write_zip(tmp_path / "raw.zip", {stand_in: b"image"})
    replace_bytes(archive, stand_in.encode(), written)
    assert contents(archive) == {"kös04/Prüf.jpg": b"image"}


def test_four_threads_read_from_one_zip_at_a_time(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    files = {f"kos01/Part{part}.jpg": random.bytes(50_000 + part) for part in range(40)}
    path = write_zip(tmp_path / "raw.zip", files)
    with open_source(path) as source, ThreadPoolExecutor(4) as threads:
        names = [*source.names, *reversed(source.names)] * 3
        for name, data in zip(names, threads.map(source.read, names), strict=True):
            assert data == files[name]


def test_leaving_a_source_closes_the_zip(tmp_path: Path) -> None:
    with open_source(write_zip(tmp_path / "raw.zip", FILES)) as source:
        assert source.read(NAME) == FILES[NAME]
    with pytest.raises(ValueError, match="closed"):
        source.read(NAME)


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    assert refusal_to_open(path) == f"{path}: no such file or folder"


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000], ids=["one part", "many parts"])
def test_path_too_long_to_exist_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert refusal_to_open(path).startswith(f"{path}: ")


@pytest.mark.parametrize("kind", ["folder", "folder of folders", "zip", "zip of folders"])
def test_source_without_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "raw"
    if kind == "zip":
        write_zip(path, {})
    elif kind == "zip of folders":
        write_zip(path, {"kos01/": b"", "kos02/": b""})
    else:
        path.mkdir()
        (path / "kos01").mkdir() if kind == "folder of folders" else None
    assert refusal_to_open(path).startswith(f"{path}: is empty")


@pytest.mark.parametrize("data", [b"P", b"some text\n" * 100])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "raw.zip"
    path.write_bytes(data)
    assert "is neither a folder nor a zip archive nor a tar; give" in refusal_to_open(path)


def test_zip_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image", "kos01/Part0_label.bmp": b"mask"})
    whole = path.read_bytes()
    for length in range(2, len(whole)):
        path.write_bytes(whole[:length])
        assert "damaged or cut short" in refusal_to_open(path)


@pytest.mark.parametrize("entry", range(3))
def test_zip_with_an_encrypted_entry_is_refused(tmp_path: Path, entry: int) -> None:
    path = write_zip(tmp_path / "raw.zip", {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"3"})
    set_field(path, FLAGS, 0x1, entry)
    assert refusal_to_open(path).startswith(f"{path}: is encrypted")


def test_zip_that_holds_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("kos01/Part1.jpg", b"other")
        archive.writestr(NAME, b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(NAME, b"two")
    assert refusal_to_open(path).startswith(f"{path}: holds {NAME} twice")


def test_zip_that_holds_a_name_twice_of_which_one_is_not_flagged_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {"kös.jpg": b"one", "k__s.jpg": b"two"})
    replace_bytes(path, b"k__s.jpg", "kös.jpg".encode())
    assert refusal_to_open(path).startswith(f"{path}: holds kös.jpg twice")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_name_that_the_source_does_not_have_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        path = write_folder(tmp_path / "raw", FILES)
    else:
        path = write_zip(tmp_path / "raw", FILES)
    with open_source(path) as source, pytest.raises(SourceError, match=r"^kos99/Part0\.jpg: "):
        source.read("kos99/Part0.jpg")


def test_file_removed_since_the_listing_is_refused_when_read(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "raw", FILES)
    with open_source(folder) as source:
        (folder / NAME).unlink()
        with pytest.raises(SourceError, match=f"^{NAME}: "):
            source.read(NAME)


def test_zip_entry_with_a_wrong_crc_is_refused_and_the_others_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image", "kos01/Part1.jpg": b"another"})
    set_field(path, CRC, 0x12345678)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: is damaged in the archive")
    with open_source(path) as source:
        assert source.read("kos01/Part1.jpg") == b"another"


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED],
    ids=["stored", "deflated"],
)
def test_zip_entry_with_damaged_data_is_refused_by_name(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: FILES[NAME]}, method)
    data = bytearray(path.read_bytes())
    middle = (30 + len(NAME) + data.index(CENTRAL)) // 2
    data[middle : middle + 8] = bytes(255 - value for value in data[middle : middle + 8])
    path.write_bytes(data)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: is damaged in the archive")


def test_zip_with_a_flipped_bit_never_gives_wrong_bytes(tmp_path: Path) -> None:
    files = {NAME: b"image " * 5, "kos01/Part0_label.bmp": bytes(30)}
    path = write_zip(tmp_path / "raw.zip", files)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            read = contents(path)
        except SourceError:
            refused += 1
        else:
            assert set(read.values()) <= set(files.values())
    assert refused > len(whole) / 2


def test_zip_entry_packed_by_an_unknown_method_is_refused_by_name(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image"})
    set_field(path, METHOD, 97)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: cannot be unpacked")


@pytest.mark.parametrize("size", [MAX_FILE_BYTES + 1, 2**32 - 2])
def test_zip_entry_that_claims_to_be_too_large_is_refused(tmp_path: Path, size: int) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image"})
    set_field(path, FILE_SIZE, size)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: has {size} bytes")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=str)
@pytest.mark.parametrize("size", [0, 1, 4, 6])
def test_zip_entry_of_another_size_than_it_claims_is_refused(
    tmp_path: Path, size: int, method: int
) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image"}, method)
    set_field(path, FILE_SIZE, size)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: is damaged in the archive")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=str)
def test_zip_entry_that_is_packed_into_more_than_any_file_has_is_refused(
    tmp_path: Path, method: int
) -> None:
    path = write_zip(tmp_path / "raw.zip", {NAME: b"image"}, method)
    set_field(path, PACKED_SIZE, MAX_FILE_BYTES + 1)
    assert refusal_to_read(path, NAME).startswith(f"{NAME}: has {MAX_FILE_BYTES + 1} bytes")


def test_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "raw", {NAME: b""})
    os.truncate(folder / NAME, MAX_FILE_BYTES + 1)
    refusal = refusal_to_read(folder, NAME)
    assert refusal.startswith(f"{NAME}: has {MAX_FILE_BYTES + 1} bytes")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_named_pipe_is_listed_and_never_opened(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "raw", {NAME: b"image"})
    os.mkfifo(folder / "kos01" / "pipe.jpg")
    assert "not a regular file" in refusal_to_read(folder, "kos01/pipe.jpg")


@symlinks
def test_linked_folder_and_linked_file_are_read_like_others(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", {"Part0.jpg": b"image", "deep/x": b"deep"})
    folder = write_folder(tmp_path / "raw", {"kos01/Part0.jpg": b"first"})
    (folder / "kos02").symlink_to(elsewhere)
    (folder / "kos01" / "Part1.jpg").symlink_to(elsewhere / "Part0.jpg")
    (tmp_path / "link").symlink_to(folder)
    assert contents(tmp_path / "link") == {
        "kos01/Part0.jpg": b"first",
        "kos01/Part1.jpg": b"image",
        "kos02/Part0.jpg": b"image",
        "kos02/deep/x": b"deep",
    }


@symlinks
def test_linked_zip_is_read(tmp_path: Path) -> None:
    write_zip(tmp_path / "raw.zip", FILES)
    (tmp_path / "link").symlink_to("raw.zip")
    assert contents(tmp_path / "link") == FILES


@symlinks
@pytest.mark.parametrize("target", ["..", ".", "../kos01"])
def test_loop_of_links_is_followed_once(tmp_path: Path, target: str) -> None:
    folder = write_folder(tmp_path / "raw", {NAME: b"image"})
    (folder / "kos01" / "loop").symlink_to(target)
    assert contents(folder) == {NAME: b"image"}


@symlinks
def test_two_folders_that_link_to_each_other_are_listed_once_from_each(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "raw", {"kos01/a": b"a", "kos02/b": b"b"})
    (folder / "kos01" / "other").symlink_to("../kos02")
    (folder / "kos02" / "other").symlink_to("../kos01")
    assert list(contents(folder)) == ["kos01/a", "kos01/other/b", "kos02/b", "kos02/other/a"]


@symlinks
@pytest.mark.parametrize("target", ["nowhere.jpg", "link.jpg"], ids=["nowhere", "itself"])
def test_link_that_leads_nowhere_is_listed_and_refused_when_read(
    tmp_path: Path, target: str
) -> None:
    folder = write_folder(tmp_path / "raw", {NAME: b"image"})
    (folder / "kos01" / "link.jpg").symlink_to(target)
    assert refusal_to_read(folder, "kos01/link.jpg").startswith("kos01/link.jpg: ")
    with open_source(folder) as source:
        assert source.read(NAME) == b"image"


@symlinks
def test_source_that_is_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    assert refusal_to_open(link) == f"{link}: no such file or folder"


@pytest.mark.parametrize(("kind", "expected"), [("folder", FolderSource), ("zip", ZipSource)])
def test_folders_and_zips_are_told_apart(tmp_path: Path, kind: str, expected: type) -> None:
    path = tmp_path / "raw.zip"
    if kind == "folder":
        write_folder(path, FILES)
    else:
        write_zip(path, FILES)
    with open_source(path) as source:
        assert type(source) is expected


def test_backslashes_of_windows_packers_are_slashes(tmp_path: Path) -> None:
    archive = tmp_path / "raw.zip"
    write_zip(archive, {"raw/kos01/": b"", "raw/kos01/Part0.jpg": b"image"})
    replace_bytes(archive, b"raw/kos01/", b"raw\\kos01\\")
    assert contents(archive) == {"raw/kos01/Part0.jpg": b"image"}
