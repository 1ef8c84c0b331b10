"""``kolektor split``: which sample goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    JobsOption,
    QuietOption,
    SkipBadOption,
    SourceArgument,
    TrustMasksOption,
    takes_layout_options,
    takes_split_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.splits.split import SplitOptions


@takes_layout_options
@takes_split_options
def split(
    source: SourceArgument,
    split: SplitOptions,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - is stdout.")
    ] = Path("-"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --output if it exists.")
    ] = False,
    skip_bad: SkipBadOption = False,
    trust_masks: TrustMasksOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Assign every sample to train, val, test or unused; print CSV.

    \b
    Protocols (counts on KolektorSDD):
      balanced  test all defective and as many good samples, train on the other
                good ones; the same picture stays on one side: 295 / 52 + 52
      vicos     the authors' folds, --fold 0|1|2; with --drop-leaks without what
                they have on both sides: fold 0 tests 117 good and 18 defective
      grouped   --folds K --fold I: whole physical items, of which there are 47
      anomalib  the split of Anomalib's Kolektor data module: 277 / 70 + 52
      official  KolektorSDD2's own folders train and test, of its train the good
                ones, on KolektorSDD2: 2085 / 894 + 110

    \b
    Example:
      kolektor split KolektorSDD.zip --seed 7 -o split.csv
      kolektor split KolektorSDD.zip | kolektor convert KolektorSDD.zip data --split -
    """
    from kolektor_cli.cli.output import Console

    file = None if str(output) == "-" else output
    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.tables import segmented_notes
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
    for note in segmented_notes(made.split, made.scan.samples):
        console.note(note)
    if file is None:
        console.csv(split_rows(made.split, made.scan.samples))
    then: list[object] = []
    if file is not None and layout == KOLEKTOR_LAYOUT:
        then = ["kolektor", "convert", source, "data", "--split", file]
    console.ending(f"split {len(made.scan.samples)} samples", *then)
