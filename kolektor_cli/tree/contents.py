"""What a tree or a manifest alone holds: each picture with its mask, its sample and its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kolektor_cli.errors import ManifestError, OutputError
from kolektor_cli.imaging.codec import decode_plain
from kolektor_cli.imaging.geometry import Geometry, Size
from kolektor_cli.imaging.pixels import Pixels, pixels_sha256
from kolektor_cli.imaging.png import read_png
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.samples import Label
from kolektor_cli.splits.split import Counts, SplitName
from kolektor_cli.tree.layout import (
    MANIFEST_NAME,
    is_mask,
    is_unread_image,
    mask_path,
    split_and_label,
)
from kolektor_cli.tree.manifest import FileEntry, Manifest, fingerprint, from_bytes
from kolektor_cli.tree.matching import pair_up
from kolektor_cli.tree.read import list_files, only_category, read_file


@dataclass(frozen=True, slots=True)
class PictureFile:
    """An image or a mask: its path in the tree, its size, and the hash of its pixels."""

    path: str
    size: Size
    pixels_sha256: str

    @property
    def pixels(self) -> tuple[Size, str]:
        """What is equal for equal pixels alone."""
        return self.size, self.pixels_sha256


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its mask, if it has one; or a PNG that is neither, as if it were an image.

    `split` and `label` are those of the folder, None of a folder that has none. `entry` is what the
    manifest has for the image; None of an image that it does not know.
    """

    file: PictureFile
    mask: PictureFile | None
    split: SplitName | None
    label: Label | None
    entry: FileEntry | None

    @property
    def sample(self) -> str | None:
        """The name of the sample, where the manifest tells it."""
        return self.entry.sample if self.entry else None

    @property
    def geometry(self) -> Geometry | None:
        """How the source image was mapped to the image, where the manifest tells it."""
        return self.entry.geometry if self.entry else None


@dataclass(frozen=True, slots=True)
class Contents:
    """The pictures of a tree, or of a manifest alone.

    `folder` is None for a manifest alone; then `files` are those of the manifest. Else they are the
    files in the folder, whatever the manifest says.
    """

    path: Path
    folder: Path | None
    manifest: Manifest | None
    files: Mapping[str, PictureFile]
    pictures: tuple[Picture, ...]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the files."""
        return _fingerprint(self.files)

    @property
    def counts(self) -> Counts:
        """Numbers of images by split and label."""
        return Counter((p.split, p.label) for p in self.pictures if p.split and p.label)

    @property
    def recorded(self) -> Mapping[str, PictureFile]:
        """The files of the manifest; without one, none."""
        return _recorded(self.manifest) if self.manifest else {}

    def decode(self, path: str) -> Pixels:
        """Return the pixels of a file of a tree: height x width uint8, or x 3 (RGB).

        Raises
        ------
        OutputError, ImageError
            The file cannot be read or decoded; or this is a manifest alone.
        """
        if self.folder is None:
            raise OutputError(f"{self.path}: is a manifest, which has no pixels")
        return _decode(self.folder, path)


def read_contents(
    path: Path, jobs: int | None = None, progress: Progress = no_progress
) -> Contents:
    """Return what a category folder, a folder of just one, or a manifest holds.

    Every PNG of a folder is decoded. Links to files count as files.

    Raises
    ------
    OutputError
        There is no category folder at `path`, or several; it has images that are no PNGs; or a file
        cannot be read.
    ManifestError
        The manifest cannot be read, or contradicts itself.
    ImageError
        A PNG cannot be decoded.
    """
    # A manifest may come through a pipe, which is no file to the system.
    if path.exists() and not path.is_dir():
        found = _read_manifest(path)
        files = _recorded(found)
        return Contents(path, None, found, files, tuple(_pictures(files, found)))
    folder = only_category(path)
    names = list_files(folder)
    for name in names:
        if is_unread_image(name):
            raise OutputError(f"{folder / name}: is no PNG, and only PNGs are compared")
    manifest = _read_manifest(folder / MANIFEST_NAME) if MANIFEST_NAME in names else None
    pngs = sorted(name for name in names if name.endswith(".png"))
    read = parallel_map(partial(_read_picture, folder), pngs, jobs, progress)
    files = {file.path: file for file in read}
    return Contents(path, folder, manifest, files, tuple(_pictures(files, manifest)))


def _read_manifest(path: Path) -> Manifest:
    data = read_file(path)
    if not data.lstrip().startswith(b"{"):
        raise ManifestError(f"{path}: is no manifest; if it is a packed tree, unpack it")
    try:
        found = from_bytes(data)
    except ManifestError as error:
        message = str(error).removeprefix(f"{MANIFEST_NAME}: ")
        raise ManifestError(f"{path}: {message}") from error
    if _fingerprint(_recorded(found)) != found.fingerprint:
        raise ManifestError(f"{path}: has a fingerprint that is not its files'")
    return found


def _recorded(manifest: Manifest) -> dict[str, PictureFile]:
    return {
        entry.path: PictureFile(entry.path, entry.geometry.size, entry.pixels_sha256)
        for entry in manifest.files
    }


def _fingerprint(files: Mapping[str, PictureFile]) -> str:
    return fingerprint((path, file.pixels_sha256) for path, file in files.items())


def _read_picture(folder: Path, path: str) -> PictureFile:
    pixels = _decode(folder, path)
    height, width = pixels.shape[:2]
    return PictureFile(path, (width, height), pixels_sha256(pixels))


def _decode(folder: Path, path: str) -> Pixels:
    name = str(folder / path)
    return decode_plain(read_png(read_file(folder / path), name), name)


def _pictures(files: Mapping[str, PictureFile], manifest: Manifest | None) -> Iterator[Picture]:
    """Yield the pictures of files, in the order of their paths."""
    masks = {mask_path(path) for path in files if _is_image(path)}
    shown = [file for path, file in sorted(files.items()) if path not in masks]
    entries = _entries(shown, manifest) if manifest else {}
    for file in shown:
        split, label = split_and_label(file.path) or (None, None)
        mask = files.get(mask_path(file.path))
        yield Picture(file, mask, split, label, entries.get(file.path))


def _is_image(path: str) -> bool:
    return not is_mask(path) and split_and_label(path) is not None


def _entries(images: Collection[PictureFile], manifest: Manifest) -> dict[str, FileEntry]:
    """Map images to their entries, by pixels where files were moved or numbered anew."""
    entries = {entry.path: entry for entry in manifest.files if entry.role == "image"}
    recorded = [file for path, file in _recorded(manifest).items() if path in entries]
    keys = (lambda file: file, lambda file: file.pixels, lambda file: file.path)
    pairs, _, _ = pair_up(images, recorded, keys)
    return {file.path: entries[known.path] for file, known in pairs}
