"""kolektor as people and pipes run it: its exit code, and what it prints to each stream.

`run` forks a process that has everything loaded (see `forks`). `run_process` starts Python anew;
it is for what that alone shows: encodings, the environment that Python itself reads, the start.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tests.forks import Forks

KOLEKTOR = [sys.executable, "-m", "kolektor_cli"]

SMALL = ("--size", "20x30")
"""Makes the output images of a conversion small."""

PATIENCE = 60
"""Seconds after which a test that hangs fails."""

Completed = subprocess.CompletedProcess[str]


@functools.cache
def forks() -> Forks:
    """Return the process that runs kolektor in forks of itself, the same one each time."""
    from tests.forks import Forks

    running = Forks()
    atexit.register(running.close)
    return running


def run(*arguments: object, code: int = 0, stdin: str = "", **environment: str) -> Completed:
    """Run kolektor; its output is decoded as UTF-8, and its exit code must be `code`."""
    if not hasattr(os, "fork"):
        return run_process(*arguments, code=code, stdin=stdin, **environment)
    ended = forks().run(*arguments, stdin=stdin, environment=environment)
    return _checked(Completed([*map(str, arguments)], ended.code, ended.output, ended.error), code)


def run_process(
    *arguments: object, code: int = 0, stdin: str = "", **environment: str
) -> Completed:
    """Run kolektor as `run` does, in a process that has Python start anew."""
    command = [*KOLEKTOR, *map(str, arguments)]
    result = subprocess.run(
        command,
        input=stdin.encode(),
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )
    output, error = result.stdout.decode(), result.stderr.decode()
    return _checked(Completed(command, result.returncode, output, error), code)


@contextmanager
def waiting_for_its_split(
    pipe: Path, *arguments: object
) -> Iterator[tuple[subprocess.Popen[bytes], TextIO]]:
    """Run a conversion until it has scanned its source, and waits to read its split from a pipe.

    The process is given, and where to write the split to.
    """
    os.mkfifo(pipe)
    command = [*KOLEKTOR, "convert", *map(str, arguments), "-q", "--split", str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=_heed_interrupts) as process:
        try:
            with _opened_by_both(pipe, process) as writer:
                yield process, writer
            process.wait(PATIENCE)
        finally:
            process.kill()


def _heed_interrupts() -> None:
    # Of processes in the background, shells have them ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _opened_by_both(pipe: Path, process: subprocess.Popen[bytes]) -> TextIO:
    """Open a pipe for writing as soon as a process has opened it for reading."""
    while True:
        with suppress(OSError):  # nobody reads it yet
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w")
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def _checked(result: Completed, code: int) -> Completed:
    assert result.returncode == code, f"exit code {result.returncode}: {result.stderr}"
    assert "Traceback" not in result.stderr
    return result


def error_of(*arguments: object, code: int) -> str:
    """Run kolektor, which must fail with one error of one line and print nothing."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert result.stderr.splitlines()[-1] == errors[0]
    return errors[0]
