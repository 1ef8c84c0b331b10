"""Two runs at once, a source that changes under one, and what a run leaves as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system with limits and signals")

from kolektor_cli.errors import OutputError
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.io.staging import replace_file
from tests.conftest import MakeDataset, snapshot, write_pair
from tests.end_to_end.states import SERIES, names_in, state
from tests.forks import Forks
from tests.running import KOLEKTOR, PATIENCE, error_of, run, waiting_for_its_split
from tests.trees import check

OPTIONS = ("-q", "--size", "200x300", "-j", "2")


def test_files_that_change_after_the_scan_change_nothing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    rows = run("split", source).stdout
    run("convert", source, tmp_path / "before", "--split", "-", *OPTIONS, stdin=rows)
    arguments = (source, tmp_path / "after", *OPTIONS)
    with waiting_for_its_split(tmp_path / "split.csv", *arguments) as (process, writer):
        (source / "kos02/Part1.jpg").unlink()
        (source / "kos02/Part2.jpg").write_bytes(b"")
        write_pair(source / "kos03", "Part1", 99)
        writer.write(rows)
    assert process.returncode == 0
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


def test_inspect_and_verify_write_nothing(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    assert forks.run("convert", source, out, *OPTIONS).code == 0
    before = state(tmp_path)
    for command in (
        ("inspect", source),
        ("inspect", source, "--csv"),
        ("verify", out),
        ("verify", out / "metal", "--source", source, "--json"),
        ("convert", source, tmp_path / "new", "--dry-run"),
        ("convert", source, out, "--force", "--dry-run"),
    ):
        # A file size of 0 lets nothing be written; that it is missing would be seen in `state`.
        ended = forks.run(*command, "-q", limits={"file_size": 0})
        assert (ended.code, ended.error) == (0, "")
    assert state(tmp_path) == before


@pytest.mark.parametrize("force", [False, True])
def test_of_two_conversions_to_one_place_the_first_wins_and_the_second_says_so(
    make_dataset: MakeDataset, tmp_path: Path, force: bool
) -> None:
    first, second, out = make_dataset("a", parts=8), make_dataset("b"), tmp_path / "out"
    forced = ["--force"] if force else []
    if force:
        run("convert", second, out, *OPTIONS)
    rows = run("split", first).stdout
    arguments = (first, out, *OPTIONS, *forced)
    with waiting_for_its_split(tmp_path / "split.csv", *arguments) as (process, writer):
        assert ".metal.unfinished" in names_in(out)
        message = error_of("convert", second, out, *OPTIONS, *forced, code=3)
        assert "metal: another run is writing it; wait for that to end" in message
        run("convert", second, out, *OPTIONS, "--category", "steel")
        assert ".metal.unfinished" in names_in(out)
        writer.write(rows)
    assert process.returncode == 0
    assert names_in(out) == ["metal", "steel"]
    report = check(out / "metal")
    assert report.ok
    assert sum(report.counts.values()) == 24


def test_of_four_begun_at_the_same_moment_one_wins(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*KOLEKTOR, "convert", str(make_dataset()), str(out), *OPTIONS]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ended = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in running]
    assert sorted(code for _, code in ended) == [0, 3, 3, 3]
    for error, code in ended:
        assert code == 0 or any(
            words in error
            for words in ("another run", "exists already", "created by another process")
        )
    assert names_in(out) == ["metal"]
    assert check(out / "metal").ok


@pytest.mark.parametrize("every", SERIES)
def test_of_many_split_files_written_at_once_one_is_there_whole(tmp_path: Path, every: int) -> None:
    path = tmp_path / "split.csv"
    texts = [bytes([65 + number]) * 1_000 for number in range(5)]

    refusals: list[str] = []

    def write(text: bytes) -> bool:
        try:
            replace_file(path, text)
        except OutputError as error:
            refusals.append(str(error))
            return False
        return True

    for _ in range(100 // every):
        written = parallel_map(write, texts, jobs=5)
        assert path.read_bytes() in [
            text for text, done in zip(texts, written, strict=True) if done
        ]
    assert set(refusals) <= {f"{path}: another run is writing it; wait for that to end"}
    assert names_in(tmp_path) == ["split.csv"]
