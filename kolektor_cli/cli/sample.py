"""``kolektor sample``: a synthetic dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import JobsOption, JsonOption, QuietOption, SeedOption
from kolektor_cli.raw.releases import ReleaseLayout


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    items: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Item folders, of kolektorsdd2 images; default: as the real dataset, 50 or 3335.",
        ),
    ] = None,
    layout: Annotated[
        ReleaseLayout,
        typer.Option(help="The dataset to be like: KolektorSDD, KolektorSDD-boxes, KolektorSDD2."),
    ] = "kolektorsdd",
    seed: SeedOption = 0,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw a synthetic dataset to try things on.

    \b
    Example:
      kolektor sample KolektorSDD-synthetic
      kolektor sample small --items 4 --seed 1
      kolektor sample KolektorSDD2-synthetic --layout kolektorsdd2
    """
    from kolektor_cli.cli.output import Console

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.tables import synthetic_json, synthetic_table
        from kolektor_cli.core.synthesis import synthesize
    with console.progress() as progress:
        counts = synthesize(
            out, layout=layout, items=items, seed=seed, jobs=jobs, progress=progress
        )
    if json:
        console.json("sample", True, synthetic_json(out, counts))
        return
    console.tables([synthetic_table(str(out), counts)])
    samples = counts.good + counts.defective
    console.ending(f"drew {samples} samples to {out}", "kolektor", "inspect", out)
