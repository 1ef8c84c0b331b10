"""Sources that mean harm, or only look it: each has its answer, and none is written by."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.codec import MAX_SCANS, decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.png import MAX_CHUNKS
from kolektor_cli.io.source import MAX_ARCHIVE_BYTES, MAX_FILES, open_source
from kolektor_cli.raw.scan import Scan
from tests.archives import FILE_SIZE, set_field, write_zip
from tests.conftest import MakeDataset, draw_image, snapshot
from tests.documents import DOCUMENTS
from tests.pictures import (
    PNG_START,
    color_picture,
    complaint,
    patched,
    png_chunk,
    saved_by_pillow,
)
from tests.running import run
from tests.scans import scan

OPTIONS = ConvertOptions(names="source", size=(20, 30), skip_bad=True)

FINDINGS = DOCUMENTS["findings.md"]


def codes(found: Scan, path: str) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in found.findings if f.path == path]


# Archives


@pytest.fixture
def files(make_dataset: MakeDataset) -> dict[str, bytes]:
    """Hold the files of a small dataset, to be zipped."""
    return dict(snapshot(make_dataset()))


def spoiled_zip(path: Path, files: Mapping[str, bytes], name: str, stand_in: str) -> Path:
    """Zip files, one of which has a name that zipfile would not write."""
    assert len(name.encode()) == len(stand_in.encode())
    write_zip(path, {**files, stand_in: files["kos01/Part1.jpg"]})
    data = path.read_bytes()
    assert data.count(stand_in.encode()) == 2
    path.write_bytes(data.replace(stand_in.encode(), name.encode()))
    return path


BAD_NAMES = {
    "/etc/kos09/Part0.jpg": "an absolute path",
    "C:/kos09/Part0.jpg": "an absolute path",
    "C:kos09.jpg": "an absolute path",
    "../kos09/Part0.jpg": "leads elsewhere",
    "kos09/../../Part0.jpg": "leads elsewhere",
    "kos09/..": "leads elsewhere",
    "kos09/./Part0.jpg": "leads elsewhere",
    "kos09//Part0.jpg": "leads elsewhere",
    "..\\..\\kos09\\Part0.jpg": "leads elsewhere",
    "C:\\kos09\\Part0.jpg": "an absolute path",
    "..\\..\\Part0.jpg": "leads elsewhere",
    "\\\\server\\kos09\\Part0.jpg": "an absolute path",
    "kos09/Part0.jpg\0.exe": "a NUL",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_entry_whose_name_leads_elsewhere_is_an_error_and_never_a_path(
    files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    path = spoiled_zip(tmp_path / "raw.zip", files, name, "x" * len(name))
    found = scan(path)
    shown = name.partition("\0")[0].replace("\\", "/")
    assert codes(found, shown) == [("error", "not-read")]
    [message] = [f.message for f in found.findings if f.code == "not-read"]
    assert BAD_NAMES[name] in message
    assert len(found.samples) == 12
    before = set(tmp_path.rglob("*"))
    convert(path, tmp_path / "in/out", OPTIONS)
    assert {p for p in set(tmp_path.rglob("*")) - before if p.suffix == ".jpg"} == set()
    assert not list(tmp_path.rglob("*kos09*"))


def test_an_archive_of_nothing_but_such_names_says_so(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {"../kos01/Part0.jpg": b"x"})
    with pytest.raises(
        SourceError, match=r"no file that is read; \.\./kos01/Part0\.jpg has a name"
    ):
        open_source(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_an_archive_are_errors_and_not_followed(
    files: dict[str, bytes], tmp_path: Path, kind: int
) -> None:
    path = tmp_path / "raw.zip"
    write_zip(path, files)
    entry = zipfile.ZipInfo("kos01/Part9.jpg")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    found = scan(path)
    assert codes(found, "kos01/Part9.jpg") == [("error", "not-read")]
    assert len(found.samples) == 12


def test_a_prefix_of_a_dot_is_no_harm(files: dict[str, bytes], tmp_path: Path) -> None:
    prefixed = {f"./{name}": data for name, data in files.items()}
    assert len(scan(write_zip(tmp_path / "raw.zip", prefixed)).samples) == 12


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_named_like_an_image_is_told(
    make_dataset: MakeDataset, tmp_path: Path, zipped: bool
) -> None:
    root = make_dataset()
    path = root
    if zipped:
        path = write_zip(tmp_path / "raw.zip", {**snapshot(root), "kos01/Part9.jpg/": b""})
    else:
        (root / "kos01/Part9.jpg").mkdir()
    found = scan(path)
    assert codes(found, "kos01/Part9.jpg") == [("warning", "not-a-file")]
    assert len(found.samples) == 12


def test_ten_thousand_entries_of_nothing_are_counted_in_one_line(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    nothing = {f"nothing/{number}": b"" for number in range(10_000)}
    found = scan(write_zip(tmp_path / "raw.zip", {**files, **nothing}, zipfile.ZIP_STORED))
    assert len(found.samples) == 12
    [finding] = [f for f in found.findings if f.path.startswith("nothing")]
    assert (finding.code, finding.severity) == ("stray-file", "warning")
    assert "10000 files in it" in finding.message


def test_more_entries_than_any_dataset_has_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolektor_cli.io.source.MAX_FILES", 1000)
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1001):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    with pytest.raises(SourceError, match="more than 1000 files"):
        open_source(path)


def test_a_directory_too_long_is_not_taken_into_memory(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {"kos01/Part0.jpg": b"x"})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    # The directory's size and place, in the record that ends an archive (4.3.16).
    struct.pack_into("<II", data, end + 12, 2**25, 0)
    path.write_bytes(bytes(2**25) + data)
    with pytest.raises(SourceError, match=r"damaged or cut short|neither"):
        open_source(path)


BOMB = """
import resource, sys
from pathlib import Path
from kolektor_cli.errors import SourceError
from kolektor_cli.io.source import open_source
sources = [open_source(Path(path)) for path in sys.argv[1:]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for source in sources:
    try:
        source.read("kos01/Part0.jpg")
    except SourceError as error:
        print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(os.name == "nt", reason="memory is measured as Unix does")
@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_bomb_takes_the_memory_that_it_claims_and_not_what_it_unpacks_to(
    tmp_path: Path, method: int
) -> None:
    path = tmp_path / "raw.zip"
    with (
        zipfile.ZipFile(path, "w", method) as archive,
        archive.open("kos01/Part0.jpg", "w", force_zip64=True) as file,
    ):
        for _ in range(100):
            file.write(bytes(2**20))
    claims = []
    for claimed in (0, 1000, 2**18):
        claims.append(Path(shutil.copy(path, tmp_path / f"{claimed}.zip")))
        # In the directory an entry of this size has its size in the field itself.
        set_field(claims[-1], FILE_SIZE, claimed)
    result = subprocess.run(
        [sys.executable, "-c", BOMB, *claims], capture_output=True, text=True, check=True
    )
    *messages, megabytes = result.stdout.splitlines()
    assert len(messages) == len(claims)
    deflated = method == zipfile.ZIP_DEFLATED
    expected = "is damaged in the archive" if deflated else f"the compression method {method}"
    assert all(expected in message for message in messages)
    assert int(megabytes) < 10


def test_an_entry_smaller_than_it_claims_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {"kos01/Part0.jpg": b"image"})
    set_field(path, FILE_SIZE, 6)
    with open_source(path) as source, pytest.raises(SourceError, match="damaged in the archive"):
        source.read("kos01/Part0.jpg")


def test_an_archive_that_claims_to_unpack_to_more_than_any_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "raw.zip", {f"kos01/Part{n}.jpg": b"x" for n in range(9)})
    for entry in range(9):
        set_field(path, FILE_SIZE, 2**32 - 2, entry)
    with pytest.raises(SourceError, match=f"unpacks to {9 * (2**32 - 2)} bytes"):
        open_source(path)
    assert MAX_ARCHIVE_BYTES >= 8 * 2**32


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_names_with_a_terminals_commands_are_shown_and_not_obeyed(
    files: dict[str, bytes], tmp_path: Path, command: str
) -> None:
    path = write_zip(tmp_path / "raw.zip", {**files, "kos01/Part0\x1b[2J\nError: x.jpg": b""})
    arguments = [path, tmp_path / "out"] if command == "convert" else [path]
    result = run(command, *arguments, code=3 if command == "convert" else 1)
    assert "\x1b" not in result.stdout + result.stderr
    assert "Part0\\x1b[2J\\x0aError: x" in result.stdout + result.stderr
    lines = (result.stdout + result.stderr).splitlines()
    assert sum(line.startswith("Error: ") for line in lines) == (command == "convert")


# Folders


def test_a_link_back_is_told_once_and_harmless(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    (root / "kos01" / "loop").symlink_to("..")
    found = scan(root)
    assert codes(found, "kos01/loop") == [("info", "not-read")]
    assert len(found.samples) == 12


def test_folders_that_all_link_to_each_other_end(tmp_path: Path) -> None:
    for first in range(12):
        (tmp_path / "raw" / f"{first}").mkdir(parents=True)
        for second in range(12):
            (tmp_path / f"raw/{first}/to{second}").symlink_to(f"../{second}")
    with pytest.raises(SourceError, match=f"more than {MAX_FILES} files and folders"):
        open_source(tmp_path / "raw")


def test_folders_deeper_than_python_calls_itself_are_listed(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset()
    monkeypatch.chdir(root)
    # Deeper than Python calls itself, and so to be removed step by step, too.
    deep = 1200
    for _ in range(deep):
        Path("d").mkdir()
        os.chdir("d")
    try:
        assert len(scan(root).samples) == 12
    finally:
        for _ in range(deep):
            os.chdir("..")
            Path("d").rmdir()


def test_a_source_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "raw.zip")
    with pytest.raises(SourceError, match="neither a folder nor a file"):
        open_source(tmp_path / "raw.zip")


def test_a_file_that_never_ends_is_read_as_far_as_its_size(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    kernel_messages = Path("/proc/kmsg")
    if not os.access(kernel_messages, os.R_OK):
        pytest.skip("needs a file that says it is empty and blocks")
    (root / "kos01/Part9.jpg").symlink_to(kernel_messages)
    (root / "kos01/Part9_label.bmp").symlink_to(kernel_messages)
    assert codes(scan(root), "kos01/Part9.jpg") == [("error", "unreadable")]


# Images


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved_by_pillow(draw_image(3), "PNG", exif=exif)


def palette_image() -> tuple[bytes, Pixels]:
    image = Image.fromarray(color_picture()).quantize(20)
    return saved_by_pillow(image, "PNG"), np.asarray(image.convert("RGB"))


def jpeg_of_many_scans() -> bytes:
    data = saved_by_pillow(color_picture(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * MAX_SCANS + data[-2:]


def transparent() -> Image.Image:
    alpha = Image.fromarray(draw_image(9))
    image = Image.fromarray(color_picture())
    image.putalpha(alpha)
    return image


Made = Callable[[], tuple[bytes, Pixels | str]]

KINDS: dict[str, Made] = {
    "palette PNG, BMP or TIFF": palette_image,
    "1-bit PNG": lambda: (
        saved_by_pillow(Image.fromarray(draw_image(3)).convert("1"), "PNG"),
        np.asarray(Image.fromarray(draw_image(3)).convert("1").convert("L")),
    ),
    "16-bit PNG or TIFF": lambda: (
        saved_by_pillow(Image.fromarray(draw_image(3).astype(np.uint16) * 256 + 99), "PNG"),
        draw_image(3),
    ),
    "PNG or TIFF with alpha, 32-bit BMP": lambda: (
        saved_by_pillow(transparent(), "PNG"),
        color_picture(),
    ),
    "TIFF file": lambda: (saved_by_pillow(color_picture(), "TIFF"), color_picture()),
    "CMYK or YCCK JPEG": lambda: (
        saved_by_pillow(Image.fromarray(color_picture()).convert("CMYK"), "JPEG"),
        "is a CMYK JPEG",
    ),
    "progressive JPEG": lambda: (
        saved_by_pillow(draw_image(3), "JPEG", progressive=True),
        np.asarray(
            Image.open(io.BytesIO(saved_by_pillow(draw_image(3), "JPEG", progressive=True)))
        ),
    ),
    "JPEG of more than 100 scans": lambda: (jpeg_of_many_scans(), "scans; that is too many"),
    "orientation in EXIF": lambda: (rotated(), draw_image(3)),
    "header of more than 67 megapixels": lambda: (
        huge_png(),
        "claims 60000x60000 pixels",
    ),
    "GIF, WebP and others": lambda: (
        saved_by_pillow(draw_image(3), "GIF"),
        "is not a JPEG, PNG, BMP or TIFF image",
    ),
}


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(100))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return PNG_START + b"".join(png_chunk(*chunk) for chunk in chunks)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_image_has_the_answer_that_readme_gives(
    make_dataset: MakeDataset, tmp_path: Path, kind: str
) -> None:
    root = make_dataset()
    data, answer = KINDS[kind]()
    (root / "kos01/Part1.jpg").write_bytes(data)
    found = scan(root)
    assert re.search(
        rf"^\| {kind} \| {'refused' if isinstance(answer, str) else ''}", FINDINGS, re.MULTILINE
    )
    if isinstance(answer, str):
        [finding] = [f for f in found.findings if f.path == "kos01/Part1.jpg"]
        assert (finding.code, answer in finding.message) == ("unreadable", True)
        return
    assert not found.errors
    convert(root, tmp_path / "out", ConvertOptions(size="source", names="source"))
    [written] = tmp_path.glob("out/metal/t*/good/kos01_Part1.png")
    with Image.open(written) as image:
        seen = np.asarray(image)
    assert np.array_equal(seen, answer if answer.ndim == 3 else np.dstack([answer] * 3))


def test_guide_has_no_other_kind_of_image() -> None:
    table = FINDINGS.partition("| image |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([^|]*[a-z][^|]*?) \|", table, re.MULTILINE) == list(KINDS)


def test_a_png_of_more_chunks_than_any_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    empty = png_chunk(b"IDAT", b"") * MAX_CHUNKS
    data = PNG_START + png_chunk(b"IHDR", header) + empty + png_chunk(b"IEND", b"")
    assert f"more than {MAX_CHUNKS} chunks" in complaint(decode_image, data)


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_a_header_that_claims_60000x60000_pixels_takes_no_memory(
    make_dataset: MakeDataset, kind: str
) -> None:
    data = saved_by_pillow(draw_image(3), kind)
    if kind == "BMP":
        data = patched(data, 18, "<ii", 60_000, 60_000)
    else:
        frame = data.index(b"\xff\xc0")
        data = patched(data, frame + 5, ">HH", 60_000, 60_000)
    root = make_dataset()
    (root / "kos01/Part1.jpg").write_bytes(data)
    [finding] = [f for f in scan(root).findings if f.path == "kos01/Part1.jpg"]
    assert "claims 60000x60000 pixels" in finding.message
