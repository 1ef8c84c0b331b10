"""From a split to the planned images: which file of the tree is made from which sample."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from kolektor_cli.errors import UsageError
from kolektor_cli.fits import MANY, fit_options
from kolektor_cli.records import (
    Color,
    Fitted,
    Names,
    Plan,
    PlannedImage,
    Sample,
    Scan,
    Split,
    SplitName,
    View,
    natural_key,
)
from kolektor_cli.rules import IMAGE_FOLDERS, check_names, check_structure, mask_path

_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE | re.ASCII)

MIN_DIGITS = 3
"""MVTec AD's names have three digits; all of a category's get more when a folder needs them."""

_Member: TypeAlias = tuple[Sample, View, str]
"""What a folder gets: a view of a sample, and the stem that names it after the sample."""


def check_category(category: str) -> str:
    """Return a category that can be a folder's name on every system.

    Raises
    ------
    UsageError
        It is empty, starts or ends with a dot or a space, holds a character or is a name that some
        system forbids, or is longer than 200 bytes (file systems take 255; the hidden folder for
        unfinished work adds some).
    """
    forbidden = sorted(set(category) & set('/\\:*?"<>|\0')) or [c for c in category if c < " "]
    if not category or category.strip(". ") != category:
        raise UsageError(
            f"category {category!r}: must not be empty, nor start or end with a dot or a space"
        )
    if _RESERVED.fullmatch(category.partition(".")[0]):
        raise UsageError(f"category {category!r}: is the name of a device under Windows")
    if forbidden:
        raise UsageError(f"category {category!r}: {forbidden[0]!r} cannot stand in a folder's name")
    if len(category.encode(errors="surrogatepass")) > 200:
        raise UsageError(f"category {category[:20]!r}...: is longer than 200 bytes")
    return category


def make_plan(
    scan: Scan,
    split: Split,
    fitted: Fitted,
    *,
    category: str,
    color: Color = "rgb",
    names: Names = "index",
) -> Plan:
    """Decide everything about a tree: each file's path and geometry, and what the manifest says.

    `fitted` has the views of every sample (see `kolektor_cli.fits`); those of one sample are of one
    split. With `names` ``index`` the files of a folder are numbered from 0 in the order of the
    samples, with as many digits in all folders; with ``source`` they are named ``<item>_<part>``,
    and ``_0``, ``_1``, ... is added where the fit may make several images of one.

    Raises
    ------
    UsageError
        The category cannot be made; nothing is left to train on, or no good or no defective image
        to test; or names collide, or would pair images with the wrong masks in consumers that pair
        by order.
    """
    return Plan(
        category=check_category(category),
        release=scan.release,
        options={**fit_options(fitted.fit), "color": color, "names": names},
        color=color,
        split=split,
        images=_plan_images(scan.samples, split, fitted, names),
        lost=tuple(_lost(scan.samples, split, fitted)),
        unused=tuple(s.name for s in scan.samples if split.assigned[s.name] == "unused"),
        left_out=scan.left_out,
    )


def _lost(samples: Sequence[Sample], split: Split, fitted: Fitted) -> Iterator[str]:
    """Name the defective samples that are tested and of which no view shows a defect."""
    for sample in samples:
        tested = sample.label == "defective" and split.assigned[sample.name] != "unused"
        if tested and all(view.label == "good" for view in fitted.views[sample.name]):
            yield sample.name


def _plan_images(
    samples: Sequence[Sample], split: Split, fitted: Fitted, names: Names
) -> tuple[PlannedImage, ...]:
    """Give every view of a sample that is not unused its place."""
    folders: dict[str, list[_Member]] = {folder: [] for folder in IMAGE_FOLDERS.values()}
    endings = _endings(fitted)
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        for view, ending in zip(fitted.views[sample.name], endings, strict=False):
            folder = IMAGE_FOLDERS.get((split.assigned[sample.name], view.label))
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
            f"{folder}/{f'{number:0{digits}}' if names == 'index' else stem}.png",
        )
        for folder, members in folders.items()
        for number, (sample, view, stem) in enumerate(members)
    )
    _refuse_paths([path for image in planned for path in paths_of(image)])
    return planned


def _endings(fitted: Fitted) -> list[str]:
    """List how the names of a sample's files end: by numbers if the fit may make several."""
    if fitted.fit.name not in MANY:
        return [""]
    most = max(map(len, fitted.views.values()), default=0)
    digits = len(str(most - 1))
    return [f"_{number:0{digits}}" for number in range(most)]


def _plan_image(sample: Sample, split: SplitName, view: View, path: str) -> PlannedImage:
    mask = mask_path(path) if view.label == "defective" else None
    return PlannedImage(sample, split, view, path, mask)


def _refuse_paths(paths: Sequence[str]) -> None:
    findings = [*check_names(paths), *check_structure(dict.fromkeys(paths, "file"), ours=True)]
    if findings:
        raise UsageError(f"{findings[0].path}: {findings[0].message}; choose --names index")


def _refuse_empty(folders: Mapping[str, Sequence[_Member]]) -> None:
    needed = {
        "train/good": "no good image to train on",
        "test/good": "no good image to test",
        "test/defect": "no defective image to test",
    }
    for folder, lack in needed.items():
        if not folders[folder]:
            raise UsageError(f"the split leaves {lack}: {folder} would be empty")


def paths_of(image: PlannedImage) -> tuple[str, ...]:
    """Return the one or two paths of a planned image."""
    return (image.path,) if image.mask_path is None else (image.path, image.mask_path)
