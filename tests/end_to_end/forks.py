"""Runs of kolektor as forks of a process that has everything loaded: many, soon, and killed.

`Forks` starts this module as a process, which reads a request a line and answers it with a line.
Each run is a process of its own, with its own end: only the second that it takes to load OpenCV
and to build the command line, in which nothing is written yet, is saved.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

# By name: open files, bytes of a file, bytes of address space beyond what is there.
LIMITS = {
    "files": resource.RLIMIT_NOFILE,
    "file_size": resource.RLIMIT_FSIZE,
    "memory": resource.RLIMIT_AS,
}

EVENTS = ("open", "os.", "shutil.", "fcntl.", "ctypes.")
"""What a run is killed at by number: audit events that begin like this (PEP 578)."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code or minus signal, standard error, and how long it took."""

    code: int
    error: str
    seconds: float
    events: int


class Forks:
    """A process that runs kolektor in forks of itself; a context manager."""

    def __enter__(self) -> Forks:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self,
        *arguments: object,
        kill_after: float | None = None,
        kill_at: int | None = None,
        signal_number: int = signal.SIGKILL,
        limits: Mapping[str, int] | None = None,
    ) -> Ended:
        """Run kolektor, with limits of the system; signalled after some seconds or at an event."""
        request = {
            "arguments": [str(argument) for argument in arguments],
            "kill_after": kill_after,
            "kill_at": kill_at,
            "signal": int(signal_number),
            "limits": dict(limits or {}),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def answer(request: Mapping[str, Any], run: Callable[[], None]) -> dict[str, object]:
    """Run a request in a fork, and tell how that ended."""
    # A pipe, which no limit on the size of files bounds, and whose buffer holds any message.
    read_end, error = os.pipe()
    counter = os.memfd_create("counter")
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        _be_the_run(request, run, error, counter)
    if request["kill_after"] is not None:
        time.sleep(request["kill_after"])
        os.kill(child, request["signal"])
    _, status = os.waitpid(child, 0)
    os.close(error)
    ended = {
        "code": os.waitstatus_to_exitcode(status),
        "error": _all_of(read_end),
        "seconds": time.perf_counter() - begun,
        "events": os.fstat(counter).st_size,
    }
    os.close(counter)
    return ended


def _all_of(read_end: int) -> str:
    with os.fdopen(read_end, "rb") as pipe:
        return pipe.read().decode()


def _be_the_run(
    request: Mapping[str, Any], run: Callable[[], None], error: int, counter: int
) -> None:
    code = 70
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for old, new in ((nothing, 0), (nothing, 1), (error, 2)):
            os.dup2(old, new)
        os.closerange(3, min(error, counter))
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        sys.argv[1:] = request["arguments"]
        _watch(request, counter)
        for name, limit in request["limits"].items():
            value = limit + _memory() if name == "memory" else limit
            resource.setrlimit(LIMITS[name], (value, value))
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    finally:
        problem = sys.exc_info()[1]
        if problem is not None:
            os.write(2, f"Traceback: {problem!r}".encode())
        sys.stderr.flush()
        # Not the exit of the process that was forked: its buffers are not this one's to write.
        os._exit(code)


def _memory() -> int:
    """Return the bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _watch(request: Mapping[str, Any], counter: int) -> None:
    """Count events, a byte each, and signal this process at the one that was asked for."""
    if request["kill_at"] is None:
        return

    numbers = count(1)

    def hook(event: str, _: object) -> None:
        if event.startswith(EVENTS):
            os.write(counter, b".")
            # By a count of its own: of two threads at once, both may see the counter's last size.
            if next(numbers) == request["kill_at"]:
                os.kill(os.getpid(), request["signal"])

    sys.addaudithook(hook)


def _serve() -> None:
    import typer.core
    import typer.main

    import kolektor_cli
    from kolektor_cli import __main__
    from kolektor_cli.cli import app, output
    from kolektor_cli.raw import releases

    for name in dir(kolektor_cli):
        getattr(kolektor_cli, name)
    output.Console(quiet=True)
    releases.kolektorsdd()
    group = typer.main.get_command(app.app)
    assert isinstance(group, typer.core.TyperGroup)
    group.commands["verify"].make_context("verify", ["-j", "1", "."])
    app.app = group  # type: ignore[assignment]
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line), __main__.main)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
