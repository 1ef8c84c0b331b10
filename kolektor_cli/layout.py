"""From a split to the planned images: which file of the tree is made from which sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kolektor_cli.errors import UsageError
from kolektor_cli.geometry import check_size, stretch
from kolektor_cli.records import (
    Color,
    Names,
    Plan,
    PlannedImage,
    Sample,
    Scan,
    Size,
    Split,
    SplitName,
    natural_key,
)
from kolektor_cli.rules import IMAGE_FOLDERS, check_names, check_structure, mask_path

_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE | re.ASCII)

MIN_DIGITS = 3
"""MVTec AD's names have three digits; all of a category's get more when a folder needs them."""


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
    *,
    category: str,
    size: Size | None,
    color: Color = "rgb",
    names: Names = "index",
) -> Plan:
    """Decide everything about a tree: each file's path and geometry, and what the manifest says.

    `size` is the width and height of every output image in pixels, or None to keep each image's
    own. With `names` ``index`` the files of a folder are numbered from 0 in the order of the
    samples, with as many digits in all folders; with ``source`` they are named ``<item>_<part>``.

    Raises
    ------
    UsageError
        The category or the size cannot be made; nothing is left to train on, or no good or no
        defective image to test; or names collide, or would pair images with the wrong masks in
        consumers that pair by order.
    """
    return Plan(
        category=check_category(category),
        release=scan.release,
        options={
            "size": list(check_size(size)) if size else "source",
            "color": color,
            "names": names,
        },
        color=color,
        split=split,
        images=_plan_images(scan.samples, split, names, size),
        unused=tuple(s.name for s in scan.samples if split.assigned[s.name] == "unused"),
        left_out=scan.left_out,
    )


def _plan_images(
    samples: Sequence[Sample], split: Split, names: Names, size: Size | None
) -> tuple[PlannedImage, ...]:
    """Give every sample that is not unused its place."""
    folders: dict[str, list[Sample]] = {folder: [] for folder in IMAGE_FOLDERS.values()}
    for sample in sorted(samples, key=lambda sample: natural_key(sample.name)):
        place = IMAGE_FOLDERS.get((split.assigned[sample.name], sample.label))
        if place is not None:
            folders[place].append(sample)
    _refuse_empty(folders)
    stems = _index_stems(folders) if names == "index" else _source_stems(folders)
    planned = [
        _plan_image(sample, split.assigned[sample.name], folder, stems[sample.name], size)
        for folder, members in folders.items()
        for sample in members
    ]
    paths = [path for image in planned for path in paths_of(image)]
    findings = [*check_names(paths), *check_structure(dict.fromkeys(paths, "file"), ours=True)]
    if findings:
        raise UsageError(f"{findings[0].path}: {findings[0].message}; choose --names index")
    return tuple(planned)


def _refuse_empty(folders: Mapping[str, Sequence[Sample]]) -> None:
    needed = {
        "train/good": "no good image to train on",
        "test/good": "no good image to test",
        "test/defect": "no defective image to test",
    }
    for folder, lack in needed.items():
        if not folders[folder]:
            raise UsageError(f"the split leaves {lack}: {folder} would be empty")


def _index_stems(folders: Mapping[str, Sequence[Sample]]) -> dict[str, str]:
    digits = max(MIN_DIGITS, *(len(str(len(members) - 1)) for members in folders.values()))
    return {
        sample.name: f"{index:0{digits}}"
        for members in folders.values()
        for index, sample in enumerate(members)
    }


def _source_stems(folders: Mapping[str, Sequence[Sample]]) -> dict[str, str]:
    return {
        sample.name: sample.name.replace("/", "_")
        for members in folders.values()
        for sample in members
    }


def _plan_image(
    sample: Sample, split: SplitName, folder: str, stem: str, size: Size | None
) -> PlannedImage:
    source_size = (sample.width, sample.height)
    path = f"{folder}/{stem}.png"
    return PlannedImage(
        sample=sample,
        split=split,
        path=path,
        mask_path=mask_path(path) if sample.label == "defective" else None,
        geometry=stretch(source_size, size or source_size),
    )


def paths_of(image: PlannedImage) -> tuple[str, ...]:
    """Return the one or two paths of a planned image."""
    return (image.path,) if image.mask_path is None else (image.path, image.mask_path)
