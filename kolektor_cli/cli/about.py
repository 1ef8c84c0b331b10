"""``kolektor help`` and ``kolektor version``, and what a bug report needs to know."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kolektor_cli.cli.command import did_you_mean
from kolektor_cli.errors import why_not_loaded
from kolektor_cli.version import __version__

_LIBRARIES = (
    *("numpy", "opencv-python", "opencv-python-headless", "pillow", "simplejpeg", "isal"),
    *("typer", "rich", "filelock", "msgspec", "lazy_loader", "threadpoolctl", "pooch"),
    *("distributed", "anomalib", "torch"),
)


def version() -> None:
    """Show the version."""
    typer.echo(f"kolektor {__version__}")


def _command_names(ctx: typer.Context) -> list[str]:
    root: Any = ctx.find_root()
    return [one.name for one in root.command.commands.values() if not one.hidden]


def show_help(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            autocompletion=_command_names, metavar="COMMAND", help="The command; without it, all."
        ),
    ] = None,
) -> None:
    """Show the help of a command, as 'kolektor COMMAND --help' does."""
    root: Any = ctx.parent
    command = root.command.get_command(root, name) if name else None
    if command is not None:
        root = command.make_context(name, [], parent=root, resilient_parsing=True)
    elif name:
        ctx.fail(no_command(name, ctx))
    typer.echo(root.get_help())


def no_command(name: str, ctx: typer.Context) -> str:
    """Say that a name is no command, and which one may be meant."""
    return f"there is no command {name!r}{did_you_mean(name, _command_names(ctx))}"


def version_lines() -> Iterator[str]:
    """Write what decides on results and speed, a line each: versions, system, processor."""
    from importlib import metadata

    yield f"kolektor {__version__}"
    yield f"python {platform.python_version()} ({platform.python_implementation()})"
    for library in _LIBRARIES:
        found = next(iter(metadata.distributions(name=library)), None)
        if found:
            yield f"{library} {found.version}"
    yield f"opencv build: {_opencv_build()}"
    yield f"system: {platform.platform()}, {sys.platform}"
    yield f"processor: {_processor()}"


def _opencv_build() -> str:
    try:
        import cv2
    except ImportError as error:
        return why_not_loaded(error)
    # A star marks what the processor lacks, or what is chosen while it runs.
    return f"{cv2.__version__}, {cv2.getCPUFeaturesLine()}, {cv2.getNumberOfCPUs()} processors"


def _processor() -> str:
    """Return the processor's name; Linux alone tells it in a file."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return f"{platform.machine()} {names[0] if names else platform.processor()}".strip()
