"""``kolektor inspect``: what a source holds."""

from __future__ import annotations

from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    DefaultSourceArgument,
    FitOption,
    JobsOption,
    JsonOption,
    QuietOption,
    SizeOption,
    parse_size,
    takes_layout_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions


@takes_layout_options
def inspect(
    source: DefaultSourceArgument,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    fit: FitOption = None,
    size: SizeOption = None,
    items: Annotated[
        bool,
        typer.Option(
            "--items", help="List every item and every finding.", rich_help_panel=OF_OUTPUT
        ),
    ] = False,
    json: JsonOption = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, a row a sample.", rich_help_panel=OF_OUTPUT)
    ] = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Count what a source holds and report every deviation.

    Errors are listed, warnings and remarks counted by their kind; --items lists all.
    Exit code 1 if any finding is an error.

    \b
    Example:
      kolektor inspect KolektorSDD.zip
      kolektor inspect KolektorSDD.zip --csv > samples.csv
      kolektor inspect KolektorSDD.zip --fit crop --size 500x1000
    """
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    asked = parse_size(size)

    from kolektor_cli.cli.output import Console, exit_unless

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.conversion import shape_notes
        from kolektor_cli.cli.render.inspection import (
            inspection_json,
            inspection_tables,
            next_command,
            scan_rows,
            verdict,
        )
        from kolektor_cli.core.inspection import inspect as inspect_source
    with console.progress() as progress:
        found = inspect_source(
            source, layout=layout, fit=fit, size=asked, jobs=jobs, progress=progress
        )
    for note in shape_notes(found.fit.fit, found.scan.samples) if found.fit else ():
        console.note(note)
    if json:
        console.json("inspect", found.ok, inspection_json(found))
    elif csv:
        console.csv(scan_rows(found.scan))
        console.notes(found.scan.findings)
    else:
        console.tables(inspection_tables(found, every=items))
        findings = found.scan.findings
        console.findings(f for f in findings if items or f.severity == "error")
        console.kinds(f for f in findings if not items and f.severity != "error")
        console.line(verdict(found.scan))
    samples = len(found.scan.samples)
    console.ending(f"inspected {samples} samples", *next_command(found, source, layout, fit, size))
    exit_unless(found.ok)
