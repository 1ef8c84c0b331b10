"""Synthesizing: a dataset that is read back as what was counted, and the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.synthesis import synthesize
from kolektor_cli.errors import OutputError, UsageError
from kolektor_cli.raw.releases import ReleaseLayout
from tests.conftest import snapshot


@pytest.mark.parametrize(
    ("layout", "items", "release"),
    [
        ("kolektorsdd", 2, "KolektorSDD"),
        ("boxes", 2, "KolektorSDD-boxes"),
        ("kolektorsdd2", 12, "KolektorSDD2"),
    ],
)
def test_what_is_counted_is_what_inspecting_finds(
    tmp_path: Path, layout: ReleaseLayout, items: int, release: str
) -> None:
    counts = synthesize(str(tmp_path / "raw"), layout=layout, items=items)
    scan = inspect(tmp_path / "raw").scan
    labels = [sample.label for sample in scan.samples]
    assert scan.release == release
    assert scan.errors == ()
    assert counts.items == items == len({sample.item for sample in scan.samples})
    assert (counts.good, counts.defective) == (labels.count("good"), labels.count("defective"))


def test_seed_decides_every_byte_and_threads_none(tmp_path: Path) -> None:
    for name, seed, jobs in (("a", 1, 1), ("b", 1, 4), ("c", 2, 1)):
        synthesize(tmp_path / name, items=1, seed=seed, jobs=jobs)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert snapshot(tmp_path / "a").keys() == snapshot(tmp_path / "c").keys()
    assert snapshot(tmp_path / "a") != snapshot(tmp_path / "c")


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    synthesize(tmp_path / "raw", items=1, progress=lambda *step: told.append(step))
    assert told == [("drawing", done, 8) for done in range(1, 9)]


def test_folder_that_exists_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="raw: exists already"):
        synthesize(tmp_path / "raw", items=1)
    assert snapshot(tmp_path) == {"raw/notes.txt": b"mine"}


def test_too_few_images_are_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        synthesize(tmp_path / "raw", layout="kolektorsdd2", items=2)
    assert list(tmp_path.iterdir()) == []
