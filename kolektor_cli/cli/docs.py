"""``kolektor docs``: the guides, in the terminal."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

import typer

from kolektor_cli.errors import UsageError


def docs(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="A guide; without it, they are listed.")
    ] = None,
) -> None:
    """Show a guide, or list them.

    On a terminal, what is longer than the screen is shown by the pager
    (environment variable PAGER). If the output is no terminal, the guide comes
    as it is written, in Markdown.

    \b
    Example:
      kolektor docs
      kolektor docs scores
    """
    from kolektor_cli.cli.output import Console

    guides = {
        file.name.removesuffix(".md"): file.read_text(encoding="utf-8")
        for file in (resources.files("kolektor_cli") / "docs").iterdir()
        if file.name.endswith(".md")
    }
    console = Console()
    if topic is None:
        for name in sorted(guides):
            console.line(f"{name:13} {_summary(guides[name])}")
    elif topic in guides:
        console.document(guides[topic])
    else:
        raise UsageError(f"there is no guide {topic!r}; there are: {', '.join(sorted(guides))}")


def _summary(guide: str) -> str:
    """Return the first line after the title: a guide says there what it is about."""
    return guide.split("\n\n", 2)[1].partition("\n")[0]
