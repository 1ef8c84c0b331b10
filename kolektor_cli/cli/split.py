"""``kolektor split``: which sample goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    DefaultSourceArgument,
    JobsOption,
    JsonOption,
    QuietOption,
    SkipBadOption,
    TrustMasksOption,
    takes_layout_options,
    takes_split_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.splits.split import SplitOptions


@takes_layout_options
@takes_split_options
def split(
    source: DefaultSourceArgument,
    split: SplitOptions,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; - is stdout.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = Path("-"),
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the file of --output if it exists.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    skip_bad: SkipBadOption = False,
    trust_masks: TrustMasksOption = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Assign every sample to train, val, test or unused; print CSV.

    \b
    Example:
      kolektor split KolektorSDD.zip --seed 7 -o split.csv
      kolektor split KolektorSDD.zip | kolektor convert KolektorSDD.zip data --split -
    """
    from kolektor_cli.cli.output import Console
    from kolektor_cli.cli.render.splitting import splitting_json

    file = None if str(output) == "-" else output
    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.tables import split_notes
        from kolektor_cli.core.splitting import split as split_source
        from kolektor_cli.splits.files import split_rows
    with console.progress() as progress:
        made = split_source(
            source,
            split,
            layout=layout,
            output=file,
            force=force,
            skip_bad=skip_bad,
            trust_masks=trust_masks,
            jobs=jobs,
            progress=progress,
        )
    console.deviations(made.scan, made.leaks)
    for note in split_notes(made.split, made.scan.samples):
        console.note(note)
    if json:
        console.json("split", True, splitting_json(made, file))
    elif file is None:
        console.csv(split_rows(made.split, made.scan.samples))
    then: list[object] = []
    if file is not None and layout == KOLEKTOR_LAYOUT:
        then = ["kolektor", "convert", source, "data", "--split", file]
    console.ending(f"split {len(made.scan.samples)} samples", *then)
