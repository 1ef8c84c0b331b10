"""The command line: registers the commands and turns errors into exit codes.

A command imports what it calls when it runs: OpenCV, NumPy and Rich take their time to load, and
help must come at once.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from kolektor_cli.cli.about import no_command, show_help, version, version_lines
from kolektor_cli.cli.command import Command, UsageFault, suggest_option
from kolektor_cli.cli.compare import compare
from kolektor_cli.cli.convert import convert
from kolektor_cli.cli.docs import docs
from kolektor_cli.cli.export import export
from kolektor_cli.cli.fetch import fetch
from kolektor_cli.cli.help import write_help
from kolektor_cli.cli.inspect import inspect
from kolektor_cli.cli.render.envelope import failure_json
from kolektor_cli.cli.report import report
from kolektor_cli.cli.sample import sample
from kolektor_cli.cli.score import score
from kolektor_cli.cli.show import show
from kolektor_cli.cli.split import split
from kolektor_cli.cli.streams import discard, one_line
from kolektor_cli.cli.train import train
from kolektor_cli.cli.verify import verify
from kolektor_cli.errors import KolektorError, UsageError, reason, why_not_loaded
from kolektor_cli.version import __version__


class _Group(typer.core.TyperGroup):
    """Turns our errors into one message and their exit code, for every command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        write_help(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # What follows -- is no option.
        ctx.meta[_JSON] = "--json" in args[: args.index("--") if "--" in args else None]
        params: list[Any] = self.get_params(ctx)
        for param in params:
            # For a flag that is None, Typer loads Pydantic: help would take twice as long.
            if param.is_flag and param.default is None:
                param.default = False
        try:
            return super().parse_args(ctx, args)
        except UsageFault as fault:
            suggest_option(fault, self)
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            ctx.fail(_of_path(name) if Path(name).exists() else no_command(name, ctx))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except UsageFault as fault:
            # Typer tells it on standard error.
            _print_failure(ctx, fault.format_message(), UsageError.exit_code)  # type: ignore[attr-defined]
            raise
        except KolektorError as error:
            raise _failed(ctx, str(error), error.exit_code) from error
        except ImportError as error:
            # A command loads what it needs when it runs.
            raise _failed(ctx, why_not_loaded(error)) from error
        except MemoryError as error:
            raise _failed(ctx, "memory ran out; a smaller --jobs needs less") from error
        except KeyboardInterrupt as error:
            message = "Interrupted: nothing unfinished was left behind"
            _print_failure(ctx, message, _INTERRUPTED)
            typer.echo(message, err=True)
            raise typer.Exit(_INTERRUPTED) from error
        except BrokenPipeError as error:
            # The reader has what it wanted. What is still buffered must not fail at exit.
            discard(sys.stdout)
            raise typer.Exit(0) from error
        except OSError as error:
            if error.filename is None:
                discard(sys.stdout)
            message = f"{error.filename or 'standard output'}: {reason(error)}"
            raise _failed(ctx, message) from error


_INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it: 128 and the number of SIGINT."""

_JSON = "kolektor_cli.json"
"""Key of a context's facts: whether the result is to be JSON."""


def _failed(
    ctx: typer.Context, message: str, exit_code: int = KolektorError.exit_code
) -> typer.Exit:
    """Tell an error, on standard output, too, where it is to be JSON; return what ends the run."""
    _print_failure(ctx, message, exit_code)
    typer.echo(f"Error: {one_line(message)}", err=True)
    return typer.Exit(exit_code)


def _print_failure(ctx: typer.Context, message: str, exit_code: int) -> None:
    if ctx.meta[_JSON]:
        failure = failure_json(__version__, ctx.invoked_subcommand, message, exit_code)
        with suppress(BrokenPipeError):
            typer.echo(json.dumps(failure, indent=2))


def _of_path(name: str) -> str:
    """Say which command takes a path that is given in place of a command."""
    from kolektor_cli.core.verification import is_tree

    command = "verify" if is_tree(Path(name)) else "inspect"
    return f"{name!r} is no command; try: kolektor {command} {shlex.quote(name)}"


app = typer.Typer(
    name="kolektor",
    cls=_Group,
    no_args_is_help=True,
    # Errors are one line; help in panels is in `help`.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_PANELS: Mapping[str, tuple[Callable[..., None], ...]] = {
    "Prepare": (fetch, inspect, split, convert, verify, compare),
    "Use": (train, score, report, show, export),
    "Try": (sample, docs),
}

for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)

app.command("help", cls=Command, hidden=True)(show_help)
app.command("version", cls=Command, hidden=True)(version)


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
        version()
        raise typer.Exit


def _print_versions(wanted: bool) -> None:
    if wanted:
        for line in version_lines():
            typer.echo(line)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
    _versions: Annotated[
        bool,
        typer.Option(
            "--show-versions",
            callback=_print_versions,
            is_eager=True,
            help="Show what a bug report needs: libraries, system, processor; and exit.",
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
