"""Whether two trees are the same data, and what differs."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.parallel import parallel_map
from kolektor_cli.samples import natural_key
from kolektor_cli.splits.split import Counts
from kolektor_cli.tree.contents import Contents, Picture, PictureFile, read_contents
from kolektor_cli.tree.layout import is_mask
from kolektor_cli.tree.manifest import Manifest
from kolektor_cli.tree.matching import pair_up

DifferenceKind: TypeAlias = Literal[
    "alone",
    "split",
    "label",
    "path",
    "geometry",
    "image",
    "mask",
    "group",
    "segmented",
]

DIFFERENCE_KINDS: tuple[DifferenceKind, ...] = get_args(DifferenceKind)
"""In the order of the report."""

_Facts: TypeAlias = Mapping[str, object]

_Told: TypeAlias = tuple[DifferenceKind, str, object, object]
"""A difference: its kind, its name, and what is here and there."""


@dataclass(frozen=True, slots=True)
class ComparedTree:
    """One of two trees that were compared, or a manifest alone.

    Attributes
    ----------
    path
        The category folder, or the manifest's file.
    has_files
        Whether files were read; False for a manifest alone.
    has_manifest
        Whether there is a manifest.
    fingerprint
        That of the files; of a manifest alone, the one that it records.
    counts
        Numbers of images by split and label.
    missing, added, changed
        Paths of PNGs that are in the manifest and not in the folder, in the folder and not in the
        manifest, and that have other pixels than in the manifest.
    """

    path: Path
    has_files: bool
    has_manifest: bool
    fingerprint: str
    counts: Counts
    missing: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A value that two manifests record differently; None where a manifest does not have it.

    `name` is ``kolektor`` (the version), ``category``, ``release``, ``split.NAME`` or
    ``options.NAME``.
    """

    name: str
    first: object
    second: object


@dataclass(frozen=True, slots=True)
class TreeDifference:
    """A difference of one picture, or of one sample.

    Attributes
    ----------
    kind
        ``alone``: only one tree has it. ``split``, ``label``, ``path``: in another split, with
        another label, at another path of the same split and label. ``geometry``: of another size,
        another part of the source, or scaled otherwise; then pixels are not compared. ``image``,
        ``mask``: other pixels; or only one tree has the mask. ``group``: another physical item.
        ``segmented``: the split says something else about pixel labels.
    name
        The sample; or the image's path where it is not known.
    first, second
        What each tree has: a path for ``alone``, ``image`` and ``mask``; the parts that differ, by
        name, for ``geometry``; else the value. None where a tree has nothing.
    largest, mean
        The largest and the mean difference of gray values, 0 to 255. None where pixels were not
        compared: of a manifest alone, or where only one tree has the mask.
    pixels
        How many pixels differ; of masks, how many are marked in one alone.
    """

    kind: DifferenceKind
    name: str
    first: object
    second: object
    largest: int | None = None
    mean: float | None = None
    pixels: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two trees, and what differs.

    Attributes
    ----------
    first, second
        The trees.
    same
        Whether both have the same pixels under the same names. What is recorded of them may differ
        all the same.
    by
        Pictures are compared by ``sample`` and view if both trees have a manifest; else by
        ``path``, after those with equal pixels, wherever they lie.
    values
        What the manifests record differently.
    differences
        How pictures and samples differ.
    """

    first: ComparedTree
    second: ComparedTree
    same: bool
    by: Literal["sample", "path"]
    values: tuple[ValueDifference, ...]
    differences: tuple[TreeDifference, ...]


def compare(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Comparison:
    """Compare two MVTec-AD-style trees, or a tree with the manifest of another one.

    All PNGs are decoded. Their folders say their splits and labels; the manifest says their samples
    and geometries.

    Parameters
    ----------
    first, second
        Each a category folder, a folder of just one, or a ``manifest.json``.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    OutputError, ManifestError, ImageError
        A tree or a manifest cannot be read.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> options = kolektor.ConvertOptions(size=(250, 620))
    >>> conversion = kolektor.convert("KolektorSDD", "half", options)
    >>> comparison = kolektor.compare("data", "half/metal/manifest.json")
    >>> comparison.same, [value.name for value in comparison.values]
    (False, ['options.size'])
    """
    one = read_contents(Path(first), jobs, partial(progress, "reading A"))
    other = read_contents(Path(second), jobs, partial(progress, "reading B"))
    by_sample = one.manifest is not None and other.manifest is not None
    pairs, left, right = pair_up(one.pictures, other.pictures, _KEYS[by_sample])
    found = parallel_map(partial(_compare, one, other), pairs, jobs, partial(progress, "comparing"))
    differences = list(chain.from_iterable(found))
    # Several views of one sample may say the same.
    for kind, name, here, there in dict.fromkeys(_left_over(left, other)):
        differences.append(TreeDifference(kind, name, here, there))
    for kind, name, here, there in dict.fromkeys(_left_over(right, one)):
        differences.append(TreeDifference(kind, name, there, here))
    values: list[ValueDifference] = []
    if one.manifest and other.manifest:
        differences += _of_samples(one.manifest, other.manifest)
        values += _values(one.manifest, other.manifest)
    return Comparison(
        first=_compared(one),
        second=_compared(other),
        # The hash of pixels alone does not tell 2 x 3 from 3 x 2.
        same=one.files == other.files,
        by="sample" if by_sample else "path",
        values=tuple(values),
        differences=tuple(sorted(differences, key=_order)),
    )


def _order(difference: TreeDifference) -> tuple[object, ...]:
    place = DIFFERENCE_KINDS.index(difference.kind)
    return place, natural_key(difference.name), str(difference.first), str(difference.second)


def _compared(contents: Contents) -> ComparedTree:
    files, recorded = contents.files, contents.recorded
    both = files.keys() & recorded.keys()
    return ComparedTree(
        path=contents.folder or contents.path,
        has_files=contents.folder is not None,
        has_manifest=contents.manifest is not None,
        fingerprint=contents.fingerprint,
        counts=contents.counts,
        missing=tuple(sorted(recorded.keys() - files.keys())),
        added=tuple(sorted(files.keys() - recorded.keys())) if recorded else (),
        changed=tuple(sorted(path for path in both if files[path] != recorded[path])),
    )


def _view(picture: Picture) -> Hashable:
    return picture.entry and (picture.sample, picture.entry.geometry.window)


def _sample(picture: Picture) -> Hashable:
    return picture.sample


def _path_of_unknown(picture: Picture) -> Hashable:
    return None if picture.entry else picture.file.path


def _file(picture: Picture) -> Hashable:
    return picture.file


def _pixels(picture: Picture) -> Hashable:
    return picture.file.pixels


def _path(picture: Picture) -> Hashable:
    return picture.file.path


_KEYS = {True: (_view, _sample, _path_of_unknown), False: (_file, _pixels, _path)}
"""What pictures are paired by, if both trees have a manifest, and else."""


def _compare(one: Contents, other: Contents, pair: tuple[Picture, Picture]) -> list[TreeDifference]:
    """Compare two pictures of one sample and view."""
    first, second = pair
    name = first.sample or second.sample or first.file.path
    found = list(_compare_places(name, first, second))
    geometries = _geometries(first, second)
    if geometries is not None:
        return [*found, TreeDifference("geometry", name, *geometries)]
    if first.file.pixels != second.file.pixels:
        found.append(_compare_pixels("image", name, one, other, first.file, second.file))
    masks = first.mask, second.mask
    # Another label is another mask anyway.
    if first.label == second.label and _pixels_of(masks[0]) != _pixels_of(masks[1]):
        found.append(_compare_pixels("mask", name, one, other, *masks))
    return found


def _compare_places(name: str, first: Picture, second: Picture) -> Iterator[TreeDifference]:
    if first.split != second.split:
        yield TreeDifference("split", name, first.split, second.split)
    if first.label != second.label:
        yield TreeDifference("label", name, first.label, second.label)
    same = (first.split, first.label) == (second.split, second.label)
    if same and first.file.path != second.file.path:
        yield TreeDifference("path", name, first.file.path, second.file.path)
    if first.entry and second.entry and first.entry.group != second.entry.group:
        yield TreeDifference("group", name, first.entry.group, second.entry.group)


def _geometries(first: Picture, second: Picture) -> tuple[_Facts, _Facts] | None:
    """Return what differs between two geometries, of each one; None if nothing does."""
    one, other = _geometry_facts(first), _geometry_facts(second)
    names = [name for name in one if name in other and one[name] != other[name]]
    if not names:
        return None
    return {name: one[name] for name in names}, {name: other[name] for name in names}


def _geometry_facts(picture: Picture) -> _Facts:
    facts = asdict(picture.entry.geometry) if picture.entry else {}
    return {**facts, "size": picture.file.size}


def _pixels_of(mask: PictureFile | None) -> Hashable:
    return mask and mask.pixels


def _compare_pixels(
    kind: Literal["image", "mask"],
    name: str,
    one: Contents,
    other: Contents,
    first: PictureFile | None,
    second: PictureFile | None,
) -> TreeDifference:
    """Compare two files that are known to differ, pixel by pixel where there are pixels of both."""
    paths = first and first.path, second and second.path
    has_files = one.folder is not None and other.folder is not None
    if first is None or second is None or first.size != second.size or not has_files:
        return TreeDifference(kind, name, *paths)
    pixels = _with_channels(one.decode(first.path)), _with_channels(other.decode(second.path))
    by = np.abs(pixels[0].astype(np.int16) - pixels[1])
    marked = [values.any(axis=2) for values in pixels]
    differing = marked[0] != marked[1] if kind == "mask" else by.any(axis=2)
    return TreeDifference(
        kind, name, *paths, int(by.max()), float(by.mean()), int(np.count_nonzero(differing))
    )


def _with_channels(pixels: Pixels) -> Pixels:
    """Return height x width x 1 for height x width."""
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _left_over(pictures: Iterable[Picture], other: Contents) -> Iterator[_Told]:
    """Yield what the other tree does not have: a sample that it leaves out is in another split."""
    apart = _apart(other.manifest) if other.manifest else {}
    for picture in pictures:
        if is_mask(picture.file.path) and picture.file.path in other.files:
            continue  # only its image is missing
        elsewhere = apart.get(picture.sample or "")
        if picture.sample and elsewhere:
            yield "split", picture.sample, picture.split, elsewhere
        else:
            yield "alone", picture.sample or picture.file.path, picture.file.path, None


def _apart(manifest: Manifest) -> Mapping[str, str]:
    """Say of the samples that are in no file why not."""
    return {
        **dict.fromkeys(manifest.unused, "unused"),
        **dict.fromkeys(manifest.left_out, "left out"),
    }


def _of_samples(first: Manifest, second: Manifest) -> Iterator[TreeDifference]:
    """Compare what manifests say of samples without files, and of pixel labels."""
    used = {entry.sample for manifest in (first, second) for entry in manifest.files}
    for name, one, other in _unequal(_apart(first), _apart(second)):
        if name not in used:
            yield TreeDifference("split" if one and other else "alone", name, one, other)
    for name, one, other in _unequal(first.segmented, second.segmented):
        yield TreeDifference("segmented", name, one, other)


def _values(first: Manifest, second: Manifest) -> Iterator[ValueDifference]:
    for name, one, other in _unequal(_facts(first), _facts(second)):
        yield ValueDifference(name, one, other)


def _facts(manifest: Manifest) -> Mapping[str, object]:
    return {
        "kolektor": manifest.kolektor,
        "category": manifest.category,
        "release": manifest.release,
        **{f"options.{name}": value for name, value in manifest.options.items()},
        "split.protocol": manifest.protocol,
        **{f"split.{name}": value for name, value in manifest.protocol_parameters.items()},
    }


def _unequal(
    first: Mapping[str, object], second: Mapping[str, object]
) -> Iterator[tuple[str, object, object]]:
    """Yield the names whose values differ, with both; None for a value that is not there."""
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if one != other:
            yield name, one, other
