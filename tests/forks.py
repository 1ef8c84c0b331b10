"""Runs of kolektor as forks of a process that has everything loaded: many, soon, and killed.

`Forks` starts this module as a process, which reads a request a line and answers it with a line.
Each run is a process of its own, with its own streams and its own end: only the second that it
takes to load OpenCV and to build the command line, in which nothing is written yet, is saved.
"""

from __future__ import annotations

import json
import mmap
import os
import pkgutil
import posix
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

# By name: open files, bytes of a file, bytes of address space beyond what is there.
LIMITS = {
    "files": resource.RLIMIT_NOFILE,
    "file_size": resource.RLIMIT_FSIZE,
    "memory": resource.RLIMIT_AS,
}

EVENTS = ("open", "os.", "shutil.", "fcntl.", "ctypes.")
"""What a run is killed at by number: audit events that begin like this (PEP 578)."""

MOST_EVENTS = 2**16

PATIENCE = 60
"""Seconds after which a run that hangs is killed."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code or minus signal, what it printed, how long it took.

    `events` are counted if it was to be killed at one.
    """

    code: int
    output: str
    error: str
    seconds: float
    events: int


class Forks:
    """A process that runs kolektor in forks of itself, until it is closed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def run(
        self,
        *arguments: object,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        unread: bool = False,
        kill_after: float | None = None,
        kill_at: int | None = None,
        signal_number: int = signal.SIGKILL,
        limits: Mapping[str, int] | None = None,
    ) -> Ended:
        """Run kolektor in the current folder, with limits of the system, and wait for its end.

        If its output is to be unread, standard output is a pipe that is closed at its other end.
        It is sent the signal after some seconds, or at an event.
        """
        request = {
            "arguments": [str(argument) for argument in arguments],
            "stdin": stdin,
            "environment": {**os.environ, **(environment or {})},
            "folder": str(Path.cwd()),
            "unread": unread,
            "kill_after": kill_after,
            "kill_at": kill_at,
            "signal": int(signal_number),
            "limits": dict(limits or {}),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        for stream in ("output", "error"):
            ended[stream] = ended[stream].encode("latin-1").decode()
        return Ended(**ended)


def answer(request: Mapping[str, Any], run: Callable[[], None]) -> dict[str, object]:
    """Run a request in a fork, and tell how that ended; each byte printed is a character."""
    # Pipes, which no limit on the size of files bounds.
    read_ends, write_ends = map(list, zip(os.pipe(), os.pipe(), strict=True))
    if request["unread"]:
        os.close(read_ends.pop(0))
    with mmap.mmap(-1, MOST_EVENTS) as events, tempfile.TemporaryFile() as stdin:
        stdin.write(request["stdin"].encode())
        stdin.seek(0)
        begun = time.perf_counter()
        child = _fork()
        if child == 0:
            _be_the_run(request, run, (stdin.fileno(), *write_ends), events)
        for end in write_ends:
            os.close(end)
        if request["kill_after"] is not None:
            time.sleep(request["kill_after"])
            os.kill(child, request["signal"])
        read = _read_all(child, read_ends)
        _, status = os.waitpid(child, 0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "output": "" if request["unread"] else read[0].decode("latin-1"),
            "error": read[-1].decode("latin-1"),
            "seconds": time.perf_counter() - begun,
            "events": events.rfind(b"\1") + 1,
        }


def _fork() -> int:
    with warnings.catch_warnings():
        # NumPy's threads do nothing, and are made for forks.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _read_all(child: int, ends: Sequence[int]) -> list[bytes]:
    """Read a child's pipes to their ends, whichever has something to be read, and close them."""
    read = {end: bytearray() for end in ends}
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as waiting:
        for end in ends:
            waiting.register(end, selectors.EVENT_READ)
        while waiting.get_map():
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            for key, _ in waiting.select(timeout=1):
                data = os.read(key.fd, 2**16)
                read[key.fd] += data
                if not data:
                    waiting.unregister(key.fd)
                    os.close(key.fd)
    return [bytes(data) for data in read.values()]


def _be_the_run(
    request: Mapping[str, Any], run: Callable[[], None], streams: tuple[int, ...], events: mmap.mmap
) -> NoReturn:
    code = 70
    watching = [True]
    try:
        for new, old in enumerate(streams):
            os.dup2(old, new)
        os.closerange(3, 256)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww")
        )
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["kolektor", *request["arguments"]]
        # Of processes in the background, shells have it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if request["kill_at"] is not None:
            _watch(request, events, watching)
        for name, limit in request["limits"].items():
            value = limit + _memory() if name == "memory" else limit
            resource.setrlimit(LIMITS[name], (value, value))
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    except BaseException as problem:  # noqa: BLE001 - whatever it is, it must not go on here
        os.write(2, f"Traceback: {problem!r}".encode())
    finally:
        # Not the exit of the process that was forked: its buffers are not this one's to write.
        try:
            watching.clear()
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            code = 120  # as Python's own end
        finally:
            # Coverage saves what it saw in `os._exit`, which limits and signals keep from its end.
            limited = request["limits"] or request["kill_at"] is not None
            (posix._exit if limited else os._exit)(code)


def _memory() -> int:
    """Return the bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _watch(request: Mapping[str, Any], events: mmap.mmap, watching: list[bool]) -> None:
    """Mark each event by its number, and signal this process at the one that was asked for."""
    numbers = count(1)

    def hook(event: str, _: object) -> None:
        if watching and event.startswith(EVENTS):
            # Threads that meet an event at once get numbers of their own.
            number = next(numbers)
            events[number - 1] = 1
            if number == request["kill_at"]:
                os.kill(os.getpid(), request["signal"])

    sys.addaudithook(hook)


def _serve() -> None:
    import typer.core
    import typer.main

    import kolektor_cli
    from kolektor_cli import __main__
    from kolektor_cli.cli import app, output
    from kolektor_cli.raw import releases

    for module in pkgutil.walk_packages(kolektor_cli.__path__, "kolektor_cli."):
        if not module.name.startswith(
            "kolektor_cli.consumers.anomalib_"
        ):  # its libraries are an extra
            import_module(module.name)
    output.Console(quiet=True)
    releases.kolektorsdd()
    group = typer.main.get_command(app.app)
    assert isinstance(group, typer.core.TyperGroup)
    whole = group.make_context("kolektor", ["verify"])
    group.commands["verify"].make_context("verify", ["-j", "1", "."], parent=whole)
    app.app = group  # type: ignore[assignment]
    # As in the script that pip makes: help tells the program's name by it.
    sys.modules["__main__"].__package__ = None
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line), __main__.main)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
