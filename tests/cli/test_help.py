"""Help: its panels, its widths, what it explains; and what is suggested for wrong words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kolektor_cli.cli.app import app
from kolektor_cli.cli.options import FITS, PROTOCOLS
from kolektor_cli.splits.protocols import PROTOCOLS as ALL_PROTOCOLS
from kolektor_cli.tree.fit import FIT_NAMES
from kolektor_cli.version import __version__
from tests.conftest import MakeDataset
from tests.running import KOLEKTOR, SMALL, error_of, run, run_process

WIDTHS = ["60", "80", "100", "160"]


def commands() -> dict[str, str]:
    """Return the short help of each command that help lists."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    visible = [command for command in group.commands.values() if not command.hidden]
    return {str(command.name): command.get_short_help_str(1000) for command in visible}


def on_terminal(*arguments: str, columns: str, **environment: str) -> str:
    """Run kolektor on a terminal of its own, and return what that shows."""
    import pty

    ours, its = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = {**kept, "COLUMNS": columns, "TERM": "xterm-256color", **environment}
    with subprocess.Popen([*KOLEKTOR, *arguments], stdout=its, env=environment) as process:
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # how Linux says that nobody writes any more
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="needs terminals of Unix")


def test_short_help_of_each_command_fits_its_line() -> None:
    text = run("--help", COLUMNS="80").stdout
    for name, short in commands().items():
        assert f"  {name} ".ljust(9) in text
        # A panel of 80 columns leaves so many.
        assert len(short) <= 67, name


def test_commands_stand_under_their_headings() -> None:
    text = run("--help").stdout
    order = ["Prepare:", "  fetch", "  verify", "Use:", "  train", "  export", "Try:", "  sample"]
    places = [text.index(f"\n{word}") for word in order]
    assert places == sorted(places)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_help_is_longer_than_the_output_is_wide(width: str) -> None:
    for command in commands():
        text = run(command, "--help", COLUMNS=width).stdout
        longest = max(map(len, text.partition("Example:")[0].splitlines()))
        assert longest <= int(width), command


def test_options_of_convert_stand_under_headings() -> None:
    text = run("convert", "--help", COLUMNS="80").stdout
    headings = ["Arguments", "Source", "Output", "Geometry", "Fits", "Split", "Protocols", "Run"]
    lines = [line.split(" (")[0].rstrip(":") for line in text.splitlines() if line.endswith(":")]
    assert [line for line in lines if line in headings] == headings


@pytest.mark.parametrize("command", ["convert", "inspect", "show"])
def test_fits_are_explained_in_place(command: str) -> None:
    text = run(command, "--help").stdout
    assert set(FITS) == set(FIT_NAMES)
    assert all(f"\n  {name} " in text for name in FITS)


@pytest.mark.parametrize("command", ["convert", "split"])
def test_protocols_are_explained_in_place(command: str) -> None:
    text = run(command, "--help").stdout
    assert set(PROTOCOLS) == set(ALL_PROTOCOLS)
    assert all(f"\n  {name} " in text for name in PROTOCOLS)


def test_usage_names_arguments_without_braces() -> None:
    usages = {
        "convert": "convert [OPTIONS] SOURCE OUT",
        "score": "score [OPTIONS] OUT MAPS...",
        "report": "report [OPTIONS] SOURCE|OUT [MAPS...]",
    }
    for command, usage in usages.items():
        assert run(command, "--help").stdout.splitlines()[0].endswith(f" {usage}")


@needs_terminals
def test_help_on_a_terminal_has_panels_of_its_width() -> None:
    for width in (60, 100):
        text = on_terminal("split", "--help", columns=str(width), NO_COLOR="1", PYTHONUTF8="1")
        assert "\x1b" not in text
        assert max(len(line) for line in text.partition("Example")[0].splitlines()) == width
        assert "╭─ Split ─" in text
    assert "\x1b[1;36m" in on_terminal("split", "--help", columns="80", PYTHONUTF8="1")


@needs_terminals
def test_panels_are_ascii_where_the_terminal_has_no_more() -> None:
    text = on_terminal("--help", columns="80", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert text.isascii()
    assert "+-" in text


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR", "ANY"])
def test_help_in_a_pipe_has_no_escapes_and_no_frames(variable: str) -> None:
    text = run_process("convert", "--help", code=0, stdin="", **{variable: "1"}).stdout
    assert text.isascii()
    assert "\x1b" not in text
    assert "+--" not in text


def test_help_and_version_are_commands_too() -> None:
    assert (
        run("help", "split").stdout.splitlines()[1:]
        == (run("split", "--help").stdout.splitlines()[1:])
    )
    assert run("help").stdout == run("--help").stdout
    assert run("version").stdout == run("-V").stdout == f"kolektor {__version__}\n"


def test_versions_tell_what_a_bug_report_needs() -> None:
    text = run("--show-versions").stdout
    facts = dict(line.replace(":", "").split(" ", 1) for line in text.splitlines())
    assert facts["kolektor"] == __version__
    assert facts["python"].startswith(sys.version.split()[0])
    assert {"numpy", "pillow", "opencv", "system", "processor"} <= facts.keys()
    assert "SSE" in text or "NEON" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("convrt x", "there is no command 'convrt'; did you mean convert?"),
        ("ver", "there is no command 'ver'; did you mean verify?"),
        ("quux", "there is no command 'quux'"),
        ("help convrt", "there is no command 'convrt'; did you mean convert?"),
        ("split x --out y", "there is no option --out; did you mean --output?"),
        ("convert x y --out z", "there is no option --out; OUT is given without a name before it"),
        ("verify x --jsn", "there is no option --jsn; did you mean --json?"),
        ("verify x --quux", "there is no option --quux"),
        ("--vesion", "there is no option --vesion; did you mean --version?"),
    ],
)
def test_wrong_words_get_one_suggestion_that_fits(arguments: str, message: str) -> None:
    assert error_of(*arguments.split(), code=2) == f"Error: {message}"


def test_path_in_place_of_a_command_is_told_what_takes_it(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset("raw data")
    run("convert", source, tmp_path / "out", *SMALL)
    for path, command in (
        (source, f"inspect '{source}'"),
        (source / "kos01/Part1.jpg", f"inspect '{source}/kos01/Part1.jpg'"),
        (tmp_path / "out", f"verify {tmp_path}/out"),
        (tmp_path / "out/metal", f"verify {tmp_path}/out/metal"),
    ):
        assert error_of(path, code=2).endswith(f" is no command; try: kolektor {command}")


@pytest.mark.parametrize("command", ["convert", "export", "fetch", "report", "show", "split"])
def test_force_has_a_short_name(command: str) -> None:
    assert "-f, --force " in run(command, "--help").stdout


def test_environment_gives_defaults_that_help_names(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source = make_dataset()
    given = run("split", source, "-q").stdout
    assert run("split", "-q", KOLEKTOR_SOURCE=str(source)).stdout == given
    run("convert", source, tmp_path, *SMALL)
    assert "ok" in run("verify", tmp_path, KOLEKTOR_SOURCE=str(source)).stdout
    (source / "kos01/Part0.jpg").unlink()
    run("verify", tmp_path, KOLEKTOR_SOURCE=str(source), code=1)
    run("verify", tmp_path)
    error = run("split", source, KOLEKTOR_JOBS="0", code=2).stderr.splitlines()[-1]
    assert "--jobs" in error
    assert "0 is too small: it goes from 1" in error
    text = run("verify", "--help", COLUMNS="200").stdout
    assert "[env var: KOLEKTOR_SOURCE]" in text
    assert "env var: KOLEKTOR_JOBS" in text
    assert "[env var: KOLEKTOR_SOURCE]" in run("inspect", "--help", COLUMNS="200").stdout
