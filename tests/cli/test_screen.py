"""What a terminal shows: one bar, tables that fit, and what to do next."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from kolektor_cli.cli.bar import duration
from kolektor_cli.cli.output import Console
from kolektor_cli.cli.render.tables import Table
from tests.conftest import MakeDataset
from tests.running import KOLEKTOR, SMALL, run

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*arguments: object, width: int = 100, piped: bool = False) -> list[str]:
    """Run kolektor on a terminal and return the lines it shows, each as often as it is drawn."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
    environment = {key: os.environ[key] for key in os.environ if key not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [*KOLEKTOR, *map(str, arguments)],
        stdout=subprocess.PIPE if piped else terminal,
        stderr=terminal,
        env={**environment, "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # Linux says so at the end
            while data := os.read(main, 65536):
                shown += data
        process.communicate()
    os.close(main)
    return [line.strip() for line in re.split(r"[\r\n]+", _CONTROLS.sub("", shown.decode()))]


def test_the_bar_names_its_steps(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source, out = make_dataset(), tmp_path / "out"
    converted = on_terminal("convert", source, out, *SMALL)
    assert any(re.search(r"^\S starting ", line) for line in converted)
    assert any(re.search(r"^\S converting .* \d+/12", line) for line in converted)
    assert not any("scanning" in line for line in converted)
    verified = on_terminal("verify", out, "--source", source)
    steps = ["reading the source", "reading metal", "deriving metal again"]
    found = [step for line in verified for step in steps if re.match(rf"\S {step} ", line)]
    assert list(dict.fromkeys(found)) == steps
    assert not any(step in line for line in on_terminal("verify", out, "-q") for step in steps)


def test_a_command_that_feeds_a_pipe_draws_no_bar(make_dataset: MakeDataset) -> None:
    told = on_terminal("split", make_dataset(), piped=True)
    assert not any("starting" in line or "scanning" in line for line in told)
    assert any(line.startswith("split 12 samples in ") for line in told)


def test_commands_end_with_what_to_do_next(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source, out, split = make_dataset(), tmp_path / "my data", tmp_path / "split.csv"
    scored = [out / "metal", tmp_path / "maps"]
    for arguments, told, then in [
        (("inspect", source), "inspected 12 samples", ["convert", source, "data"]),
        (("split", source), "split 12 samples", None),
        (
            ("split", source, "-o", split),
            "split 12 samples",
            ["convert", source, "data", "--split", split],
        ),
        (("convert", source, out, *SMALL), f"made {out}/metal of 12 samples", ["verify", out]),
        (("verify", out), "verified 12 images", ["train", out / "metal", "patchcore"]),
        (("score", *scored), "scored 1 model", ["report", *scored]),
    ]:
        if arguments[0] == "score":
            write_maps(*scored)
        ended = run(*arguments)
        assert re.search(rf"^{re.escape(told)} in \d+\.\d s$", ended.stderr, re.MULTILINE)
        words = (
            ""
            if then is None
            else " ".join(
                f"'{word}'" if " " in str(word) else str(word) for word in ["kolektor", *then]
            )
        )
        last = ended.stderr.splitlines()[-1]
        assert last == f"next: {words}" if then else not last.startswith("next")
        assert "next: " not in ended.stdout
        if arguments[0] in ("inspect", "verify", "score"):
            assert run(*arguments, "-q").stderr == ""


def write_maps(tree: Path, maps: Path) -> None:
    """Write a map for each test image, by the pixels of the image itself."""
    import numpy as np

    import kolektor_cli

    for image in kolektor_cli.load_tree(tree):
        if image.split == "test":
            file = (maps / image.path).with_suffix(".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, image.mask().astype(np.float32))


def test_short_screens_leave_to_options_what_is_long(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, out = make_dataset(), tmp_path / "out"
    run("convert", source, out, *SMALL)
    short = run("verify", out).stdout.splitlines()
    assert "passes if" not in "".join(short)
    [named] = [line for line in short if line.startswith("11 checks ok: structure, names, ")]
    rows = [line.split()[0] for line in run("verify", out, "--checks").stdout.splitlines() if line]
    assert all(name in rows for name in named.partition(": ")[2].split(", "))
    (out / "metal/test/good/000.png").write_bytes(b"")
    bad = run("verify", out, code=1).stdout
    assert re.search(r"^  images +FAILED ", bad, re.MULTILINE)
    assert not re.search(r"^  names +ok", bad, re.MULTILINE)


TABLES = [
    Table("Figures", ("model", *(f"figure {n}" for n in range(5))), (("a", *["123456789"] * 5),)),
    Table("Two", ("what", "value"), (("some words", "790 to 6457, median 3367 " * 4),)),
    Table("Paths", ("path", "number"), (("a/" * 50, 12345678),), ("total", 87654321)),
]


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_no_number_is_broken_in_two(
    width: int, table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kolektor_cli.cli.output._PIPE_WIDTH", width)
    Console().tables([table])
    shown = capsys.readouterr().out
    assert all(len(line) <= width for line in shown.splitlines())
    for row in (*table.rows, table.total or ()):
        for word in " ".join(map(str, row)).split():
            assert "/" in word or shown.split().count(word) >= 1


def test_times_are_written_shortly() -> None:
    assert [duration(s) for s in (0.04, 7.26, 59.96, 125.4)] == [
        *("0.0 s", "7.3 s", "1 min 0 s", "2 min 5 s")
    ]
    assert [duration(s, whole=True) for s in (1.6, 61)] == ["2 s", "1 min 1 s"]
