"""Reading of a category folder: its entries, its manifest, and facts about every PNG."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from kolektor_cli.errors import ImageError, ManifestError, OutputError, reason
from kolektor_cli.imaging.codec import decode_plain
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.imaging.pixels import Pixels, gray_values, pixels_sha256, to_gray
from kolektor_cli.imaging.png import read_png
from kolektor_cli.imaging.similarity import Thumbnail, thumbnail
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.tree.layout import MANIFEST_NAME, Kind, is_mask, kind_of
from kolektor_cli.tree.manifest import Manifest, from_bytes

_CHANNELS = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}


@dataclass(frozen=True, slots=True)
class PngFacts:
    """Facts about one PNG of a tree, without its pixels, so that thousands fit into memory.

    `format` is bit depth and channels in words; `values` are the gray values of a mask. `problem`
    says why the file is no readable image; then only `sha256` is set, too.
    """

    sha256: str
    format: str = ""
    size: Size = (0, 0)
    pixels_sha256: str = ""
    values: tuple[int, ...] = ()
    thumbnail: Thumbnail | None = None
    by_kolektor: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The facts about one category folder.

    `manifest_problem` is set if there is a manifest that cannot be read.
    """

    path: Path
    entries: Mapping[str, Kind]
    pngs: Mapping[str, PngFacts]
    manifest: Manifest | None
    manifest_problem: str | None

    @property
    def pictures(self) -> dict[str, tuple[Size, str]]:
        """The size and the hash of the pixels of each PNG that can be decoded, by path."""
        return {p: (f.size, f.pixels_sha256) for p, f in self.pngs.items() if not f.problem}

    @property
    def ours(self) -> bool:
        """Whether this tool made the tree."""
        has_manifest = MANIFEST_NAME in self.entries
        return has_manifest or any(facts.by_kolektor for facts in self.pngs.values())

    @property
    def types(self) -> frozenset[str] | None:
        """The types of defects that a tree of this tool may have; None for any other tree.

        Without a manifest these are the types that it has.
        """
        if not self.ours:
            return None
        told = self.manifest.types if self.manifest else None
        found = {kind for kind in map(kind_of, self.pngs) if kind and "/" not in kind}
        return told or frozenset(found - {"good"})

    @property
    def has_masks(self) -> bool:
        """Whether defective test images are to have masks; unless the manifest denies it."""
        return self.manifest is None or self.manifest.has_masks


def find_categories(out: Path) -> list[Path]:
    """Return the category folders at `out`: `out` itself, or folders directly in it.

    Raises
    ------
    OutputError
        `out` is no folder, or there is no category folder.
    """
    if not out.is_dir():
        what = "is not a folder; if it is a packed tree, unpack it and give the folder"
        if not out.exists():
            what = "is not a folder; give the folder that 'kolektor convert' wrote to"
        raise OutputError(f"{out}: {what}")
    if _is_category(out):
        return [out]
    categories = sorted(path for path in out.iterdir() if path.is_dir() and _is_category(path))
    categories = [path for path in categories if not path.name.startswith(".")]
    if not categories:
        raise OutputError(
            f"{out}: is not an MVTec-style tree; neither it nor a folder in it holds train and test"
        )
    return categories


def only_category(path: Path) -> Path:
    """Return the one category folder at `path`; see `find_categories`.

    Raises
    ------
    OutputError
        There is none, or there are several.
    """
    folders = find_categories(path)
    if len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        raise OutputError(f"{path}: holds several categories, {names}; give the folder of one")
    [folder] = folders
    if not has_tree_folders(folder):
        raise OutputError(
            f"{folder}: is not an MVTec-style tree: it has no train/good, no test/good"
        )
    return folder


def _is_category(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("train", "test", MANIFEST_NAME))


def has_tree_folders(folder: Path) -> bool:
    """Return whether a folder holds what a tree has and a raw KolektorSDD2 has not."""
    names = (MANIFEST_NAME, "ground_truth", "train/good", "test/good")
    return any((folder / name).exists() for name in names)


def list_tree(folder: Path) -> dict[str, Kind]:
    """Return everything below a folder, by relative path; links are not followed.

    Raises
    ------
    OutputError
        A folder cannot be listed.
    """
    return dict(_entries_below(folder, ""))


def list_files(folder: Path) -> list[str]:
    """Return the files below a folder, by relative path, and links that lead to files.

    Raises
    ------
    OutputError
        A folder cannot be listed.
    """
    return [
        name
        for name, kind in list_tree(folder).items()
        if kind == "file" or (kind == "link" and (folder / name).is_file())
    ]


def _entries_below(folder: Path, prefix: str) -> Iterator[tuple[str, Kind]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = _kind(entry)
                yield prefix + entry.name, kind
                if kind == "folder":
                    yield from _entries_below(Path(entry.path), f"{prefix}{entry.name}/")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be listed: {reason(error)}") from error


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_dir():
        return "folder"
    return "file" if entry.is_file() else "other"


def read_tree(category: Path, jobs: int | None = None, progress: Progress = no_progress) -> Tree:
    """Return the facts about a category folder; every PNG is read once.

    Raises
    ------
    OutputError
        The folder cannot be listed, or a file in it cannot be read.
    """
    entries = list_tree(category)
    found, problem = None, None
    # The manifest first, so that its text is freed before the facts take memory.
    if entries.get(MANIFEST_NAME) == "file":
        try:
            found = from_bytes(read_file(category / MANIFEST_NAME))
        except ManifestError as error:
            problem = _without_name(error, MANIFEST_NAME)
    pngs = sorted(p for p, kind in entries.items() if kind == "file" and p.endswith(".png"))
    facts = parallel_map(partial(_read_png, category), pngs, jobs, progress)
    return Tree(category, entries, dict(zip(pngs, facts, strict=True)), found, problem)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file of a tree, or of one beside it.

    Raises
    ------
    OutputError
        The file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {reason(error)}") from error


def _read_png(category: Path, path: str) -> PngFacts:
    data = read_file(category / path)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        png = read_png(data, path)
        pixels = decode_plain(png, path)
    except ImageError as error:
        return PngFacts(sha256, problem=_without_name(error, path))
    return PngFacts(
        sha256=sha256,
        format=f"{png.bit_depth}-bit {_CHANNELS.get(png.color_type, 'unknown')}",
        size=(png.width, png.height),
        pixels_sha256=pixels_sha256(pixels),
        values=gray_values(pixels) if is_mask(path) else (),
        thumbnail=None if is_mask(path) else thumbnail(without_padding(to_gray(pixels))),
        by_kolektor=png.by_kolektor,
    )


def without_padding(pixels: Pixels) -> Pixels:
    """Crop black borders for a comparison: equal padding would make any two pictures similar."""
    left, top, width, height = cv2.boundingRect(pixels)
    return pixels[top : top + height, left : left + width] if width and height else pixels


def _without_name(error: Exception, name: str) -> str:
    return str(error).removeprefix(f"{name}: ")
