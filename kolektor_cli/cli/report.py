"""``kolektor report``: one page about a dataset, or about a tree and models on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    CropOption,
    JobsOption,
    JsonOption,
    MapsOfOption,
    QuietOption,
    output_file,
    takes_layout_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions


@takes_layout_options
def report(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE|OUT",
            help="The raw dataset: folder, .zip or .tar; or a category folder.",
        ),
    ],
    maps: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MAPS...",
            help="Folders with a map for each test image, or .npz.",
            show_default=False,
        ),
    ] = None,
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
    ] = Path("report.html"),
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the file of --output if it exists.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    consumer: MapsOfOption = None,
    crop: CropOption = None,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML page: a dataset, or a tree and models on it.

    Of a dataset or tree: counts, findings and leaks with their pictures, and
    all defects. Of maps: figures, curves, the worst misses and false alarms.
    The page is one file that needs no network; its path is printed.
    Exit code 1 if the page tells of errors. If a map is missing or wrong, it
    is named and no page is written.

    \b
    Example:
      kolektor report KolektorSDD.zip
      kolektor report photos --layout pairs --mask-suffix _mask
      kolektor report data/metal -o metal.html
      kolektor report data/metal runs/patchcore runs/fastflow --force
    """
    from kolektor_cli.cli.output import Console, exit_unless
    from kolektor_cli.cli.render.reporting import report_json

    file = output_file(output, json=json)
    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.core.reporting import count_steps
        from kolektor_cli.core.reporting import report as make_report
        from kolektor_cli.scoring.options import DRAWS, ScoreOptions, parse_crop
    with console.progress(steps=count_steps(place, maps or (), layout)) as progress:
        made = make_report(
            place,
            list(maps or ()),
            layout=layout,
            options=ScoreOptions(draws=DRAWS, crop=parse_crop(crop)),
            consumer=consumer,
            output=file,
            force=force,
            jobs=jobs,
            progress=progress,
        )
    if json:
        console.json("report", made.ok, report_json(made, output))
    if not made.page:
        console.findings(made.findings, to_error=True)
        raise typer.Exit(3 if made.scores and made.scores.unreadable else 1)
    if file is None:
        console.text(made.page)
    elif not json:
        console.line(str(file))
    errors = sum(finding.severity == "error" for finding in made.findings)
    if errors:
        console.note(
            f"the page tells of {errors} errors" if errors > 1 else "the page tells of 1 error"
        )
    console.ending(f"wrote {file or 'the page'}")
    exit_unless(made.ok)
