"""The check of a tree's folders and files: what consumers do not expect, and what would help.

A cause is one finding, however many files it has. No finding advises to remove a file that could be
an image or a mask, or a folder that holds one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kolektor_cli.findings import Finding, first_names
from kolektor_cli.tree.layout import (
    MANIFEST_NAME,
    Kind,
    image_suffix,
    is_above_leaf,
    is_called_good,
    is_leaf,
    is_mask,
    is_test_of_defects,
    is_train_of_defects,
    split_path,
)

_TOP_NAMES: Mapping[str, frozenset[str]] = {
    "train": frozenset({"train", "training"}),
    "test": frozenset({"test", "testing"}),
    "validation": frozenset({"val", "valid", "validation"}),
    "ground_truth": frozenset(
        {"ground_truth", "groundtruth", "ground-truth", "ground truth", "gt", "mask", "masks"}
    ),
}
"""The top folders, and what people call them."""

_DROPPINGS = {".ds_store", "thumbs.db", "desktop.ini"}

Entries = Mapping[str, Kind]

Types: TypeAlias = Collection[str] | None


def check_structure(entries: Entries, types: Types) -> Iterator[Finding]:
    """Yield what consumers do not expect below a category folder; `entries` maps paths to kinds.

    With `types`, those of the defects in a tree of this tool, only the folders that it makes are
    allowed. Without, there may be any type, and texts beside the folders (as in MVTec AD) are
    ``info``.
    """
    for path, kind in sorted(entries.items()):
        if kind in ("link", "other"):
            message = "is a link or a special file; replace it with a copy of its target"
            yield Finding("error", "not-a-file", path, message)
    odd = _odd_folders(entries, types)
    yield from _check_odd_folders(entries, odd, types)
    yield from _check_empty_folders(entries, odd)
    yield from _check_files(entries, odd, types)
    renamed = {_right_name(folder, entries, types) for folder in odd if _images(entries, folder)}
    yield from _check_presence(entries, renamed)
    if types is None:
        yield from _check_train_defects(entries, odd)


def _odd_folders(entries: Entries, types: Types) -> list[str]:
    """Return the folders that consumers do not expect, without those inside another such one."""
    odd: list[str] = []
    for path, kind in sorted(entries.items()):
        expected = is_leaf(path, types) or is_above_leaf(path, types)
        if types is None and is_train_of_defects(path) and "train/good" not in entries:
            expected = False  # most likely the good images, under another name
        if kind == "folder" and not expected and not _is_below(path, odd):
            odd.append(path)
    return odd


def _is_below(path: str, folders: Collection[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts)))


def _files(entries: Entries, folder: str) -> list[str]:
    """Return all files in a folder, at any depth."""
    below = f"{folder}/"
    return sorted(p for p, kind in entries.items() if p.startswith(below) and kind != "folder")


def _images(entries: Entries, folder: str) -> list[str]:
    """Return all files in a folder, at any depth, that are images by their names."""
    return [path for path in _files(entries, folder) if image_suffix(path)]


def _check_odd_folders(entries: Entries, odd: Sequence[str], types: Types) -> Iterator[Finding]:
    """Yield a finding for each folder to rename, and one for all others in the same place."""
    others: dict[str, list[str]] = defaultdict(list)
    for folder in odd:
        images = _images(entries, folder)
        right = _right_name(folder, entries, types)
        if images and right:
            message = _rename_message(folder, right, images, taken=right in entries)
            paths = tuple(_files(entries, folder))
            yield Finding("error", "unexpected-folder", folder, message, paths)
        else:
            others[folder.rpartition("/")[0]].append(folder)
    for parent, folders in others.items():
        full = [folder for folder in folders if _images(entries, folder)]
        rest = [folder for folder in folders if folder not in full]
        if full:
            images = [path for folder in full for path in _images(entries, folder)]
            message = _holds(full, images) + _advice_for_images(parent, full[0], images, types)
            paths = tuple(path for folder in full for path in _files(entries, folder))
            yield Finding("error", "unexpected-folder", _place(full), message, paths)
        for folder in rest:
            empty = not _files(entries, folder)
            advice = "remove it, it is empty" if empty else "move it out of the category folder"
            message = f"is a folder that consumers do not expect; {advice}"
            yield Finding("error", "unexpected-folder", folder, message)


def _right_name(folder: str, entries: Entries, types: Types) -> str | None:
    """Return the name that consumers expect of an odd folder, if its own name tells."""
    parent, _, last = folder.rpartition("/")
    if parent == "":
        found = (right for right, names in _TOP_NAMES.items() if last.casefold() in names)
        return next(found, None)
    if parent in ("train", "validation"):
        alone = len(_folders_in(parent, entries)) == 1
        return f"{parent}/good" if is_called_good(last) or alone else None
    if parent == "test" and types is not None and is_called_good(last):
        return "test/good"
    if parent in ("test", "ground_truth") and types is not None and not is_called_good(last):
        return f"{parent}/{next(iter(types))}" if len(types) == 1 else None
    return None


def _folders_in(parent: str, entries: Entries) -> list[str]:
    return [
        path
        for path, kind in entries.items()
        if kind == "folder" and path.rpartition("/")[0] == parent
    ]


def _rename_message(folder: str, right: str, images: Sequence[str], *, taken: bool) -> str:
    last = folder.rpartition("/")[2]
    does_tell = "/" not in folder or right.endswith("/defect") or is_called_good(last)
    what = f"holds {_number(images)} where consumers do not look"
    if taken:
        return f"{what}; move them into {right}, under names that are not taken there"
    condition = "" if does_tell else "if they are good, "
    return f"{what}; {condition}rename {folder} to {right}"


def _holds(folders: Sequence[str], images: Sequence[str]) -> str:
    if len(folders) == 1:
        return f"holds {_number(images)} where consumers do not look; "
    names = [folder.rpartition("/")[2] for folder in folders]
    return (
        f"holds {len(folders)} folders ({first_names(names)}) with {_number(images)} where "
        "consumers do not look; "
    )


def _number(images: Sequence[str]) -> str:
    names = [path.rpartition("/")[2] for path in images]
    what = "mask" if all(map(is_mask, images)) else "image"
    number = f"{len(images)} {what}{'s' if len(images) > 1 else ''}"
    return f"{number} ({first_names(names)})" if len(set(names)) == len(names) else number


def _advice_for_images(parent: str, folder: str, images: Sequence[str], types: Types) -> str:
    """Return what to do with images in a folder that is not read and not merely misnamed."""
    named_good = is_called_good(folder)
    if types is not None and parent in ("train", "test", "ground_truth") and not named_good:
        return f"rename it to that of its type: {', '.join(sorted(types))}"
    if is_leaf(parent, types) and is_mask(f"{parent}/"):
        stem = folder.rpartition("/")[2]
        return (
            "an image has one mask: merge the masks of each folder into one file beside it, "
            f"those of {stem} into {stem}_mask.png"
        )
    if is_leaf(parent, types):
        return f"move them up into {parent}, under names that differ"
    if parent in ("train", "validation"):
        return f"they read {parent}/good alone: move good images there, and others elsewhere"
    if is_mask(images[0]):
        return (
            "good images have no masks in this layout: move the folder out of the category folder"
        )
    return "move the folder out of the category folder"


def _check_empty_folders(entries: Entries, odd: Sequence[str]) -> Iterator[Finding]:
    parents = {path.rpartition("/")[0] for path in entries}
    for path, kind in sorted(entries.items()):
        told = path in odd or _is_below(path, odd)
        if kind == "folder" and path not in parents and not told:
            yield Finding("error", "empty-folder", path, "is empty; some consumers crash on it")


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why a file is unexpected: of one file, of several, and what to do."""

    one: str
    many: str
    advice: str

    def finding(self, paths: Sequence[str]) -> Finding:
        if len(paths) == 1:
            return Finding("error", "unexpected-file", paths[0], f"{self.one}; {self.advice}")
        place = _place(paths)
        holds = "holds " if place else ""
        message = f"{holds}{len(paths)} {self.many} ({first_names(paths)}); {self.advice}"
        return Finding("error", "unexpected-file", place, message, tuple(paths))


_OTHER_IMAGE = _Cause(
    "is an image that is no PNG by its name",
    "images that are no PNGs by their names",
    "consumers read .png alone: save as PNG, renaming is not enough",
)
_OTHER_MASK = _Cause(
    "is a mask that is no PNG by its name",
    "masks that are no PNGs by their names",
    "consumers read .png alone: save as PNG with the values 0 and 255",
)
_UPPER_CASE = _Cause(
    "does not end with .png",
    "files that do not end with .png",
    "many consumers tell upper from lower case: rename so that it does",
)
_HIDDEN = _Cause(
    "has a hidden name",
    "files with hidden names",
    "some consumers read such files and some do not: rename what is an image, move out what is not",
)
_DROPPED = _Cause(
    "was added by an operating system",
    "files that an operating system added",
    "some consumers take them for images: remove them",
)
_UNKNOWN = _Cause(
    "is a file that consumers do not expect",
    "files that consumers do not expect",
    "move out of the category folder what is no part of the dataset",
)
_PLACES = {
    "train": "move into train/good",
    "validation": "move into validation/good",
    "test": "move into test/good, or into a folder of the defect's type, such as test/defect",
    "ground_truth": "move into the folder of the defect's type, such as ground_truth/defect",
}


def _check_files(entries: Entries, odd: Sequence[str], types: Types) -> Iterator[Finding]:
    """Yield one finding for all files that are unexpected for the same reason."""
    causes: dict[_Cause, list[str]] = defaultdict(list)
    for path, kind in sorted(entries.items()):
        if kind != "file" or _is_below(path, odd) or _is_expected(path, types):
            continue
        if "/" not in path and types is None and not path.endswith(".png"):
            yield Finding("info", "extra-file", path, "is not part of the dataset")
        else:
            causes[_cause(path, types)].append(path)
    for cause, paths in causes.items():
        yield cause.finding(paths)


def _is_expected(path: str, types: Types) -> bool:
    folder, _, file = path.rpartition("/")
    is_png = file.endswith(".png") and not file.startswith(".")
    return path == MANIFEST_NAME or (is_leaf(folder, types) and is_png)


def _cause(path: str, types: Types) -> _Cause:
    folder, _, file = path.rpartition("/")
    if file.casefold() in _DROPPINGS:
        return _DROPPED
    if not image_suffix(file):
        return _UNKNOWN
    if file.startswith("."):
        return _HIDDEN
    if not is_leaf(folder, types):
        advice = _PLACES.get(folder.partition("/")[0], "move into the right folder")
        if folder == "":
            advice = "move into the folder it belongs to, such as train/good, or elsewhere"
        what = "beside the folders that consumers read"
        return _Cause(f"is an image {what}", f"images {what}", advice)
    if image_suffix(file) == ".png":
        return _UPPER_CASE
    return _OTHER_MASK if is_mask(path) else _OTHER_IMAGE


def _place(paths: Sequence[str]) -> str:
    """Return a path itself, or the folder that holds several."""
    if len(paths) == 1:
        return paths[0]
    parts = [path.split("/")[:-1] for path in paths]
    common = []
    for same in zip(*parts, strict=False):
        if len(set(same)) > 1:
            break
        common.append(same[0])
    return "/".join(common)


def _check_train_defects(entries: Entries, odd: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning for each folder of defective images to train on."""
    for folder in sorted(filter(is_train_of_defects, entries)):
        images = _images(entries, folder)
        if entries[folder] == "folder" and folder not in odd and images:
            message = (
                f"holds {_number(images)}, for supervised training if they are defective: codes "
                "that train on all folders take them for good"
            )
            yield Finding("warning", "train-defects", folder, message)


def _check_presence(entries: Entries, renamed: Collection[str | None]) -> Iterator[Finding]:
    """Yield an error for each kind of image that consumers need and the tree does not have.

    What another finding already tells of counts as there: images in another format, and in a folder
    to rename.
    """
    folders = {split_path(path)[0] for path in entries if image_suffix(path)}
    present = {*folders, *renamed}
    if "train/good" not in present and "train" not in renamed:
        yield Finding("error", "no-images", "train/good", "holds no image; consumers need some")
    if "test" in renamed:
        return
    if "test/good" not in present:
        tested = sorted(filter(is_test_of_defects, folders))
        without = [f for f in tested if f.replace("test/", "ground_truth/", 1) not in folders]
        good = [f for f in tested if is_called_good(f)] or (without if without != tested else [])
        message = "holds no image; consumers need some"
        if good:
            message += f"; if the images of {good[0]} are good, rename {good[0]} to test/good"
        yield Finding("error", "no-images", "test/good", message)
    if not any(is_test_of_defects(folder) for folder in present if folder):
        yield Finding("error", "no-images", "test", "holds no defective image to test")
