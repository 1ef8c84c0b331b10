"""All commands: help, streams, pipes, signals, exit codes, and what is refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kolektor_cli.cli.app import app
from kolektor_cli.version import __version__
from tests.conftest import MakeDataset, write_pair
from tests.running import (
    KOLEKTOR,
    PATIENCE,
    SMALL,
    error_of,
    forks,
    run,
    run_process,
    waiting_for_its_split,
)

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes of Unix")


SCRIPT = [str(shutil.which("kolektor", path=Path(sys.executable).parent))]


@pytest.mark.parametrize("program", [KOLEKTOR, SCRIPT], ids=["-m", "script"])
def test_both_ways_to_start_it_tell_the_version_of_the_package(program: list[str]) -> None:
    started = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert started.stdout == f"kolektor {__version__}\n"
    assert started.stderr == ""


@pytest.mark.parametrize("command", ["fetch", "inspect", "split", "convert", "verify", "sample"])
def test_help_has_an_example_and_help_for_every_option(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"kolektor {command} " in text.split("Example:")[1]
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    parameters = group.commands[command].params
    assert len(parameters) > 3
    assert [p.name for p in parameters if not getattr(p, "help", None)] == []


def test_help_loads_neither_opencv_nor_numpy_nor_rich_nor_pooch() -> None:
    script = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from kolektor_cli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'numpy', 'rich', 'isal', 'simplejpeg', 'pooch', 'requests'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Usage: " in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("width", ["40", "200"])
@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_pipes_cut_and_fold_nothing(
    command: str, width: str, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    run("convert", source, tmp_path / "out", *SMALL)
    target = source if command == "inspect" else tmp_path / "out"
    wide = run(command, target).stdout
    assert run(command, target, COLUMNS=width).stdout == wide
    assert "…" not in wide
    assert "\x1b" not in wide


def test_output_in_ascii_is_ascii(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset("raw ä 中文")
    result = run_process("convert", source, tmp_path / "öut", *SMALL, PYTHONIOENCODING="ascii")
    assert result.stdout.isascii()
    assert "\\xf6ut" in result.stdout
    assert run_process("inspect", source, "--json", PYTHONIOENCODING="ascii").stdout.isascii()


def test_colour_is_for_those_who_force_it(make_dataset: MakeDataset) -> None:
    source = make_dataset()
    (source / "kos01" / "Part1.jpg").write_bytes(b"")
    forced = run("inspect", source, code=1, FORCE_COLOR="1", TERM="xterm").stdout
    refused = run("inspect", source, code=1, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
    red = "\x1b[1;31m"
    assert red in forced
    assert red not in refused


def test_quiet_says_nothing_on_standard_error(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset()
    assert "missing-item" in run("convert", source, tmp_path / "a", *SMALL).stderr
    assert run("convert", source, tmp_path / "b", "-q", *SMALL).stderr == ""


@pytest.fixture
def bad(make_dataset: MakeDataset, tmp_path: Path) -> Path:
    """Hold a folder with a source, of which an image is empty, and a tree, which lacks a mask."""
    source = make_dataset()
    run("convert", source, tmp_path, *SMALL)
    (source / "kos01/Part1.jpg").write_bytes(b"")
    (tmp_path / "metal/ground_truth/defect/001_mask.png").unlink()
    return tmp_path


@needs_pipes
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("inspect raw", 1),
        ("verify metal", 1),
        ("inspect raw --csv", 1),
        ("convert raw out --skip-bad --size 20x30", 0),
    ],
)
def test_who_reads_one_line_gets_it_and_the_exit_code_stays(
    command: str, code: int, bad: Path
) -> None:
    script = f"{' '.join(KOLEKTOR)} {command} -q | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", script], cwd=bad, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[1:] == [str(code)]
    assert result.stderr == ""


@needs_pipes
@pytest.mark.parametrize("form", ["--csv", "--json", "-q"])
def test_output_that_nobody_reads_is_no_error_and_hides_none(
    form: str, synthetic: Path, bad: Path
) -> None:
    for command, code in (
        (("inspect", synthetic, form), 0),
        (("inspect", bad / "raw", form), 1),
        *([(("verify", bad / "metal", form), 1)] if form != "--csv" else []),
        *([(("split", synthetic), 0)] if form == "--csv" else []),
    ):
        ended = forks().run(*command, "-q", unread=True)
        assert (ended.code, ended.error) == (code, ""), command


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_told(make_dataset: MakeDataset) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*KOLEKTOR, "split", str(make_dataset()), "-q"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 3
    assert result.stderr.startswith("Error: standard output: No space left on device; make room")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such file or folder"),
        (lambda path: path.mkdir(), "is empty"),
        (lambda path: path.write_text("hello"), "neither a folder nor a zip archive"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "damaged or cut short"),
        (lambda path: write_pair(path / "2019" / "beach", "IMG_1", 1), None),
        (lambda path: shutil.copytree(Path(__file__).parent, path), "is not a dataset"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "split", "convert"])
def test_a_source_that_is_none_is_refused(
    command: str, make: object, message: str | None, tmp_path: Path
) -> None:
    source = tmp_path / "source ü"
    assert callable(make)
    make(source)
    for mask in source.rglob("*_label.bmp"):
        mask.unlink()
    arguments = [tmp_path / "out"] if command == "convert" else []
    error = error_of(command, source, *arguments, code=3)
    assert str(source) in error
    assert (message or "is not a dataset") in error
    assert not (tmp_path / "out").exists()


@needs_pipes
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_conversion_leaves_nothing(
    number: signal.Signals, code: int, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    arguments = (make_dataset(), tmp_path / "out/deep", *SMALL)
    before = [*sorted(tmp_path.rglob("*")), tmp_path / "split"]
    with waiting_for_its_split(tmp_path / "split", *arguments) as (process, _):
        unfinished = tmp_path / "out/deep/.metal.unfinished/new"
        assert sum(1 for _ in unfinished.rglob("*.png")) == 15
        process.send_signal(number)
        _, error = process.communicate(timeout=PATIENCE)
    told = b"Interrupted: nothing unfinished was left behind" if code == 130 else b""
    assert (process.returncode, error.strip()) == (code, told)
    assert sorted(tmp_path.rglob("*")) == before
