"""The layout of the tree: its folders and names, and checks of the rules that paths must follow.

The rules were tested with the loaders of Anomalib, PatchCore, SimpleNet, MuSc, CFLOW-AD, CFA, two
FastFlow codes, EfficientAD, WinCLIP, RD4AD, DRAEM, DRA, Open-IAD, ADer, AnomalyCLIP, AdaCLIP and
the MVTec evaluator: they forbid what any of these cannot read. Paths are relative to the category
folder, with forward slashes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from kolektor_cli.errors import UsageError
from kolektor_cli.findings import Finding
from kolektor_cli.io.reserved import is_reserved
from kolektor_cli.samples import Label
from kolektor_cli.splits.split import SplitName

Color: TypeAlias = Literal["rgb", "gray"]

Names: TypeAlias = Literal["index", "source"]

Kind: TypeAlias = Literal["file", "folder", "link", "other"]

MANIFEST_NAME = "manifest.json"

MASK_ENDING = "_mask"

_TOPS: Mapping[SplitName, str] = {"train": "train", "val": "validation", "test": "test"}
"""The top folders of images, by split."""

_SPLITS: Mapping[str, SplitName] = {top: split for split, top in _TOPS.items()}

_MASK_PLACES = (("test/", "ground_truth/"), ("train/", "ground_truth/train_"))
"""What the folders of defective images begin with, and those of their masks."""

# Trees of other tools may have several types of defect, as MVTec AD has.
_ANY_LEAF = re.compile(r"train/[^/]+|validation/good|test/[^/]+|ground_truth/(?!good$)[^/]+")

_IMAGE_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2"),
}

_GOOD_NAMES = {
    *("good", "ok", "okay", "normal", "negative", "clean", "intact", "pass", "passed"),
    *("no-defect", "no-defects", "nodefect", "defect-free", "defectfree"),
    *("non-defective", "nondefective", "non-defect", "nondefect"),
}
"""Names of folders of good images that people use, in lower case and with hyphens."""


def check_category(category: str) -> str:
    """Return `category` if it can name a folder on every system.

    Raises
    ------
    UsageError
        It is empty, starts or ends with a dot or a space, is or contains what some system forbids,
        or is longer than 200 bytes (file systems allow 255; the hidden folder for unfinished work
        has a longer name).
    """
    forbidden = sorted(set(category) & set('/\\:*?"<>|\0')) or [c for c in category if c < " "]
    if not category or category.strip(". ") != category:
        raise UsageError(
            f"category {category!r}: must not be empty, nor start or end with a dot or a space"
        )
    if is_reserved(category):
        raise UsageError(f"category {category!r}: is the name of a device under Windows")
    if forbidden:
        raise UsageError(
            f"category {category!r}: {forbidden[0]!r} is not allowed in a folder's name"
        )
    if len(category.encode(errors="surrogatepass")) > 200:
        raise UsageError(f"category {category[:20]!r}...: is longer than 200 bytes")
    return category


def folder_of(split: SplitName, kind: str) -> str | None:
    """Return the folder of images of a kind: ``good``, or a type of defects.

    None for those that no tree holds: unused images, and defective ones of validation.
    """
    if split not in _TOPS or (split == "val" and kind != "good"):
        return None
    return f"{_TOPS[split]}/{kind}"


def kind_of(path: str) -> str:
    """Return the kind of an image or a mask by its folder: ``good``, or a type of defects."""
    folder = split_path(path)[0]
    return (image_folder(folder) if is_mask(path) else folder).partition("/")[2]


def is_mask(path: str) -> bool:
    """Return whether a path lies in the folder of masks."""
    return path.startswith("ground_truth/")


def is_test_of_defects(folder: str) -> bool:
    """Return whether a leaf folder holds defective test images."""
    return folder.startswith("test/") and folder != "test/good"


def is_train_of_defects(folder: str) -> bool:
    """Return whether a leaf folder holds defective training images, for supervised training.

    Their masks may be missing: then only the label of the whole image is known.
    """
    return folder.startswith("train/") and folder != "train/good"


def is_unread_image(path: str) -> bool:
    """Return whether a path is that of an image in a split that is no PNG."""
    return bool(image_suffix(path) and not path.endswith(".png") and split_and_label(path))


def split_path(path: str) -> tuple[str, str]:
    """Return folder and stem of a PNG's path; the stem of a mask is without `MASK_ENDING`."""
    folder, _, file = path.rpartition("/")
    stem = file.removesuffix(".png")
    return folder, stem.removesuffix(MASK_ENDING) if is_mask(path) else stem


def split_and_label(path: str) -> tuple[SplitName, Label] | None:
    """Return the split and the label of an image by its folder; None for masks and other files."""
    top, _, kind = split_path(path)[0].partition("/")
    split = _SPLITS.get(top)
    return (split, "good" if kind == "good" else "defective") if split else None


def mask_path(image_path: str) -> str:
    """Return the path of a defective image's mask."""
    folder, stem = split_path(image_path)
    return f"{mask_folder(folder)}/{stem}{MASK_ENDING}.png"


def mask_folder(image_folder: str) -> str:
    """Return the folder of the masks of a folder of images."""
    for images, masks in _MASK_PLACES:
        if image_folder.startswith(images):
            return image_folder.replace(images, masks, 1)
    return f"ground_truth/{image_folder}"


def image_folder(mask_folder: str) -> str:
    """Return the folder of the images of a folder of masks."""
    for images, masks in reversed(_MASK_PLACES):
        if mask_folder.startswith(masks):
            return mask_folder.replace(masks, images, 1)
    return mask_folder


def is_leaf(folder: str, types: Collection[str] | None) -> bool:
    """Return whether a folder may hold images or masks.

    `types` are the types of defects in a tree of this tool; None for any other tree.
    """
    if types is not None:
        return folder in _our_leaves(frozenset(types))
    misnamed = is_train_of_defects(folder) and is_called_good(folder)
    return _ANY_LEAF.fullmatch(folder) is not None and not misnamed


@cache
def _our_leaves(types: frozenset[str]) -> frozenset[str]:
    good = {f"{top}/good" for top in _SPLITS}
    defects = {f"{top}/{kind}" for top in ("train", "test") for kind in types}
    return frozenset({*good, *defects, *map(mask_folder, defects)})


def is_above_leaf(folder: str, types: Collection[str] | None) -> bool:
    """Return whether a folder may hold folders of images or masks; see `is_leaf`."""
    return is_leaf(f"{folder}/good", types) or folder == "ground_truth"


def is_called_good(folder: str) -> bool:
    """Return whether a folder has a name that people give to good images."""
    return folder.rpartition("/")[2].casefold().replace("_", "-") in _GOOD_NAMES


def image_suffix(path: str) -> str:
    """Return the suffix of a file that is an image by its name, in lower case, else ``""``."""
    suffix = PurePosixPath(path).suffix.casefold()
    return suffix if suffix in _IMAGE_SUFFIXES else ""


def check_names(paths: Iterable[str]) -> Iterator[Finding]:
    """Yield an error for each file name that some consumer cannot handle.

    Numbers must have one width in the whole category, since many consumers sort names as text.
    Masks must sort like their images, since many consumers pair them by position. Names must differ
    by more than case, since some file systems ignore case.
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
            message = f"and {seen[folded]} are the same file on systems that ignore case"
            yield Finding("error", "name-collision", path, message)
        seen[folded] = path


def _check_order(paths: Iterable[str]) -> Iterator[Finding]:
    """Yield an error for the first image of each folder that does not sort as its mask does."""
    stems: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, stem = split_path(path)
        stems[folder].append(stem)
    for folder, images in stems.items():
        masks = stems.get(mask_folder(folder), [])
        if not is_mask(f"{folder}/") and sorted(masks) == sorted(images):
            wrong = [image for image, mask in zip(images, masks, strict=True) if image != mask]
            if wrong:
                message = "does not sort as its mask does; consumers that pair by order go wrong"
                yield Finding("error", "sort-order", f"{folder}/{wrong[0]}.png", message)
