"""Whatever is in a file, it is read or refused by one of our errors: no traceback, no hang.

Hypothesis makes the files: from nothing, and from good ones by changing, cutting and repeating.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.errors import KolektorError, ManifestError, SourceError, SplitFileError
from kolektor_cli.imaging.codec import encode_jpeg
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.scan import scan_source
from kolektor_cli.splits.files import read_split
from kolektor_cli.tree.layout import check_category
from kolektor_cli.tree.manifest import Manifest, from_bytes
from tests.conftest import draw_image
from tests.manifests import manifests, sealed, to_bytes
from tests.pictures import GRAY_JPEG
from tests.samples import OLDER, make_sample, read_pickled_folds

SAMPLES = [
    make_sample(f"kos0{item}/Part{part}", defective=False) for item in (1, 2) for part in range(3)
]
GOOD_CSV = "sample,split\n" + "".join(f"{sample.name},train\n" for sample in SAMPLES)
GOOD_MASK = palette_bmp(np.zeros((60, 40), np.uint8))
PICKLE = pickle.dumps(OLDER, 2)
OPTIONS = ConvertOptions(names="source", size=(20, 30), skip_bad=True)

Edit = tuple[int, int, bytes]

edits = st.lists(st.tuples(st.integers(0), st.integers(0, 40), st.binary(max_size=8)), max_size=4)


def edited(data: bytes, changes: Sequence[Edit]) -> bytes:
    """Replace stretches of some bytes by others."""
    for place, length, other in changes:
        start = place % (len(data) + 1)
        data = data[:start] + other + data[start + length :]
    return data


def some_files(names: Iterable[str]) -> dict[str, bytes]:
    """Make files of some names: masks of what is good, and one picture."""
    return {name: GOOD_MASK if "label" in name else GRAY_JPEG for name in names}


def a_zip(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def dataset() -> dict[str, bytes]:
    """Make what is enough to convert: a defective sample and three good ones."""
    files = {}
    for part in range(4):
        mask = np.zeros((60, 40), np.uint8)
        mask[5:9, 5:9] = part == 0
        files[f"kos05/Part{part}.jpg"] = encode_jpeg(draw_image(50 + part), "")
        files[f"kos05/Part{part}_label.bmp"] = palette_bmp(mask)
    return files


DATASET = dataset()
GOOD_ZIP = a_zip(
    some_files(f"kos01/Part{n}{end}" for n in range(3) for end in (".jpg", "_label.bmp"))
)

# Parts from which paths are put together that are samples, nearly samples, or mean harm.
parts = st.sampled_from(
    [
        *("kos01", "KOS01", "kos1", "Part0.jpg", "Part0_label.bmp", "part0.JPG", "_label.bmp"),
        *(".jpg", "..", ".", "", "C:", "\\", "a\\b", "\n", "\x1b[2J", "__MACOSX", "._x.jpg", " "),
        *("Part0_label_label.bmp", "x" * 250, "nul", "train", "good", "Part00.jpg", "ß", "\u202e"),
    ]
)
# The library that writes archives cannot write an empty name.
paths = st.lists(parts, min_size=1, max_size=4).map("/".join).filter(bool)


def scan_and_convert(path: Path, folder: Path) -> None:
    """Do all that a command does, and check that nothing but the output came into being."""
    before = set(folder.rglob("*"))
    try:
        convert(path, folder / "out/here", OPTIONS)
    except KolektorError:
        assert set(folder.rglob("*")) == before
    else:
        made = {path.relative_to(folder).parts[:3] for path in set(folder.rglob("*")) - before}
        assert made <= {("out",), ("out", "here"), ("out", "here", "metal")}


@settings(max_examples=150)
@given(st.lists(paths, max_size=8))
def test_any_names_in_an_archive(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "raw.zip"
        path.write_bytes(a_zip({**some_files(names), **DATASET}))
        scan_and_convert(path, Path(folder))


@settings(max_examples=150)
@given(st.lists(paths, max_size=8))
def test_any_names_in_a_folder(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder) / "raw"
        for name, data in {**DATASET, **some_files(names)}.items():
            if ".." in name:
                continue
            place = root / name.lstrip("/")
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            except OSError:
                continue  # a file where a folder should be
        scan_and_convert(root, Path(folder))


@settings(max_examples=400)
@given(edits)
def test_any_change_of_an_archive(changes: list[Edit]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "raw.zip"
        path.write_bytes(edited(GOOD_ZIP, changes))
        try:
            with open_source(path) as source:
                for name in source.names:
                    try:
                        data = source.read(name)
                    except SourceError:
                        continue
                    assert data in (GOOD_MASK, GRAY_JPEG)
                scan_source(source)
        except SourceError:
            pass


@given(edits, edits)
def test_any_change_of_an_image_and_its_mask(image: list[Edit], mask: list[Edit]) -> None:
    with TemporaryDirectory() as folder:
        files = dict(DATASET)
        files["kos05/Part0.jpg"] = edited(files["kos05/Part0.jpg"], image)
        files["kos05/Part0_label.bmp"] = edited(files["kos05/Part0_label.bmp"], mask)
        path = Path(folder) / "raw.zip"
        path.write_bytes(a_zip(files))
        scan_and_convert(path, Path(folder))


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text().map(lambda text: text.encode(errors="surrogatepass")),
        edits.map(lambda changes: edited(GOOD_CSV.encode(), changes)),
        st.lists(st.lists(st.sampled_from(["sample", "split", "../../x", "train", "kos01/Part0"])))
        .map(lambda rows: "\n".join(map(",".join, rows)).encode()),
    )
)  # fmt: skip
def test_any_split_file(data: bytes) -> None:
    try:
        split = read_split(data, SAMPLES, "split.csv", fold=None)
    except SplitFileError:
        return
    assert split.assigned.keys() == {sample.name for sample in SAMPLES}


@settings(max_examples=500)
@given(edits)
def test_any_change_of_a_pickle(changes: list[Edit]) -> None:
    try:
        folds = read_pickled_folds(edited(PICKLE, changes), "split.pyb")
    except SplitFileError:
        return
    assert all(isinstance(item, str) for fold in folds for item in fold)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02]q\x00" + b"\x85" * 100_000 + b".",
        b"\x80\x02N]])" + b"\x85" * 5000 + b"aa\x86.",
        b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b".",
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
    ],
    ids=["place far off", "nested", "nested item", "long text", "long bytes"],
)
def test_pickles_that_ask_for_memory_or_depth_are_refused(data: bytes) -> None:
    with pytest.raises(SplitFileError, match=r"^split\.pyb: "):
        read_pickled_folds(data, "split.pyb")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=100), values.map(repr).map(str.encode)))
def test_anything_for_a_manifest(data: bytes) -> None:
    with pytest.raises(ManifestError):
        from_bytes(data)


@given(manifests, st.data())
def test_a_manifest_with_anything_in_a_place_of_it(made: Manifest, data: st.DataObject) -> None:
    content = json.loads(to_bytes(made))
    del content["sha256"]
    place = data.draw(st.sampled_from(sorted(content)))
    content[place] = data.draw(values)
    try:
        # With a checksum that fits.
        found = from_bytes(sealed(content))
    except ManifestError:
        return
    assert isinstance(found, Manifest)


@given(st.text(max_size=300))
def test_any_category_is_one_folder_or_refused(name: str) -> None:
    try:
        check_category(name)
    except KolektorError:
        return
    with TemporaryDirectory() as folder:
        (Path(folder) / name).mkdir()
        assert [path.name for path in Path(folder).iterdir()] == [name]
