"""Wrong arguments are told in plain sentences, before any work, and none is dropped in silence."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.core
import typer.main

from kolektor_cli.cli.app import app
from tests.archives import zip_of
from tests.conftest import MakeDataset, listing, snapshot, write_pair
from tests.running import KOLEKTOR, SMALL, error_of, run, run_process

FOREIGN_WORDS = (
    "Value error",
    "Input should",
    "codec",
    "unpack",
    "pickle data",
    "Errno",
    "pydantic",
)


def told(*arguments: object, code: int = 2, stdin: str = "") -> str:
    """Return the error of a command, which is one line that no library worded."""
    result = run(*arguments, code=code, stdin=stdin)
    assert result.stdout == ""
    error = result.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    assert not [words for words in FOREIGN_WORDS if words in error]
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "convert x y --fit strech",
            "'strech' is not one of stretch, pad, crop, thirds, square; d",
        ),
        ("convert x y --fit strech", "did you mean stretch?"),
        ("convert x y --names foo", "'foo' is not one of index, source"),
        ("convert x y --color RGB", "did you mean rgb?"),
        ("convert x y --for PatchCor", "did you mean patchcore?"),
        ("convert x y --train-defects tset", "did you mean test?"),
        ("convert x y --size 3x", "'3x' is neither WxH"),
        ("inspect x --fit corp", "did you mean crop?"),
        ("verify x --for ander", "did you mean ader?"),
        ("sample x --layout box", "did you mean boxes?"),
        ("sample x --items none", "'none' is not a whole number"),
        ("sample x --items 0", "0 is too small: it goes from 1"),
        ("split x --protocol vico", "did you mean vicos?"),
        ("split x --seed 1.5", "'1.5' is not a whole number"),
        ("split x --seed -1", "-1 is too small: it goes from 0"),
        ("split x --fold one", "'one' is not a whole number"),
        ("split x --folds 1", "1 is too small: it goes from 2"),
        ("split x --test-good 0", "0 is too small: it goes from 1"),
        ("split x --val half", "'half' is not a number"),
        ("split x -j 0", "0 is too small: it goes from 1"),
        ("split x -j many", "'many' is not a whole number"),
    ],
)
def test_wrong_values_are_told_with_what_is_right(arguments: str, message: str) -> None:
    assert message in told(*arguments.split())


def test_every_option_with_a_value_refuses_an_empty_one_and_a_second_one() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    commands = group.commands
    assert len(commands) >= 5
    for name, command in commands.items():
        for param in command.params:
            if param.param_type_name == "argument":
                error = told(name, *[""] * max(1, sum(p.required for p in command.params)))
                assert "it must not be empty; was a variable not set?" in error
            elif not (getattr(param, "is_flag", False) or param.multiple):
                option = param.opts[0]
                places = ["x"] * sum(p.required for p in command.params)
                error = told(name, *places, f"{option}=")
                assert f"for '{option}'" in error
                assert "it must not be empty; was a variable not set?" in error
                error = told(name, *places, f"{option}=1", f"{option}=2")
                assert f"for '{option}'" in error
                assert "it is given 2 times; give it once" in error


def test_flags_may_be_repeated(make_dataset: MakeDataset) -> None:
    assert run("split", make_dataset(), "-q", "-q", "--quiet").stderr == ""


@pytest.mark.parametrize("start", [b"", b"\x80", b"\x80\x04", b"sample,split\n\xff", b"\0"])
def test_random_bytes_are_no_split(make_dataset: MakeDataset, tmp_path: Path, start: bytes) -> None:
    source = make_dataset()
    for seed in range(5):
        data = start + random.Random(seed).randbytes(200)
        (tmp_path / "split.csv").write_bytes(data)
        error = told("convert", source, tmp_path / "out", "--split", tmp_path / "split.csv", code=3)
        assert "split.csv" in error
    assert listing(tmp_path).count("out") == 0


def test_random_bytes_on_standard_input_are_no_split(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    error = told("convert", make_dataset(), tmp_path / "o", "--split", "-", code=3, stdin="é\0\x80")
    assert "standard input" in error


@pytest.mark.parametrize("content", [b"sample", b"\x80\x04", b"\xff"])
def test_split_file_that_is_none_is_told_before_the_scan(
    make_dataset: MakeDataset, tmp_path: Path, content: bytes
) -> None:
    source = make_dataset()
    # A scan finds this, and more.
    (source / "kos01/Part1.jpg").write_bytes(b"")
    (tmp_path / "split.csv").write_bytes(content)
    error = told("convert", source, tmp_path / "o", "--split", tmp_path / "split.csv", code=3)
    assert "split.csv" in error


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: random.Random(1).randbytes(999),
        lambda _: b"PK\3\4" + random.Random(2).randbytes(999),
        lambda data: data[: len(data) // 2],
        lambda data: data[:-30] + random.Random(3).randbytes(30),
        lambda data: data.replace(b"PK\1\2", b"PK\1\3"),
    ],
)
def test_zip_that_cannot_be_read_is_a_source_that_cannot_be_read(
    tmp_path: Path, damage: Callable[[bytes], bytes], make_dataset: MakeDataset
) -> None:
    archive = zip_of(make_dataset())
    archive.write_bytes(damage(archive.read_bytes()))
    for command in (("inspect",), ("split",), ("convert", tmp_path / "out")):
        assert "raw.zip" in told(command[0], archive, *command[1:], code=3)


def test_many_jobs_just_work(make_dataset: MakeDataset) -> None:
    source = make_dataset()
    usual = run("split", source, "-q", "-j", 2).stdout
    for jobs in (1000, 10**9):
        assert run("split", source, "-q", "-j", jobs).stdout == usual


def test_output_of_split_is_checked_before_the_scan(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_dataset()
    (source / "kos01/Part1.jpg").write_bytes(b"")  # a scan finds this
    (tmp_path / "split.csv").write_text("mine")
    error = told("split", source, "-o", tmp_path / "split.csv", code=3)
    assert "split.csv: exists already; --force replaces it" in error
    assert "lies inside the source" in told("split", source, "-o", source / "split.csv")
    assert "No such file" in told("split", source, "-o", tmp_path / "no/split.csv", code=3)
    assert "holds the source" in told("split", source, "-o", tmp_path, "--force")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert "is a folder" in told("split", source, "-o", ".", "--force", code=3)
    assert "is a folder" in told("split", source, "-o", tmp_path / "out", "--force", code=3)
    assert (tmp_path / "split.csv").read_text() == "mine"


def test_output_of_split_replaces_by_force_alone(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source, file = make_dataset(), tmp_path / "split.csv"
    file.write_text("mine")
    run("split", source, "-q", "-o", file, "--force")
    assert file.read_text() == run("split", source, "-q").stdout


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no such device")
def test_output_of_split_may_be_standard_output_by_name(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    wanted = run("split", source, "-q").stdout
    assert run("split", source, "-q", "-o", "/dev/stdout").stdout == wanted
    run("split", source, "-q", "-o", "/dev/null")
    # Redirected to a file: what was written before and what comes after stays.
    command = " ".join([*KOLEKTOR, "split", str(source), "-q", "-o", "/dev/stdout"])
    script = f"(echo first; {command}; echo last) > {tmp_path / 'all.csv'}"
    subprocess.run(["sh", "-c", script], check=True)
    assert (tmp_path / "all.csv").read_text() == f"first\n{wanted}last\n"


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (("--size", "60"), "1.5"),
        (("--size", "30x60"), "1.3"),
        (("--size", "34x60"), None),
        (("--size", "60", "--fit", "pad"), None),
        (("--size", "source"), None),
    ],
)
def test_squeezed_images_are_told(
    tmp_path: Path, options: tuple[str, ...], factor: str | None
) -> None:
    source = tmp_path / "raw"
    for part in range(4):
        box = (5, 10, 12, 6) if part else None
        write_pair(source / "kos01", f"Part{part}", part, box, (40, 60))
        write_pair(source / "kos02", f"Part{part}", 9 + part, None, (40, 60))
    for command in (("convert", source, tmp_path / "out", "--dry-run"), ("inspect", source)):
        notes = run(*command, *options).stderr
        assert ("--fit pad keeps it" in notes) == (factor is not None)
        assert factor is None or f"aspect of images by a factor of {factor};" in notes


@pytest.mark.parametrize(
    ("size", "options", "named"),
    [
        ((40, 60), ("--size", "60x40"), "--size 40x60"),
        ((40, 60), ("--size", "60x40", "--fit", "pad"), "--size 40x60"),
        ((40, 60), ("--size", "40x30", "--fit", "crop"), "--size 30x40"),
        ((60, 40), ("--size", "40x60"), "--size 60x40"),
        ((60, 40), (), "--size 1240x500"),
        ((40, 60), ("--size", "40x60"), None),
        ((40, 60), ("--size", "50"), None),
        ((40, 42), ("--size", "42x40"), None),
        ((40, 60), ("--size", "source"), None),
    ],
)
def test_size_that_is_turned_against_the_images_is_told(
    tmp_path: Path, size: tuple[int, int], options: tuple[str, ...], named: str | None
) -> None:
    source = tmp_path / "raw"
    for part in range(4):
        write_pair(source / "kos01", f"Part{part}", part, (5, 10, 12, 6) if part else None, size)
        write_pair(source / "kos02", f"Part{part}", 9 + part, None, size)
    for command in (("convert", source, tmp_path / "out", "--dry-run"), ("inspect", source)):
        if command[0] == "inspect" and not options:
            continue
        notes = run(*command, *options).stderr
        assert ("did you mean" in notes) == (named is not None)
        assert named is None or f"did you mean {named}?" in notes


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str], str]:
    """Make an OpenCV that cannot be loaded, for the reason given."""

    def make(reason: str) -> str:
        (tmp_path / "path/cv2").mkdir(parents=True)
        (tmp_path / "path/cv2/__init__.py").write_text(f"raise ImportError({reason!r})\n")
        return f"{tmp_path / 'path'}{os.pathsep}{Path(__file__).parents[2]}"

    return make


@pytest.mark.parametrize("library", ["libGL.so.1", "libgthread-2.0.so.0", "libSM.so.6"])
def test_missing_system_library_is_told_with_what_to_install(
    broken: Callable[[str], str], make_dataset: MakeDataset, tmp_path: Path, library: str
) -> None:
    path = broken(f"{library}: cannot open shared object file: No such file or directory")
    for command in (
        ("inspect", make_dataset()),
        ("sample", tmp_path / "out"),
        ("verify", tmp_path),
    ):
        result = run_process(*command, code=3, PYTHONPATH=path)
        assert result.stdout == ""
        [error] = result.stderr.splitlines()
        assert error.startswith(f"Error: OpenCV cannot be loaded: the system has no {library};")
        assert "apt install libgl1 libglib2.0-0" in error
        assert "pip install opencv-python-headless" in error
        assert "memory" not in error


def test_help_needs_no_opencv(broken: Callable[[str], str]) -> None:
    assert "Usage" in run_process("convert", "--help", PYTHONPATH=broken("libGL.so.1")).stdout


def test_other_libraries_are_told_too(broken: Callable[[str], str], tmp_path: Path) -> None:
    path = broken("libfoo.so.3: cannot open shared object file: No such file or directory")
    error = run_process("verify", tmp_path, code=3, PYTHONPATH=path).stderr
    assert "the system has no libfoo.so.3; install the package that holds it" in error


def test_nothing_is_written_for_wrong_arguments(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset()
    before = snapshot(tmp_path)
    error_of("convert", source, tmp_path / "out", *SMALL, "--for", "cfa", "--for", "ader", code=2)
    assert snapshot(tmp_path) == before
