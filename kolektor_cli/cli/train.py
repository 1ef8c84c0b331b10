"""``kolektor train``: from a tree to the anomaly maps of an Anomalib model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kolektor_cli.cli.options import (
    OF_OUTPUT,
    OF_RUN,
    JobsOption,
    JsonOption,
    QuietOption,
    SeedOption,
    parse_pixels,
)
from kolektor_cli.consumers.training import MODELS, PresetName, TrainOptions, parse_setting

if TYPE_CHECKING:
    from kolektor_cli.cli.output import Console
    from kolektor_cli.core.training import Training


def train(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A category folder, or a folder of just one.")
    ],
    model: Annotated[
        str,
        typer.Argument(
            autocompletion=lambda: list(MODELS),
            metavar="MODEL",
            help="A model of Anomalib, such as patchcore.",
        ),
    ],
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Network for the features, by timm's name.",
            rich_help_panel="Model",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Its pretrained weights, instead of a download.",
            rich_help_panel="Model",
        ),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(
            help="Settings of the original table: images stretched to a square.",
            rich_help_panel="Model",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Input of the network in pixels; default: the images' aspect, about the area "
            "that the model was made for.",
            rich_help_panel="Model",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Default: as in Anomalib's example configurations.",
            rich_help_panel="Model",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set another argument of the model; can be repeated.",
            rich_help_panel="Model",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=lambda: ["auto", "cpu", "cuda", "mps"],
            help="auto, cpu, cuda, cuda:N or mps.",
            rich_help_panel=OF_RUN,
        ),
    ] = "auto",
    seed: SeedOption = 0,
    runs: Annotated[
        Path,
        typer.Option(
            "--runs",
            "-o",
            metavar="RUNS",
            help="Folder that gets the folder of maps.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = Path("runs"),
    checkpoint: Annotated[
        bool,
        typer.Option(
            "--checkpoint",
            help="Keep the trained model, too: model.ckpt.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    score: Annotated[
        bool,
        typer.Option(
            "--score",
            help="Score the maps at once, as 'kolektor score' does.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the folder of maps if it exists.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train an Anomalib model, and write the maps that 'score' reads.

    Needs the extra: pip install 'kolektor-cli[train]'. Trains on the tree's
    training images and no others, and writes raw maps such as
    RUNS/MODEL/test/defect/000.tiff. Models: patchcore, padim, fastflow, cflow,
    cfa, efficientad, stfpm, reverse-distillation, dinomaly, and all others of
    Anomalib. Prints the folder of maps.

    \b
    Example:
      kolektor train data/metal patchcore
      kolektor train data/metal padim --score
      kolektor train data/metal fastflow --preset original --device cuda
      kolektor train data/metal patchcore --set coreset_sampling_ratio=0.01
    """
    from kolektor_cli.cli.output import Console

    if score and json:
        raise typer.BadParameter("--score and --json contradict each other; run 'kolektor score'")
    options = TrainOptions(
        backbone=backbone,
        weights=weights,
        preset=preset,
        size=parse_pixels(size),
        epochs=epochs,
        seed=seed,
        device=device,
        settings=dict(map(parse_setting, settings or ())),
    )
    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.core.training import train as train_model
    with console.progress(steps=2) as progress:
        trained = train_model(
            out,
            model,
            runs,
            options=options,
            checkpoint=checkpoint,
            force=force,
            jobs=jobs,
            progress=progress,
        )
    _show(console, trained, json=json, score=score)
    if score:
        from kolektor_cli.cli.score import score_folders

        # A console of its own, so that its last line tells the time of scoring alone.
        score_folders(Console(quiet=quiet), out, [trained.maps], jobs=jobs)


def _show(console: Console, trained: Training, *, json: bool, score: bool) -> None:
    from kolektor_cli.cli.render.training import training_json, training_notes

    for note in training_notes(trained):
        console.note(note)
    if json:
        console.json("train", True, training_json(trained))
    elif not score:
        console.line(str(trained.maps))
    then = [] if score else ["kolektor", "score", trained.tree, trained.maps]
    console.ending(f"trained {trained.recipe.name}", *then)
