"""The check that every defective image has its mask, and every mask its image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from kolektor_cli.findings import Finding
from kolektor_cli.tree.layout import (
    image_folder,
    image_suffix,
    is_called_good,
    is_mask,
    is_test_of_defects,
    is_train_of_defects,
    mask_path,
    split_path,
)

_MASK_ENDINGS = ("", "_mask", "-mask", "_gt", "_label", "_seg", "_segmentation")
"""What people append to an image's name for its mask, in lower case."""


def check_pairs(paths: Iterable[str], *, need_masks: bool = True) -> Iterator[Finding]:
    """Yield an error for each defective test image without a mask and each mask without an image.

    Defective training images need no masks: their pixel labels may not be known. Nor do those of a
    source without masks, where `need_masks` is False.

    `paths` are all files of the tree: a mask that has another name, format or place than consumers
    expect is named, and not reported a second time as the mask of no image. Images in a folder that
    `check_structure` advises to rename to test/good need no masks.
    """
    files = {path for path in paths if image_suffix(path)}
    present = {path for path in files if path.endswith(".png")}
    wanted = _wanted_masks(present)
    masks_by_image = _masks_by_image(files)
    claimed: set[str] = set()
    weak = {mask for mask, path in wanted.items() if is_train_of_defects(split_path(path)[0])}
    for mask in sorted(wanted.keys() - present - weak) if need_masks else ():
        others = masks_by_image.get(mask_path(wanted[mask]), [])
        claimed.update(others)
        yield Finding("error", "no-mask", wanted[mask], _no_mask(mask, others))
    told = {_without_suffix(path) for path in files - present}
    images = {_without_suffix(path) for path in files}
    for mask in sorted(filter(is_mask, present - wanted.keys() - claimed)):
        name, folder = _image_of(mask), _image_of(mask.rpartition("/")[0])
        # The check of the structure tells of images in another format, and of folders of masks.
        if name not in told and not (folder.count("/") > 1 and folder in images):
            yield Finding("error", "no-image", mask, "is the mask of no image")


def _wanted_masks(present: Collection[str]) -> dict[str, str]:
    """Map the path of each mask that a defective image should have to the image."""
    folders = {split_path(path)[0] for path in present}
    misnamed = {
        folder
        for folder in folders
        if "test/good" not in folders
        and is_called_good(folder)
        and folder.replace("test/", "ground_truth/", 1) not in folders
    }
    return {
        mask_path(path): path
        for path in present
        if (is_test_of_defects(folder := split_path(path)[0]) and folder not in misnamed)
        or is_train_of_defects(folder)
    }


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _masks_by_image(files: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Map the paths that masks should have to those of masks that lie there under another name.

    These are files named like the image, with a usual ending or none, and files in a folder that is
    named like the image.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(filter(is_mask, files)):
        folder, _, file = _without_suffix(path).rpartition("/")
        for ending in _MASK_ENDINGS:
            if file.casefold().endswith(ending) and len(file) > len(ending):
                found[f"{folder}/{file[: len(file) - len(ending)]}_mask.png"].append(path)
        if folder.count("/") > 1:
            found[f"{folder}_mask.png"].append(path)
    return found


def _no_mask(mask: str, others: Sequence[str]) -> str:
    folder = mask.removesuffix("_mask.png")
    inside = [path for path in others if path.startswith(f"{folder}/")]
    beside = [path for path in others if path not in inside]
    if beside:
        other = beside[0]
        verb = "rename" if other.endswith(".png") else "save"
        return (
            f"has no mask by its name; {verb} {other} {'to' if verb == 'rename' else 'as'} {mask}"
        )
    if inside:
        what = "mask lies" if len(inside) == 1 else f"{len(inside)} masks lie"
        return f"has no mask where consumers look: its {what} in {folder}; merge into {mask}"
    return f"has no mask; {mask} is missing"


def _image_of(mask: str) -> str:
    """Return the path, without suffix, of the image of a mask, or of a folder of masks."""
    folder, stem = split_path(mask)
    return f"{image_folder(folder)}/{stem}"
