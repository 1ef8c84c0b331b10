"""``kolektor verify``: whether trees are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    ConsumersOption,
    JobsOption,
    JsonOption,
    QuietOption,
)


def verify(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A category folder, or a folder of such.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="SOURCE",
            envvar="KOLEKTOR_SOURCE",
            help="Derive every file again from this raw dataset.",
            rich_help_panel="Checks",
        ),
    ] = None,
    consumers: ConsumersOption = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Near duplicates in train and test are errors.",
            rich_help_panel="Checks",
        ),
    ] = False,
    checks: Annotated[
        bool, typer.Option("--checks", help="List all checks.", rich_help_panel=OF_OUTPUT)
    ] = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check an MVTec-AD-style dataset, whoever made it.

    Checks that find something are listed, with --checks all. Exit code 1 if any check fails.

    \b
    Example:
      kolektor verify data
      kolektor verify data/metal --source KolektorSDD.zip --json
      kolektor verify data --for patchcore
    """
    from kolektor_cli.cli.output import Console, exit_unless

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.verification import (
            check_lines,
            next_command,
            result_lines,
            result_tables,
            summary_lines,
            verification_json,
        )
        from kolektor_cli.consumers.catalogue import names_of
        from kolektor_cli.core.verification import count_steps
        from kolektor_cli.core.verification import verify as verify_trees
    with console.progress(steps=count_steps(out, source)) as progress:
        found = verify_trees(
            out,
            source=source,
            consumers=names_of(consumers or ()),
            strict=strict,
            jobs=jobs,
            progress=progress,
        )
    console.notes(found.source_findings)
    if json:
        console.json("verify", found.ok, verification_json(found))
    else:
        for result in found.categories:
            console.tables(result_tables(result, every=checks))
            if not checks:
                for line in check_lines(result):
                    console.words(line)
            for check in result.checks:
                console.findings(check.findings, check.name)
            for line in result_lines(result):
                console.line(line)
        for line in summary_lines(found):
            console.line(line)
    files = sum(sum(result.counts.values()) for result in found.categories)
    console.ending(f"verified {files} images", *next_command(found, out))
    exit_unless(found.ok)
