"""``kolektor export``: a tree as YOLO, COCO, labelme or SegDecNet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolektor_cli.cli.options import JsonOption, QuietOption
from kolektor_cli.exports.options import ExportFormat


def export(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A category folder, or a folder of just one.")
    ],
    file_format: Annotated[
        ExportFormat, typer.Argument(metavar="FORMAT", help="yolo, coco, labelme or segdecnet.")
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folder to make; default: metal-yolo in the current folder, for metal and yolo.",
            show_default=False,
        ),
    ] = None,
    polygons: Annotated[
        bool,
        typer.Option("--polygons", help="coco: polygons, for code that reads no run lengths."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace the folder if it is an export.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a tree as YOLO, COCO, labelme or SegDecNet files.

    Same split, same pixels; each connected region of a mask is an instance, each
    type of defect a class. Masks come back exactly: as run lengths (coco), or as
    polygons that are filled to the same pixels. segdecnet is KolektorSDD2's layout
    with pickles of the split, for supervised codes. Images are hard-linked where
    that can be, else copied. 'kolektor docs exports' tells more. Prints the folder.

    \b
    Example:
      kolektor export data/metal yolo
      kolektor export data/metal coco metal-coco --polygons
      kolektor export data/kolektorsdd2 segdecnet
    """
    from kolektor_cli.cli.output import Console

    console = Console(quiet=quiet)
    with console.loading():
        from kolektor_cli.cli.render.exporting import export_json, export_notes, next_command
        from kolektor_cli.core.exporting import export as export_tree
    with console.progress(steps=2) as progress:
        exported = export_tree(
            out, file_format, folder, polygons=polygons, force=force, progress=progress
        )
    for note in export_notes(exported):
        console.note(note)
    if json:
        console.json("export", True, export_json(exported))
    else:
        console.line(str(exported.folder))
    console.ending(f"wrote {exported.folder}", *next_command(exported))
