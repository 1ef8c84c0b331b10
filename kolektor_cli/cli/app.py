"""The command line: registers the commands and turns errors into exit codes.

A command imports what it calls when it runs: OpenCV, NumPy and Rich take their time to load, and
help must come at once.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from kolektor_cli.cli.command import Command
from kolektor_cli.cli.compare import compare
from kolektor_cli.cli.convert import convert
from kolektor_cli.cli.docs import docs
from kolektor_cli.cli.export import export
from kolektor_cli.cli.fetch import fetch
from kolektor_cli.cli.inspect import inspect
from kolektor_cli.cli.report import report
from kolektor_cli.cli.sample import sample
from kolektor_cli.cli.score import score
from kolektor_cli.cli.show import show
from kolektor_cli.cli.split import split
from kolektor_cli.cli.streams import discard, one_line
from kolektor_cli.cli.train import train
from kolektor_cli.cli.verify import verify
from kolektor_cli.errors import KolektorError, reason, why_not_loaded
from kolektor_cli.version import __version__


class _Group(typer.core.TyperGroup):
    """Turns our errors into one message and their exit code, for every command."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KolektorError as error:
            _tell_error(str(error))
            raise typer.Exit(error.exit_code) from error
        except ImportError as error:
            # A command loads what it needs when it runs.
            _tell_error(why_not_loaded(error))
            raise typer.Exit(KolektorError.exit_code) from error
        except MemoryError as error:
            _tell_error("memory ran out; a smaller --jobs needs less")
            raise typer.Exit(KolektorError.exit_code) from error
        except KeyboardInterrupt as error:
            _tell("Interrupted: nothing unfinished was left behind")
            raise typer.Exit(130) from error
        except BrokenPipeError as error:
            # The reader has what it wanted. What is still buffered must not fail at exit.
            discard(sys.stdout)
            raise typer.Exit(0) from error
        except OSError as error:
            discard(sys.stdout)
            _tell_error(f"{error.filename or 'standard output'}: {reason(error)}")
            raise typer.Exit(KolektorError.exit_code) from error


def _tell_error(message: str) -> None:
    _tell(f"Error: {one_line(message)}")


def _tell(message: str) -> None:
    typer.echo(message, err=True)


app = typer.Typer(
    name="kolektor",
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    # Without Rich, help needs a third of the time and reads the same in a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_COMMANDS = (
    *(fetch, inspect, split, convert, verify, compare, train),
    *(score, show, report, export, sample, docs),
)

for _command in _COMMANDS:
    app.command(cls=Command)(_command)


def _exit_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line."""
    # What OpenCV has to say of a file is in our message; it would say it again on its own.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    # Our own threads keep the processors busy; OpenCV's would only wait beside them.
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    _keep_freed_memory()
    # Few of our objects refer to each other in cycles, so a search for cycles seldom pays.
    gc.set_threshold(100_000)
    # Whoever ends the process lets it remove what is unfinished first, as Ctrl-C does.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _exit_by_signal)
    # Whoever closed a stream wants none of it.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    # Names from the file system may hold what the output's encoding cannot say.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kolektor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Turn raw KolektorSDD and KolektorSDD2 downloads into MVTec-AD-style datasets to be trusted.

    \b
    Example:
      kolektor fetch kolektorsdd
      kolektor inspect KolektorSDD.zip
      kolektor convert KolektorSDD.zip data
      kolektor verify data
    """


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory, up to 256 MB, instead of returning it to the system each time.

    Every image takes several buffers of a megabyte, and to get and return each costs system calls
    (see docs/speed.md). Blocks of 8 MB and more, as the text of a long manifest, are still returned
    at once. Elsewhere than under glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    mallopt(trim_threshold, 2**28)
    mallopt(mmap_threshold, 2**23)
