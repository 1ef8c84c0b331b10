"""``kolektor convert``: from a source to a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    OF_RUN,
    OF_SPLIT,
    ConsumersOption,
    FitOption,
    JobsOption,
    JsonOption,
    QuietOption,
    SizeOption,
    SkipBadOption,
    SourceArgument,
    SplitFileOption,
    TrustMasksOption,
    parse_size,
    takes_layout_options,
    takes_split_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.splits.split import DEFAULT_SPLIT, SplitOptions
from kolektor_cli.tree.layout import Color, Names

if TYPE_CHECKING:
    from kolektor_cli.cli.output import Console
    from kolektor_cli.core.conversion import Conversion


@takes_layout_options
@takes_split_options
def convert(
    source: SourceArgument,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder that gets the category folder.")
    ],
    category: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of that folder; default: metal, kolektorsdd2, or for pairs the source's.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = None,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    consumers: ConsumersOption = None,
    fit: FitOption = None,
    size: SizeOption = None,
    color: Annotated[
        Color,
        typer.Option(
            help="Three equal channels, which every consumer reads, or one.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = "rgb",
    names: Annotated[
        Names,
        typer.Option(
            help="000.png, 001.png, ..., or as in kos01_Part5.png.", rich_help_panel=OF_OUTPUT
        ),
    ] = "index",
    depth: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: ["full"],
            metavar="BITS|full",
            help="Of 16-bit images, keep the upper 8 of so many bits, from 8 to 16; full is 16.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = None,
    split: SplitOptions = DEFAULT_SPLIT,
    split_file: SplitFileOption = None,
    all_folds: Annotated[
        bool,
        typer.Option(
            "--all-folds",
            help="vicos, grouped: a tree for each fold, in OUT/fold0, OUT/fold1, ...",
            rich_help_panel=OF_SPLIT,
        ),
    ] = False,
    skip_bad: SkipBadOption = False,
    trust_masks: TrustMasksOption = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the category folder if it exists.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    table: Annotated[
        bool,
        typer.Option(
            "--table",
            help="With --for anomalib: list the images in a CSV file.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be written; write nothing.", rich_help_panel=OF_RUN
        ),
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on the Dask cluster of this scheduler, which shares SOURCE and OUT.",
            rich_help_panel=OF_RUN,
        ),
    ] = None,
    files: Annotated[
        bool,
        typer.Option(
            "--files",
            help="List every file, and with --dry-run what is left of each defect.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the MVTec-AD-style dataset: complete, or not at all.

    'kolektor export' makes YOLO, COCO, labelme or SegDecNet files of it.

    \b
    Example:
      kolektor convert KolektorSDD.zip data
      kolektor convert KolektorSDD.zip data --size 256x640 --seed 7 --force
      kolektor convert KolektorSDD.zip data --fit square --dry-run
      kolektor convert KolektorSDD2.zip data --train-defects train
      kolektor convert KolektorSDD.zip data --protocol vicos --all-folds
      kolektor convert KolektorSDD.zip data --for patchcore
      kolektor convert KolektorSDD.zip data --for cflow --for uniad
      kolektor convert photos data --layout pairs --mask-suffix _mask
    """
    from kolektor_cli.cli.output import Console

    if all_folds and files:
        raise typer.BadParameter("--files lists one tree; give --fold instead of --all-folds")
    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.consumers.catalogue import names_of
        from kolektor_cli.core.conversion import (
            ConvertOptions,
            convert_folds,
            plan_conversion,
            plan_folds,
        )
        from kolektor_cli.core.conversion import convert as convert_source
        from kolektor_cli.imaging.depth import parse_depth

    options = ConvertOptions(
        layout=layout,
        category=category,
        consumers=names_of(consumers or ()),
        fit=fit,
        size=parse_size(size),
        color=color,
        names=names,
        depth=parse_depth(depth),
        split=replace(split, file=split_file),
        table=table,
        skip_bad=skip_bad,
        trust_masks=trust_masks,
    )
    with console.progress() as progress:
        if all_folds and dry_run:
            folds = plan_folds(source, out, options, force=force, jobs=jobs, progress=progress)
        elif all_folds:
            folds = convert_folds(
                source, out, options, force=force, jobs=jobs, dask=dask, progress=progress
            )
        elif dry_run:
            done = plan_conversion(source, out, options, force=force, jobs=jobs, progress=progress)
        else:
            done = convert_source(
                source, out, options, force=force, jobs=jobs, dask=dask, progress=progress
            )
    if all_folds:
        _show_folds(console, folds, json=json)
        samples, made, verified = folds[0].scan.samples, f"{len(folds)} folds", folds[0].target
    else:
        _show(console, done, files=files, json=json)
        samples, made = done.scan.samples, str(done.target)
        verified = out if category is None else done.target
    then = () if dry_run else ("kolektor", "verify", verified)
    did = "planned" if dry_run else "made"
    console.ending(f"{did} {made} of {len(samples)} samples", *then)


def _show(console: Console, done: Conversion, *, files: bool, json: bool) -> None:
    from kolektor_cli.cli.render.conversion import (
        conversion_json,
        conversion_lines,
        conversion_notes,
        conversion_tables,
    )

    console.deviations(done.scan, done.leaks)
    for note in conversion_notes(done):
        console.note(note)
    if json:
        console.json("convert", True, conversion_json(done))
        return
    console.tables(conversion_tables(done, files=files))
    for line in conversion_lines(done):
        console.line(line)


def _show_folds(console: Console, folds: Sequence[Conversion], *, json: bool) -> None:
    from kolektor_cli.cli.render.conversion import (
        conversion_json,
        conversion_notes,
        folds_lines,
        folds_tables,
    )

    console.deviations(folds[0].scan, ())
    for note in dict.fromkeys(note for fold in folds for note in conversion_notes(fold)):
        console.note(note)
    if json:
        console.json("convert", True, {"folds": [conversion_json(fold) for fold in folds]})
        return
    console.tables(folds_tables(folds))
    for line in folds_lines(folds):
        console.line(line)
