"""``kolektor docs``: the guides, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Annotated

import typer

from kolektor_cli.errors import UsageError

if TYPE_CHECKING:
    # Python 3.10 has it elsewhere.
    from importlib.abc import Traversable


def _files() -> Mapping[str, Traversable]:
    """Return the guides' files by their names."""
    folder = resources.files("kolektor_cli") / "docs"
    return {
        file.name.removesuffix(".md"): file
        for file in folder.iterdir()
        if file.name.endswith(".md")
    }


def docs(
    topic: Annotated[
        str | None,
        typer.Argument(
            autocompletion=lambda: sorted(_files()),
            metavar="TOPIC",
            help="A guide; without it, they are listed.",
        ),
    ] = None,
) -> None:
    """Show a guide, or list them.

    If the output is no terminal, the guide comes as it is written, in Markdown.

    \b
    Example:
      kolektor docs
      kolektor docs scores
    """
    from kolektor_cli.cli.output import Console

    guides = {name: file.read_text(encoding="utf-8") for name, file in _files().items()}
    console = Console()
    if topic is None:
        for name in sorted(guides):
            title = guides[name].partition("\n")[0].removeprefix("# ")
            console.line(f"{name:13} {title}")
    elif topic in guides:
        console.document(guides[topic])
    else:
        raise UsageError(f"there is no guide {topic!r}; there are: {', '.join(sorted(guides))}")
