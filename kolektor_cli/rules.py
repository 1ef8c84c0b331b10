"""The contract of the tree, as far as its paths show it.

The rules were measured against the loaders of Anomalib, PatchCore, SimpleNet, MuSc, CFLOW-AD, CFA,
two FastFlow codes, EfficientAD, WinCLIP, RD4AD, DRAEM, DRA, Open-IAD, ADer, AnomalyCLIP, AdaCLIP
and the MVTec evaluator: what one of them cannot stand is ruled out. Paths are relative to the
category folder, with forward slashes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from kolektor_cli.records import Finding, Label, SplitName

Kind: TypeAlias = Literal["file", "folder", "link", "other"]

MANIFEST_NAME = "manifest.json"
MASK_FOLDER = "ground_truth/defect"
MASK_ENDING = "_mask"
IMAGE_FOLDERS: Mapping[tuple[SplitName, Label], str] = {
    ("train", "good"): "train/good",
    ("val", "good"): "validation/good",
    ("test", "good"): "test/good",
    ("test", "defective"): "test/defect",
}
"""Where images lie in our trees, by split and label."""

_OUR_LEAVES = {*IMAGE_FOLDERS.values(), MASK_FOLDER}
# Trees of others may tell several types of defect apart, as MVTec AD does.
_ANY_LEAF = re.compile(r"train/good|validation/good|test/[^/]+|ground_truth/(?!good$)[^/]+")


def is_mask(path: str) -> bool:
    """Tell whether a path is that of a mask."""
    return path.startswith("ground_truth/")


def is_test_of_defects(folder: str) -> bool:
    """Tell whether a leaf folder holds defective images."""
    return folder.startswith("test/") and folder != "test/good"


def split_path(path: str) -> tuple[str, str]:
    """Split the path of a PNG into its folder and its stem, a mask's without its ending."""
    folder, _, file = path.rpartition("/")
    stem = file.removesuffix(".png")
    return folder, stem.removesuffix(MASK_ENDING) if is_mask(path) else stem


def mask_path(image_path: str) -> str:
    """Return the path of the mask that belongs to the path of a defective image."""
    folder, stem = split_path(image_path)
    return f"ground_truth/{folder.removeprefix('test/')}/{stem}{MASK_ENDING}.png"


def check_structure(entries: Mapping[str, Kind], *, ours: bool) -> Iterator[Finding]:
    """Find what consumers do not expect below a category folder; `entries` maps paths to kinds.

    With `ours`, only the folders that this tool makes may be there; else any type of defect, and
    a text beside the folders (as in MVTec AD) is only told of.
    """
    parents = {path.rpartition("/")[0] for path in entries}
    for path, kind in sorted(entries.items()):
        if kind in ("link", "other"):
            message = "is no real file or folder; copy what it stands for"
            yield Finding("error", "not-a-file", path, message)
        elif kind == "folder":
            yield from _check_folder(path, path in parents, ours)
        else:
            yield from _check_file(path, ours)
    yield from _check_presence(entries)


def _check_folder(path: str, has_entries: bool, ours: bool) -> Iterator[Finding]:
    if not _is_leaf(path, ours) and not _is_above_leaf(path, ours):
        message = "is a folder that consumers do not expect; remove it"
        yield Finding("error", "unexpected-folder", path, message)
    elif not has_entries:
        yield Finding("error", "empty-folder", path, "is empty; some consumers crash on it")


def _check_file(path: str, ours: bool) -> Iterator[Finding]:
    folder, _, file = path.rpartition("/")
    if path == MANIFEST_NAME or (
        _is_leaf(folder, ours) and file.endswith(".png") and not file.startswith(".")
    ):
        return
    if folder == "" and not ours and not file.endswith(".png"):
        yield Finding("info", "extra-file", path, "is no part of the dataset")
    else:
        message = "is a file that consumers do not expect; remove it"
        yield Finding("error", "unexpected-file", path, message)


def _is_leaf(folder: str, ours: bool) -> bool:
    return folder in _OUR_LEAVES if ours else _ANY_LEAF.fullmatch(folder) is not None


def _is_above_leaf(folder: str, ours: bool) -> bool:
    return _is_leaf(f"{folder}/good", ours) or folder == "ground_truth"


def _check_presence(entries: Collection[str]) -> Iterator[Finding]:
    """Report what every consumer needs and the tree lacks."""
    folders = {split_path(path)[0] for path in entries if path.endswith(".png")}
    for needed in ("train/good", "test/good"):
        if needed not in folders:
            yield Finding("error", "no-images", needed, "holds no image; consumers need some")
    if not any(map(is_test_of_defects, folders)):
        yield Finding("error", "no-images", "test", "holds no defective image to test")


def check_pairs(paths: Iterable[str]) -> Iterator[Finding]:
    """Find defective images without a mask, and masks without an image: each an ``error``."""
    present = {path for path in paths if path.endswith(".png")}
    wanted = {mask_path(path): path for path in present if is_test_of_defects(split_path(path)[0])}
    for mask in sorted(wanted.keys() - present):
        yield Finding("error", "no-mask", wanted[mask], f"has no mask; {mask} is missing")
    masks = {path for path in present if is_mask(path)}
    for mask in sorted(masks - wanted.keys()):
        yield Finding("error", "no-image", mask, "is the mask of no image")


def check_names(paths: Iterable[str]) -> Iterator[Finding]:
    """Find file names on which consumers stumble: each an ``error``.

    Numbers must have one width in the whole category, since many consumers sort names as text;
    masks must sort as their images do, since many pair them by position; and names must differ by
    more than case, since some file systems do not tell case.
    """
    pngs = sorted(path for path in paths if path.endswith(".png"))
    yield from _check_widths(pngs)
    yield from _check_case(pngs)
    yield from _check_order(pngs)


def _check_widths(paths: Iterable[str]) -> Iterator[Finding]:
    digits = {
        path: len(stem)
        for path in paths
        if re.fullmatch(r"\d+", stem := split_path(path)[1], re.ASCII)
    }
    widths = Counter(digits.values())
    usual = max(widths, key=widths.__getitem__, default=0)
    for path, width in digits.items():
        if width != usual:
            message = f"has {width} digits, most of the category's names {usual}"
            yield Finding("error", "number-width", path, message)


def _check_case(paths: Iterable[str]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path in paths:
        folded = path.casefold()
        if folded in seen:
            message = f"and {seen[folded]} are one file on systems that do not tell case"
            yield Finding("error", "name-collision", path, message)
        seen[folded] = path


def _check_order(paths: Iterable[str]) -> Iterator[Finding]:
    """Report the first mask of a folder that does not sort as its image does."""
    stems: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, stem = split_path(path)
        stems[folder].append(stem)
    for folder, images in stems.items():
        masks = stems.get(folder.replace("test/", "ground_truth/", 1), [])
        if folder.startswith("test/") and sorted(masks) == sorted(images):
            wrong = [image for image, mask in zip(images, masks, strict=True) if image != mask]
            if wrong:
                message = "does not sort as its mask does; consumers that pair by order go wrong"
                yield Finding("error", "sort-order", f"{folder}/{wrong[0]}.png", message)
