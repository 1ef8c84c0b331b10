"""``kolektor docs``: the guides, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from kolektor_cli.errors import UsageError

if TYPE_CHECKING:
    # Python 3.10 has it elsewhere.
    from importlib.abc import Traversable


_SCHEMAS = "schemas"
"""The topic that is no guide but made from the types of results."""


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
            autocompletion=lambda: sorted([*_files(), _SCHEMAS]),
            metavar="TOPIC",
            help="A guide; without it, they are listed.",
        ),
    ] = None,
) -> None:
    """Show a guide, or list them.

    On a terminal, what is longer than the screen is shown by the pager
    (environment variable PAGER). If the output is no terminal, the guide comes
    as it is written, in Markdown. 'schemas' prints the JSON Schemas of what
    commands print with --json.

    \b
    Example:
      kolektor docs
      kolektor docs scores
      kolektor docs schemas > schemas.json
    """
    from kolektor_cli.cli.output import Console

    guides = {name: file.read_text(encoding="utf-8") for name, file in _files().items()}
    console = Console()
    if topic == _SCHEMAS:
        from kolektor_cli.cli.render.schemas import schemas

        console.text(dumps(schemas(), indent=2) + "\n")
    elif topic is None:
        for name in sorted(guides):
            console.line(f"{name:13} {_summary(guides[name])}")
        console.line(f"{_SCHEMAS:13} What commands print with --json, as JSON Schemas.")
    elif topic in guides:
        console.document(guides[topic])
    else:
        known = ", ".join(sorted([*guides, _SCHEMAS]))
        raise UsageError(f"there is no guide {topic!r}; there are: {known}")


def _summary(guide: str) -> str:
    """Return the first line after the title: a guide says there what it is about."""
    return guide.split("\n\n", 2)[1].partition("\n")[0]
