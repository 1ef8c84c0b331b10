"""``kolektor score``: the figures of models from their anomaly maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kolektor_cli.cli.options import (
    OF_MAPS,
    OF_OUTPUT,
    CropOption,
    JobsOption,
    JsonOption,
    MapsOfOption,
    QuietOption,
    SeedOption,
    only_one,
)
from kolektor_cli.errors import OutputError

if TYPE_CHECKING:
    from kolektor_cli.cli.output import Console
    from kolektor_cli.scoring.results import Scores


def score(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A category folder, or a folder of just one.")
    ],
    maps: Annotated[
        list[Path],
        typer.Argument(metavar="MAPS...", help="Folders with a map for each test image, or .npz."),
    ],
    ci: Annotated[
        bool,
        typer.Option(
            "--ci", help="Draw physical items for 95 % intervals.", rich_help_panel="Figures"
        ),
    ] = False,
    by: Annotated[
        Literal["size", "item"] | None,
        typer.Option(
            help="Split AUPRO by the size of defects, or by physical item.",
            rich_help_panel="Figures",
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: ["val"],
            metavar="T|val",
            help="Score the segmentation from this score on; val: mean + 3 standard deviations of "
            "the validation images.",
            rich_help_panel="Figures",
        ),
    ] = None,
    image_score: Annotated[
        str | None,
        typer.Option(
            metavar="max|top:N",
            help="Image score: maximum, or mean of the N highest.",
            rich_help_panel="Figures",
        ),
    ] = None,
    image_scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take image scores from a CSV file: path,score.",
            rich_help_panel="Figures",
        ),
    ] = None,
    consumer: MapsOfOption = None,
    crop: CropOption = None,
    exact_size: Annotated[
        bool,
        typer.Option(
            "--exact-size",
            help="Refuse maps that are not of their image's size.",
            rich_help_panel=OF_MAPS,
        ),
    ] = False,
    bind: Annotated[
        bool,
        typer.Option(
            "--bind",
            help="Write a kolektor.json beside the maps: their tree.",
            rich_help_panel=OF_MAPS,
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write ROC, PRO and PR curves as CSV to this folder.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = None,
    json: JsonOption = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, one row a model.", rich_help_panel=OF_OUTPUT)
    ] = False,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print a table in Markdown.", rich_help_panel=OF_OUTPUT),
    ] = False,
    latex: Annotated[
        bool,
        typer.Option(
            "--latex", help="Print a table in LaTeX, for booktabs.", rich_help_panel=OF_OUTPUT
        ),
    ] = False,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Score anomaly maps exactly: AUROC, AP, F1-max, AUPRO, AUPIMO.

    A map is a .tif, .npy, .npz or .png named like its image, for example
    MAPS/test/defect/000.tiff. One .npz may hold all: maps, paths and scores.
    Exit code 1 if a map is missing or wrong, 3 if one cannot be read.

    \b
    Example:
      kolektor score data/metal runs/patchcore runs/fastflow --ci
      kolektor score data/metal maps --by size --threshold val
      kolektor score data/metal maps --latex > table.tex
    """
    from kolektor_cli.cli.output import Console

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.core.scoring import count_steps, save_curves
        from kolektor_cli.core.scoring import score as score_maps
        from kolektor_cli.scoring.options import DRAWS, ScoreOptions, parse_crop, parse_threshold

    form = only_one({"json": json, "csv": csv, "markdown": markdown, "latex": latex}, "")
    if by and form in ("csv", "markdown", "latex"):
        raise typer.BadParameter(f"--by and --{form} contradict each other; --json has both")
    if save is not None and save.exists() and any(save.iterdir()):
        raise OutputError(f"{save}: is not empty; choose a new folder for the curves")
    options = ScoreOptions(
        image_score=image_score,
        threshold=parse_threshold(threshold),
        crop=parse_crop(crop),
        exact_size=exact_size,
        draws=DRAWS if ci else 0,
        seed=seed,
    )
    with console.progress(steps=count_steps(maps)) as progress:
        found = score_maps(
            out,
            list(maps),
            options=options,
            image_scores=image_scores,
            consumer=consumer,
            bind=bind,
            jobs=jobs,
            progress=progress,
        )
    if save is not None and found.ok:
        save_curves(found, save)
    _show(console, found, form, by)
    _end(console, found, out, maps)


def score_folders(console: Console, out: Path, maps: list[Path], *, jobs: int | None) -> None:
    """Score folders of maps as the command without options does, and show the figures."""
    from kolektor_cli.core.scoring import count_steps
    from kolektor_cli.core.scoring import score as score_maps

    with console.progress(steps=count_steps(maps)) as progress:
        found = score_maps(out, list(maps), jobs=jobs, progress=progress)
    _show(console, found, "", "")
    _end(console, found, out, maps)


def _end(console: Console, found: Scores, out: Path, maps: Sequence[Path]) -> None:
    """Say how long it took and what is next; exit with what was found."""
    then = [] if found.findings else ["kolektor", "report", out, *maps]
    console.ending(f"scored {len(maps)} {'model' if len(maps) == 1 else 'models'}", *then)
    if found.findings:
        raise typer.Exit(3 if found.unreadable else 1)


def _show(console: Console, found: Scores, form: str, by: str | None) -> None:
    from kolektor_cli.cli.render import scores as render

    if form == "json":
        console.json("score", found.ok, render.scores_json(found))
    elif found.findings:
        # What stands on standard output in another format is for a file.
        console.findings(found.findings, to_error=bool(form))
    elif form == "csv":
        console.csv(render.scores_rows(found))
    elif form:
        write = render.scores_markdown if form == "markdown" else render.scores_latex
        console.text(write(found))
    else:
        console.tables(render.score_tables(found))
        console.tables(render.group_tables(found, by) if by else [])
        for line in render.score_lines(found):
            console.words(line)
        console.findings(render.model_notes(found))
    if form:
        console.notes(render.model_notes(found))
