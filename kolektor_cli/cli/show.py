"""``kolektor show``: pictures of samples and of what models make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import (
    OF_GEOMETRY,
    OF_MAPS,
    OF_OUTPUT,
    CropOption,
    JobsOption,
    JsonOption,
    MapsOfOption,
    QuietOption,
    SizeOption,
    only_one,
    output_file,
    parse_size,
    takes_mask_options,
)
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.tree.fit import FitName


@takes_mask_options
def show(
    place: Annotated[
        Path,
        typer.Argument(metavar="SOURCE|OUT", help="A raw dataset, or a category folder."),
    ],
    samples: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SAMPLE", help="Names like kos01/Part5, or paths in OUT; shown large."
        ),
    ] = None,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .png, .pdf or .svg; - writes a PNG to standard output.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = Path("show.png"),
    maps: Annotated[
        Path | None,
        typer.Option(
            metavar="MAPS",
            help="Show OUT's test images beside these anomaly maps of them.",
            rich_help_panel=OF_MAPS,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            help="With --maps: predict defects from this score on; default: that of the best "
            "pixel F1 on test.",
            rich_help_panel=OF_MAPS,
        ),
    ] = None,
    consumer: MapsOfOption = None,
    crop: CropOption = None,
    good: Annotated[
        bool, typer.Option("--good", help="Show the good samples.", rich_help_panel="Samples")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show all samples.", rich_help_panel="Samples")
    ] = False,
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs",
            help="Show samples that are one picture; of OUT, those in train and test.",
            rich_help_panel="Samples",
        ),
    ] = False,
    fit: Annotated[
        FitName | None,
        typer.Option(
            "--fit",
            help="Show what this fit makes of SOURCE, and what it loses.",
            rich_help_panel=OF_GEOMETRY,
        ),
    ] = None,
    size: SizeOption = None,
    columns: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Pictures in a row.", rich_help_panel=OF_OUTPUT),
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=16,
            max=8192,
            help="Longest side of each picture in pixels.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the file of --output if it exists.",
            rich_help_panel=OF_OUTPUT,
        ),
    ] = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw all defective samples on one page, each outlined and enlarged.

    Or those that the options choose. Prints the path of the picture.

    \b
    Example:
      kolektor show KolektorSDD.zip -o defects.png
      kolektor show KolektorSDD.zip --fit crop --size 512
      kolektor show photos --layout pairs --mask-suffix _mask
      kolektor show data/metal test/defect/000.png --maps maps -o panel.pdf
    """
    from kolektor_cli.cli.output import Console
    from kolektor_cli.cli.render.showing import picture_json

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.core.show_plan import ShowOptions
        from kolektor_cli.core.showing import count_steps
        from kolektor_cli.core.showing import show as draw
        from kolektor_cli.scoring.options import parse_crop

    options = ShowOptions(
        which=only_one({"good": good, "all": every, "pairs": pairs}, "defective"),
        columns=columns,
        cell=cell,
        fit=fit,
        size=parse_size(size),
        threshold=threshold,
        crop=parse_crop(crop),
    )
    file = output_file(output, json=json)
    with console.progress(steps=count_steps(place, maps, layout)) as progress:
        picture = draw(
            place,
            samples or (),
            options,
            layout=layout,
            maps=maps,
            consumer=consumer,
            output=file,
            force=force,
            jobs=jobs,
            progress=progress,
        )
    console.notes(picture.findings)
    if json:
        console.json("show", True, picture_json(picture, output))
    elif file is None:
        console.data(picture.encoded())
    else:
        console.line(str(file))
    console.ending(f"drew {file or 'a PNG'}")
