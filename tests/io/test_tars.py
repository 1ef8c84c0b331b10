"""Tar archives: the bytes of the folder they were made of, or a refusal that says why."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.conversion import convert
from kolektor_cli.errors import LimitError, SourceError
from kolektor_cli.io import tars
from kolektor_cli.io.source import MAX_FILE_BYTES, open_source
from kolektor_cli.io.tars import TarSource
from kolektor_cli.raw.scan import scan_source
from tests.conftest import SMALL, snapshot
from tests.io.test_source import FILES, NAME, contents, refusal_to_open

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def tar_of(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=kind, encoding="utf-8") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def add(packed: bytes, name: str, kind: bytes, target: str = "") -> bytes:
    changed = io.BytesIO(packed)
    with tarfile.open(fileobj=changed, mode="a") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)
    return changed.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar_gives_the_names_and_bytes_of_its_files(tmp_path: Path, suffix: str, kind: int) -> None:
    files = {**FILES, "long/" * 60 + "Part0.jpg": b"long"}
    path = write(tmp_path / "download", PACKERS[suffix](tar_of(files, kind)))
    assert contents(path) == files
    with open_source(path) as source:
        assert isinstance(source, TarSource)
        assert source.names == tuple(sorted(files))


@pytest.mark.parametrize("suffix", PACKERS)
def test_tar_and_folder_make_the_same_tree(raw: Path, tmp_path: Path, suffix: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(raw, ".")
    path = write(tmp_path / "raw.tar", PACKERS[suffix](packed.getvalue()))
    from_tar = convert(path, tmp_path / "from tar", SMALL)
    from_folder = convert(raw, tmp_path / "from folder", SMALL)
    assert snapshot(from_tar.target) == snapshot(from_folder.target)
    with open_source(path) as source, open_source(raw) as folder:
        assert source.names == folder.names
        assert source.folders == folder.folders
        assert scan_source(source) == scan_source(folder)


@pytest.mark.parametrize("suffix", PACKERS)
def test_several_threads_and_another_process_read_alike(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    files = {f"kos01/Part{part}.jpg": random.bytes(50_000 + part) for part in range(20)}
    path = write(tmp_path / "raw.tar", PACKERS[suffix](tar_of(files)))
    with open_source(path) as source, ThreadPoolExecutor(4) as threads:
        names = [*source.names, *reversed(source.names)] * 3
        for name, data in zip(names, threads.map(source.read, names), strict=True):
            assert data == files[name]
        elsewhere = pickle.loads(pickle.dumps(source))
        assert elsewhere.read("kos01/Part7.jpg") == files["kos01/Part7.jpg"]


def test_streams_one_after_the_other_are_one_archive(tmp_path: Path) -> None:
    whole = tar_of(dict(FILES))
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        path = write(tmp_path / "raw", pack(whole[:700]) + pack(whole[700:]))
        assert contents(path) == FILES


@pytest.mark.parametrize("suffix", PACKERS)
def test_tar_cut_short_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = PACKERS[suffix](tar_of({NAME: b"image" * 99, "kos01/Part0_label.bmp": b"mask"}))
    end = 512 * 5 if suffix == "" else len(whole) - 1
    for length in [*range(512, end, 37), end - 1]:
        if length < len(whole):
            assert "tar archive" in refusal_to_open(write(tmp_path / "raw", whole[:length]))


def test_damaged_header_is_refused_and_not_taken_for_the_end(tmp_path: Path) -> None:
    whole = bytearray(
        tar_of({f"kos01/Part{n}.jpg": b"image" for n in range(5)}, tarfile.GNU_FORMAT)
    )
    whole[2 * 1024 + 3] ^= 1
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert len(archive.getnames()) == 2
    assert "damaged" in refusal_to_open(write(tmp_path / "raw.tar", bytes(whole)))


def test_two_archives_joined_are_refused(tmp_path: Path) -> None:
    first, second = tar_of({"a.jpg": b"1"}), tar_of({"b.jpg": b"2"})
    assert "more behind its end" in refusal_to_open(write(tmp_path / "raw.tar", first + second))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_flipped_bit_of_a_compressed_tar_never_gives_wrong_bytes(
    tmp_path: Path, suffix: str
) -> None:
    files = {NAME: b"image " * 5, "kos01/Part0_label.bmp": bytes(30)}
    whole = PACKERS[suffix](tar_of(files))
    for position in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        try:
            read = contents(write(tmp_path / "raw", bytes(changed)))
        except SourceError:
            continue
        assert read == files


@pytest.mark.parametrize("name", ["/etc/passwd", "../kos01/Part0.jpg", "a/../../b.jpg", "C:/x.jpg"])
def test_name_that_leads_elsewhere_is_told_and_not_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "raw.tar", tar_of({NAME: b"image", name: b"x"}))
    with open_source(path) as source:
        assert source.names == (NAME,)
        [unread] = source.unread
        assert unread.name == name
        assert not unread.harmless


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_told_and_not_read(tmp_path: Path, kind: bytes) -> None:
    packed = add(tar_of({NAME: b"image"}), "kos01/Part1.jpg", kind, NAME)
    with open_source(write(tmp_path / "raw.tar", packed)) as source:
        assert source.names == (NAME,)
        assert [unread.name for unread in source.unread] == ["kos01/Part1.jpg"]
        assert "is a link or a device" in source.unread[0].why


def test_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    packed = tar_of({NAME: b"1", f"./{NAME}": b"2"})
    assert f"holds {NAME} twice" in refusal_to_open(write(tmp_path / "raw.tar", packed))


def test_file_that_is_too_large_is_refused_when_read(tmp_path: Path) -> None:
    entry = tarfile.TarInfo(NAME)
    entry.size = MAX_FILE_BYTES + 1
    path = write(tmp_path / "raw.tar", entry.tobuf())
    os.truncate(path, 512 + MAX_FILE_BYTES + 512 + 1024)
    with open_source(path) as source, pytest.raises(SourceError, match=f"has {entry.size} bytes"):
        source.read(NAME)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_compressed_tar_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(tars, "MAX_ARCHIVE_BYTES", 2**21)
    path = write(tmp_path / "raw", PACKERS[suffix](tar_of({NAME: bytes(2**23)})))
    assert path.stat().st_size < 2**15
    assert "unpacks to more than 2097152 bytes" in refusal_to_open(path)


def test_more_entries_than_any_dataset_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolektor_cli.io.source.MAX_FILES", 10)
    path = write(tmp_path / "raw.tar", tar_of({f"{n}.jpg": b"" for n in range(12)}))
    assert "holds more than 10 files" in refusal_to_open(path)


def test_extended_header_that_claims_much_is_not_read(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 2**30
    path = write(tmp_path / "raw.tar", entry.tobuf())
    os.truncate(path, 2**30 + 4096)
    assert "a header has 1073741824 bytes" in refusal_to_open(path)


@pytest.mark.parametrize("size", [-1, -512, -(2**40)])
def test_negative_size_is_refused(tmp_path: Path, size: int) -> None:
    entry = tarfile.TarInfo(NAME)
    entry.size = size
    packed = entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert "tar archive" in refusal_to_open(write(tmp_path / "raw.tar", packed))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_compressed_file_that_is_no_tar_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / "Part0.jpg", PACKERS[suffix](b"image" * 1000))
    assert refusal_to_open(path) == f"{path}: is compressed, but holds no tar archive; unpack it"


def test_no_room_for_the_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "raw.tgz", gzip.compress(tar_of(dict(FILES))))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(LimitError, match=r"cannot be unpacked to a temporary file in .*TMPDIR"):
        open_source(path)


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    path = write(tmp_path / "raw.tgz", gzip.compress(tar_of(dict(FILES))))
    with open_source(path) as source:
        assert source.read(NAME) == FILES[NAME]
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        source.read(NAME)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is an empty file: the download failed"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not an archive: the download"),
        (b"<HTML><body>Sign in</body>", "is a web page"),
        (bytes(5000), "holds nothing but zeros"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7z archive, which is not read; unpack it"),
        (b"Rar!\x1a\x07\x01\0" + bytes(99), "is a RAR archive, which is not read; unpack it"),
        (b"\x28\xb5\x2f\xfd" + bytes(99), "is a Zstandard archive"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "is one image; give the folder"),
    ],
    ids=["empty", "page", "PAGE", "zeros", "7z", "rar", "zstd", "jpeg"],
)
@pytest.mark.parametrize("name", ["KolektorSDD.zip", "KolektorSDD.7z", "download"])
def test_file_that_is_no_archive_to_read_is_named_by_its_content(
    tmp_path: Path, data: bytes, message: str, name: str
) -> None:
    path = write(tmp_path / name, data)
    assert refusal_to_open(path).startswith(f"{path}: {message}")


@pytest.mark.parametrize("address", ["https://go.vicos.si/kolektorsdd", "ftp://x.org/a.zip"])
def test_address_is_to_be_downloaded_first(address: str) -> None:
    told = f"{address}: is an address on the network; download it first, and give the file"
    assert refusal_to_open(Path(address)) == told
