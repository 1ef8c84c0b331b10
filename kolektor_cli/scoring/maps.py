"""Where a model's maps come from: a folder, one .npz, or arrays; each is found by its image's path.

A map is named like its image: ``<category>/test/<class>/<stem>``, ``test/<class>/<stem>``,
``<class>/<stem>``, or one of these with underscores for slashes, at the top of the folder.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.findings import Finding
from kolektor_cli.scoring.formats import (
    MAP_SUFFIXES,
    NPZ_ERRORS,
    REFUSED_SUFFIXES,
    NotAMapError,
    as_map,
    npz_filename,
    read_array,
    read_array_header,
    read_map,
)
from kolektor_cli.scoring.thresholds import Scores
from kolektor_cli.tree.read import list_files, read_file

BINDING_NAME = "kolektor.json"
"""Beside maps: the tree that they belong to, and what made them."""

MapArrays: TypeAlias = Mapping[str, npt.NDArray[Any]] | Callable[[str], npt.NDArray[Any]]
"""Maps by their images' paths, such as ``test/defect/000.png``, or a function of the path."""

MapSource: TypeAlias = str | os.PathLike[str] | MapArrays
"""A folder or an .npz of maps; or arrays by path, or a function of the path."""


@dataclass(frozen=True, slots=True)
class Map:
    """One map, height x width, with the SHA-256 of its file or values, and a note or ``""``."""

    scores: Scores
    sha256: str
    note: str = ""


class Maps(ABC):
    """The maps of one model.

    Attributes
    ----------
    paths
        The paths of the images that have a map, in the order in which maps are read fastest.
    findings
        Errors about maps that are twice, left over or ambiguous.
    scores
        Image scores that came with the maps, by image.
    in_order
        Whether maps are best read one after the other.
    """

    def __init__(self, paths: Sequence[str], findings: Sequence[Finding] = ()) -> None:
        self.paths = tuple(paths)
        self.findings = tuple(findings)
        self.scores: Mapping[str, float] = {}
        self.in_order = False

    @abstractmethod
    def read(self, path: str, *, hashed: bool = False) -> Map:
        """Return the map of an image; `sha256` is empty unless it is to be `hashed`.

        Raises
        ------
        ImageError, OutputError
            It cannot be read, or is no map.
        """


def names_of(category: str, image: str) -> list[str]:
    """Return the names, without suffix, that the map of an image may have."""
    whole = image.removesuffix(".png")
    names = [whole]
    if whole.startswith("test/"):
        names.append(whole.removeprefix("test/"))
    names += [f"{category}/{name}" for name in names]
    return [*names, *(name.replace("/", "_") for name in names)]


class Owners:
    """Finds the image of a path or name, whatever stands before it.

    Paths may be absolute, have any suffix or none, and slashes of any kind. A path that names
    another category before its split belongs to no image.
    """

    def __init__(self, category: str, images: Iterable[str]) -> None:
        self._category = category
        self._known = {name: image for image in images for name in names_of(category, image)}

    def __call__(self, path: str) -> str | None:
        """Return the image of a path, or None."""
        before, name = _at_split(path)
        if before not in ("", self._category):
            return None
        stripped = str(PurePosixPath(name).with_suffix("")) if name else ""
        return self._known.get(name) or self._known.get(stripped)

    def is_of_other_category(self, path: str) -> bool:
        """Return whether a path names another category before its split."""
        return _at_split(path)[0] not in ("", self._category)


def _at_split(path: str) -> tuple[str, str]:
    """Return the folder before that of the split, and the path from the split on.

    A path without a split is returned whole.
    """
    parts = path.replace("\\", "/").strip("/").split("/")
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] in ("train", "validation", "test"):
            return (parts[place - 1] if place else ""), "/".join(parts[place:])
    return "", "/".join(parts)


def open_maps(source: MapSource, category: str, images: Sequence[str]) -> Maps:
    """Find the maps of images.

    Parameters
    ----------
    source
        A folder with a file a map; or an .npz with the arrays ``maps`` and ``paths``, or a folder
        that holds such a file; or maps in memory.
    category
        The name of the tree's category folder.
    images
        Paths of all images of the tree, relative to it.

    Raises
    ------
    SourceError
        There is no such folder or file, or it holds no maps.
    """
    if not isinstance(source, (str, os.PathLike)):
        return ArrayMaps(source, images)
    place = Path(source)
    stack = _stack_in(place)
    if stack is not None:
        return StackedMaps(stack, category, images)
    if not place.is_dir():
        what = "is neither a folder nor an .npz with 'maps' and 'paths'"
        raise SourceError(f"{place}: {what if place.exists() else 'no such file or folder'}")
    return FolderMaps(place, category, images)


def _stack_in(place: Path) -> Path | None:
    """Return the file that holds all maps, or None if each has its own."""
    if place.is_file():
        return place if place.suffix.casefold() == ".npz" else None
    if not place.is_dir():
        return None
    files = [path for path in place.iterdir() if path.suffix.casefold() == ".npz"]
    stacks = [file for file in files if _holds_all(file)] if len(files) == 1 else []
    return stacks[0] if stacks else None


def _holds_all(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return "maps.npy" in archive.namelist()
    except NPZ_ERRORS:
        # Whoever reads the file reports it.
        return False


class FolderMaps(Maps):
    """A folder with a file a map."""

    def __init__(self, folder: Path, category: str, images: Collection[str]) -> None:
        found, findings = _match(folder, list_files(folder), category, images)
        super().__init__([image for image in images if image in found], findings)
        self._folder = folder
        self._files = found

    def read(self, path: str, *, hashed: bool = False) -> Map:
        """Return the map of an image; see `Maps.read`."""
        name = self._files[path]
        data = read_file(self._folder / name)
        scores, note = read_map(data, name)
        return Map(scores, _sha256(data) if hashed else "", note)


def _match(
    folder: Path, files: Iterable[str], category: str, images: Collection[str]
) -> tuple[dict[str, str], list[Finding]]:
    """Return the file of each image that has one, and what is wrong with the others."""
    owner = Owners(category, images)
    wanted: dict[str, list[str]] = defaultdict(list)
    for image in images:
        for name in names_of(category, image):
            wanted[name].append(image)
    candidates: dict[str, list[str]] = defaultdict(list)
    others: list[str] = []
    findings: list[Finding] = []
    for file in sorted(files):
        suffix = PurePath(file).suffix.casefold()
        if suffix not in MAP_SUFFIXES + REFUSED_SUFFIXES:
            continue
        owners = wanted.get(file[: -len(suffix)]) or _named_inside(folder / file, owner)
        if len(owners) > 1:
            message = f"may be the map of {owners[0]} or of {owners[1]}; put it into folders"
            findings.append(Finding("error", "ambiguous-map", file, message))
        for image in owners[:1]:
            candidates[image].append(file)
        if not owners and suffix in MAP_SUFFIXES and not owner.is_of_other_category(file):
            others.append(file)
    for image, names in candidates.items():
        if len(names) > 1:
            message = f"and {names[1]} are both maps of {image}; keep one"
            findings.append(Finding("error", "map-twice", names[0], message))
    findings += _left_over(others)
    return {image: names[0] for image, names in candidates.items()}, findings


def _named_inside(file: Path, owner: Owners) -> list[str]:
    """Return the image that a file names inside, as UniAD's do."""
    if file.suffix.casefold() != ".npz":
        return []
    named = npz_filename(read_file(file))
    found = owner(named) if named else None
    return [found] if found else []


def _left_over(files: Sequence[str]) -> Iterator[Finding]:
    if files:
        more = f"and {len(files) - 1} more files belong" if len(files) > 1 else "belongs"
        message = f"{more} to no image of the tree; remove what is no map of it"
        yield Finding("error", "map-left-over", files[0], message, tuple(files))


class StackedMaps(Maps):
    """One .npz with all maps: ``maps`` (N x H x W or N x 1 x H x W), ``paths``, maybe ``scores``.

    Maps are read one by one, so that only one is in memory.
    """

    def __init__(self, file: Path, category: str, images: Collection[str]) -> None:
        self._file = file
        named, given = self._names_and_scores()
        owner = Owners(category, images)
        # By image, the row of its map.
        rows = [(found, row) for row, name in enumerate(named) if (found := owner(name))]
        super().__init__([image for image, _ in rows], self._wrong(named, owner))
        self.in_order = True
        self.scores = {image: given[row] for image, row in rows} if given else {}
        self._rows = dict(rows)
        self._lock = Lock()
        self._open(len(named))

    def _names_and_scores(self) -> tuple[list[str], list[float]]:
        try:
            with zipfile.ZipFile(self._file) as archive:
                if "paths.npy" not in archive.namelist():
                    raise SourceError(
                        f"{self._file}: has no array 'paths'; codes order images differently, so "
                        "save the path of each image in 'paths' beside 'maps'"
                    )
                named = [_text(path) for path in _array(archive, "paths").tolist()]
                if "scores.npy" not in archive.namelist():
                    return named, []
                given = _array(archive, "scores")
        except NPZ_ERRORS as error:
            raise SourceError(f"{self._file}: cannot be read: {error}") from error
        if len(given) != len(named) or given.dtype.kind not in "fiu" or not _are_finite(given):
            raise SourceError(f"{self._file}: 'scores' are not one finite number for each path")
        return named, given.astype(np.float64).tolist()

    def _wrong(self, named: Sequence[str], owner: Owners) -> list[Finding]:
        findings, seen = [], set()
        for name in named:
            found = owner(name)
            if found is None and not owner.is_of_other_category(name):
                message = f"names {name}, which is no image of the tree"
                findings.append(Finding("error", "map-left-over", self._file.name, message))
            elif found in seen:
                message = f"has two maps of {found}"
                findings.append(Finding("error", "map-twice", self._file.name, message))
            if found is not None:
                seen.add(found)
        return findings

    def _open(self, number: int) -> None:
        """Read the header of the array of `number` maps, which says where each lies."""
        try:
            self._archive = zipfile.ZipFile(self._file)
            self._stream = self._archive.open("maps.npy")
            header = read_array_header(self._stream)
        except NPZ_ERRORS as error:
            raise SourceError(f"{self._file}: 'maps' cannot be read: {error}") from error
        shape, self._dtype = header.shape, header.dtype
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[1] != 1):
            text = " x ".join(map(str, shape))
            raise SourceError(f"{self._file}: 'maps' is {text}, not N x H x W or N x 1 x H x W")
        if shape[0] != number:
            raise SourceError(f"{self._file}: has {shape[0]} maps and {number} paths")
        if header.by_column:
            raise SourceError(f"{self._file}: 'maps' is not in C order; save a contiguous array")
        self._start = self._stream.tell()
        self._shape = (shape[-2], shape[-1])

    def read(self, path: str, *, hashed: bool = False) -> Map:
        """Return the map of an image; see `Maps.read`."""
        length = self._dtype.itemsize * self._shape[0] * self._shape[1]
        name = f"{self._file.name}, {path}"
        try:
            with self._lock:
                self._stream.seek(self._start + self._rows[path] * length)
                data = self._stream.read(length)
        except NPZ_ERRORS as error:
            raise ImageError(f"{name}: cannot be read: {error}") from error
        if len(data) != length:
            raise ImageError(f"{name}: is truncated")
        values = np.frombuffer(data, self._dtype).reshape(self._shape)
        return Map(as_map(values, name), _sha256(data) if hashed else "")


def _array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """Return an array of an .npz with a single axis."""
    with archive.open(f"{name}.npy") as stream:
        return np.atleast_1d(read_array(stream)).ravel()


def _text(path: object) -> str:
    return path.decode(errors="replace") if isinstance(path, bytes) else str(path)


def _are_finite(values: npt.NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())


class ArrayMaps(Maps):
    """Maps in memory, or made by a function of the image's path."""

    def __init__(self, maps: MapArrays, images: Sequence[str]) -> None:
        self._of: Callable[[str], npt.NDArray[Any]]
        if callable(maps):
            self._of = maps
            super().__init__(images)
            return
        self._of = maps.__getitem__
        over = [path for path in maps if path not in images]
        findings = []
        if over:
            more = f" and {len(over) - 1} more" if len(over) > 1 else ""
            message = f"is no image of the tree{more}; paths are like test/defect/000.png"
            findings.append(Finding("error", "map-left-over", over[0], message, tuple(over)))
        super().__init__([path for path in images if path in maps], findings)

    def read(self, path: str, *, hashed: bool = False) -> Map:
        """Return the map of an image; see `Maps.read`."""
        try:
            values = np.asarray(self._of(path))
        except ValueError as error:
            raise NotAMapError(f"{path}: is no array of numbers: {error}") from error
        scores = as_map(values, path)
        return Map(scores, _sha256(np.ascontiguousarray(values).data) if hashed else "")


def _sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()
