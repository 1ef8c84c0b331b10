"""Drafts: files written during the scan are the ones that would be written after it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from kolektor_cli.convert import drafting, write_tree
from kolektor_cli.drafts import Drafts
from kolektor_cli.errors import SourceError
from kolektor_cli.fits import fit_samples, make_fit
from kolektor_cli.layout import make_plan
from kolektor_cli.records import FIT_NAMES, Color, Fit, FitName, Sample, Split, SplitName
from kolektor_cli.scan import scan_source
from kolektor_cli.source import FolderSource, Source, open_source
from kolektor_cli.split import balanced
from kolektor_cli.verify import verify_tree
from tests.conftest import MakeDataset, snapshot, write_pair

SIZES: dict[FitName, tuple[int, int] | None] = {"thirds": None, "square": (20, 20)}


class Counting(FolderSource):
    """A folder that counts how often each file is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads: Counter[str] = Counter()
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes:
        with self._lock:
            self.reads[name] += 1
        return super().read(name)


def fit_named(name: FitName) -> Fit:
    return make_fit(name, SIZES.get(name, (32, 50)), default=(32, 50))


def convert(
    source: Source,
    out: Path,
    fit: Fit,
    color: Color = "rgb",
    drafted: Color | None = None,
    unused: tuple[str, ...] = (),
) -> None:
    """Convert with drafts of the colour `drafted`, or without any."""

    def write(drafts: Drafts | None) -> None:
        scan = scan_source(source, visit=drafts.write) if drafts else scan_source(source)
        split = balanced(scan.samples, scan.duplicates)
        assigned: dict[str, SplitName] = dict(split.assigned)
        assigned.update(dict.fromkeys(unused, "unused"))
        split = Split(split.protocol, split.parameters, assigned)
        fitted = fit_samples(fit, source, scan.samples)
        plan = make_plan(scan, split, fitted, category="metal", color=color)
        write_tree(plan, source, out, drafts=drafts)

    if drafted is None:
        write(None)
        return
    with drafting(out, "metal", fit, drafted) as drafts:
        write(drafts)


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("name", FIT_NAMES)
def test_drafts_give_the_bytes_that_are_written_without(
    make_dataset: MakeDataset, tmp_path: Path, name: FitName, color: Color
) -> None:
    with open_source(make_dataset()) as source:
        convert(source, tmp_path / "with", fit_named(name), color, drafted=color)
        convert(source, tmp_path / "without", fit_named(name), color)
    assert snapshot(tmp_path / "with") == snapshot(tmp_path / "without")
    assert [path.name for path in (tmp_path / "with").iterdir()] == ["metal"]


def test_every_file_of_the_source_is_read_once(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = Counting(make_dataset())
    convert(source, tmp_path / "out", fit_named("stretch"), drafted="rgb")
    assert set(source.reads.values()) == {1}
    assert set(source.reads) == set(source.names)


def test_drafts_of_another_colour_are_not_used(make_dataset: MakeDataset, tmp_path: Path) -> None:
    with open_source(make_dataset()) as source:
        convert(source, tmp_path / "other", fit_named("stretch"), "gray", drafted="rgb")
        convert(source, tmp_path / "none", fit_named("stretch"), "gray")
    assert snapshot(tmp_path / "other") == snapshot(tmp_path / "none")


def test_what_has_no_draft_is_derived_anew(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Drafts.write

    def forget_some(self: Drafts, sample: Sample, *pixels: object) -> None:
        if not sample.name.startswith("kos02"):
            write(self, sample, *pixels)  # type: ignore[arg-type]

    with open_source(make_dataset()) as source:
        convert(source, tmp_path / "all", fit_named("thirds"), drafted="rgb")
        monkeypatch.setattr(Drafts, "write", forget_some)
        convert(source, tmp_path / "some", fit_named("thirds"), drafted="rgb")
    assert snapshot(tmp_path / "some") == snapshot(tmp_path / "all")


def test_drafts_of_samples_that_are_not_used_do_not_stay(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    unused = ("kos01/Part0", "kos02/Part3")
    with open_source(make_dataset(parts=6)) as source:
        convert(source, tmp_path / "out", fit_named("stretch"), drafted="rgb", unused=unused)
    pngs = list((tmp_path / "out").rglob("*.png"))
    # Of 18 samples 16, and the masks of two that are defective.
    assert len(pngs) == 18
    assert verify_tree(tmp_path / "out/metal").ok


def test_image_that_the_fit_cannot_make_is_no_obstacle_if_it_is_left_out(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    for part, box in (("Part8", None), ("Part9", (1, 0, 3, 1))):
        write_pair(root / "kos09", part, 7, box, size=(40, 2))
    # They are one picture with two labels, and too low for three crops.
    with open_source(root) as source:
        convert(source, tmp_path / "out", fit_named("thirds"), drafted="rgb")
    assert verify_tree(tmp_path / "out/metal").ok


def test_image_that_the_fit_cannot_make_is_an_error_and_leaves_nothing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    write_pair(root / "kos09", "Part0", 7, size=(40, 2))
    with (
        open_source(root) as source,
        pytest.raises(SourceError, match="too low for --fit thirds"),
    ):
        convert(source, tmp_path / "out", fit_named("thirds"), drafted="rgb")
    assert not (tmp_path / "out").exists()
