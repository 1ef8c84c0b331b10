"""The plan of a tree: which file is made from which sample, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.raw.scan import Scan
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.split import Split, SplitName
from kolektor_cli.tree.fit import MANY, WHOLE, fit_options
from kolektor_cli.tree.layout import (
    Color,
    Names,
    check_category,
    check_names,
    folder_of,
    is_test_of_defects,
    mask_path,
)
from kolektor_cli.tree.structure import check_structure
from kolektor_cli.tree.views import View, Views

MIN_DIGITS = 3
"""The fewest digits of a name, as in MVTec AD; a category with larger folders uses more."""


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to write, with its mask if it is defective and not weakly labelled.

    Paths are relative to the category folder, with forward slashes.
    """

    sample: Sample
    split: SplitName
    view: View
    path: str
    mask_path: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the bytes of a tree.

    `options` are those of the command, as the manifest records them. `lost` names the defective
    samples in use without a defective output image, `unused` the samples that the split leaves out;
    `left_out` comes from the `Scan`.
    """

    category: str
    release: str
    options: Mapping[str, object]
    color: Color
    split: Split
    images: tuple[PlannedImage, ...]
    lost: tuple[str, ...]
    unused: tuple[str, ...]
    left_out: Mapping[str, str]
    depth: Depth = None


_Member: TypeAlias = tuple[Sample, View, str]
"""A sample, one of its views, and the stem of the file if it is named after the sample."""


def make_plan(
    scan: Scan,
    split: Split,
    fitted: Views,
    *,
    category: str,
    color: Color = "rgb",
    names: Names = "index",
    depth: Depth = None,
    trust_masks: bool = False,
) -> Plan:
    """Return the plan of a tree: each file's path and geometry, and what the manifest says.

    `fitted` has the views of every sample (see `kolektor_cli.tree.views`); all views of a sample
    are in one split. With `names` ``index``, the files of a folder are numbered from 0 in the order
    of the samples, with the same number of digits in all folders. With ``source``, they are named
    ``<item>_<part>``, plus ``_0``, ``_1``, ... if the fit may make several images of one. The
    options name `trust_masks` and what the scan's layout says only if they are given.

    Raises
    ------
    UsageError
        The category cannot name a folder; no image is left to train on, or no good or no defective
        image to test; names collide, or sort in another order than their masks; or the fit cuts
        images of which only the label of the whole may be known.
    """
    options = {**fit_options(fitted.fit), "color": color, "names": names, **scan.layout.given()}
    if depth is not None:
        options["depth"] = depth
    if trust_masks:
        options["trust_masks"] = True
    return Plan(
        category=check_category(category),
        release=scan.release,
        options=options,
        color=color,
        split=split,
        images=_plan_images(scan.samples, split, fitted, names),
        lost=tuple(_lost(scan.samples, split, fitted)),
        unused=tuple(s.name for s in scan.samples if split.assigned[s.name] == "unused"),
        left_out=scan.left_out,
        depth=depth,
    )


def _lost(samples: Sequence[Sample], split: Split, fitted: Views) -> Iterator[str]:
    """Yield the names of the defective samples in use without a defective view."""
    for sample in samples:
        used = sample.label == "defective" and split.assigned[sample.name] != "unused"
        if used and all(view.label == "good" for view in fitted.views[sample.name]):
            yield sample.name


def _plan_images(
    samples: Sequence[Sample], split: Split, fitted: Views, names: Names
) -> tuple[PlannedImage, ...]:
    """Give every view of the samples in use its path."""
    _refuse_cut_weak(samples, split, fitted)
    types = sorted({view.kind for views in fitted.views.values() for view in views} - {"good"})
    folders = _empty_folders(types)
    endings = _endings(fitted)
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        for view, ending in zip(fitted.views[sample.name], endings, strict=False):
            folder = folder_of(split.assigned[sample.name], view.kind)
            if folder is not None:
                stem = sample.name.replace("/", "_") + ending
                folders[folder].append((sample, view, stem))
    _refuse_empty(folders)
    digits = max(MIN_DIGITS, *(len(str(len(members) - 1)) for members in folders.values()))
    planned = tuple(
        _plan_image(
            sample,
            split.assigned[sample.name],
            view,
            _is_weak(sample, split),
            f"{folder}/{f'{number:0{digits}}' if names == 'index' else stem}.png",
        )
        for folder, members in folders.items()
        for number, (sample, view, stem) in enumerate(members)
    )
    _refuse_paths([path for image in planned for path in paths_of(image)], types)
    return planned


def _empty_folders(types: Sequence[str]) -> dict[str, list[_Member]]:
    """Return the folders of a tree with defects of some types, without members."""
    kinds: tuple[tuple[SplitName, Sequence[str]], ...] = (
        ("train", ["good"]),
        ("val", ["good"]),
        ("test", ["good", *types]),
        ("train", types),
    )
    folders = [folder_of(split, kind) for split, found in kinds for kind in found]
    return {folder: [] for folder in folders if folder is not None}


def _endings(fitted: Views) -> list[str]:
    """Return the endings of a sample's file names: numbers if the fit may make several images."""
    if fitted.fit.name not in MANY:
        return [""]
    most = max(map(len, fitted.views.values()), default=0)
    digits = len(str(most - 1))
    return [f"_{number:0{digits}}" for number in range(most)]


def _is_weak(sample: Sample, split: Split) -> bool:
    """Return whether a split trains with the label of a defective image alone, not its pixels'."""
    trains = sample.label == "defective" and split.assigned[sample.name] == "train"
    return trains and not split.segmented.get(sample.name, True)


def _refuse_cut_weak(samples: Sequence[Sample], split: Split, fitted: Views) -> None:
    if fitted.fit.name in WHOLE:
        return
    for sample in samples:
        if _is_weak(sample, split):
            raise UsageError(
                f"{sample.name} trains without its pixel labels, and only they tell which parts "
                f"that --fit {fitted.fit.name} cuts are defective; use --fit stretch or pad"
            )


def _plan_image(
    sample: Sample, split: SplitName, view: View, weak: bool, path: str
) -> PlannedImage:
    marked = view.label == "defective" and sample.is_marked and not weak
    mask = mask_path(path) if marked else None
    return PlannedImage(sample, split, view, path, mask)


def _refuse_paths(paths: Sequence[str], types: Sequence[str]) -> None:
    findings = [*check_names(paths), *check_structure(dict.fromkeys(paths, "file"), types)]
    if findings:
        raise UsageError(f"{findings[0].path}: {findings[0].message}; choose --names index")


def _refuse_empty(folders: Mapping[str, Sequence[_Member]]) -> None:
    needed = {"train/good": "no good image to train on", "test/good": "no good image to test"}
    for folder, lack in needed.items():
        if not folders[folder]:
            raise UsageError(f"the split leaves {lack}: {folder} would be empty")
    if not any(folders[folder] for folder in filter(is_test_of_defects, folders)):
        raise UsageError("the split leaves no defective image to test")


def paths_of(image: PlannedImage) -> tuple[str, ...]:
    """Return the path of a planned image, and the path of its mask if it has one."""
    return (image.path,) if image.mask_path is None else (image.path, image.mask_path)
