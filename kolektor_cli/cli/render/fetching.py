"""What `fetch` shows: an archive before it is downloaded, and the file afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from kolektor_cli.cli.render.tables import JsonObject, Table
from kolektor_cli.core.fetching import Fetched
from kolektor_cli.raw.archives import LICENCE, Archive

_HASHES = {"sha256": "SHA-256", "md5": "MD5"}


def archive_table(archive: Archive, url: str) -> Table:
    """Make a table of what is known of an archive."""
    size = f"{archive.size} bytes" if archive.size is not None else "not known"
    rows = (
        ("address", url),
        (_HASHES[archive.algorithm], archive.hash),
        ("size", size),
        ("licence", LICENCE),
        ("page", archive.page),
    )
    return Table(archive.file_name, ("what", "value"), rows)


def archive_json(archive: Archive, url: str) -> JsonObject:
    """Put what is known of an archive into JSON."""
    return {
        "file": archive.file_name,
        "url": url,
        "algorithm": archive.algorithm,
        "hash": archive.hash,
        "size": archive.size,
        "licence": LICENCE,
        "cite": archive.paper,
        "page": archive.page,
    }


def fetched_json(fetched: Fetched) -> JsonObject:
    """Put what was fetched into JSON."""
    return {
        "path": str(fetched.path),
        "size": fetched.size,
        "sha256": fetched.sha256,
        "downloaded": fetched.downloaded,
        "kept": None if fetched.kept is None else str(fetched.kept),
    }


def fetched_notes(archive: Archive, fetched: Fetched) -> Iterator[str]:
    """Say what was done, what the licence is, what to cite, and what to do next."""
    if fetched.kept is not None:
        yield f"kept    the file of that name is now {fetched.kept}"
    if not fetched.downloaded:
        yield "there   the file is there already, and is the official one"
    yield f"licence {LICENCE}"
    yield f"cite    {archive.paper}"
    if not archive.is_source:
        yield "next    unpack it, and give one of its .pyb files to 'kolektor convert --split'"
