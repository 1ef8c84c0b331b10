"""``kolektor fetch``: from the authors' server to a file that is known to be right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kolektor_cli.cli.options import JsonOption, QuietOption
from kolektor_cli.raw.archives import ArchiveName

if TYPE_CHECKING:
    from kolektor_cli.cli.output import Console
    from kolektor_cli.core.fetching import Fetched


def fetch(
    release: Annotated[
        ArchiveName,
        typer.Argument(metavar="RELEASE", help="What to download.", case_sensitive=False),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the file goes; made if need be.")
    ] = Path(),
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Download from here, such as a mirror; same hash."),
    ] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--print", help="Show address, hash, size and licence; download and write nothing."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", help="Rename another file of that name to *.old, and download."
        ),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download an official archive, and check it by its hash.

    RELEASE is kolektorsdd, kolektorsdd-boxes, kolektorsdd2, or splits (the
    authors' folds of KolektorSDD). A file that is there and is right is left
    alone. Prints the path of the file.

    \b
    Example:
      kolektor fetch kolektorsdd
      kolektor fetch kolektorsdd2 downloads
      kolektor fetch kolektorsdd --print
      kolektor fetch kolektorsdd --url https://example.org/KolektorSDD.zip
    """
    from kolektor_cli.cli.output import Console

    console = Console(quiet=quiet)
    if show:
        _show_archive(console, release, url, json=json)
        return

    from kolektor_cli.core.fetching import fetch as fetch_archive

    with console.progress(of_bytes=True) as progress:
        fetched = fetch_archive(release, folder, url=url, force=force, progress=progress)
    _show_fetched(console, release, fetched, json=json)


def _show_archive(console: Console, release: ArchiveName, url: str | None, *, json: bool) -> None:
    from kolektor_cli.cli.render.fetching import archive_json, archive_table
    from kolektor_cli.raw.archives import ARCHIVES

    archive = ARCHIVES[release]
    address = archive.url
    if url is not None:
        from kolektor_cli.raw.fetch import check_address

        address = check_address(url)
    if json:
        console.json("fetch", True, archive_json(archive, address))
    else:
        console.tables([archive_table(archive, address)])
        console.line(f"cite {archive.paper}")


def _show_fetched(console: Console, release: ArchiveName, fetched: Fetched, *, json: bool) -> None:
    from kolektor_cli.cli.render.fetching import fetched_json, fetched_notes
    from kolektor_cli.raw.archives import ARCHIVES

    for note in fetched_notes(ARCHIVES[release], fetched):
        console.note(note)
    if json:
        console.json("fetch", True, fetched_json(fetched))
    else:
        console.line(str(fetched.path))
    then = ["kolektor", "inspect", fetched.path] if ARCHIVES[release].is_source else []
    done = "downloaded" if fetched.downloaded else "checked"
    console.ending(f"{done} {fetched.path.name}", *then)
