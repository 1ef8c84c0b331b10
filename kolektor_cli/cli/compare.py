"""``kolektor compare``: whether two trees are the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import JobsOption, JsonOption, QuietOption

_TREE = "A category folder, a folder of just one, or a manifest.json."


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help=_TREE)],
    second: Annotated[Path, typer.Argument(metavar="B", help=_TREE)],
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Tell whether two trees are the same data, and what differs.

    All files are decoded. Trees are the same if they have the same pixels under
    the same names: then they have one fingerprint. If both have a manifest,
    pictures are compared by sample, however they are numbered; else by pixels,
    then by path. Exit code 1 if the trees differ.

    \b
    Example:
      kolektor compare data/metal other/metal
      kolektor compare data/metal paper/manifest.json --json
    """
    from kolektor_cli.cli.output import Console, exit_unless

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.comparison import (
            comparison_json,
            comparison_tables,
            tree_lines,
            verdict,
        )
        from kolektor_cli.core.comparison import compare as compare_trees
    with console.progress(steps=3) as progress:
        found = compare_trees(first, second, jobs=jobs, progress=progress)
    if json:
        console.json("compare", found.same, comparison_json(found))
    else:
        for line in tree_lines(found):
            console.line(line)
        console.tables(comparison_tables(found))
        console.line(verdict(found))
    console.ending(f"compared {found.first.path} with {found.second.path}")
    exit_unless(found.same)
