"""Files that are written while the source is scanned are those that would be written after it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from kolektor_cli.core import conversion
from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import SourceError
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.source import FolderSource
from kolektor_cli.samples import Sample
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.derive import DerivedView, derive_sample
from kolektor_cli.tree.fit import FIT_NAMES, AskedSize, Fit, FitName
from kolektor_cli.tree.layout import Color
from tests import pipeline
from tests.conftest import SMALL, MakeDataset, snapshot, write_pair

THIRDS = ConvertOptions(fit="thirds")


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("name", FIT_NAMES)
def test_bytes_are_those_that_are_written_after_the_scan(
    make_dataset: MakeDataset, tmp_path: Path, name: FitName, color: Color
) -> None:
    size: AskedSize = {"thirds": None, "square": (20, 20)}.get(name, (32, 50))
    root = make_dataset()
    convert(root, tmp_path / "meanwhile", ConvertOptions(fit=name, size=size, color=color))
    pipeline.convert(root, tmp_path / "after", fit=name, size=size, color=color)
    assert snapshot(tmp_path / "meanwhile") == snapshot(tmp_path / "after")
    assert [path.name for path in (tmp_path / "meanwhile").iterdir()] == ["metal"]


@pytest.mark.parametrize("options", [SMALL, THIRDS], ids=["stretch", "thirds"])
def test_every_file_of_the_source_is_read_once(
    make_dataset: MakeDataset,
    tmp_path: Path,
    options: ConvertOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: Counter[str] = Counter()
    lock = threading.Lock()
    read = FolderSource.read

    def counted(self: FolderSource, name: str) -> bytes:
        with lock:
            reads[name] += 1
        return read(self, name)

    root = make_dataset()
    monkeypatch.setattr(FolderSource, "read", counted)
    convert(root, tmp_path / "out", options)
    defective = {f"kos0{item}/Part0_label.bmp" for item in (1, 2, 3)}
    # Which crops are defective is decided when all samples are known.
    again = defective if options == THIRDS else set()
    assert reads == {name: 1 + (name in again) for name in snapshot(root)}


def test_what_was_not_derived_meanwhile_is_derived_in_the_end(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def skip_some(
        folder: Path, fit: Fit, color: Color, sample: Sample, image: Pixels, mask: Pixels | None
    ) -> tuple[DerivedView, ...]:
        views = derive_sample(folder, fit, color, sample, image, mask)
        return {"kos02": (), "kos03": views[1:]}.get(sample.item, views)

    root = make_dataset()
    convert(root, tmp_path / "all", THIRDS)
    monkeypatch.setattr(conversion, "derive_sample", skip_some)
    convert(root, tmp_path / "some", THIRDS)
    assert snapshot(tmp_path / "some") == snapshot(tmp_path / "all")


def test_files_of_samples_that_are_not_used_do_not_stay(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset(parts=6)
    unused = ("kos01/Part0", "kos02/Part3")
    assigned = {**split(root).split.assigned, **dict.fromkeys(unused, "unused")}
    lines = [f"{name},{side}\n" for name, side in assigned.items()]
    (tmp_path / "split.csv").write_text("sample,split\n" + "".join(lines))
    options = ConvertOptions(size=(32, 50), split=SplitOptions(file=tmp_path / "split.csv"))
    convert(root, tmp_path / "out", options)
    pngs = list((tmp_path / "out").rglob("*.png"))
    # Of 18 samples 16, and the masks of two that are defective.
    assert len(pngs) == 18
    assert verify(tmp_path / "out", source=root).ok


def test_image_that_the_fit_cannot_make_is_no_obstacle_if_it_is_left_out(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    for part, box in (("Part8", None), ("Part9", (1, 0, 3, 1))):
        write_pair(root / "kos09", part, 7, box, size=(40, 2))
    # They are one picture with two labels, and too low for three crops.
    convert(root, tmp_path / "out", ConvertOptions(fit="thirds", skip_bad=True))
    assert verify(tmp_path / "out").ok


def test_image_that_the_fit_cannot_make_is_an_error_and_leaves_nothing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    write_pair(root / "kos09", "Part0", 7, size=(40, 2))
    with pytest.raises(SourceError, match="too low for --fit thirds"):
        convert(root, tmp_path / "out", THIRDS)
    assert not (tmp_path / "out").exists()
